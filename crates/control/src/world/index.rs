//! What the world knows about its documents besides themselves. All of it is a function of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_model::ResourceId;
use palisade_net::AddressSet;

use super::Document;
use super::rulebook::Rulebook;
use crate::kinds::{self, Kind};

/// Indexes of documents.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Index {
    kinds: HashMap<&'static str, BTreeSet<ResourceId>>,
    /// Who names an id, whether or not a resource has it.
    referrers: HashMap<ResourceId, BTreeSet<ResourceId>>,
    /// Private addresses in use, by virtual network, and the interface that has each.
    addresses: HashMap<ResourceId, BTreeMap<IpAddr, ResourceId>>,
    /// NSGs that have rules.
    rulebooks: HashMap<ResourceId, Rulebook>,
}

impl Index {
    pub(super) fn insert(&mut self, document: &Document) {
        let id = document.id();
        self.kinds.entry(document.kind().name).or_default().insert(id.clone());
        for target in document.references() {
            self.referrers.entry(target.clone()).or_default().insert(id.clone());
        }
        for (network, address) in addresses(document) {
            self.addresses.entry(network).or_default().insert(address, id.clone());
        }
        if let Some((share, nsg)) = document.share().zip(id.parent()) {
            self.rulebooks.entry(nsg).or_default().insert(document, share);
        }
    }

    pub(super) fn remove(&mut self, document: &Document) {
        let id = document.id();
        drop_from(&mut self.kinds, &document.kind().name, |ids| {
            ids.remove(id);
            ids.is_empty()
        });
        for target in document.references() {
            drop_from(&mut self.referrers, target, |ids| {
                ids.remove(id);
                ids.is_empty()
            });
        }
        for (network, address) in addresses(document) {
            drop_from(&mut self.addresses, &network, |held| {
                held.remove(&address);
                held.is_empty()
            });
        }
        if let Some((share, nsg)) = document.share().zip(id.parent()) {
            drop_from(&mut self.rulebooks, &nsg, |book| {
                book.remove(document, share);
                book.is_empty()
            });
        }
    }

    pub(super) fn of_kind(&self, kind: &Kind) -> impl Iterator<Item = &ResourceId> {
        self.kinds.get(kind.name).into_iter().flatten()
    }

    pub(super) fn referrers(&self, id: &ResourceId) -> impl Iterator<Item = &ResourceId> {
        self.referrers.get(id).into_iter().flatten()
    }

    pub(super) fn rulebook(&self, nsg: &ResourceId) -> Option<&Rulebook> {
        self.rulebooks.get(nsg)
    }

    pub(super) fn holder(&self, network: &ResourceId, address: IpAddr) -> Option<&ResourceId> {
        self.addresses.get(network)?.get(&address)
    }

    pub(super) fn holders_in(&self, addresses: &AddressSet) -> impl Iterator<Item = &ResourceId> {
        let v4 =
            addresses.v4().ranges().iter().map(|&(first, last)| {
                (IpAddr::from(Ipv4Addr::from(first)), IpAddr::from(Ipv4Addr::from(last)))
            });
        let v6 =
            addresses.v6().ranges().iter().map(|&(first, last)| {
                (IpAddr::from(Ipv6Addr::from(first)), IpAddr::from(Ipv6Addr::from(last)))
            });
        let ranges: Vec<(IpAddr, IpAddr)> = v4.chain(v6).collect();
        self.addresses.values().flat_map(move |held| {
            ranges
                .clone()
                .into_iter()
                .flat_map(move |(first, last)| held.range(first..=last))
                .map(|(_, id)| id)
        })
    }

    pub(super) fn held(
        &self,
        network: &ResourceId,
        first: IpAddr,
        last: IpAddr,
    ) -> impl Iterator<Item = IpAddr> {
        // A range that ends before it begins has nothing, and must not be asked for.
        let held = self.addresses.get(network).filter(|_| first <= last);
        held.into_iter().flat_map(move |held| held.range(first..=last)).map(|(address, _)| *address)
    }
}

/// Changes an entry, and takes it away once `change` says that it is empty.
pub(super) fn drop_from<K: std::hash::Hash + Eq, V>(
    map: &mut HashMap<K, V>,
    key: &K,
    change: impl FnOnce(&mut V) -> bool,
) {
    if map.get_mut(key).is_some_and(change) {
        map.remove(key);
    }
}

/// The private addresses of an interface, each with its virtual network.
fn addresses(document: &Document) -> Vec<(ResourceId, IpAddr)> {
    if document.kind().name != kinds::NIC {
        return Vec::new();
    }
    let configurations = document.properties()["ipConfigurations"].as_array().into_iter().flatten();
    let held = configurations.filter_map(|configuration| {
        let properties = &configuration["properties"];
        let subnet = ResourceId::new(properties["subnet"]["id"].as_str()?);
        Some((subnet.parent()?, properties["privateIPAddress"].as_str()?.parse().ok()?))
    });
    held.collect()
}
