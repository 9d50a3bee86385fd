//! What a matrix is made of, cut into parts that can be worked on apart.
//!
//! Lists are resolved once for all interfaces that share them, then everything is turned into numbers. It must not know what
//! a cell says.

use std::{collections::BTreeMap, net::IpAddr, ops::Range};

use palisade_model::{
    AddressField, EffectivePolicy, Estate, IpConfiguration, Mode, SharedLists, TagAddresses, TagName,
};
use palisade_net::{AddressSet, Direction, Family, Prefix, Protocol};

use super::{
    cells::ServiceSet,
    ends::{Chains, Ends, Node, WAY, number},
    interner::Interner,
    places::{Places, Sets},
    routes::{self, Route, Zones},
    row::{Scratch, Turn, TurnList},
    services::{Services, Shapes},
};
use crate::{
    AnalysisError, Limits, PerFamily, Query,
    entry::{Address, Entry, Lists},
};

/// What beside the estate a matrix is about.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Peers outside, by name.
    pub outside: Vec<(String, AddressSet)>,
    /// Services that are asked about: cells can be cut down to them. Addresses of the queries are not looked at.
    pub services: Vec<Query>,
}

/// The matrices of both families.
#[derive(Debug)]
pub struct Plan {
    families: PerFamily<FamilyPlan>,
    unplaced: Vec<String>,
}

/// The matrix of a family.
#[derive(Debug)]
pub struct FamilyPlan {
    pub(super) services: Services,
    pub(super) places: Places,
    /// By direction, in the order of [`WAY`].
    lists: [Vec<TurnList>; 2],
    chains: [Vec<Vec<usize>>; 2],
    pub(super) sites: [Vec<(usize, usize)>; 2],
    pub(super) nodes: Vec<Node>,
    routes: Vec<palisade_model::NextHops>,
    asked: Vec<ServiceSet>,
}

/// Rows that were asked together.
#[derive(Debug)]
pub struct Rows {
    pub(super) range: Range<usize>,
    pub(super) outcomes: Interner,
    /// Row after row, a number a place.
    pub(super) numbers: Vec<u32>,
}

impl Plan {
    /// The matrices of an estate at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// [`AnalysisError::TooComplex`] if rules tell more services apart than the limit of states.
    pub fn new(estate: &Estate, options: &Options, now: u32, limits: Limits) -> Result<Self, AnalysisError> {
        let mut shared = SharedLists::new(estate);
        let chains = Chains::of(estate, &mut shared);
        let policy = shared.into_policy();
        let zones = Zones::of(estate);
        let (outside, unplaced) = outside(estate, &policy, options);
        let parts = Parts { estate, policy: &policy, chains: &chains, zones: &zones, outside, options, now };
        let families = PerFamily {
            v4: parts.plan::<u32>(Family::V4, limits)?,
            v6: parts.plan::<u128>(Family::V6, limits)?,
        };
        Ok(Self { families, unplaced })
    }

    /// That of a family.
    pub const fn family(&self, family: Family) -> &FamilyPlan {
        self.families.of(family)
    }

    /// Tags that rules name and no file resolves: their addresses are not known, so they are no peers here.
    pub fn unplaced(&self) -> &[String] {
        &self.unplaced
    }
}

