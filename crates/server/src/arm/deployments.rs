//! Deployments of templates: the control plane's engine, on the wire.

use super::{call::Call, routes::Deployments};
use crate::error::{Answer, ApiError};

pub(super) async fn answer(call: &Call, what: Deployments) -> Answer {
    let _ = (call, what);
    Err(ApiError::new(axum::http::StatusCode::NOT_IMPLEMENTED, "NotImplemented", "Deployments are not served."))
}
