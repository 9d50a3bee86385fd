//! The places that are asked: interfaces at which the same rules hold, and NSGs alone that stand at none, or at subnets without
//! any.
//!
//! It must not decide anything about packets.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use palisade_model::{
    EffectiveLayer, EffectivePolicy, Estate, IpConfiguration, Layer, Nic, Nsg, ResourceId, Subnet, Truth,
    VirtualNetwork, spec::Given,
};
use palisade_net::{AddressSet, Direction, Prefix};

use super::Subject;
use crate::Names;

/// Interfaces at which the same rules hold, or an NSG alone.
pub(super) struct Site<'e> {
    /// The interfaces; none if it is an NSG alone.
    pub(super) nics: Vec<&'e Nic>,
    /// The NSG, if it is asked alone.
    pub(super) alone: Option<&'e Nsg>,
    /// Subnets that the interfaces are in, or that the NSG alone is attached to.
    pub(super) subnets: Vec<(&'e VirtualNetwork, &'e Subnet)>,
    /// The rules.
    pub(super) policy: EffectivePolicy,
    /// Addresses that the machines have or may have; all where nothing limits them.
    pub(super) own: AddressSet,
    names: OnceCell<Names>,
    /// The estate that it is a place of.
    pub(super) estate: &'e Estate,
}

impl Site<'_> {
    /// What findings about it have in common.
    pub(super) fn subject(&self, direction: Option<Direction>) -> Subject {
        Subject {
            nics: self.nics.iter().map(|nic| nic.id().clone()).collect(),
            nsg: self.alone.map(|nsg| nsg.id().clone()),
            subnet: match self.subnets[..] {
                [(_, one)] => Some(one.id().clone()),
                _ => None,
            },
            direction,
            ..Subject::default()
        }
    }

    /// The id by which it is told from others.
    pub(super) fn place(&self) -> &ResourceId {
        match self.alone {
            Some(nsg) => nsg.id(),
            None => self.nics[0].id(),
        }
    }

    /// Known addresses of its machines, for examples.
    pub(super) fn machine(&self) -> Vec<IpAddr> {
        let configurations = self.nics.iter().flat_map(|nic| nic.ip_configurations());
        let known: Vec<IpAddr> =
            configurations.filter_map(IpConfiguration::address).map(Prefix::address).collect();
        match known.is_empty() && !self.own.is_full() {
            true => self.own.prefixes().first().map(|prefix| usual_host(*prefix)).into_iter().collect(),
            false => known,
        }
    }

    /// Names for its regions.
    pub(super) fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::of([&self.policy, &self.policy], [self.estate, self.estate]))
    }

    /// Whether an NSG that surely exists stands before it.
    pub(super) fn is_guarded(&self) -> bool {
        self.policy.inbound.iter().any(is_nsg)
    }
}

/// The first address of a subnet that Azure gives to a machine, if it is in the prefix.
fn usual_host(prefix: Prefix) -> IpAddr {
    let fourth = match prefix.address() {
        IpAddr::V4(address) => IpAddr::V4((u32::from(address).saturating_add(4)).into()),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address).saturating_add(4)).into()),
    };
    if prefix.contains(fourth) { fourth } else { prefix.address() }
}

/// Whether a layer is an NSG's.
pub(super) const fn is_nsg(layer: &EffectiveLayer) -> bool {
    matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface)
}

/// Every place of an estate.
pub(super) fn all(estate: &Estate) -> Vec<Site<'_>> {
    let mut sites: Vec<Site<'_>> = Vec::new();
    let mut alike: HashMap<Vec<(Option<ResourceId>, usize)>, Vec<usize>> = HashMap::new();
    for nic in estate.nics() {
        let policy = estate.effective(nic);
        let layers = policy.inbound.iter().chain(&policy.outbound);
        let key = layers.map(|layer| (layer.source.clone(), layer.rules.len())).collect();
        let known = alike.entry(key).or_default();
        let subnet = subnet_of(estate, nic);
        let own = own(estate, nic);
        match known.iter().find(|site| sites[**site].policy == policy) {
            Some(&site) => {
                let site = &mut sites[site];
                site.nics.push(nic);
                site.own = site.own.union(&own);
                site.subnets
                    .extend(subnet.filter(|new| !site.subnets.iter().any(|old| old.1.id() == new.1.id())));
            }
            None => {
                known.push(sites.len());
                let (nics, subnets) = (vec![nic], subnet.into_iter().collect());
                sites.push(Site { nics, alone: None, subnets, policy, own, names: OnceCell::new(), estate });
            }
        }
    }
    let at_interfaces: HashSet<ResourceId> = sites.iter().flat_map(governing).cloned().collect();
    let inhabited: HashSet<&ResourceId> =
        sites.iter().flat_map(|site| &site.subnets).map(|(_, s)| s.id()).collect();
    let mut idle = Vec::new();
    for nsg in estate.nsgs() {
        let subnets = subnets_of(estate, nsg.id()).filter(|(_, subnet)| !inhabited.contains(subnet.id()));
        let subnets: Vec<_> = subnets.collect();
        if !subnets.is_empty() || !at_interfaces.contains(nsg.id()) {
            idle.push(alone(estate, nsg, subnets));
        }
    }
    sites.extend(idle);
    sites
}

/// The NSGs that stand at a place.
fn governing<'s>(site: &'s Site<'_>) -> impl Iterator<Item = &'s ResourceId> {
    let layers = site.policy.inbound.iter().chain(&site.policy.outbound);
    layers.filter(|layer| is_nsg(layer)).filter_map(|layer| layer.source.as_ref())
}

/// An NSG that stands at no interface, or at none of these subnets.
fn alone<'e>(estate: &'e Estate, nsg: &'e Nsg, subnets: Vec<(&'e VirtualNetwork, &'e Subnet)>) -> Site<'e> {
    let policy = estate.effective_alone(nsg, None);
    let inside = subnets.iter().map(|(_, subnet)| subnet.addresses().may().clone());
    let own = inside.reduce(|all, set| all.union(&set)).unwrap_or_else(AddressSet::full);
    Site { nics: Vec::new(), alone: Some(nsg), subnets, policy, own, names: OnceCell::new(), estate }
}

/// The subnets that an NSG is attached to.
pub(super) fn subnets_of<'e>(
    estate: &'e Estate,
    nsg: &ResourceId,
) -> impl Iterator<Item = (&'e VirtualNetwork, &'e Subnet)> {
    let all =
        estate.virtual_networks().flat_map(|network| network.subnets().iter().map(move |s| (network, s)));
    all.filter(move |(_, subnet)| subnet.nsg().and_then(Given::known) == Some(nsg))
}

/// The subnet of an interface, if the input tells it.
pub(super) fn subnet_of<'e>(estate: &'e Estate, nic: &Nic) -> Option<(&'e VirtualNetwork, &'e Subnet)> {
    let first = nic.ip_configurations().first()?;
    estate.subnet(first.subnet()?.known()?)
}

/// The addresses that packets to an interface may be for: a router is sent anybody's.
pub(super) fn own(estate: &Estate, nic: &Nic) -> AddressSet {
    match nic.ip_forwarding() {
        Truth::No if !nic.ip_configurations().is_empty() => estate.addresses_of(nic).may().clone(),
        _ => AddressSet::full(),
    }
}
