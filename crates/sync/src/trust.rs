//! Whom an agent believes to be its server: rustls configurations for the first contact and for every later one.
//!
//! On first contact the host knows only the fingerprint in its token. The server therefore sends its authority's
//! certificate at the end of its chain; the one with that fingerprint is taken as the root, and then the chain, its time
//! and the server's name are checked as always. Later the host has the certificate itself, and shows its own.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

use crate::documents::Hash;

/// What gRPC is called in the handshake.
const ALPN: &[u8] = b"h2";

/// Certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A text is not PEM, or not of what it should be.
    #[error("{what} is not PEM of what it should be")]
    Pem {
        /// What.
        what: &'static str,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate or key is refused.
    #[error("certificates cannot be used")]
    Refused(#[from] Error),
}

/// The certificate of an authority, and its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority(CertificateDer<'static>);

impl Authority {
    /// From PEM.
    ///
    /// # Errors
    /// If it is not a certificate.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        let read = CertificateDer::from_pem_slice(pem.as_bytes());
        read.map(Self).map_err(|source| TrustError::Pem { what: "the authority's certificate", source })
    }

    /// SHA-256 of the certificate: what join tokens carry.
    pub fn fingerprint(&self) -> Hash {
        fingerprint(&self.0)
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> Hash {
    Sha256::digest(certificate).into()
}

/// For the first contact of a host that knows the fingerprint of its authority.
///
/// # Errors
/// If this build has no cryptography.
pub fn pinned(authority: Hash) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Pinned { authority, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(speaking_grpc(config))
}

/// For the first contact of a host that was given the authority's certificate.
///
/// # Errors
/// If the certificate is not one.
pub fn anchored(authority: &Authority) -> Result<ClientConfig, TrustError> {
    Ok(speaking_grpc(rooted(authority)?.with_no_client_auth()))
}

/// For a host with a certificate of its own. `identity` is PEM of its key and its certificate.
///
/// # Errors
/// If one of them is not what it should be, or they do not fit each other.
pub fn mutual(authority: &Authority, identity: &str) -> Result<ClientConfig, TrustError> {
    let pem = |source| TrustError::Pem { what: "the host's certificate", source };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.as_bytes());
    let key = key.map_err(|source| TrustError::Pem { what: "the host's key", source })?;
    Ok(speaking_grpc(rooted(authority)?.with_client_auth_cert(chain.map_err(pem)?, key)?))
}

type WithRoots = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn rooted(authority: &Authority) -> Result<WithRoots, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots(&authority.0)?))
}

fn roots(authority: &CertificateDer<'_>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone().into_owned())?;
    Ok(roots)
}

fn speaking_grpc(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

/// Believes a server whose chain ends at the certificate with a known fingerprint.
#[derive(Debug)]
struct Pinned {
    authority: Hash,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let known = intermediates.iter().find(|certificate| fingerprint(certificate) == self.authority);
        let authority = known.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let roots = Arc::new(roots(authority)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider)).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
