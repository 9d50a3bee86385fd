//! The rows and columns of a matrix: interfaces in classes, and peers outside.
//!
//! Addresses of interfaces that stand at the same places, behind the same lists and routes, are one class: no packet fares
//! differently at one than at another. An interface with several addresses may be in several classes. It must not ask rules.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use palisade_model::{
    Estate, GroupMembers, IpConfiguration, Nic, ResourceId, SharedLists, Truth, spec::Given,
};
use palisade_net::{AddressSet, Direction, Family, Prefix};

use super::{
    places::Place,
    routes::{Zone, Zones},
};
use crate::atoms::Atoms;

/// One row or column.
#[derive(Debug, Clone)]
pub struct Node {
    /// A word for it: the first interface, or the name of the peer.
    pub name: String,
    /// The addresses of interfaces that it stands for; none of a peer outside.
    pub members: Vec<Member>,
    /// Where its packets may come from: each with an example of an address. An interface has one, unless the deployment
    /// assigns its address.
    pub(super) places: Vec<(usize, IpAddr)>,
    /// For each direction, of each place the number of its row; none of a peer outside.
    pub(super) sites: [Vec<u32>; 2],
    /// Where its subnet takes packets.
    pub(super) zone: Option<Zone>,
    /// Whether it has a public address of its own.
    pub(super) public: bool,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The interface.
    pub nic: ResourceId,
    /// Its IP configuration.
    pub configuration: String,
    /// The address or block; `None` if the deployment assigns it.
    pub address: Option<Prefix>,
}

impl Node {
    /// Whether it is a peer outside: a tag, or addresses that were asked about.
    pub const fn is_outside(&self) -> bool {
        self.members.is_empty()
    }
}

/// What makes addresses of interfaces one class.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    places: Vec<usize>,
    chains: [usize; 2],
    zone: Option<Zone>,
    public: bool,
}

/// A set of addresses, its groups, and their members.
type Grouped<'e> = (usize, &'e [ResourceId], Vec<Option<GroupMembers>>);

/// Rows and columns under collection.
pub(super) struct Ends<'e> {
    estate: &'e Estate,
    family: Family,
    atoms: &'e Atoms,
    /// For each set of addresses that has any, its groups.
    groups: Vec<Grouped<'e>>,
    assignable: HashMap<Option<&'e ResourceId>, AddressSet>,
    numbers: HashMap<(usize, BTreeMap<usize, Truth>), usize>,
    pub(super) places: Vec<Place>,
    classes: HashMap<Key, usize>,
    sites: [HashMap<(usize, usize), u32>; 2],
    pub(super) nodes: Vec<Node>,
}

/// The rule lists that stand at interfaces: sequences by number, and for each interface which, outbound and inbound.
pub(super) struct Chains {
    pub(super) lists: [Vec<Vec<usize>>; 2],
    of: Vec<[usize; 2]>,
}

/// The directions in the order in which a packet meets them: out of the sender, into the receiver.
pub(super) const WAY: [Direction; 2] = [Direction::Outbound, Direction::Inbound];

impl Chains {
    /// Those of every interface, whose lists `shared` takes in.
    pub(super) fn of<'e>(estate: &'e Estate, shared: &mut SharedLists<'e>) -> Self {
        let mut known: [HashMap<Vec<usize>, usize>; 2] = Default::default();
        let mut chains = Self { lists: Default::default(), of: Vec::new() };
        for nic in estate.nics() {
            chains.of.push(std::array::from_fn(|way| {
                let list = shared.of(nic, WAY[way]);
                *known[way].entry(list).or_insert_with_key(|list| {
                    chains.lists[way].push(list.clone());
                    chains.lists[way].len() - 1
                })
            }));
        }
        chains
    }
}

impl<'e> Ends<'e> {
    /// No row yet. `groups` are those of the sets of addresses, in the order of the sets.
    pub(super) fn new(
        estate: &'e Estate,
        family: Family,
        atoms: &'e Atoms,
        groups: impl Iterator<Item = &'e [ResourceId]>,
    ) -> Self {
        let of_groups = groups.enumerate().filter(|(_, groups)| !groups.is_empty()).map(|(set, groups)| {
            (set, groups, groups.iter().map(|group| estate.group_members(group)).collect())
        });
        Self {
            estate,
            family,
            atoms,
            groups: of_groups.collect(),
            assignable: HashMap::new(),
            numbers: HashMap::new(),
            places: Vec::new(),
            classes: HashMap::new(),
            sites: Default::default(),
            nodes: Vec::new(),
        }
    }

    /// Takes every interface in.
    pub(super) fn add_interfaces(&mut self, chains: &Chains, zones: &Zones) {
        let family = self.family;
        for ((nic, chains), zone) in self.estate.nics().zip(&chains.of).zip(&zones.of) {
            for own in nic.ip_configurations().iter().filter(|own| own.family() == family) {
                match own.address() {
                    Some(prefix) => {
                        for (place, example) in self.known_places(prefix) {
                            self.add((nic, own), *chains, zone, vec![(place, example)]);
                        }
                    }
                    None => {
                        let places = self.assigned_places(own);
                        self.add((nic, own), *chains, zone, places);
                    }
                }
            }
        }
    }

