//! Who a host is to its server: a key that is made here and never leaves, and the certificate that the server gave for it.
//!
//! It knows neither disk nor network. Certificates live shortly and are renewed at two thirds of their life, with a new key.

use palisade_sync::trust::{self, Authority};
use palisade_sync::{Certificate, Hash};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ClientConfig;
use x509_parser::pem::parse_x509_pem;

use super::RemoteError;

/// A key without a certificate yet.
pub(super) struct Request {
    key: KeyPair,
    /// The request for a certificate, PEM.
    pub(super) text: String,
}

impl Request {
    /// Makes a key, and asks for a certificate of this name.
    pub(super) fn new(host: &str) -> Result<Self, RemoteError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, host);
        let text = params.serialize_request(&key)?.pem()?;
        Ok(Self { key, text })
    }

    /// The key with the certificate that was given for it.
    pub(super) fn answered(self, host: &str, answer: &Certificate) -> Result<Credentials, RemoteError> {
        let identity = format!("{}{}", self.key.serialize_pem(), answer.certificate);
        Credentials::new(host, &answer.authority, identity)
    }
}

/// A key, its certificate, and the authority that both sides believe.
#[derive(Clone)]
pub struct Credentials {
    host: String,
    authority: String,
    identity: String,
    fingerprint: Hash,
    begins: u64,
    ends: u64,
}

impl Credentials {
    /// From PEM: the authority's certificate; the host's key and certificate.
    ///
    /// # Errors
    /// If they are not that, or do not fit each other.
    pub fn new(host: &str, authority: &str, identity: String) -> Result<Self, RemoteError> {
        let known = Authority::from_pem(authority)?;
        trust::mutual(&known, &identity)?;
        let (begins, ends) = life(&identity)?;
        let (host, authority) = (host.to_owned(), authority.to_owned());
        Ok(Self { host, authority, identity, fingerprint: known.fingerprint(), begins, ends })
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The authority's certificate, PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The fingerprint of the authority.
    pub const fn fingerprint(&self) -> &Hash {
        &self.fingerprint
    }

    /// The host's key and certificate, PEM. Whoever has it is the host.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// When the certificate ends, in seconds since 1970.
    pub const fn ends(&self) -> u64 {
        self.ends
    }

    /// When to ask for the next one: at two thirds of its life.
    pub const fn renew_at(&self) -> u64 {
        self.begins + self.ends.saturating_sub(self.begins) / 3 * 2
    }

    /// How to speak as this host.
    pub(super) fn tls(&self) -> Result<ClientConfig, RemoteError> {
        Ok(trust::mutual(&Authority::from_pem(&self.authority)?, &self.identity)?)
    }
}

/// Without the key, which must not stand in a log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, begins, ends, .. } = self;
        f.debug_struct("Credentials")
            .field("host", host)
            .field("begins", begins)
            .field("ends", ends)
            .finish_non_exhaustive()
    }
}

/// When the first certificate of a text begins and ends.
fn life(identity: &str) -> Result<(u64, u64), RemoteError> {
    let wrong = |message: String| RemoteError::Certificate { message };
    let mut rest = identity.as_bytes();
    loop {
        let (after, pem) = parse_x509_pem(rest).map_err(|error| wrong(error.to_string()))?;
        if pem.label == "CERTIFICATE" {
            let certificate = pem.parse_x509().map_err(|error| wrong(error.to_string()))?;
            let validity = certificate.validity();
            let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
            return Ok((seconds(validity.not_before.timestamp()), seconds(validity.not_after.timestamp())));
        }
        rest = after;
    }
}
