//! Who is meant by the words of one side of an intent, in one estate.
//!
//! Words mean two things: places of the estate whose own rules are asked, and addresses that are nobody's in it. A resource means
//! its places; a service tag means addresses; a prefix, `*` and `VirtualNetwork` mean both. Where a resource has no place its
//! addresses stand for it. What an estate does not have is noted, and nothing is made of it.

use palisade_model::{
    Addresses, ComputedTag, Estate, IpConfiguration, ResourceId, Subnet, TagAddresses, TagName,
    VirtualNetwork, platform_addresses, spec::Given,
};
use palisade_net::{AddressSet, Prefix};

use super::{
    Kind, Thing,
    place::{Place, Places, Standing, between, subnet_of, united, without},
};

/// One side of an intent.
#[derive(Debug)]
pub(super) struct Party<'i> {
    /// Whether it is all places.
    is_any: bool,
    prefixes: AddressSet,
    resources: Vec<Named<'i>>,
    /// Whether it is, to a place, what the `VirtualNetwork` tag means there.
    has_network: bool,
    /// Addresses that are nobody's, and that are asked about at the other end.
    far: Addresses,
    /// All addresses that are meant, but those that only places tell.
    meant: Addresses,
    /// What the estate does not have, as phrases.
    pub(super) missing: Vec<String>,
    /// Names whose addresses are not known, as phrases.
    pub(super) open: Vec<String>,
}

/// A word that means resources, and those it means.
#[derive(Debug)]
struct Named<'i> {
    kind: Kind,
    word: &'i str,
}

/// What of a place's addresses a side means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Near {
    pub(super) addresses: Addresses,
    /// Whether the machine surely has one of the addresses, though it is not known which.
    pub(super) is_assigned: bool,
    /// Whether it is meant only by those that have it in their `VirtualNetwork`.
    pub(super) is_by_network: bool,
}

impl<'i> Party<'i> {
    pub(super) fn of(things: &'i [Thing], places: &Places<'_>) -> Self {
        let mut party = Self {
            is_any: false,
            prefixes: AddressSet::empty(),
            resources: Vec::new(),
            has_network: false,
            far: Addresses::empty(),
            meant: Addresses::empty(),
            missing: Vec::new(),
            open: Vec::new(),
        };
        let mut prefixes: Vec<Prefix> = Vec::new();
        for thing in things {
            match thing {
                Thing::Any => party.is_any = true,
                Thing::Prefix(prefix) => prefixes.push(*prefix),
                Thing::Tag(tag) => {
                    let addresses = party.tag(tag, places).unwrap_or_else(Addresses::empty);
                    party.far = party.far.union(&addresses);
                    party.meant = party.meant.union(&addresses);
                }
                Thing::Resource { kind, name } => party.add(Named { kind: *kind, word: name }, places),
            }
        }
        party.prefixes = prefixes.into_iter().collect();
        let free = if party.is_any { free_of_platform(&AddressSet::full()) } else { party.prefixes.clone() };
        let free = Addresses::exactly(free);
        party.far = party.far.union(&without(&free, &places.owned));
        party.meant = party.meant.union(&free);
        party
    }

    /// Adds a resource. Its addresses stand for it only where it has no places.
    fn add(&mut self, named: Named<'i>, places: &Places<'_>) {
        let has_places = places.all.iter().any(|place| named.near(place, places.estate).is_some());
        match named.addresses(places.estate) {
            Some(addresses) => {
                self.meant = self.meant.union(&addresses);
                if !has_places {
                    self.far = self.far.union(&addresses);
                }
            }
            None if has_places => {}
            None => {
                self.missing.push(format!("the estate has no {} named {}", named.kind.said(), named.word));
            }
        }
        self.resources.push(named);
    }

    /// The addresses of a service tag; `None` for `VirtualNetwork`, which differs from place to place.
    fn tag(&mut self, tag: &TagName, places: &Places<'_>) -> Option<Addresses> {
        match places.estate.tags().addresses(tag) {
            TagAddresses::OfSubnet => {
                self.has_network = true;
                None
            }
            TagAddresses::Known(set) if tag.computed() == Some(ComputedTag::Internet) => {
                Some(Addresses::exactly(free_of_platform(&set)))
            }
            TagAddresses::Known(set) => Some(Addresses::exactly(set)),
            TagAddresses::Unresolved => {
                self.open.push(format!("no tag file tells the addresses of {tag}"));
                Some(Addresses::unknown())
            }
            TagAddresses::NoSuchTag => {
                self.open.push(format!("the tag file does not define {tag}"));
                Some(Addresses::unknown())
            }
        }
    }

