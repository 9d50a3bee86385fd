//! From an address field to addresses, as seen from one interface.

use palisade_net::AddressSet;

use crate::{
    AddressField, Addresses, Estate, Nic, Nsg, ResourceId, Subnet, TagAddresses, TagName, VirtualNetwork,
    spec::Given, tags,
};

/// What names mean at one interface.
pub(super) struct Scope {
    virtual_network: Addresses,
    /// Groups of the interface itself, if the deployment assigns its address: whatever that address will be, it is a member.
    own_groups: Vec<ResourceId>,
}

impl Scope {
    pub(super) fn of_nic(
        estate: &Estate,
        nic: &Nic,
        subnet: Option<&Given<(&VirtualNetwork, &Subnet)>>,
    ) -> Self {
        let virtual_network = match subnet {
            Some(Given::Known((network, subnet))) => virtual_network_tag(estate, network, subnet),
            _ => host_or(&Addresses::unknown()),
        };
        let assigned = nic.ip_configurations.iter().filter(|configuration| configuration.address.is_none());
        Self {
            virtual_network,
            own_groups: assigned.flat_map(|configuration| configuration.groups.clone()).collect(),
        }
    }

    pub(super) fn of_nsg(estate: &Estate, nsg: &Nsg, virtual_network: Option<AddressSet>) -> Self {
        let given = virtual_network.map(|set| host_or(&Addresses::exactly(set)));
        let virtual_network =
            given.or_else(|| agreed_tag(estate, nsg)).unwrap_or_else(|| host_or(&Addresses::unknown()));
        Self { virtual_network, own_groups: Vec::new() }
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
                .map(|group| members(estate, group))
                .fold(Addresses::exactly(AddressSet::empty()), |all, set| all.union(&set)),
            AddressField::Unknown(_) => Addresses::unknown(),
        }
    }

    fn tag(&self, estate: &Estate, name: &TagName) -> Addresses {
        match estate.tags.addresses(name) {
            TagAddresses::Known(set) => Addresses::exactly(set),
            TagAddresses::OfSubnet => self.virtual_network.clone(),
            TagAddresses::Unresolved | TagAddresses::NoSuchTag => Addresses::unknown(),
        }
    }
}

/// The `VirtualNetwork` tag of a subnet (spec section 4.1): its network's space, connected peers, prefixes that a gateway
/// learned unless the route table stops them, destinations of the route table, and the host address.
fn virtual_network_tag(estate: &Estate, network: &VirtualNetwork, subnet: &Subnet) -> Addresses {
    let mut tag = host_or(&network.addresses);
    let mut learned = network.learned.clone();
    for peering in &network.peerings {
        let remote = peering.remote.known().and_then(|id| estate.virtual_networks.get(id));
        let addresses = match (remote, &peering.remote_addresses) {
            (Some(remote), _) => remote.addresses.clone(),
            (None, Some(set)) => Addresses::exactly(set.clone()),
            (None, None) => Addresses::unknown(),
        };
        tag = tag.union(&addresses);
        if let (true, Some(remote)) = (peering.use_remote_gateways, remote) {
            learned = learned.union(&remote.learned);
        }
    }
    match &subnet.route_table {
        None => tag.union(&learned),
        Some(reference) => match reference.known().and_then(|id| estate.route_tables.get(id)) {
            None => tag.union(&learned).union(&Addresses::unknown()),
            Some(table) if table.disable_gateway_propagation => tag.union(&table.destinations),
            Some(table) => tag.union(&learned).union(&table.destinations),
        },
    }
}

/// The tag that every attachment of an NSG agrees on; `None` if there is none, or they differ.
fn agreed_tag(estate: &Estate, nsg: &Nsg) -> Option<Addresses> {
    let attached =
        |reference: &Option<Given<ResourceId>>| reference.as_ref().and_then(Given::known) == Some(&nsg.id);
    let subnets = estate
        .virtual_networks
        .values()
        .flat_map(|network| network.subnets.iter().map(move |subnet| (network, subnet)))
        .filter(|(_, subnet)| attached(&subnet.nsg));
    let nics =
        estate.nics.values().filter(|nic| attached(&nic.nsg)).filter_map(|nic| match estate.home(nic)? {
            Given::Known(home) => Some(home),
            Given::Unknown(_) => None,
        });
    let mut tags = subnets.chain(nics).map(|(network, subnet)| virtual_network_tag(estate, network, subnet));
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
fn members(estate: &Estate, group: &ResourceId) -> Addresses {
    let Some(literal) = estate.groups.get(group) else { return Addresses::unknown() };
    let mut members = Addresses::exactly(literal.clone());
    for configuration in estate.nics.values().flat_map(|nic| &nic.ip_configurations) {
        if !configuration.groups.contains(group) && configuration.groups_known {
            continue;
        }
        let addresses = match (&configuration.address, configuration.groups.contains(group)) {
            (Some(prefix), true) => Addresses::exactly([*prefix].into_iter().collect()),
            (Some(prefix), false) => Addresses::at_most([*prefix].into_iter().collect()),
            (None, _) => {
                let subnet =
                    configuration.subnet.as_ref().and_then(Given::known).and_then(|id| estate.subnet(id));
                Addresses::at_most(
                    subnet.map_or_else(AddressSet::full, |(_, subnet)| subnet.addresses.may().clone()),
                )
            }
        };
        members = members.union(&addresses);
    }
    members
}
