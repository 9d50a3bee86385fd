//! Which store, as one writes it on a command line.
//!
//! `sqlite` is the file in the data folder. `etcd://HOST:PORT,HOST:PORT/PREFIX?ca=FILE&cert=FILE&key=FILE` is a cluster: TLS as soon
//! as `ca` is given, with a certificate of our own if `cert` and `key` are. There is no place for a password: what stands on a
//! command line is read by everybody on the machine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::{Etcd, Sqlite, Store, StoreError};

/// Prefix of all keys in etcd where none is given.
pub const ETCD_PREFIX: &str = "palisade";
/// Port of etcd where none is given.
pub const ETCD_PORT: u16 = 2_379;
/// Most members that can be named.
pub const ENDPOINTS_MAX: usize = 16;
/// Longest prefix, in bytes.
pub const PREFIX_LENGTH_MAX: usize = 200;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreUrl {
    /// The SQLite file in the data folder.
    #[default]
    Sqlite,
    /// A cluster of etcd.
    Etcd(EtcdUrl),
}

/// Where a cluster of etcd is, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdUrl {
    /// Its members: `host:port`.
    pub endpoints: Vec<String>,
    /// What our keys begin with, without the slash that follows.
    pub prefix: String,
    /// TLS, unless it is spoken to in the clear.
    pub tls: Option<EtcdTls>,
}

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdTls {
    /// Authorities that the members' certificates are checked with.
    pub ca: PathBuf,
    /// Our own certificate and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Why a text is no store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither of the two.
    #[error("store {0:?} is not known (write sqlite, or etcd://HOST:PORT,...)")]
    Scheme(String),
    /// A part of an `etcd://` URL.
    #[error("store {url:?}: {problem}")]
    Etcd {
        /// The whole.
        url: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if text == "sqlite" {
            return Ok(Self::Sqlite);
        }
        let rest = text.strip_prefix("etcd://").ok_or_else(|| UrlError::Scheme(text.to_owned()))?;
        let parsed = etcd(rest).map_err(|problem| UrlError::Etcd { url: text.to_owned(), problem })?;
        Ok(Self::Etcd(parsed))
    }
}

fn etcd(text: &str) -> Result<EtcdUrl, String> {
    let (place, query) = text.split_once('?').unwrap_or((text, ""));
    let (hosts, prefix) = place.split_once('/').unwrap_or((place, ""));
    let endpoints = hosts.split(',').map(endpoint).collect::<Result<Vec<_>, _>>()?;
    if endpoints.len() > ENDPOINTS_MAX {
        return Err(format!("{} members are more than {ENDPOINTS_MAX}", endpoints.len()));
    }
    Ok(EtcdUrl { endpoints, prefix: checked_prefix(prefix.trim_matches('/'))?, tls: tls(query)? })
}

fn endpoint(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Err("it contains a user: use a certificate (?ca=FILE&cert=FILE&key=FILE)".to_owned());
    }
    // The colons within the brackets of an IPv6 address are none before a port.
    let after_address = text.rfind(']').map_or(text, |bracket| &text[bracket..]);
    match after_address.split_once(':') {
        _ if text.is_empty() || text.starts_with(':') || text.contains(char::is_whitespace) => {
            Err(format!("member {text:?} has no host (write HOST:PORT)"))
        }
        None => Ok(format!("{text}:{ETCD_PORT}")),
        Some((_, port)) => match port.parse::<u16>() {
            Ok(1..) => Ok(text.to_owned()),
            _ => Err(format!("member {text:?} has no port from 1 to 65535")),
        },
    }
}

fn checked_prefix(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match text {
        "" => Ok(ETCD_PREFIX.to_owned()),
        _ if text.len() > PREFIX_LENGTH_MAX => {
            Err(format!("the prefix has {} bytes, more than {PREFIX_LENGTH_MAX}", text.len()))
        }
        _ if !text.chars().all(plain) => {
            Err(format!("prefix {text:?} has other characters than a-z A-Z 0-9 - _ . /"))
        }
        _ => Ok(text.to_owned()),
    }
}