/// Peers outside: what is asked about, the Internet, tags that rules of users name, and what gateways learned. Then the
/// tags that cannot be one.
fn outside(
    estate: &Estate,
    policy: &EffectivePolicy,
    options: &Options,
) -> (Vec<(String, AddressSet)>, Vec<String>) {
    let internet: TagName = "Internet".parse().expect("computed tags have valid names");
    let rules = policy.inbound.iter().chain(&policy.outbound).flat_map(|layer| &layer.rules);
    let users = rules.filter(|rule| !rule.is_default());
    let mut named: BTreeMap<String, TagName> = BTreeMap::new();
    for field in users.flat_map(|rule| [&rule.source_field, &rule.destination_field]) {
        let tags = match field {
            AddressField::Tag(tag) => std::slice::from_ref(tag),
            AddressField::Mixed(_, tags) => tags,
            _ => &[],
        };
        named.extend(tags.iter().map(|tag| (tag.as_str().to_ascii_lowercase(), tag.clone())));
    }
    named.remove(&internet.as_str().to_ascii_lowercase());
    let (mut found, mut unplaced) = (Vec::new(), Vec::new());
    for tag in std::iter::once(internet).chain(named.into_values()) {
        match estate.tags().addresses(&tag) {
            TagAddresses::Known(set) => found.push((tag.to_string(), set)),
            TagAddresses::OfSubnet => {}
            TagAddresses::Unresolved | TagAddresses::NoSuchTag => unplaced.push(tag.to_string()),
        }
    }
    for network in estate.virtual_networks().filter(|network| !network.learned().must().is_empty()) {
        found.push((format!("behind the gateway of {}", network.name()), network.learned().must().clone()));
    }
    found.extend(options.outside.iter().cloned());
    (found, unplaced)
}

/// Everything that the plan of a family is made from.
struct Parts<'e> {
    estate: &'e Estate,
    policy: &'e EffectivePolicy,
    chains: &'e Chains,
    zones: &'e Zones,
    outside: Vec<(String, AddressSet)>,
    options: &'e Options,
    now: u32,
}

impl Parts<'_> {
    fn plan<T: Address>(&self, family: Family, limits: Limits) -> Result<FamilyPlan, AnalysisError> {
        let rules: Vec<_> = self.options.services.iter().map(Query::rule).collect();
        let mut lists = Lists::default();
        let mut configurations = self.estate.nics().flat_map(palisade_model::Nic::ip_configurations);
        // Where no interface has an address of the family, no list is asked.
        let is_used = configurations.any(|own| own.family() == family);
        for direction in WAY.into_iter().filter(|_| is_used) {
            for index in 0..self.policy.layers(direction).len() {
                lists.add(self.policy, direction, (index, index), self.now);
            }
        }
        let asked: Vec<usize> = rules.iter().map(|rule| lists.add_query(rule)).collect();
        let (mut shapes, mut sets) = (Shapes::new(family), Sets::<T>::new());
        let turns: Vec<(u32, [u32; 2])> =
            lists.entries.iter().map(|entry| (shapes.number(entry), sets.of(entry))).collect();
        self.outside.iter().for_each(|(_, addresses)| sets.also(addresses));
        let prefixes = self.zones.routes.iter().flat_map(palisade_model::NextHops::prefixes);
        prefixes.for_each(|prefix| sets.also(&[prefix].into_iter().collect()));
        let atoms = sets.atoms(&self.preferred(family));
        let services = shapes.finish(&limits)?;
        let mut ends = Ends::new(self.estate, family, &atoms, sets.groups());
        ends.add_interfaces(self.chains, self.zones);
        for (name, addresses) in &self.outside {
            ends.add_outside(name.clone(), addresses);
        }
        let (sites, nodes, places) = (ends.sites(), ends.nodes, ends.places);
        let places = sets.finish(&atoms, places);
        let asked = asked.into_iter().map(|entry| ServiceSet::new(services.must(turns[entry].0)));
        Ok(FamilyPlan {
            asked: asked.collect(),
            lists: self.turn_lists(&lists.entries, &turns),
            services,
            places,
            chains: self.chains.lists.clone(),
            sites,
            nodes,
            routes: self.zones.routes.clone(),
        })
    }

    /// Addresses by which people best understand an example: those of interfaces.
    fn preferred(&self, family: Family) -> Vec<u128> {
        let configurations = self.estate.nics().flat_map(palisade_model::Nic::ip_configurations);
        let known = configurations.filter_map(IpConfiguration::address).map(Prefix::address);
        known.filter(|address: &IpAddr| Family::of(*address) == family).map(number).collect()
    }

    fn turn_lists(&self, entries: &[Entry<'_>], turns: &[(u32, [u32; 2])]) -> [Vec<TurnList>; 2] {
        let layers = WAY.map(|direction| self.policy.layers(direction));
        let all = WAY.into_iter().zip(layers).flat_map(|(way, layers)| layers.iter().map(move |l| (way, l)));
        let mut lists: Vec<(Direction, TurnList)> = all
            .map(|(direction, layer)| {
                let (is_asked, turns) = (layer.mode == Mode::Enforce, Vec::new());
                (direction, TurnList { layer: layer.layer, certain: layer.certain, is_asked, turns })
            })
            .collect();
        for (entry, turn) in entries.iter().zip(turns) {
            // Queries are in no list.
            if let Some((direction, list)) = lists.get_mut(entry.list as usize) {
                list.turns.push(one(*direction, entry, turn));
            }
        }
        let mut lists = lists.into_iter().map(|(_, list)| list);
        layers.map(|layers| lists.by_ref().take(layers.len()).collect())
    }
}