    /// Takes a peer in, whose addresses the atoms are cut by.
    pub(super) fn add_outside(&mut self, name: String, addresses: &AddressSet) {
        let mut places = Vec::new();
        for (first, last) in ranges(addresses, self.family) {
            for (atom, from, _) in self.atoms.meeting(first, last) {
                let place = self.place(atom, BTreeMap::new());
                if !places.iter().any(|(known, _)| *known == place) {
                    places.push((place, address(from, self.family)));
                }
            }
        }
        if !places.is_empty() {
            let (members, sites) = (Vec::new(), Default::default());
            self.nodes.push(Node { name, members, places, sites, zone: None, public: false });
        }
    }

    /// For each direction, the chain and the place of every row.
    pub(super) fn sites(&self) -> [Vec<(usize, usize)>; 2] {
        self.sites.each_ref().map(|sites| {
            let mut all: Vec<_> = sites.iter().map(|(site, number)| (*number, *site)).collect();
            all.sort_unstable();
            all.into_iter().map(|(_, site)| site).collect()
        })
    }

    fn add(
        &mut self,
        (nic, own): (&Nic, &IpConfiguration),
        chains: [usize; 2],
        zone: &Option<Zone>,
        places: Vec<(usize, IpAddr)>,
    ) {
        let member =
            Member { nic: nic.id().clone(), configuration: own.name().to_owned(), address: own.address() };
        let zone = zone.clone();
        let public = own.public_ip().is_some();
        let numbers = places.iter().map(|(place, _)| *place).collect();
        let key = Key { places: numbers, chains, zone: zone.clone(), public };
        if let Some(&known) = self.classes.get(&key) {
            self.nodes[known].members.push(member);
            return;
        }
        let sites = std::array::from_fn(|way: usize| {
            let rows = &mut self.sites[way];
            let number = |(place, _): &(usize, IpAddr)| {
                let next = u32::try_from(rows.len()).expect("rows are counted in 32 bits");
                *rows.entry((chains[way], *place)).or_insert(next)
            };
            places.iter().map(number).collect()
        });
        self.classes.insert(key, self.nodes.len());
        let (name, members) = (nic.name().to_owned(), vec![member]);
        self.nodes.push(Node { name, members, places, sites, zone, public });
    }

    /// The places of a known address or block, each with an address.
    fn known_places(&mut self, prefix: Prefix) -> Vec<(usize, IpAddr)> {
        let (first, last) = (number(prefix.address()), number(prefix.last()));
        let mut found: Vec<(usize, IpAddr)> = Vec::new();
        for (atom, from, _) in self.atoms.meeting(first, last) {
            let place = self.place(atom, BTreeMap::new());
            if !found.iter().any(|(known, _)| *known == place) {
                found.push((place, address(from, self.family)));
            }
        }
        found
    }

    /// The places of an address that the deployment assigns.
    fn assigned_places(&mut self, own: &'e IpConfiguration) -> Vec<(usize, IpAddr)> {
        /// Addresses at the front of a subnet that Azure keeps for itself; an example rather has another one.
        const RESERVED: u128 = 4;
        let subnet = own.subnet().and_then(Given::known);
        let assignable = self.assignable.entry(subnet).or_insert_with(|| self.estate.assignable_to(own));
        let mut found: BTreeMap<usize, (usize, IpAddr)> = BTreeMap::new();
        for (first, last) in ranges(&assignable.clone(), self.family) {
            for (atom, from, end) in self.atoms.meeting(first, last) {
                let example = address((from + RESERVED.min(end - from)).min(end), self.family);
                let groups = self.own_groups(own, example);
                let place = self.place(atom, groups);
                found.entry(place).or_insert((place, example));
            }
        }
        found.into_values().collect()
    }

    /// The sets of groups of which it is not the address that says whether an interface is in them.
    fn own_groups(&self, own: &IpConfiguration, address: IpAddr) -> BTreeMap<usize, Truth> {
        let belongs = |(group, members): (&ResourceId, &Option<GroupMembers>)| {
            members.as_ref().map_or(Truth::Maybe, |members| members.hold(group, own, address))
        };
        let of_set = |(set, groups, members): &(usize, &'e [ResourceId], Vec<Option<GroupMembers>>)| {
            let truths = groups.iter().zip(members).map(belongs);
            (*set, truths.fold(Truth::No, Truth::or))
        };
        self.groups.iter().map(of_set).collect()
    }

    fn place(&mut self, atom: usize, groups: BTreeMap<usize, Truth>) -> usize {
        let next = self.places.len();
        let number = *self.numbers.entry((atom, groups.clone())).or_insert(next);
        if number == next {
            self.places.push(Place { atom, groups });
        }
        number
    }
}

/// The ranges of a set in a family, as numbers.
fn ranges(set: &AddressSet, family: Family) -> Vec<(u128, u128)> {
    match family {
        Family::V4 => set.v4().ranges().iter().map(|&(a, b)| (a.into(), b.into())).collect(),
        Family::V6 => set.v6().ranges().to_vec(),
    }
}

/// An address as a number.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn address(number: u128, family: Family) -> IpAddr {
    match family {
        Family::V4 => {
            let bits = u32::try_from(number).expect("an IPv4 address has 32 bits");
            std::net::Ipv4Addr::from(bits).into()
        }
        Family::V6 => std::net::Ipv6Addr::from(number).into(),
    }
}