    /// What of a place's addresses is meant: by name, and what is left of them by its network.
    pub(super) fn nears(&self, place: &Place<'_>, estate: &Estate) -> Vec<Near> {
        let named = self.near(place, estate);
        let rest = self.has_network.then(|| {
            let named = named.as_ref().map_or_else(Addresses::empty, |near| near.addresses.clone());
            let whole = whole(place, true);
            Near { addresses: without(&whole.addresses, &named), ..whole }
        });
        let rest = rest.filter(|near| !near.addresses.may().is_empty());
        named.into_iter().chain(rest).collect()
    }

    /// What of a place's addresses is meant, but as part of a network; `None` if surely nothing is.
    pub(super) fn near(&self, place: &Place<'_>, estate: &Estate) -> Option<Near> {
        if self.is_any {
            return Some(whole(place, false));
        }
        let by_name = self.resources.iter().filter_map(|named| named.near(place, estate));
        let by_prefix = self.by_prefix(place);
        by_name.chain(by_prefix).reduce(|one, other| Near {
            addresses: one.addresses.union(&other.addresses),
            is_assigned: one.is_assigned || other.is_assigned,
            is_by_network: false,
        })
    }

    fn by_prefix(&self, place: &Place<'_>) -> Option<Near> {
        if self.prefixes.is_empty() || place.is_loose() {
            return None;
        }
        let (must, may) = (place.own.must(), place.own.may());
        let addresses = between(&must.intersection(&self.prefixes), &may.intersection(&self.prefixes));
        let is_assigned = place.is_nic() && must.is_empty() && addresses.may() == may;
        (!addresses.may().is_empty()).then_some(Near { addresses, is_assigned, is_by_network: false })
    }

    /// The addresses that the side means to a place at the other end, beside those of places.
    pub(super) fn far(&self, other: usize, places: &Places<'_>) -> Addresses {
        self.with_network(&self.far, other, places, &places.owned)
    }

    /// The addresses that the side means to a place at the other end, with those that its network has, whosever they are.
    pub(super) fn strangers(&self, other: usize, places: &Places<'_>) -> Addresses {
        self.with_network(&self.far, other, places, &Addresses::empty())
    }

    /// All addresses that the side means to a place at the other end, but those that only places tell.
    pub(super) fn meant(&self, other: usize, places: &Places<'_>) -> Addresses {
        self.with_network(&self.meant, other, places, &Addresses::empty())
    }

    fn with_network(
        &self,
        addresses: &Addresses,
        other: usize,
        places: &Places<'_>,
        but: &Addresses,
    ) -> Addresses {
        if !self.has_network {
            return addresses.clone();
        }
        let network = without(&places.virtual_network(other), &Addresses::exactly(platform_addresses()));
        addresses.union(&without(&network, but))
    }

    /// The addresses that it means of all places, by name.
    pub(super) fn all_near(&self, places: &Places<'_>) -> Addresses {
        let near = places.all.iter().filter(|place| !place.is_loose());
        let near: Vec<Near> = near.filter_map(|place| self.near(place, places.estate)).collect();
        let all = |of: fn(&Addresses) -> &AddressSet| united(near.iter().map(|near| of(&near.addresses)));
        between(&all(Addresses::must), &all(Addresses::may))
    }

    /// Whether what it means depends on the place at the other end.
    pub(super) const fn is_relative(&self) -> bool {
        self.has_network
    }
}

impl Kind {
    const fn said(self) -> &'static str {
        match self {
            Self::Network => "virtual network",
            Self::Subnet => "subnet",
            Self::Group => "application security group",
            Self::Nic => "network interface",
            Self::Nsg => "network security group",
        }
    }
}

