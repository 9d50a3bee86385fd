//! What can go wrong on the way to an answer, and what a server says when it refuses.
//!
//! A refusal keeps Azure's code and message as they came: scripts match on the code, people read the message.

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::profile::ProfileError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, no TLS, no answer in time.
    #[error("{endpoint} cannot be reached: {source}")]
    Unreachable {
        /// The server.
        endpoint: String,
        /// What the connection says.
        source: Box<ureq::Error>,
    },
    /// The server refused, or failed.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The answer is not what the protocol says.
    #[error("the answer of {url} makes no sense: {problem}")]
    Nonsense {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// What was accepted has failed afterwards: a host refused it, or is gone.
    #[error("the operation was accepted and then failed: {0}")]
    OperationFailed(ApiError),
    /// What was accepted is still going on.
    #[error("the operation is still {status} after {} s (look at it again: {url})", .waited.as_secs())]
    OperationPending {
        /// What it says of itself.
        status: String,
        /// How long it was waited for.
        waited: Duration,
        /// Where to ask.
        url: String,
    },
    /// The address of a server is not one.
    #[error("{given:?} is no address of a server (write https://HOST:PORT)")]
    Endpoint {
        /// What was given.
        given: String,
    },
    /// The certificate of an authority cannot be read.
    #[error("{what} holds no certificate in PEM form")]
    Authority {
        /// Where it should be.
        what: String,
    },
    /// There are no credentials that could be traded for a token.
    #[error("nobody is logged in at {endpoint} any more (run `palisade login`)")]
    LoggedOut {
        /// The server.
        endpoint: String,
    },
    /// The file of profiles.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl ClientError {
    /// What the server said, if it answered.
    pub fn refusal(&self) -> Option<&ApiError> {
        match self {
            Self::Refused(error) | Self::OperationFailed(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the server refused with this HTTP status.
    pub fn has_status(&self, status: u16) -> bool {
        matches!(self, Self::Refused(error) if error.status == status)
    }
}

/// A refusal, as Azure writes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The code that programs match on.
    pub code: String,
    /// The sentence that people read.
    pub message: String,
    /// The property or resource that it is about.
    pub target: Option<String>,
    /// What is wrong in particular.
    pub details: Vec<Self>,
}

impl ApiError {
    /// Reads an error from an answer: ARM's envelope, or that of a token endpoint.
    pub(crate) fn read(status: u16, body: &Value) -> Self {
        match &body["error"] {
            Value::String(code) => {
                let message = body["error_description"].as_str().unwrap_or("no reason was given");
                Self::plain(status, code, message)
            }
            envelope @ Value::Object(_) => Self::envelope(status, envelope),
            _ => Self::plain(
                status,
                "UnexpectedAnswer",
                &format!("the server answered with HTTP status {status}"),
            ),
        }
    }

    /// Reads the object with `code` and `message`.
    pub(crate) fn envelope(status: u16, error: &Value) -> Self {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        Self {
            status,
            code: text("code"),
            message: text("message"),
            target: error["target"].as_str().map(str::to_owned),
            details: error["details"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| Self::envelope(status, one))
                .collect(),
        }
    }

    fn plain(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned(), target: None, details: Vec::new() }
    }
}

impl std::error::Error for ApiError {}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for detail in &self.details {
            write!(f, "\n  {detail}")?;
        }
        Ok(())
    }
}
