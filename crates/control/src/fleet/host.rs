//! A host of the fleet: its name, and what the store keeps of it under `host/<name>`.
//!
//! A certificate is worth nothing by itself: it opens a session only as long as the record of its host lists its serial
//! number and is not revoked. So revoking, removing or replacing a host is one write, and holds on every server at once.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use palisade_sync::host::{self, HostNameError};
use palisade_sync::limits::INTERFACES_MAX;
use serde::{Deserialize, Serialize};

/// Certificates of one host that are good at the same time: the one in use, and those that replaced it lately.
pub const CERTIFICATES_PER_HOST_MAX: usize = 8;
/// Longest name, alias, hardware address or note of an interface; a Linux alias has at most 255 bytes.
pub const INTERFACE_TEXT_BYTES_MAX: usize = 255;
/// Hardware addresses of one interface.
pub const MACS_PER_INTERFACE_MAX: usize = 16;

/// Where records of hosts are in the store.
pub const HOST_PREFIX: &str = "host/";

/// The name of a host, in lower case.
///
/// Invariant: what [`palisade_sync::host::name`] takes for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Arc<str>);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the host's record.
    pub fn key(&self) -> String {
        format!("{HOST_PREFIX}{}", self.0)
    }

    /// The host whose record has this key.
    pub fn of_key(key: &str) -> Option<Self> {
        key.strip_prefix(HOST_PREFIX)?.parse().ok()
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        host::name(text).map(|name| Self(name.into()))
    }
}

impl TryFrom<String> for HostName {
    type Error = HostNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the store keeps of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostRecord {
    /// When it joined, in seconds since 1970.
    pub registered: u64,
    /// Since when it may no longer connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
    /// Its certificates, newest last.
    pub certificates: Vec<HostCertificate>,
    /// Its interfaces, as it told last.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
}

/// A certificate that was signed for a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostCertificate {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// When it ends, in seconds since 1970.
    pub not_after: u64,
}

/// An interface by which a host may know a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// Alias, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub alias: String,
    /// Hardware addresses, lower case with colons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<String>,
    /// What it is, in the host's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl HostRecord {
    /// A host that joins now with this certificate.
    pub fn new(now: u64, certificate: HostCertificate) -> Self {
        Self { registered: now, revoked: None, certificates: vec![certificate], interfaces: Vec::new() }
    }

    /// The record in a value of the store; `None` if it is damaged, which lets nobody in.
    pub fn read(value: &serde_json::Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// The value for the store.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a record of texts and numbers is JSON")
    }

    /// Whether a session may be opened with the certificate of this serial number.
    pub fn admits(&self, serial: &str) -> bool {
        self.revoked.is_none() && self.certificates.iter().any(|own| own.serial == serial)
    }

    /// The record with one more certificate; those that have ended, and the oldest beyond the limit, go.
    #[must_use]
    pub fn with_certificate(mut self, certificate: HostCertificate, now: u64) -> Self {
        self.certificates.retain(|own| own.not_after > now);
        self.certificates.push(certificate);
        let surplus = self.certificates.len().saturating_sub(CERTIFICATES_PER_HOST_MAX);
        self.certificates.drain(..surplus);
        self
    }
}

/// What a host told of its interfaces, checked: sorted, and within the limits.
///
/// # Errors
/// What is beyond a limit.
pub fn checked_inventory(mut interfaces: Vec<Interface>) -> Result<Vec<Interface>, String> {
    if interfaces.len() > INTERFACES_MAX {
        return Err(format!("{} interfaces, more than {INTERFACES_MAX}", interfaces.len()));
    }
    for interface in &mut interfaces {
        let Interface { name, alias, macs, note } = interface;
        if macs.len() > MACS_PER_INTERFACE_MAX {
            return Err(format!(
                "interface {name} has {} addresses, more than {MACS_PER_INTERFACE_MAX}",
                macs.len()
            ));
        }
        if let Some(long) = [&*name, alias, note]
            .into_iter()
            .chain(macs.iter())
            .find(|text| text.len() > INTERFACE_TEXT_BYTES_MAX)
        {
            return Err(format!("a text of {} bytes, more than {INTERFACE_TEXT_BYTES_MAX}", long.len()));
        }
        macs.iter_mut().for_each(|mac| mac.make_ascii_lowercase());
    }
    interfaces.sort();
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_key_tell_each_other() {
        let name: HostName = "Host-1".parse().expect("a name");
        assert_eq!((name.as_str(), name.key().as_str()), ("host-1", "host/host-1"));
        assert_eq!(HostName::of_key("host/host-1"), Some(name));
        assert_eq!((HostName::of_key("host/"), HostName::of_key("join/a")), (None, None));
        assert!(serde_json::from_str::<HostName>("\"a/b\"").is_err());
    }

    #[test]
    fn a_record_admits_listed_serials_until_it_is_revoked() {
        let certificate = |serial: &str, not_after| HostCertificate { serial: serial.to_owned(), not_after };
        let record = HostRecord::new(5, certificate("01", 10)).with_certificate(certificate("02", 20), 6);
        assert!(record.admits("01") && record.admits("02") && !record.admits("03"));
        let later = record.clone().with_certificate(certificate("03", 30), 10);
        assert!(!later.admits("01") && later.admits("02") && later.admits("03"));
        assert!(!HostRecord { revoked: Some(7), ..record.clone() }.admits("02"));
        assert_eq!(HostRecord::read(&record.to_value()), Some(record));
    }

    #[test]
    fn certificates_beyond_the_limit_end_with_the_oldest() {
        let certificate = |number: usize| HostCertificate { serial: number.to_string(), not_after: 100 };
        let all = (1..=CERTIFICATES_PER_HOST_MAX)
            .fold(HostRecord::new(0, certificate(0)), |record, number| {
                record.with_certificate(certificate(number), 1)
            });
        assert!(!all.admits("0") && all.admits("1"));
        assert_eq!(all.certificates.len(), CERTIFICATES_PER_HOST_MAX);
    }

    #[test]
    fn an_inventory_beyond_a_limit_is_refused() {
        let interface = |name: &str| Interface { name: name.to_owned(), ..Interface::default() };
        assert!(checked_inventory(vec![interface("a"); INTERFACES_MAX]).is_ok());
        assert!(checked_inventory(vec![interface("a"); INTERFACES_MAX + 1]).is_err());
        assert!(checked_inventory(vec![interface(&"a".repeat(INTERFACE_TEXT_BYTES_MAX + 1))]).is_err());
        let macs = vec!["AA:bb:00:00:00:01".to_owned()];
        let told = checked_inventory(vec![Interface { macs, ..interface("b") }, interface("a")]);
        let told = told.expect("within the limits");
        assert_eq!((told[0].name.as_str(), told[1].macs[0].as_str()), ("a", "aa:bb:00:00:00:01"));
    }
}
