//! Where machines and peers stand: addresses that no rule tells apart, and groups that a machine is in whatever its address.
//!
//! Addresses of a family are cut into atoms by every set of every rule. An address that the deployment assigns is one of
//! several places: an atom of those it may get, but in the groups of its interface. It must not know services. Invariant: all
//! packets from one place to one other are alike to every rule.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use palisade_model::{AddressField, Addresses, PlatformService, ResourceId, Truth};
use palisade_net::{AddressSet, Number, RangeSet};

use crate::{
    atoms::Atoms,
    bits::Bits,
    entry::{Address, Between, Entry},
    grid::Interned,
};

/// What makes two sets of a rule one: the addresses, the groups that they are the members of, and the service that they are
/// cut down to.
type Key<'a> = (Option<(&'a Addresses, &'a [ResourceId])>, Option<PlatformService>);

/// Sets of addresses under collection.
pub(super) struct Sets<'a, T: Number> {
    interned: Interned<'a, T>,
    known: HashMap<Key<'a>, u32>,
    sets: Vec<Set<'a>>,
}

/// A set of a rule.
#[derive(Debug, Clone, Copy)]
struct Set<'a> {
    must: u32,
    may: u32,
    /// Its groups, where it is the members of groups.
    groups: &'a [ResourceId],
}

impl<'a, T: Address> Sets<'a, T> {
    pub(super) fn new() -> Self {
        Self { interned: Interned::default(), known: HashMap::new(), sets: Vec::new() }
    }

    /// The numbers of an entry's destination and source.
    pub(super) fn of(&mut self, entry: &Entry<'a>) -> [u32; 2] {
        let service = entry.service.map(|(service, _)| service);
        let keys: [Key<'a>; 2] = match entry.rule {
            Some(rule) => [
                (Some((&rule.destination, groups(&rule.destination_field))), service),
                (Some((&rule.source, groups(&rule.source_field))), None),
            ],
            None => [(None, service), (None, None)],
        };
        if let [Some(&destination), Some(&source)] = keys.map(|key| self.known.get(&key)) {
            return [destination, source];
        }
        let mut found = entry.addresses::<T>().into_iter().zip(keys);
        std::array::from_fn(|_| {
            let (set, key) = found.next().expect("there are two sides");
            self.number(key, set)
        })
    }

    /// Cuts the addresses by a set that no rule has.
    pub(super) fn also(&mut self, set: &AddressSet) {
        self.interned.number(Cow::Owned(T::half(set).clone()));
    }

    /// The atoms. Of an atom the first of the `preferred` values that it holds stands for it.
    pub(super) fn atoms(&self, preferred: &[u128]) -> Atoms {
        self.interned.atoms(&RangeSet::full(), preferred)
    }

    /// Groups of all sets, one list for each.
    pub(super) fn groups(&self) -> impl Iterator<Item = &'a [ResourceId]> + '_ {
        self.sets.iter().map(|set| set.groups)
    }

    /// Every set over the places.
    pub(super) fn finish(self, atoms: &Atoms, places: Vec<Place>) -> Places {
        let members = |number: fn(&Set<'_>) -> u32, least: Truth| -> Vec<Bits> {
            let over = |(at, set): (usize, &Set<'a>)| {
                let inside = atoms.members(number(set));
                let mut bits = Bits::none(places.len());
                for (index, place) in places.iter().enumerate() {
                    let holds = match place.groups.get(&at) {
                        Some(truth) => *truth == Truth::Yes || *truth == least,
                        None => inside.contains(place.atom),
                    };
                    if holds {
                        bits.insert(index);
                    }
                }
                bits
            };
            self.sets.iter().enumerate().map(over).collect()
        };
        let must = members(|set| set.must, Truth::Yes);
        let may = members(|set| set.may, Truth::Maybe);
        Places { must, may, places }
    }

    fn number(&mut self, key: Key<'a>, set: Between<'a, T>) -> u32 {
        let next = u32::try_from(self.sets.len()).expect("fewer sets than rules can be");
        *self.known.entry(key).or_insert_with(|| {
            let (must, may) = self.interned.both(set);
            let groups = key.0.map_or(&[][..], |(_, groups)| groups);
            self.sets.push(Set { must, may, groups });
            next
        })
    }
}

/// The groups of a field that names groups.
fn groups(field: &AddressField) -> &[ResourceId] {
    match field {
        AddressField::Groups(groups) => groups,
        _ => &[],
    }
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The atom of its address.
    pub(super) atom: usize,
    /// By set: whether it is a member, where that does not follow from the address.
    pub(super) groups: BTreeMap<usize, Truth>,
}

/// All places, and which sets they are in.
#[derive(Debug)]
pub(super) struct Places {
    must: Vec<Bits>,
    may: Vec<Bits>,
    places: Vec<Place>,
}

impl Places {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    /// The places that are surely in a set.
    pub(super) fn must(&self, set: u32) -> &Bits {
        &self.must[set as usize]
    }

    /// The places that may be in a set.
    pub(super) fn may(&self, set: u32) -> &Bits {
        &self.may[set as usize]
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.must.iter().chain(&self.may).map(|bits| size_of_val(bits.words())).sum()
    }
}
