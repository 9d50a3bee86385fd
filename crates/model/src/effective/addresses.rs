//! From an address field to addresses, as seen from one interface.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_net::AddressSet;

use super::Home;
use crate::{
    AddressField, Addresses, Estate, IpConfiguration, Nic, Nsg, ResourceId, Subnet, TagAddresses, TagName,
    Truth, VirtualNetwork, spec::Given, tags,
};

/// What names mean at one interface.
#[derive(Debug)]
pub(super) struct Scope {
    virtual_network: Addresses,
    /// The interface itself, if it has no addresses but its own.
    own: Option<ResourceId>,
    /// Groups of the interface itself, if the deployment assigns its address and it has no others: whatever that address
    /// will be, it is a member.
    own_groups: Vec<ResourceId>,
}

impl Scope {
    pub(super) fn of_nic(estate: &Estate, nic: &Nic, home: &Home<'_>) -> Self {
        let own = |configuration: &&IpConfiguration| {
            configuration.address.is_none() && nic.ip_forwarding == Truth::No
        };
        let assigned = nic.ip_configurations.iter().filter(own);
        Self {
            virtual_network: virtual_network_tag_at(estate, home),
            own: (nic.ip_forwarding == Truth::No).then(|| nic.id.clone()),
            own_groups: assigned.flat_map(|configuration| configuration.groups.clone()).collect(),
        }
    }

    /// What names mean at every interface of a subnet, as far as that does not depend on the interface: addresses that the
    /// deployment assigns belong to the groups of whoever gets them.
    pub(super) fn of_subnet(estate: &Estate, home: &Home<'_>) -> Self {
        Self { virtual_network: virtual_network_tag_at(estate, home), own: None, own_groups: Vec::new() }
    }

    /// What the `VirtualNetwork` tag means.
    pub(super) const fn virtual_network(&self) -> &Addresses {
        &self.virtual_network
    }

    pub(super) fn of_nsg(estate: &Estate, nsg: &Nsg, virtual_network: Option<AddressSet>) -> Self {
        let given = virtual_network.map(|set| host_or(&Addresses::exactly(set)));
        let virtual_network =
            given.or_else(|| agreed_tag(estate, nsg)).unwrap_or_else(|| host_or(&Addresses::unknown()));
        Self { virtual_network, own: None, own_groups: Vec::new() }
    }

    /// The addresses of a field; `local` says whether the field is about the interface's own side.
    pub(super) fn resolve(&self, estate: &Estate, field: &AddressField, local: bool) -> Addresses {
        match field {
            AddressField::Any => Addresses::any(),
            AddressField::Prefixes(_) => Addresses::exactly(field.literal()),
            AddressField::Tag(name) => self.tag(estate, name),
            AddressField::Mixed(_, names) => {
                let literal = Addresses::exactly(field.literal());
                names.iter().fold(literal, |all, name| all.union(&self.tag(estate, name)))
            }
            AddressField::Groups(groups)
                if local && groups.iter().any(|group| self.own_groups.contains(group)) =>
            {
                Addresses::any()
            }
            AddressField::Groups(groups) => groups
                .iter()
                .map(|group| members(estate, group, self.own.as_ref().filter(|_| local)))
                .fold(Addresses::empty(), |all, set| all.union(&set)),
            AddressField::Unknown(_) => Addresses::unknown(),
        }
    }

    pub(super) fn tag(&self, estate: &Estate, name: &TagName) -> Addresses {
        match estate.tags.addresses(name) {
            TagAddresses::Known(set) => Addresses::exactly(set),
            TagAddresses::OfSubnet => self.virtual_network.clone(),
            TagAddresses::Unresolved | TagAddresses::NoSuchTag => Addresses::unknown(),
        }
    }
}

/// The `VirtualNetwork` tag at a place that may not be known.
fn virtual_network_tag_at(estate: &Estate, home: &Home<'_>) -> Addresses {
    match home {
        Given::Known((network, subnet)) => virtual_network_tag(estate, network, subnet),
        Given::Unknown(_) => host_or(&Addresses::unknown()),
    }
}

/// The `VirtualNetwork` tag of a subnet (`docs/semantics.md`, Decisions): its network's space, connected peers,
/// prefixes that a gateway learned unless the route table stops them, destinations of the route table, and the host
/// address.
fn virtual_network_tag(estate: &Estate, network: &VirtualNetwork, subnet: &Subnet) -> Addresses {
    let mut tag = host_or(&network.addresses);
    let mut learned = network.learned.clone();
    for peering in &network.peerings {
        let remote = peering.remote.known().and_then(|id| estate.virtual_networks.get(id));
        let bounded = |set: &Addresses| if peering.certain { set.clone() } else { set.perhaps() };
        tag = tag.union(&match (remote, &peering.remote_addresses) {
            (Some(remote), _) => bounded(&remote.addresses),
            (None, Some(set)) => bounded(set),
            (None, None) => Addresses::unknown(),
        });
        // What a network that the input does not hold has learned, nobody can tell.
        let theirs = remote.map_or_else(Addresses::unknown, |remote| bounded(&remote.learned));
        learned = learned.union(&theirs.if_it_holds(peering.use_remote_gateways));
    }
    match &subnet.route_table {
        None => tag.union(&learned),
        Some(reference) => match reference.known().and_then(|id| estate.route_tables.get(id)) {
            // It may lead anywhere, and it may stop what gateways learned.
            None => tag.union(&Addresses::unknown()),
            Some(table) => {
                let learned = learned.if_it_holds(table.disable_gateway_propagation.negated());
                tag.union(&learned).union(&table.destinations)
            }
        },
    }
}

