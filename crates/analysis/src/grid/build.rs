//! How the grids of all spaces are made from lists.
//!
//! A family's addresses are cut once, by all entries, for packets that carry ports, types or neither alike: that is finer than
//! each space needs by itself, and as exact.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use palisade_net::{Direction, Family, Number, RangeSet};

use super::{
    Cut, FIELDS, Grid,
    columns::Columns,
    layout::{Layout, Two},
};
use crate::{
    atoms::Atoms,
    entry::{Address, Between, Domains, Entry, Lists},
    rows::{self, FastMap},
    space::{Field, Space},
};

/// What surely and what possibly belongs to an entry in a field, as numbers of sets.
type Sets = (u32, u32);

impl Grid {
    /// A grid for each space that `is_wanted`; rows of `two` policies are laid out side by side.
    pub(crate) fn all(
        lists: &Lists<'_>,
        direction: Direction,
        machine: &[IpAddr],
        two: Option<Two<'_>>,
        is_wanted: impl Fn(Space) -> bool,
    ) -> Vec<Self> {
        let of_family = |family| {
            let spaces = Space::all().filter(|space| space.family == family && is_wanted(*space));
            let spaces: Vec<Space> = spaces.collect();
            match family {
                _ if spaces.is_empty() => Vec::new(),
                Family::V4 => Self::of_family::<u32>(lists, &spaces, (direction, machine), two),
                Family::V6 => Self::of_family::<u128>(lists, &spaces, (direction, machine), two),
            }
        };
        Family::ALL.into_iter().flat_map(of_family).collect()
    }

