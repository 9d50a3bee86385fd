//! What can go wrong between a host and its server. None of it changes what is enforced.

use std::io;
use std::path::PathBuf;

use palisade_sync::documents::DocumentsError;
use palisade_sync::trust::TrustError;

use super::ServerAddress;

/// Why a host and its server do not agree, or do not speak.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A text is not the address of a server.
    #[error("\"{text}\" is not the address of a server (write HOST:PORT, an IPv6 address in brackets)")]
    Address {
        /// The text.
        text: String,
    },
    /// The server cannot be reached, or is not believed.
    #[error("server {server} cannot be reached")]
    Unreachable {
        /// Where.
        server: ServerAddress,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The server answers something else than was asked for.
    #[error("server {server} refuses: {message}")]
    Refused {
        /// Where.
        server: ServerAddress,
        /// What it says.
        message: String,
    },
    /// The stream was cut.
    #[error("the connection to server {server} ended: {message}")]
    Ended {
        /// Where.
        server: ServerAddress,
        /// How.
        message: String,
    },
    /// The server took too long.
    #[error("server {server} did not answer in {seconds} s")]
    Late {
        /// Where.
        server: ServerAddress,
        /// How long was waited.
        seconds: u64,
    },
    /// What the server says cannot be.
    #[error("server {server} sent what cannot be taken: {message}")]
    Nonsense {
        /// Where.
        server: ServerAddress,
        /// What is wrong with it.
        message: String,
    },
    /// The documents here are not those of the server.
    #[error(
        "the documents of revision {revision} are not those that server {server} counts (all of them are asked for)"
    )]
    Differs {
        /// Where.
        server: ServerAddress,
        /// Which.
        revision: u64,
    },
    /// The server's documents pass a limit.
    #[error("documents are refused")]
    Documents(#[from] DocumentsError),
    /// The host has no certificate, and no token to get one with.
    #[error(
        "this host is not one of the server's (make a join token on the server, and start the agent with --join-token)"
    )]
    NotJoined,
    /// The host's certificate has ended.
    #[error(
        "the certificate of this host has ended (make a new join token on the server, and start with --join-token)"
    )]
    Expired,
    /// The authority is not the one that the token names.
    #[error("server {server} gave a certificate of an authority that the join token does not name")]
    OtherAuthority {
        /// Where.
        server: ServerAddress,
    },
    /// Certificates or keys cannot be used.
    #[error("the host's certificate cannot be used")]
    Trust(#[from] TrustError),
    /// A certificate cannot be read.
    #[error("the host's certificate cannot be read: {message}")]
    Certificate {
        /// Why.
        message: String,
    },
    /// A key or a request for a certificate cannot be made.
    #[error("no key can be made")]
    Key(#[from] rcgen::Error),
    /// A file.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was tried: "read", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl RemoteError {
    /// What the server says.
    pub(super) fn refused(server: &ServerAddress, status: &tonic::Status) -> Self {
        Self::Refused { server: server.clone(), message: said(status) }
    }

    /// How a stream ended.
    pub(super) fn ended(server: &ServerAddress, status: &tonic::Status) -> Self {
        Self::Ended { server: server.clone(), message: said(status) }
    }
}

/// A status as one sentence. Many have no text but their code's, and the cause of others is where the sentence is.
fn said(status: &tonic::Status) -> String {
    let text = if status.message().is_empty() { status.code().description() } else { status.message() };
    match std::error::Error::source(status) {
        Some(cause) => format!("{text} ({})", crate::error::in_full(cause)),
        None => text.to_owned(),
    }
}
