//! TLS of the server: its own certificate authority, what it signs, and the configuration of the listeners.
//!
//! Cryptography is `ring`'s everywhere, TLS 1.2 and 1.3. Certificates are short-lived and made in memory: only the
//! authority itself is kept, as a record that every server of one store shares.

mod authority;
mod certificate;
mod listener;
#[cfg(test)]
mod tests;
mod verify;

pub use authority::{AUTHORITY_LIFETIME, Authority, HOST_LIFETIME, SignedHost};
pub use certificate::{Credentials, SERVER_LIFETIME, ServerNames};
pub use listener::{Source, api_config, fleet_config, install_provider, renewal_delay};
pub use verify::{HostIdentity, host_of};

/// What is wrong with a certificate, a key or a request for one.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate cannot be made.
    #[error("cannot make the certificate of {subject}: {source}")]
    Sign {
        /// Whose.
        subject: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A request does not ask for what may be signed.
    #[error("the certificate signing request is refused: {0}")]
    Request(String),
    /// The kept authority cannot be read.
    #[error("the record of the certificate authority is damaged: {0}")]
    Damaged(String),
    /// The authority cannot be kept.
    #[error("the certificate authority cannot be kept: {0}")]
    Keep(String),
    /// A file of the operator's own certificate is no use.
    #[error("{path}: {why}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        why: String,
    },
    /// rustls does not take the certificate.
    #[error("the certificate is not usable: {0}")]
    Config(#[from] rustls::Error),
}