    fn of_family<T: Address>(
        lists: &Lists<'_>,
        spaces: &[Space],
        (direction, machine): (Direction, &[IpAddr]),
        two: Option<Two<'_>>,
    ) -> Vec<Self> {
        let mut known: [Interned<'_, T>; 2] = Default::default();
        let domains = address_domains::<T>(lists);
        let sets: Vec<Option<[Sets; 2]>> = lists
            .entries
            .iter()
            .map(|entry| {
                let [destination, source] = entry.addresses::<T>();
                let (destination, source) = (destination.within(&domains[0]), source.within(&domains[1]));
                let is_empty = destination.may.is_empty() || source.may.is_empty();
                let [destinations, sources] = &mut known;
                (!is_empty).then(|| [destinations.both(destination), sources.both(source)])
            })
            .collect();
        let mut atoms: Option<[Arc<Atoms>; 2]> = None;
        let grids = spaces.iter().map(|&space| {
            let preferred = |field| space.preferred(field, direction, machine);
            // Addresses are preferred alike, whatever packets carry.
            let atoms = atoms.get_or_insert_with(|| {
                let cut = |side: usize, field| Arc::new(known[side].atoms(&domains[side], &preferred(field)));
                [cut(0, Field::Destination), cut(1, Field::Source)]
            });
            Self::build(lists, (space, direction), (&sets, atoms), two, preferred)
        });
        grids.collect()
    }

    fn build(
        lists: &Lists<'_>,
        (space, direction): (Space, Direction),
        (addresses, address_atoms): (&[Option<[Sets; 2]>], &[Arc<Atoms>; 2]),
        two: Option<Two<'_>>,
        preferred: impl Fn(Field) -> Vec<u128>,
    ) -> Self {
        let domains = Domains::of(space);
        let within = small_domains(lists, &domains);
        let mut known: [Interned<'_, u16>; 3] = Default::default();
        let mut found = Vec::new();
        for (number, (entry, addresses)) in lists.entries.iter().zip(addresses).enumerate() {
            let Some([destination, source]) = addresses else { continue };
            let Some(small) = entry.small(&domains) else { continue };
            let mut small = small.into_iter().zip(&within).map(|(set, within)| set.within(within));
            let small: [Between<'_, u16>; 3] =
                std::array::from_fn(|_| small.next().expect("there are three"));
            if small.iter().any(|set| set.may.is_empty()) {
                continue;
            }
            let mut small = small.into_iter().zip(&mut known).map(|(set, known)| known.both(set));
            let mut next = || small.next().expect("there are three small fields");
            found.push((number, entry, [next(), next(), next(), *destination, *source]));
        }
        let cut =
            |field: Field| Arc::new(known[field as usize].atoms(&within[field as usize], &preferred(field)));
        let atoms: [Arc<Atoms>; FIELDS] = [
            cut(Field::Protocol),
            cut(Field::DestinationPort),
            cut(Field::SourcePort),
            address_atoms[0].clone(),
            address_atoms[1].clone(),
        ];
        let mut order = Field::ALL;
        order.sort_by_key(|field| atoms[*field as usize].len());
        let atoms = order.map(|field| atoms[field as usize].clone());
        let cuts = found.into_iter().map(|(number, entry, sets)| {
            let sets = order.map(|field| sets[field as usize]);
            let fulls = sets.iter().zip(&atoms).rev();
            let full = fulls.take_while(|((must, _), atoms)| atoms.is_full(*must)).count();
            let (list, perhaps) = (entry.list, !entry.is_certain());
            Cut { entry: number, list, perhaps, sets, full_from: FIELDS - full }
        });
        let cuts: Vec<Cut> = cuts.collect();
        let mut places = vec![None; lists.entries.len()];
        cuts.iter().enumerate().for_each(|(number, cut)| places[cut.entry] = Some(number));
        let columns = Columns::of(&cuts, &atoms, Layout::of(&cuts, two));
        Self { space, direction, order, atoms, cuts, places, columns }
    }
}

/// The destinations and sources to look at.
fn address_domains<T: Address>(lists: &Lists<'_>) -> [RangeSet<T>; 2] {
    let Some(entries) = lists.bounds() else { return [RangeSet::full(), RangeSet::full()] };
    let sets = entries.map(Entry::addresses::<T>);
    united(sets.filter(|sets| sets.iter().all(|set| !set.may.is_empty())))
}

/// The same of protocols, destination ports and source ports.
fn small_domains(lists: &Lists<'_>, domains: &Domains) -> [RangeSet<u16>; 3] {
    let Some(entries) = lists.bounds() else { return domains.all().clone() };
    united(entries.filter_map(|entry| entry.small(domains)))
}

/// What may belong to any of some sets, field by field.
fn united<'s, T: Number + 's, const N: usize>(
    sets: impl Iterator<Item = [Between<'s, T>; N]>,
) -> [RangeSet<T>; N] {
    let mut ranges: [Vec<(T, T)>; N] = std::array::from_fn(|_| Vec::new());
    for set in sets {
        ranges.iter_mut().zip(&set).for_each(|(ranges, set)| ranges.extend(set.may.ranges()));
    }
    ranges.map(|ranges| ranges.into_iter().collect())
}

/// Distinct sets of one field.
pub(crate) struct Interned<'a, T: Number> {
    sets: Vec<Cow<'a, RangeSet<T>>>,
    /// Numbers of sets by hash.
    known: FastMap<u64, Vec<u32>>,
}

impl<T: Number> Default for Interned<'_, T> {
    fn default() -> Self {
        Self { sets: Vec::new(), known: FastMap::default() }
    }
}

impl<'a, T: Number + Into<u128>> Interned<'a, T> {
    pub(crate) fn both(&mut self, Between { must, may }: Between<'a, T>) -> Sets {
        if must == may {
            let number = self.number(may);
            return (number, number);
        }
        (self.number(must), self.number(may))
    }

    pub(crate) fn number(&mut self, set: Cow<'a, RangeSet<T>>) -> u32 {
        let word = |value: T| {
            let value: u128 = value.into();
            value as u64 ^ ((value >> 64) as u64).rotate_left(32)
        };
        let ranges = set.ranges().iter();
        let hash = ranges.fold(rows::SEED, |hash, (first, last)| rows::mix(hash, word(*first), word(*last)));
        let alike = self.known.entry(hash).or_default();
        if let Some(&number) = alike.iter().find(|number| self.sets[**number as usize] == set) {
            return number;
        }
        let number = u32::try_from(self.sets.len()).expect("fewer sets than rules can be");
        alike.push(number);
        self.sets.push(set);
        number
    }

    pub(crate) fn atoms(&self, domain: &RangeSet<T>, preferred: &[u128]) -> Atoms {
        let sets: Vec<&RangeSet<T>> = self.sets.iter().map(|set| &**set).collect();
        Atoms::of(&sets, domain, preferred)
    }
}
