//! What rustls is told: for the API, where tokens tell who calls, and for the fleet, where certificates do.
//!
//! A configuration is made from credentials and thrown away as a whole when they are renewed, so that a connection sees
//! one certificate or the next and never a mixture.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::CertificateDer,
    server::{VerifierBuilderError, WebPkiClientVerifier},
};

use super::{Authority, Credentials, SERVER_LIFETIME, ServerNames, TlsError};

/// Where the certificate of the API comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Our authority signs it for these names.
    Authority(ServerNames),
    /// The operator's own, from PEM files that are read again at each renewal.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

impl Source {
    /// Credentials as of now.
    pub fn credentials(&self, authority: &Authority, now: SystemTime) -> Result<Credentials, TlsError> {
        match self {
            Self::Authority(names) => authority.sign_server(names, now),
            Self::Files { certificate, key } => Credentials::from_files(certificate, key),
        }
    }
}

/// How long credentials are shown before new ones are made: a third of their life stays in reserve for a failed renewal.
pub fn renewal_delay() -> Duration {
    SERVER_LIFETIME * 2 / 3
}

/// Makes `ring` the cryptography of the process. Somebody else may have done so before; that is as good.
pub fn install_provider() {
    let _already = ring::default_provider().install_default();
}

/// TLS of the API: no certificate of the client is asked for.
pub fn api_config(credentials: Credentials) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = builder()?.with_no_client_auth();
    finish(builder.with_single_cert(credentials.chain, credentials.key)?)
}

/// TLS of the fleet: a client without a certificate may only join, and one with another authority's is turned away.
pub fn fleet_config(credentials: Credentials, authority: &Authority) -> Result<Arc<ServerConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der().to_vec()))?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error: VerifierBuilderError| rustls::Error::General(error.to_string()))?;
    let builder = builder()?.with_client_cert_verifier(verifier);
    let mut config = builder.with_single_cert(credentials.chain, credentials.key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

type Builder = rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, TlsError> {
    let provider = Arc::new(ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?)
}

fn finish(mut config: ServerConfig) -> Result<Arc<ServerConfig>, TlsError> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
