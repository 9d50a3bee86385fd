//! Which host a verified client certificate belongs to.
//!
//! rustls has checked by then that our authority signed it for a client and that it has not ended; whether the host was
//! revoked since is not in it, and is asked of the records.

use data_encoding::HEXLOWER;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Who a host's certificate says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostIdentity {
    /// The host's name: the common name.
    pub host: String,
    /// The certificate's serial number, lower-case hexadecimal.
    pub serial: String,
    /// When the certificate ends, in seconds of Unix time.
    pub not_after: u64,
}

/// The host of a certificate (DER) that TLS has verified; nothing if it has not exactly one common name.
pub fn host_of(certificate: &[u8]) -> Option<HostIdentity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let host = names.next()?.as_str().ok()?.to_owned();
    if names.next().is_some() || host.is_empty() {
        return None;
    }
    let not_after = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    Some(HostIdentity { host, serial: HEXLOWER.encode(certificate.raw_serial()), not_after })
}