/// The tag that every attachment of an NSG agrees on; `None` if there is none, or they differ.
fn agreed_tag(estate: &Estate, nsg: &Nsg) -> Option<Addresses> {
    let subnets = estate
        .virtual_networks
        .values()
        .flat_map(|network| network.subnets.iter().map(move |subnet| (network, subnet)))
        .filter(|(_, subnet)| nsg.is_attached_by(&subnet.nsg));
    let nics = estate.nics.values().filter(|nic| nsg.is_attached_by(&nic.nsg)).map(|nic| estate.home(nic));
    let homes = subnets.map(Given::Known).chain(nics);
    let mut tags = homes.map(|home| virtual_network_tag_at(estate, &home));
    let first = tags.next()?;
    tags.all(|tag| tag == first).then_some(first)
}

/// The host address belongs to every `VirtualNetwork`.
fn host_or(addresses: &Addresses) -> Addresses {
    Addresses::exactly(tags::fixed(&[tags::HOST_ADDRESS])).union(addresses)
}

/// The members of an application security group: prefixes of its sets, known addresses of its interfaces, and perhaps any
/// address of the subnet where the deployment assigns one. A group without members is an empty set; a group that is not in
/// the input is unknown.
///
/// An address belongs to one interface. So an assigned one is none that another interface of the subnet has; and where the
/// question is about the addresses of one interface, `own`, the assigned ones of others are none of them.
fn members(estate: &Estate, group: &ResourceId, own: Option<&ResourceId>) -> Addresses {
    let Some(literal) = estate.groups.get(group) else { return Addresses::unknown() };
    let (mut sure, mut perhaps, mut assigned_in) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (nic, configuration) in configurations(estate) {
        let is_member = configuration.groups.contains(group);
        if !is_member && configuration.groups_known {
            continue;
        }
        match (configuration.address, is_member) {
            (Some(prefix), true) => sure.push(prefix),
            (Some(prefix), false) => perhaps.push(prefix),
            (None, _) if own.is_some_and(|own| *own != nic.id) => {}
            (None, _) => {
                assigned_in.insert(subnet_of(configuration));
            }
        }
    }
    let known = Addresses::exactly(sure.into_iter().collect());
    let named = literal.union(&known).union(&Addresses::at_most(perhaps.into_iter().collect()));
    let assigned = assigned_in.into_iter().map(|subnet| Addresses::at_most(assignable(estate, subnet)));
    assigned.fold(named, |all, set| all.union(&set))
}

impl Estate {
    /// The addresses that an interface owns: those of all its IP configurations, blocks included. One that the deployment
    /// assigns is perhaps any of the subnet that the input gives to nobody, so that the upper bound is never more than what
    /// the interface may turn out to have.
    pub fn addresses_of(&self, nic: &Nic) -> Addresses {
        let own = nic.ip_configurations.iter().map(|configuration| match configuration.address {
            Some(prefix) => Addresses::exactly([prefix].into_iter().collect()),
            None => Addresses::at_most(assignable(self, subnet_of(configuration))),
        });
        own.fold(Addresses::empty(), |all, set| all.union(&set))
    }
}

/// Who belongs to an application security group, told apart by whether the input gives the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMembers {
    /// Prefixes of the group and addresses that the input gives.
    known: Addresses,
}

impl GroupMembers {
    /// Whether an interface belongs whose address `own` the deployment assigns: it does if its configuration says so,
    /// whatever the address will be, and otherwise only by a prefix of the group.
    pub fn hold(&self, group: &ResourceId, own: &IpConfiguration, address: IpAddr) -> Truth {
        let named = match (own.groups.contains(group), own.groups_known) {
            (true, _) => Truth::Yes,
            (false, true) => Truth::No,
            (false, false) => Truth::Maybe,
        };
        named.or(self.known.contains(address))
    }
}

impl Estate {
    /// The members of a group; `None` if it is not in the input.
    pub fn group_members(&self, group: &ResourceId) -> Option<GroupMembers> {
        let (mut sure, mut perhaps) = (Vec::new(), Vec::new());
        for (_, configuration) in configurations(self) {
            let is_member = configuration.groups.contains(group);
            let list = if is_member { &mut sure } else { &mut perhaps };
            list.extend(configuration.address.filter(|_| is_member || !configuration.groups_known));
        }
        let sure = Addresses::exactly(sure.into_iter().collect());
        let perhaps = Addresses::at_most(perhaps.into_iter().collect());
        Some(GroupMembers { known: self.groups.get(group)?.union(&sure).union(&perhaps) })
    }

    /// The addresses that a deployment may assign to an IP configuration that has none.
    pub fn assignable_to(&self, configuration: &IpConfiguration) -> AddressSet {
        assignable(self, subnet_of(configuration))
    }
}

fn configurations(estate: &Estate) -> impl Iterator<Item = (&Nic, &IpConfiguration)> {
    estate.nics.values().flat_map(|nic| nic.ip_configurations.iter().map(move |own| (nic, own)))
}

fn subnet_of(configuration: &IpConfiguration) -> Option<&ResourceId> {
    configuration.subnet.as_ref().and_then(Given::known)
}

/// The addresses that a deployment may assign: those of the subnet that the input gives to nobody.
fn assignable(estate: &Estate, subnet: Option<&ResourceId>) -> AddressSet {
    let Some((_, subnet)) = subnet.and_then(|id| estate.subnet(id)) else { return AddressSet::full() };
    let here = configurations(estate).filter(|(_, other)| subnet_of(other) == Some(&subnet.id));
    let taken: AddressSet = here.filter_map(|(_, other)| other.address).collect();
    subnet.addresses.may().difference(&taken)
}