impl Named<'_> {
    /// Whether a resource is meant: by its id, its name, or its parent's and its own with a slash between.
    fn is(&self, id: &ResourceId) -> bool {
        if self.word.starts_with('/') {
            return id.as_str().eq_ignore_ascii_case(self.word.trim_end_matches('/'));
        }
        match self.word.rsplit_once('/') {
            None => id.name().eq_ignore_ascii_case(self.word),
            Some((parent, name)) => {
                let is_parent = |id: ResourceId| id.name().eq_ignore_ascii_case(parent);
                id.name().eq_ignore_ascii_case(name) && id.parent().is_some_and(is_parent)
            }
        }
    }

    /// The addresses that the resource has without its machines; `None` if the estate does not have it.
    fn addresses(&self, estate: &Estate) -> Option<Addresses> {
        let subnets = |is_meant: &dyn Fn(&Subnet) -> bool| -> Vec<Addresses> {
            let all = estate.virtual_networks().flat_map(VirtualNetwork::subnets);
            all.filter(|subnet| is_meant(subnet)).map(|subnet| subnet.addresses().clone()).collect()
        };
        let is_attached =
            |subnet: &Subnet| subnet.nsg().and_then(Given::known).is_some_and(|nsg| self.is(nsg));
        let found: Vec<Addresses> = match self.kind {
            Kind::Nic => estate.nics().filter(|nic| self.is(nic.id())).map(|_| Addresses::empty()).collect(),
            Kind::Subnet => subnets(&|subnet| self.is(subnet.id())),
            Kind::Nsg if estate.nsgs().any(|nsg| self.is(nsg.id())) => {
                [subnets(&is_attached), vec![Addresses::empty()]].concat()
            }
            Kind::Nsg => Vec::new(),
            Kind::Network => {
                let networks = estate.virtual_networks().filter(|network| self.is(network.id()));
                networks.map(|network| network.addresses().clone()).collect()
            }
            Kind::Group => {
                let groups = estate.application_security_groups().filter(|(id, _)| self.is(id));
                groups.map(|(_, own)| own.clone()).collect()
            }
        };
        found.into_iter().reduce(|all, set| all.union(&set))
    }

    /// What it means of a place.
    fn near(&self, place: &Place<'_>, estate: &Estate) -> Option<Near> {
        let is_in = |subnet: &ResourceId| match self.kind {
            Kind::Subnet => self.is(subnet),
            _ => subnet.parent().is_some_and(|network| self.is(&network)),
        };
        let is = match (self.kind, place.standing) {
            (Kind::Subnet | Kind::Network, Standing::Nic(nic)) => subnet_of(nic).is_some_and(is_in),
            (Kind::Subnet | Kind::Network, Standing::Vacant(subnet, _)) => is_in(subnet.id()),
            (Kind::Nic, Standing::Nic(nic)) => self.is(nic.id()),
            (Kind::Nsg, Standing::Vacant(_, nsg) | Standing::Loose(nsg)) => self.is(nsg.id()),
            (Kind::Nsg, Standing::Nic(nic)) => {
                let subnet = subnet_of(nic).and_then(|subnet| estate.subnet(subnet));
                let of_subnet = subnet.and_then(|(_, subnet)| subnet.nsg());
                nic.nsg().into_iter().chain(of_subnet).filter_map(Given::known).any(|nsg| self.is(nsg))
            }
            (Kind::Group, Standing::Nic(nic)) => return self.member(place, nic.ip_configurations()),
            _ => false,
        };
        is.then(|| whole(place, false))
    }

    /// An interface as a member of a group; all its IP configurations are in the same ones.
    fn member(&self, place: &Place<'_>, configurations: &[IpConfiguration]) -> Option<Near> {
        if configurations.iter().flat_map(IpConfiguration::groups).any(|group| self.is(group)) {
            return Some(whole(place, false));
        }
        let is_known = configurations.iter().all(IpConfiguration::are_groups_known);
        let perhaps = Near { addresses: place.own.perhaps(), is_assigned: false, is_by_network: false };
        (!is_known).then_some(perhaps)
    }
}

/// Addresses without those of the platform: the host that a machine runs on is neither in the Internet nor anybody.
fn free_of_platform(set: &AddressSet) -> AddressSet {
    set.difference(&platform_addresses())
}

fn whole(place: &Place<'_>, is_by_network: bool) -> Near {
    let is_assigned = place.is_nic() && place.own.must().is_empty();
    Near { addresses: place.own.clone(), is_assigned, is_by_network }
}

impl Near {
    /// The part of some addresses that the machine surely has: those that it is known to have, or all, if it has one of them
    /// whichever it is.
    pub(super) fn surely(&self, of: &AddressSet) -> AddressSet {
        let may = self.addresses.may();
        let is_covered = self.is_assigned && may.difference(of).is_empty();
        if is_covered { of.intersection(may) } else { of.intersection(self.addresses.must()) }
    }
}
