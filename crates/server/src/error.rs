//! Refusals on the wire: Azure's envelope `{"error":{"code","message","target"?,"details"?,"additionalInfo"?}}`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use palisade_control::ControlError;
use serde_json::{Value, json};

use crate::headers::insert;

/// A refusal that is a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What is wrong.
    pub error: Box<ControlError>,
    /// Methods that would not have been refused, where the method is what is wrong.
    allow: Option<Box<str>>,
}

/// The code of a refusal, beside its response, for who writes down what was refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) std::borrow::Cow<'static, str>);

/// What handlers answer.
pub type Answer = Result<Response, ApiError>;

impl ApiError {
    /// A refusal with this status, code and sentence.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        ControlError::new(status.as_u16(), code, message).into()
    }

    /// 405, with the methods that are served.
    pub fn method(method: &str, served: &[&str]) -> Self {
        let served = served.join(", ");
        let message = format!("The method '{method}' is not allowed here; allowed are {served}.");
        Self {
            allow: Some(served.into()),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
        }
    }

    /// 400.
    pub fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404, in Azure's general words.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 500 without a word about why: the reason is ours and goes to the operator.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "The server could not answer. The request id tells the operator which request it was.",
        )
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        Self { error: Box::new(error), allow: None }
    }
}

/// The envelope of a refusal.
pub fn envelope(error: &ControlError) -> Value {
    json!({ "error": error.to_json() })
}

/// How long a client should wait before it tries again, in seconds, where that can help.
const RETRY_AFTER: &str = "1";

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(envelope(&self.error))).into_response();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response.extensions_mut().insert(Refused(self.error.code.clone()));
        if let Some(served) = &self.allow {
            insert(response.headers_mut(), header::ALLOW, served);
        }
        response
    }
}
