//! Interfaces, and the lists that stand at them, found once.
//!
//! Interfaces at which the same rules hold are one class. It must not know flows.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use palisade_model::{
    EffectiveLayer, EffectivePolicy, Estate, IpConfiguration, Nic, ResourceId, Truth,
    spec::{EstateSpec, Given, Reference},
};
use palisade_net::{AddressSet, Direction, Prefix};

use crate::alike::Alike;

/// The rules of every interface of an estate.
#[derive(Debug)]
pub(crate) struct Interfaces {
    policies: Alike,
    class_of: HashMap<ResourceId, usize>,
}

impl Interfaces {
    /// The rules at the interfaces of an estate, and at those of `places` that are NSGs: there, of the one NSG.
    pub(crate) fn of(estate: &Estate, places: &BTreeSet<&ResourceId>) -> Self {
        let (mut policies, mut class_of) = (Alike::default(), HashMap::new());
        let nics = estate.nics().map(|nic| (nic.id(), estate.effective(nic)));
        let nsgs = estate.nsgs().filter(|nsg| places.contains(nsg.id()));
        for (place, policy) in nics.chain(nsgs.map(|nsg| (nsg.id(), estate.effective_alone(nsg, None)))) {
            class_of.insert(place.clone(), policies.number(Cow::Owned(policy)));
        }
        Self { policies, class_of }
    }

    /// The rules at a place; `None` if the estate does not have it.
    pub(crate) fn policy(&self, place: &ResourceId) -> Option<&EffectivePolicy> {
        self.class_of.get(place).map(|class| &**self.policies.policy(*class))
    }

    /// The lists of an NSG, one for each class of interfaces that it governs.
    pub(crate) fn lists(&self, nsg: &ResourceId, direction: Direction) -> Vec<&EffectiveLayer> {
        self.policies.all().iter().filter_map(|policy| list_of(policy, nsg, direction)).collect()
    }

    /// Each class: its rules, and its members.
    pub(crate) fn classes(&self) -> Vec<(&EffectivePolicy, Vec<ResourceId>)> {
        let mut classes: Vec<_> = self.policies.all().iter().map(|policy| (&**policy, Vec::new())).collect();
        self.class_of.iter().for_each(|(nic, class)| classes[*class].1.push(nic.clone()));
        classes.iter_mut().for_each(|(_, members)| members.sort_unstable());
        classes
    }

    /// Whether an NSG governs a place.
    pub(crate) fn governs(&self, nsg: &ResourceId, place: &ResourceId) -> bool {
        self.policy(place).is_some_and(|policy| list_of(policy, nsg, Direction::Outbound).is_some())
    }
}

/// The list of an NSG at an interface. One that stands there twice has the same list twice.
pub(crate) fn list_of<'p>(
    policy: &'p EffectivePolicy,
    nsg: &ResourceId,
    direction: Direction,
) -> Option<&'p EffectiveLayer> {
    policy.layers(direction).iter().find(|layer| layer.source.as_ref() == Some(nsg))
}

/// A policy of one list of another.
pub(crate) fn alone(
    policy: &EffectivePolicy,
    layer: &EffectiveLayer,
    direction: Direction,
) -> EffectivePolicy {
    let (inbound, outbound) = match direction {
        Direction::Inbound => (vec![layer.clone()], Vec::new()),
        Direction::Outbound => (Vec::new(), vec![layer.clone()]),
    };
    EffectivePolicy { inbound, outbound, services: policy.services.clone() }
}

/// A name of the estate and the addresses that it means, where that is sure.
#[derive(Debug, Clone)]
pub(crate) struct Named<T> {
    pub(crate) name: T,
    pub(crate) set: AddressSet,
}

/// Application security groups with all their members known, those of one network only, since a rule takes no others.
pub(crate) fn groups(spec: &EstateSpec, estate: &Estate, network: &ResourceId) -> Vec<Named<ResourceId>> {
    let is_open = |reference: &Reference| matches!(reference.value, Given::Unknown(_));
    let configurations = spec.nics.iter().flat_map(|nic| &nic.ip_configurations);
    if configurations.flat_map(|configuration| &configuration.asgs).any(is_open) {
        return Vec::new();
    }
    let mut members: BTreeMap<ResourceId, Option<Vec<Prefix>>> = BTreeMap::new();
    for configuration in estate.nics().flat_map(Nic::ip_configurations) {
        let here = configuration.subnet().and_then(Given::known).and_then(ResourceId::parent);
        let known = configuration.address().filter(|_| here.as_ref() == Some(network));
        for group in configuration.groups() {
            let all = members.entry(group.clone()).or_insert_with(|| Some(Vec::new()));
            *all = all.take().zip(known).map(|(mut all, address)| {
                all.push(address);
                all
            });
        }
    }
    let of_spec = |group: &ResourceId| spec.asgs.iter().find(|asg| asg.id == *group);
    let named = members.into_iter().filter_map(|(name, addresses)| {
        let mut all = addresses?;
        for text in &of_spec(&name)?.address_prefixes {
            all.push(text.value.known()?.parse().ok()?);
        }
        Some(Named { set: all.into_iter().collect(), name })
    });
    named.collect()
}

/// Subnets whose addresses are known.
pub(crate) fn subnets(estate: &Estate) -> Vec<Named<String>> {
    let networks = estate.virtual_networks();
    let all = networks.flat_map(|network| network.subnets().iter().map(move |subnet| (network, subnet)));
    let known = all.filter(|(_, subnet)| subnet.addresses().is_certain());
    let named = known.map(|(network, subnet)| Named {
        name: format!("{}/{}", network.name(), subnet.name()),
        set: subnet.addresses().may().clone(),
    });
    named.filter(|named| !named.set.is_empty()).collect()
}

/// The machines' own addresses behind an NSG.
#[derive(Debug, Clone)]
pub(crate) struct Machines {
    /// All that are known.
    pub(crate) addresses: AddressSet,
    /// Whether there can be no others.
    pub(crate) complete: bool,
    /// The network that they are in, if it is one.
    pub(crate) network: Option<ResourceId>,
}

impl Machines {
    /// The machines of some interfaces.
    pub(crate) fn of<'n>(nics: impl Iterator<Item = &'n Nic>) -> Self {
        let (mut addresses, mut complete, mut networks) = (Vec::new(), true, BTreeSet::new());
        for nic in nics {
            complete &= nic.ip_forwarding() == Truth::No;
            for configuration in nic.ip_configurations() {
                let network = configuration.subnet().and_then(Given::known).and_then(ResourceId::parent);
                networks.insert(network);
                complete &= configuration.address().is_some();
                addresses.extend(configuration.address());
            }
        }
        let network = if networks.len() == 1 { networks.pop_first().flatten() } else { None };
        Self { addresses: addresses.into_iter().collect(), complete, network }
    }
}

/// The first known address of an interface, to prefer in examples.
pub(crate) fn addresses_of(nic: &Nic) -> Vec<std::net::IpAddr> {
    let known = nic.ip_configurations().iter().filter_map(IpConfiguration::address);
    known.map(Prefix::address).collect()
}
