//! The places of an estate at which rules hold: its interfaces, and what stands for machines that are not there yet.
//!
//! A subnet without interfaces whose NSG the estate has is a place, so that rules can be proven before the first machine comes;
//! its addresses are the subnet's. An NSG that is attached to nothing is a place of its own, of any address. Rules are
//! resolved only where they are asked. It must not know intents.

use std::{
    borrow::Cow,
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use palisade_model::{
    AddressField, Addresses, ComputedTag, EffectivePolicy, Estate, IpConfiguration, Nic, Nsg, ResourceId,
    Subnet, TagName, VirtualNetwork, spec::Given,
};
use palisade_net::{AddressSet, Prefix};

use crate::alike::Alike;

/// What a place is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing<'e> {
    /// An interface.
    Nic(&'e Nic),
    /// A subnet without interfaces, and its NSG.
    Vacant(&'e Subnet, &'e Nsg),
    /// An NSG that is attached to nothing.
    Loose(&'e Nsg),
}

/// A place.
#[derive(Debug)]
pub(super) struct Place<'e> {
    pub(super) standing: Standing<'e>,
    /// Its addresses: those of its machine, or that a machine there would have.
    pub(super) own: Addresses,
    policy: OnceCell<Arc<EffectivePolicy>>,
}

/// All places of an estate.
#[derive(Debug)]
pub(super) struct Places<'e> {
    pub(super) estate: &'e Estate,
    pub(super) all: Vec<Place<'e>>,
    /// Addresses that interfaces have.
    pub(super) owned: Addresses,
    /// Policies that were resolved, equal ones once.
    known: RefCell<Alike>,
}

impl<'e> Places<'e> {
    pub(super) fn of(estate: &'e Estate) -> Self {
        let mut assigned = BTreeMap::new();
        let nics = estate.nics().map(|nic| (Standing::Nic(nic), own_addresses(estate, nic, &mut assigned)));
        let occupied: HashSet<&ResourceId> = estate.nics().filter_map(subnet_of).collect();
        let subnets = || estate.virtual_networks().flat_map(VirtualNetwork::subnets);
        let vacant = subnets().filter(|subnet| !occupied.contains(subnet.id())).filter_map(|subnet| {
            let nsg = estate.nsg(subnet.nsg()?.known()?)?;
            Some((Standing::Vacant(subnet, nsg), subnet.addresses().clone()))
        });
        let by_nics = estate.nics().filter_map(|nic| nic.nsg().and_then(Given::known));
        let attached: HashSet<&ResourceId> =
            subnets().filter_map(|subnet| subnet.nsg()?.known()).chain(by_nics).collect();
        let loose = estate.nsgs().filter(|nsg| !attached.contains(nsg.id()));
        let loose = loose.map(|nsg| (Standing::Loose(nsg), Addresses::any()));
        let places = nics.chain(vacant).chain(loose);
        let all: Vec<Place<'e>> =
            places.map(|(standing, own)| Place { standing, own, policy: OnceCell::new() }).collect();
        let nics = || all.iter().filter(|place| place.is_nic()).map(|place| &place.own);
        let owned = between(&united(nics().map(Addresses::must)), &united(nics().map(Addresses::may)));
        Self { estate, all, owned, known: RefCell::default() }
    }

    /// The rules at a place; equal ones are one value.
    pub(super) fn policy(&self, place: usize) -> Arc<EffectivePolicy> {
        let resolve = || {
            let policy = match self.all[place].standing {
                Standing::Nic(nic) => self.estate.effective(nic),
                Standing::Vacant(_, nsg) | Standing::Loose(nsg) => self.estate.effective_alone(nsg, None),
            };
            let mut known = self.known.borrow_mut();
            let number = known.number(Cow::Owned(policy));
            known.policy(number).clone()
        };
        self.all[place].policy.get_or_init(resolve).clone()
    }

    /// What the `VirtualNetwork` tag means at a place.
    pub(super) fn virtual_network(&self, place: usize) -> Addresses {
        let tag: TagName =
            ComputedTag::VirtualNetwork.name().parse().expect("computed tags have valid names");
        if let Standing::Nic(nic) = self.all[place].standing {
            return self.estate.tag_at(nic, &tag);
        }
        // The default rules of every NSG name the tag.
        let policy = self.policy(place);
        let rules = policy.inbound.iter().flat_map(|layer| &layer.rules);
        let named = rules.filter(|rule| rule.source_field == AddressField::Tag(tag.clone()));
        named.map(|rule| rule.source.clone()).next().unwrap_or_else(Addresses::unknown)
    }
}

impl Place<'_> {
    /// The resource that is named for it.
    pub(super) fn id(&self) -> &ResourceId {
        match self.standing {
            Standing::Nic(nic) => nic.id(),
            Standing::Vacant(subnet, _) => subnet.id(),
            Standing::Loose(nsg) => nsg.id(),
        }
    }

    pub(super) const fn is_nic(&self) -> bool {
        matches!(self.standing, Standing::Nic(_))
    }

    /// Whether it has no place in a network, so that nothing is known of the other end of its packets.
    pub(super) const fn is_loose(&self) -> bool {
        matches!(self.standing, Standing::Loose(_))
    }
}

/// The subnet that an interface is in.
pub(super) fn subnet_of(nic: &Nic) -> Option<&ResourceId> {
    nic.ip_configurations().first()?.subnet()?.known()
}

/// A set between two bounds.
pub(super) fn between(must: &AddressSet, may: &AddressSet) -> Addresses {
    Addresses::exactly(must.clone()).union(&Addresses::at_most(may.clone()))
}

/// A set without another: surely what surely belongs to the one and to the other not even perhaps.
pub(super) fn without(set: &Addresses, other: &Addresses) -> Addresses {
    between(&set.must().difference(other.may()), &set.may().difference(other.must()))
}

/// All members of some sets.
pub(super) fn united<'s>(sets: impl Iterator<Item = &'s AddressSet>) -> AddressSet {
    let sets: Vec<&AddressSet> = sets.collect();
    let v4 = sets.iter().flat_map(|set| set.v4().ranges()).copied().collect();
    let v6 = sets.iter().flat_map(|set| set.v6().ranges()).copied().collect();
    AddressSet::from_ranges(v4, v6)
}

/// The addresses of an interface. What a deployment may assign is the same for all of a subnet, and is found once.
fn own_addresses<'e>(
    estate: &Estate,
    nic: &'e Nic,
    assigned: &mut BTreeMap<&'e ResourceId, Addresses>,
) -> Addresses {
    let configurations = nic.ip_configurations();
    let given: Option<Vec<Prefix>> = configurations.iter().map(IpConfiguration::address).collect();
    match (given, configurations, subnet_of(nic)) {
        (Some(given), _, _) => Addresses::exactly(given.into_iter().collect()),
        (None, [_], Some(subnet)) => {
            assigned.entry(subnet).or_insert_with(|| estate.addresses_of(nic)).clone()
        }
        _ => estate.addresses_of(nic),
    }
}
