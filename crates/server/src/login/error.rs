//! Refusals in OAuth's shape, as client libraries read them: RFC 6749 section 5.2, with the fields that Entra adds.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use palisade_control::ControlError;
use serde_json::json;

use crate::{error::ApiError, headers::insert};

/// A refusal of the token service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OAuthError {
    pub(super) status: StatusCode,
    /// The code that libraries act on.
    pub(super) code: &'static str,
    /// What is wrong, which libraries show as it is.
    pub(super) description: String,
    /// Seconds to wait.
    retry_after: Option<u64>,
}

impl OAuthError {
    pub(super) fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self { status, code, description: description.into(), retry_after: None }
    }

    /// The request cannot be read.
    pub(super) fn request(why: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            format!("The request is not one for a token: {why}."),
        )
    }

    /// A client does not show who it is. Always the same words, whatever is wrong.
    pub(super) fn client() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "The client id or its secret or assertion is wrong, has expired, or the client is disabled.",
        )
    }

    /// What was shown for a token does not count.
    pub(super) fn grant(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", why)
    }

    /// Too many wrong attempts lie behind.
    pub(super) fn wait(seconds: u64) -> Self {
        let description = format!("There were too many failed attempts. Try again in {seconds} seconds.");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", description);
        Self { retry_after: Some(seconds), ..error }
    }

    /// Something of ours failed.
    pub(super) fn server(why: &dyn std::fmt::Display) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            format!("No token can be issued: {why}."),
        )
    }
}

impl From<ControlError> for OAuthError {
    fn from(error: ControlError) -> Self {
        Self::server(&error.message)
    }
}

impl From<ApiError> for OAuthError {
    fn from(error: ApiError) -> Self {
        (*error.error).into()
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.code, "error_description": self.description, "error_codes": [] });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"palisade\""));
        }
        if let Some(seconds) = self.retry_after {
            insert(headers, header::RETRY_AFTER, &seconds.to_string());
        }
        response
    }
}
