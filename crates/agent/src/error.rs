//! What stops an agent, in words that say what to do.
//!
//! A broken estate is not among them: it is reported, and the last good policy stays in force.

use std::io;
use std::path::PathBuf;

use crate::instance::NAME_LENGTH_MAX;

/// Why an agent cannot start, go on or answer. What was enforced before still is.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The name of an instance is not one.
    #[error(
        "instance \"{name}\" is not a name (write 1 to {NAME_LENGTH_MAX} letters, digits, \"-\" or \"_\")"
    )]
    InstanceName {
        /// The name.
        name: String,
    },
    /// Another agent has the instance.
    #[error("{} is in use by another agent (stop it, or choose another instance)", .dir.display())]
    Busy {
        /// The state directory.
        dir: PathBuf,
    },
    /// The datapath refuses.
    #[error("the datapath cannot be used")]
    Datapath(#[from] palisade_datapath::Error),
    /// What an agent of a server keeps cannot be used.
    #[error("the agent of a server cannot start")]
    Remote(#[from] crate::remote::RemoteError),
    /// Endpoints cannot be closed.
    #[error("the endpoints in the table {table} of nftables cannot be closed: {why}")]
    Endpoints {
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// A system call failed.
    #[error("cannot {action}")]
    System {
        /// What was tried: completes the sentence "cannot ...".
        action: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// Attaches what was tried to an error of the system.
pub(crate) trait Context<T> {
    /// `action` completes the sentence "cannot ...".
    fn context(self, action: impl FnOnce() -> String) -> Result<T, AgentError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, AgentError> {
        self.map_err(|source| AgentError::System { action: action(), source })
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, AgentError> {
        self.map_err(|errno| AgentError::System { action: action(), source: errno.into() })
    }
}

/// An error and everything that caused it, as one text.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
