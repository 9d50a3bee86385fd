//! `If-Match` and `If-None-Match` against the stored resource (RFC 9110, section 13.1).

use palisade_model::ResourceId;

use crate::{ControlError, Precondition, World};

/// Whether the precondition holds.
pub(super) fn check(world: &World, id: &ResourceId, precondition: &Precondition) -> Result<(), ControlError> {
    let etag = world.etag(id);
    if let Some(wanted) = &precondition.if_match
        && !etag.is_some_and(|etag| names(wanted, etag))
    {
        return Err(failed(id, "If-Match", wanted));
    }
    if let Some(unwanted) = &precondition.if_none_match
        && etag.is_some_and(|etag| names(unwanted, etag))
    {
        return Err(failed(id, "If-None-Match", unwanted));
    }
    Ok(())
}

/// Whether a header's list names an ETag. Weakness and quotes do not count: Azure's own ETags are weak, and clients
/// compare them as texts.
fn names(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|tag| tag == "*" || bare(tag) == bare(etag))
}

fn bare(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

fn failed(id: &ResourceId, header: &str, value: &str) -> ControlError {
    let message = format!(
        "Precondition failed. {header}: {value} does not hold for the current ETag of {id}. Read it again and retry."
    );
    ControlError::new(412, "PreconditionFailed", message)
}
