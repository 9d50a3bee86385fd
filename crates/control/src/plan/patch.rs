//! PATCH: tags, which are replaced as a whole, as Azure does.

use serde_json::{Map, Value};

use super::{Context, Done, Draft, body, group, judge, lock, put};
use crate::kinds::{self, Target};
use crate::world::Document;
use crate::{ControlError, Effect};

/// Plans a PATCH.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    _context: &Context<'_>,
    target: &Target,
    body: &Value,
) -> Result<Done, ControlError> {
    let Some(stored) = draft.world().document(&target.id).cloned() else {
        return Err(if target.kind.name == kinds::GROUP {
            ControlError::group_not_found(target.id.name())
        } else {
            ControlError::not_found(&target.id)
        });
    };
    group::check_place(draft.world(), target)?;
    lock::check_write(draft.world(), &target.id)?;
    let members = body.as_object().ok_or_else(|| {
        ControlError::bad("InvalidRequestFormat", "Cannot parse the request: the body is not an object.")
    })?;
    if !target.kind.is_tagged {
        return Err(not_patchable(target, members));
    }
    let mut own = stored.body().as_object().cloned().unwrap_or_default();
    for (key, value) in members {
        if !key.eq_ignore_ascii_case("tags") {
            return Err(not_patchable(target, members));
        }
        own.insert("tags".to_owned(), body::tags(value)?);
    }
    let document =
        Document::new(target.id.clone(), target.kind, Value::Object(own), put::new_etag(), stored.order());
    if document.says_as(&stored) {
        return Ok(Effect::Unchanged.into());
    }
    draft.put(document);
    judge::check(draft.world(), target)?;
    Ok(Effect::Updated.into())
}

fn not_patchable(target: &Target, members: &Map<String, Value>) -> ControlError {
    let given: Vec<&str> = members.keys().map(String::as_str).collect();
    let message = format!(
        "PATCH of {} changes tags only; the request has: {}. Use PUT to change the rest.",
        target.kind.name,
        given.join(", ")
    );
    ControlError::bad("InvalidPatchRequest", message)
}
