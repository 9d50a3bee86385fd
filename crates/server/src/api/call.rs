//! One request to our own API.

use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use palisade_control::{Caller, time};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    app::App,
    arm::Query,
    error::{Answer, ApiError},
    limits::body::invalid,
};

/// A request that found its row and may go on.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
    /// What stands in the places for names.
    pub(super) names: Vec<String>,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Value>,
}

impl Call {
    /// The name in the path.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// The second name in the path: of a part of what the first one names.
    pub(super) fn part(&self) -> &str {
        self.names.get(1).map_or("", String::as_str)
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        time::unix_seconds(self.app.now())
    }

    /// The body as what it should be; nothing sent is an empty object.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let body = self.body.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        serde_json::from_value(body).map_err(|error| invalid(&error.to_string()))
    }

    /// Runs what makes a hash off the threads that answer, in line with those of logins.
    pub(super) async fn hash<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        self.app.desk.hash(work).await.ok_or_else(|| {
            ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequests",
                "Too many passwords and secrets are being made or compared. Try again in a moment.",
            )
        })
    }

    /// A whole number of the query.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.query.get(name) else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            ApiError::bad("InvalidParameter", format!("'{name}' is '{text}', and must be a whole number."))
        })?;
        Ok(Some(number))
    }

    /// Refuses a body that says that it is something else than JSON.
    pub(super) fn check_content_type(&self) -> Result<(), ApiError> {
        let Some(given) = self.headers.get(header::CONTENT_TYPE) else { return Ok(()) };
        let essence = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "The body must be application/json.",
        ))
    }
}

/// An answer in JSON.
pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> Answer {
    Ok((status, Json(body)).into_response())
}

/// An answer without a body.
pub(super) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
