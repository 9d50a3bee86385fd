//! The certificate authority of one installation.
//!
//! It is made once, kept in the store (so that all servers of a store are one authority), and never leaves the servers
//! with its key. It signs two things that cannot stand in for each other: certificates of servers (`serverAuth`) and of
//! hosts (`clientAuth`). Of a host's request only the key counts; the name is the caller's to decide. RFC 5280.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use palisade_control::{Action, Control, Expect, RecordChange};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::app::system_caller;

use super::{Credentials, SERVER_LIFETIME, ServerNames, TlsError};

/// How long the authority's own certificate holds.
pub const AUTHORITY_LIFETIME: Duration = Duration::from_secs(20 * 365 * 86_400);
/// How long the certificate of a host holds; agents renew it at two thirds.
pub const HOST_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// Clocks differ; a certificate holds from a little before it was made.
const SKEW: Duration = Duration::from_secs(300);
/// Where the authority is kept.
const RECORD: &str = "ca/authority";
/// How often keeping the authority is tried when other servers start at the same time.
const ATTEMPTS_MAX: usize = 8;
/// Longest certificate signing request, in bytes.
const REQUEST_LENGTH_MAX: usize = 16_384;

/// The authority: its certificate, and the key that signs.
pub struct Authority {
    pem: String,
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that was signed for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHost {
    /// The certificate, PEM.
    pub pem: String,
    /// Its serial number, lower-case hexadecimal.
    pub serial: String,
    /// When it ends, in seconds of Unix time.
    pub not_after: u64,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// The authority of the store, made if there is none yet.
    pub async fn open(control: &Control, now: SystemTime) -> Result<Self, TlsError> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some(record) = control.read(|world| world.record(RECORD).cloned()) {
                return Self::from_record(&record);
            }
            let change = RecordChange {
                key: RECORD.to_owned(),
                value: Some(Self::make(now)?),
                expect: Expect::Absent,
            };
            let action = Action::Records { changes: vec![change], verb: "create certificate authority" };
            match control.act(&system_caller(), action).await {
                // Another server of the same store may have been first: then its authority is read in the next turn.
                Ok(_) => {}
                Err(error) if matches!(error.status, 409 | 412) => {}
                Err(error) => return Err(TlsError::Keep(error.message)),
            }
        }
        Err(TlsError::Keep(format!("it was not there after {ATTEMPTS_MAX} attempts")))
    }

    /// A new authority as the record that keeps it.
    pub(super) fn make(now: SystemTime) -> Result<Value, TlsError> {
        let fail = |source| TlsError::Sign { subject: "the authority".to_owned(), source };
        let key = KeyPair::generate().map_err(fail)?;
        let mut params = lifetime(now, AUTHORITY_LIFETIME);
        params.distinguished_name = common_name("Palisade certificate authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial()?);
        let certificate = params.self_signed(&key).map_err(fail)?;
        Ok(json!({ "certificate": certificate.pem(), "key": key.serialize_pem() }))
    }

    /// The authority that a record keeps.
    pub(super) fn from_record(record: &Value) -> Result<Self, TlsError> {
        let text = |name: &str| {
            record[name].as_str().ok_or_else(|| TlsError::Damaged(format!("it has no \"{name}\"")))
        };
        let damaged = |error: rcgen::Error| TlsError::Damaged(error.to_string());
        let pem = text("certificate")?.to_owned();
        let key = KeyPair::from_pem(text("key")?).map_err(damaged)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(damaged)?;
        let der = super::certificate::first_der(&pem).map_err(TlsError::Damaged)?;
        Ok(Self { pem, der, issuer })
    }

    /// The authority's certificate, PEM: what clients and hosts trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The authority's certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the authority's certificate: by it a host knows the authority on first contact.
    pub fn fingerprint(&self) -> palisade_sync::Hash {
        Sha256::digest(&self.der).into()
    }

    /// A key and a certificate for a server with these names.
    pub fn sign_server(&self, names: &ServerNames, now: SystemTime) -> Result<Credentials, TlsError> {
        let subject = names.first().to_owned();
        let fail = |source| TlsError::Sign { subject: subject.clone(), source };
        let key = KeyPair::generate().map_err(fail)?;
        let mut params = leaf(now, SERVER_LIFETIME, &subject, ExtendedKeyUsagePurpose::ServerAuth)?;
        params.subject_alt_names = names.alternative_names().map_err(fail)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(fail)?;
        Ok(Credentials::new(vec![certificate.der().to_vec(), self.der.clone()], key.serialize_der()))
    }

    /// A certificate for the key of a request, in the name of `host`: whatever else the request asks for is ignored.
    pub fn sign_host(&self, request_pem: &str, host: &str, now: SystemTime) -> Result<SignedHost, TlsError> {
        if request_pem.len() > REQUEST_LENGTH_MAX {
            return Err(TlsError::Request(format!("it is longer than {REQUEST_LENGTH_MAX} bytes")));
        }
        let mut request = CertificateSigningRequestParams::from_pem(request_pem)
            .map_err(|error| TlsError::Request(error.to_string()))?;
        request.params = leaf(now, HOST_LIFETIME, host, ExtendedKeyUsagePurpose::ClientAuth)?;
        let certificate = request
            .signed_by(&self.issuer)
            .map_err(|source| TlsError::Sign { subject: host.to_owned(), source })?;
        let (_, parsed) = X509Certificate::from_der(certificate.der()).map_err(|error| {
            TlsError::Request(format!("its key makes an unreadable certificate: {error}"))
        })?;
        Ok(SignedHost {
            pem: certificate.pem(),
            serial: HEXLOWER.encode(parsed.raw_serial()),
            not_after: u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default(),
        })
    }
}

/// Parameters of a certificate that signs nothing.
fn leaf(
    now: SystemTime,
    lifetime_of: Duration,
    subject: &str,
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, TlsError> {
    let mut params = lifetime(now, lifetime_of);
    params.distinguished_name = common_name(subject);
    // Explicitly none: only so does the certificate carry a subject key identifier, which strict clients ask for.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial()?);
    Ok(params)
}

fn lifetime(now: SystemTime, lifetime: Duration) -> CertificateParams {
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + since_epoch.saturating_sub(SKEW);
    params.not_after = epoch + since_epoch + lifetime;
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// A random serial number, positive and of 16 bytes (RFC 5280, 4.1.2.2).
fn serial() -> Result<SerialNumber, TlsError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| TlsError::Keep(format!("no random numbers: {error}")))?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
