//! Intents on the wire: the header that asks to override them, and the headers that tell what was broken all the same.
//!
//! Which intents a change breaks is the control plane's to say. Here is only whether the caller has the permission to break
//! them, which is asked at the intents and not at what is written. Reference: docs/gate.md.

use std::collections::BTreeSet;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use palisade_control::{ControlError, Override, kinds::INTENTS};
use palisade_model::ResourceId;

use super::{call::Call, path::decode};
use crate::{access, error::ApiError};

/// The reason for which intents are overridden, in UTF-8 with percent signs for what a header cannot hold.
const REASON: HeaderName = HeaderName::from_static("x-palisade-override");
/// The permission that is asked for at the intents.
const ACTION: &str = "Palisade.Network/intents/override/action";
/// Longest reason, in characters.
const REASON_LENGTH_MAX: usize = 500;
/// Warnings of one answer; the audit log has all of them.
const WARNINGS_MAX: usize = 10;
/// Longest text of a warning, in characters.
const WARNING_LENGTH_MAX: usize = 500;

/// What the caller may break, if the request asks for it.
pub(super) fn overriding(call: &Call) -> Result<Option<Override>, ApiError> {
    let mut values = call.headers.get_all(&REASON).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return match call.headers.contains_key(&REASON) {
            true => Err(invalid("stands twice")),
            false => Ok(None),
        };
    };
    let reason = value.to_str().ok().and_then(decode).ok_or_else(|| invalid("is no text"))?;
    let reason = reason.trim().to_owned();
    if !(1..=REASON_LENGTH_MAX).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        return Err(invalid("has no reason, or too long a one"));
    }
    let all: Vec<ResourceId> = call.app.control.read(|world| world.list(&call.app.site.scope(), INTENTS));
    let may = |id: &ResourceId| access::authorize(&call.app.control, &call.principal, ACTION, id).is_ok();
    Ok(Some(Override { reason, of: all.into_iter().filter(may).collect::<BTreeSet<_>>() }))
}

fn invalid(problem: &str) -> ApiError {
    let message = format!(
        "The header '{REASON}' {problem}; it must have the reason for the override, in 1 to {REASON_LENGTH_MAX} characters."
    );
    ApiError::bad("InvalidOverrideReason", message)
}

/// Tells with an answer which intents the write breaks. `Warning` is what clients of Kubernetes know (RFC 7234, 5.5).
pub(super) fn warned(mut response: Response, warnings: &[ControlError]) -> Response {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let fits = |c: char| if c == ' ' || c.is_ascii_graphic() && !"\"\\".contains(c) { c } else { '?' };
        let text: String = warning.message.chars().take(WARNING_LENGTH_MAX).map(fits).collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 palisade \"{}: {text}\"", warning.code)) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}
