//! The certificate that a listener shows: made by our authority, or the operator's own from files.
//!
//! A server is reached by many names, and a client checks the one it used: so the listen address, every name of this
//! machine that is known and those that the operator adds are all in it.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use rcgen::SanType;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

use super::TlsError;

/// How long the certificate of a server holds; it is renewed while the server runs.
pub const SERVER_LIFETIME: Duration = Duration::from_secs(7 * 86_400);

/// A certificate chain, and its key.
#[derive(Debug)]
pub struct Credentials {
    /// The certificate, then those that vouch for it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first.
    pub key: PrivateKeyDer<'static>,
}

impl Credentials {
    pub(super) fn new(chain: Vec<Vec<u8>>, pkcs8: Vec<u8>) -> Self {
        Self {
            chain: chain.into_iter().map(CertificateDer::from).collect(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8)),
        }
    }

    /// The operator's own certificate chain and key, from PEM files.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| fs::read(path).map_err(|error| file(path, &error));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(certificate)?)
            .collect::<Result<_, _>>()
            .map_err(|error| file(certificate, &error))?;
        if chain.is_empty() {
            return Err(file(certificate, &"it holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| file(key, &error))?;
        Ok(Self { chain, key })
    }
}

fn file(path: &Path, why: &dyn ToString) -> TlsError {
    TlsError::File { path: path.display().to_string(), why: why.to_string() }
}

/// The first certificate of a PEM text.
pub(super) fn first_der(pem: &str) -> Result<Vec<u8>, String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
    Ok(der.to_vec())
}

/// Names and addresses that a server answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNames {
    names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl ServerNames {
    /// Names of a server on this machine that listens at `listen`, and `extra` ones (names or addresses).
    pub fn new(listen: &[SocketAddr], extra: &[String]) -> Self {
        let mut found = Self { names: BTreeSet::new(), addresses: BTreeSet::new() };
        for name in ["localhost", "127.0.0.1", "::1"] {
            found.add(name);
        }
        if let Ok(host) = fs::read_to_string("/proc/sys/kernel/hostname") {
            found.add(host.trim());
        }
        for address in listen.iter().map(SocketAddr::ip).filter(|address| !address.is_unspecified()) {
            found.addresses.insert(address);
        }
        for name in extra {
            found.add(name);
        }
        found
    }

    fn add(&mut self, name: &str) {
        match name.parse() {
            Ok(address) => drop(self.addresses.insert(address)),
            Err(_) if name.is_empty() || name == "(none)" => {}
            Err(_) => drop(self.names.insert(name.to_ascii_lowercase())),
        }
    }

    /// A name for the subject.
    pub(super) fn first(&self) -> &str {
        self.names.iter().find(|name| *name != "localhost").map_or("localhost", String::as_str)
    }

    pub(super) fn alternative_names(&self) -> Result<Vec<SanType>, rcgen::Error> {
        let names = self.names.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
        names.chain(self.addresses.iter().map(|address| Ok(SanType::IpAddress(*address)))).collect()
    }
}