fn tls(query: &str) -> Result<Option<EtcdTls>, String> {
    let (mut ca, mut cert, mut key) = (None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let place = match pair.split_once('=') {
            Some(("ca", _)) => &mut ca,
            Some(("cert", _)) => &mut cert,
            Some(("key", _)) => &mut key,
            _ => {
                return Err(format!("parameter {pair:?} is not known (ca=FILE, cert=FILE and key=FILE are)"));
            }
        };
        let file = pair.split_once('=').map_or("", |(_, file)| file);
        if file.is_empty() || place.replace(PathBuf::from(file)).is_some() {
            return Err(format!("parameter {pair:?} has no file or is there twice"));
        }
    }
    match (ca, cert, key) {
        (None, None, None) => Ok(None),
        (None, ..) => Err("cert and key are of no use without ca".to_owned()),
        (Some(ca), None, None) => Ok(Some(EtcdTls { ca, own: None })),
        (Some(ca), Some(cert), Some(key)) => Ok(Some(EtcdTls { ca, own: Some((cert, key)) })),
        (Some(_), ..) => Err("cert and key are given together or not at all".to_owned()),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => f.write_str("sqlite"),
            Self::Etcd(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for EtcdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "etcd://{}/{}", self.endpoints.join(","), self.prefix)?;
        if let Some(EtcdTls { ca, own }) = &self.tls {
            write!(f, "?ca={}", ca.display())?;
            if let Some((cert, key)) = own {
                write!(f, "&cert={}&key={}", cert.display(), key.display())?;
            }
        }
        Ok(())
    }
}

/// Opens a store; SQLite's in the data folder.
pub async fn open(url: &StoreUrl, data_folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match url {
        StoreUrl::Sqlite => Arc::new(Sqlite::open(data_folder)?),
        StoreUrl::Etcd(url) => Arc::new(Etcd::open(url).await?),
    })
}

/// Opens a store in order to [`crate::backup::restore`] into it: also one whose last restore did not come to its end.
pub async fn open_to_restore(url: &StoreUrl, data_folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match url {
        StoreUrl::Sqlite => Arc::new(Sqlite::open(data_folder)?),
        StoreUrl::Etcd(url) => Arc::new(Etcd::open_to_restore(url).await?),
    })
}

#[cfg(test)]
mod tests {
    use super::StoreUrl;

    #[test]
    fn is_written_as_it_is_read() {
        for (text, expected) in [
            ("sqlite", "sqlite"),
            ("etcd://a", "etcd://a:2379/palisade"),
            ("etcd://a:1,[::1]:2,[fe80::2]/", "etcd://a:1,[::1]:2,[fe80::2]:2379/palisade"),
            ("etcd://a:1/x/y/?ca=/c", "etcd://a:1/x/y?ca=/c"),
            ("etcd://a:1?ca=c&key=k&cert=r", "etcd://a:1/palisade?ca=c&cert=r&key=k"),
        ] {
            let url: StoreUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), expected);
            assert_eq!(expected.parse(), Ok(url));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "write sqlite, or"),
            ("mysql://a", "not known"),
            ("etcd://", "no host"),
            ("etcd://a,,b", "no host"),
            ("etcd://a:0", "no port"),
            ("etcd://a:x", "no port"),
            ("etcd://me:secret@a", "use a certificate"),
            ("etcd://a/b c", "other characters"),
            ("etcd://a?tls=yes", "not known"),
            ("etcd://a?ca", "not known"),
            ("etcd://a?ca=", "no file"),
            ("etcd://a?ca=a&ca=b", "twice"),
            ("etcd://a?cert=a&key=b", "without ca"),
            ("etcd://a?ca=a&cert=a", "together"),
        ] {
            let error = text.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
