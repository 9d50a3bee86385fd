//! Which host a network interface is on.
//!
//! The tag `palisade-host` names it. Without that tag it is every host whose inventory has an interface that may be the NIC's:
//! by hardware address (also with `fe` in front, as hypervisors give it to taps), by the tag `palisade-interface` (name
//! or alias), or by an alias that is the NIC's name or id. It is a function of the documents and records of one world, kept
//! up with every change, so that neither question scans.

use std::collections::{BTreeSet, HashMap};

use palisade_model::{HOST_TAG, INTERFACE_TAG, ResourceId};
use palisade_net::Mac;
use serde_json::Value;

use super::host::HostRecord;
use super::{HostName, Interface};
use crate::kinds;
use crate::world::Document;

/// Something that a NIC and a host have in common if the one is on the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Host(String),
    Mac(Mac),
    Interface(String),
    Alias(String),
}

/// What tells hosts and interfaces of each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Bindings {
    nics: HashMap<Key, BTreeSet<ResourceId>>,
    hosts: HashMap<Key, BTreeSet<HostName>>,
    /// What each host is known by; only of those that may connect.
    known: HashMap<HostName, Vec<Key>>,
}

impl Bindings {
    /// Takes a document in, if it is an interface.
    pub(crate) fn insert(&mut self, document: &Document) {
        for key in keys_of_nic(document) {
            self.nics.entry(key).or_default().insert(document.id().clone());
        }
    }

    /// Forgets a document.
    pub(crate) fn remove(&mut self, document: &Document) {
        for key in keys_of_nic(document) {
            remove(&mut self.nics, &key, document.id());
        }
    }

    /// Takes in what the store now holds under a key of its records, if it is that of a host.
    pub(crate) fn set_record(&mut self, key: &str, value: Option<&Value>) {
        let Some(host) = HostName::of_key(key) else { return };
        for key in self.known.remove(&host).unwrap_or_default() {
            remove(&mut self.hosts, &key, &host);
        }
        let Some(record) = value.and_then(HostRecord::read).filter(|record| record.revoked.is_none()) else {
            return;
        };
        let keys = keys_of_host(&host, &record.interfaces);
        for key in &keys {
            self.hosts.entry(key.clone()).or_default().insert(host.clone());
        }
        self.known.insert(host, keys);
    }

    /// Whether no host may connect.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The hosts that an interface is on: none, one, or several that all have what fits it.
    pub(crate) fn hosts(&self, nic: &Document) -> BTreeSet<HostName> {
        if self.is_empty() {
            return BTreeSet::new();
        }
        keys_of_nic(nic).iter().filter_map(|key| self.hosts.get(key)).flatten().cloned().collect()
    }

    /// The interfaces of a host.
    pub(crate) fn nics(&self, host: &HostName) -> BTreeSet<ResourceId> {
        let keys = self.known.get(host).into_iter().flatten();
        keys.filter_map(|key| self.nics.get(key)).flatten().cloned().collect()
    }
}

fn remove<T: Ord>(map: &mut HashMap<Key, BTreeSet<T>>, key: &Key, value: &T) {
    if let Some(values) = map.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            map.remove(key);
        }
    }
}

fn keys_of_nic(nic: &Document) -> Vec<Key> {
    if nic.kind().name != kinds::NIC {
        return Vec::new();
    }
    if let Some(host) = nic.tag(HOST_TAG) {
        return vec![Key::Host(host.to_ascii_lowercase())];
    }
    let id = nic.id();
    let mut keys =
        vec![Key::Alias(id.name().to_ascii_lowercase()), Key::Alias(id.as_str().to_ascii_lowercase())];
    keys.extend(nic.tag(INTERFACE_TAG).map(|interface| Key::Interface(interface.to_owned())));
    let mac = nic.properties()["macAddress"].as_str().and_then(|mac| mac.parse::<Mac>().ok());
    if let Some(Mac([first, rest @ ..])) = mac {
        let [a, b, c, d, e] = rest;
        keys.extend([first, 0xfe].map(|first| Key::Mac(Mac([first, a, b, c, d, e]))));
    }
    keys
}

fn keys_of_host(host: &HostName, interfaces: &[Interface]) -> Vec<Key> {
    let mut keys = vec![Key::Host(host.as_str().to_owned())];
    for interface in interfaces {
        keys.push(Key::Interface(interface.name.clone()));
        if !interface.alias.is_empty() {
            keys.push(Key::Interface(interface.alias.clone()));
            keys.push(Key::Alias(interface.alias.to_ascii_lowercase()));
        }
        keys.extend(interface.macs.iter().filter_map(|mac| mac.parse().ok()).map(Key::Mac));
    }
    keys
}
