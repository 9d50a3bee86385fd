//! Operations that go on after the answer, until the hosts concerned have reported.
//!
//! Protocol: ARM's `Azure-AsyncOperation` and `Location`. A host usually has a change in force after milliseconds, so the
//! first questions come quickly one after the other, later ones as rarely as the server asks for.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    client::Client,
    error::{ApiError, ClientError},
    transport::Answer,
};

/// When the second question is asked.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// The longest pause, unless the server asks for another one.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Something that the server has accepted and goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    status: Option<String>,
    location: Option<String>,
    pause_max: Duration,
}

/// How long to wait for the end of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Patience(pub Duration);

impl Default for Patience {
    /// Longer than the server itself waits for a host.
    fn default() -> Self {
        Self(Duration::from_secs(600))
    }
}

/// What is known while one waits.
#[derive(Debug)]
pub struct Progress<'a> {
    /// What the operation says of itself.
    pub status: &'a str,
    /// How long it has been going on.
    pub waited: Duration,
}

impl Operation {
    /// The one that an answer announces.
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        let text = |name: &str| answer.header(name).map(str::to_owned);
        let status = text("azure-asyncoperation");
        let location = text("location").filter(|_| status.is_some() || answer.status == 202);
        let retry_after = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
        let pause_max = retry_after.map_or(LONGEST_PAUSE, Duration::from_secs).max(FIRST_PAUSE);
        (status.is_some() || location.is_some()).then_some(Self { status, location, pause_max })
    }

    /// Where the result is, if the operation has one beside the resource.
    pub(crate) fn result_url(&self) -> Option<&str> {
        self.location.as_deref()
    }
}

impl Client {
    /// Waits for the end of an operation, and returns what was said last.
    ///
    /// # Errors
    /// [`ClientError::OperationFailed`] if it failed, [`ClientError::OperationPending`] if patience ran out.
    pub fn wait(
        &self,
        operation: &Operation,
        patience: Patience,
        mut progress: impl FnMut(&Progress<'_>),
    ) -> Result<Value, ClientError> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let Some(url) = operation.status.as_deref().or(operation.location.as_deref()) else {
            return Ok(Value::Null);
        };
        loop {
            let answer = self.poll(url)?;
            let status = match answer.body["status"].as_str().filter(|_| operation.status.is_some()) {
                Some(status) => status.to_owned(),
                None if answer.status == 202 => "InProgress".to_owned(),
                None => "Succeeded".to_owned(),
            };
            match status.as_str() {
                "Succeeded" => return Ok(answer.body),
                "Failed" | "Canceled" => {
                    return Err(ClientError::OperationFailed(ApiError::envelope(
                        answer.status,
                        &answer.body["error"],
                    )));
                }
                _ => {}
            }
            let waited = begun.elapsed();
            if waited >= patience.0 {
                return Err(ClientError::OperationPending { status, waited, url: url.to_owned() });
            }
            progress(&Progress { status: &status, waited });
            thread::sleep(pause.min(patience.0.saturating_sub(waited)));
            pause = (pause * 2).min(operation.pause_max);
        }
    }
}
