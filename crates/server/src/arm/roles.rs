//! Roles and assignments, as `az role` reads and writes them.

use super::{call::Call, routes::Roles};
use crate::error::{Answer, ApiError};

pub(super) async fn answer(call: &Call, what: Roles) -> Answer {
    let _ = (call, what);
    Err(ApiError::new(axum::http::StatusCode::NOT_IMPLEMENTED, "NotImplemented", "Roles are not served."))
}