fn one(direction: Direction, entry: &Entry<'_>, turn: &(u32, [u32; 2])) -> Turn {
    let (shape, [destination, source]) = *turn;
    let (local, remote) = match direction {
        Direction::Inbound => (destination, source),
        Direction::Outbound => (source, destination),
    };
    Turn { local, remote, shape, access: entry.access.known(), certain: entry.is_certain() }
}

impl FamilyPlan {
    /// Rows and columns: classes of interfaces, then peers outside.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many rows there are to ask, of both directions.
    pub fn row_count(&self) -> usize {
        self.sites.iter().map(Vec::len).sum()
    }

    /// Asks some rows. Ranges of [`Self::row_count`] can be asked apart, in any order.
    pub fn rows(&self, range: Range<usize>) -> Rows {
        let mut scratch = Scratch::new(&self.places, &self.services);
        let mut outcomes = self.no_outcomes();
        let mut numbers = Vec::with_capacity(range.len() * self.places.len());
        for row in range.clone() {
            let (way, site) = match row.checked_sub(self.sites[0].len()) {
                None => (0, row),
                Some(site) => (1, site),
            };
            let (chain, own) = self.sites[way][site];
            let lists = self.chains[way][chain].iter().map(|list| &self.lists[way][*list]);
            let lists: Vec<&TurnList> = lists.filter(|list| list.is_asked).collect();
            let found = scratch.row(&lists, own, (&self.places, &self.services), &mut outcomes);
            numbers.extend(found);
        }
        Rows { range, outcomes, numbers }
    }

    /// Whether the network takes packets of one end to another.
    pub fn route(&self, from: usize, to: usize) -> Route {
        routes::route(&self.routes, &self.nodes[from], &self.nodes[to])
    }

    /// The services that were asked about, together; all if none were.
    pub(super) fn asked(&self) -> ServiceSet {
        match self.asked.split_first() {
            None => ServiceSet::new(&self.services.all()),
            Some((first, others)) => others.iter().fold(first.clone(), |all, set| all.union(set)),
        }
    }

    /// Whether a set holds the packets of a protocol, a port that they are sent to or a type, and a port that they are sent
    /// from. Protocols without ports have 0.
    pub fn holds(&self, services: &ServiceSet, protocol: Protocol, port: u16, source_port: u16) -> bool {
        let atom = self.services.at(protocol, port, source_port);
        services.words()[atom / 64] >> (atom % 64) & 1 == 1
    }

    /// Atoms of services, and places.
    pub const fn size(&self) -> (usize, usize) {
        (self.services.atoms.len(), self.places.len())
    }

    /// Outcomes that every matrix has: nothing passes, everything does.
    pub(super) fn no_outcomes(&self) -> Interner {
        let (all, none) = (self.services.all(), vec![0; self.services.words]);
        let mut outcomes = Interner::new(2 * self.services.words);
        outcomes.number(&[none.clone(), all.clone()].concat());
        outcomes.number(&[all, none].concat());
        outcomes
    }
}

/// The outcome of which nothing passes.
pub(super) const NOTHING: u32 = 0;
/// The outcome of which everything passes.
pub(super) const EVERYTHING: u32 = 1;
