//! Lists over the atoms of one space.
//!
//! Each field is cut into atoms by the sets of all entries; an entry is then five sets of atoms. Fields are walked with the
//! fewest atoms first. It must not know why lists are compared, or what their entries do. Invariant: all packets of one atom a
//! field are alike to every entry.

mod children;

use std::{borrow::Cow, collections::HashMap, net::IpAddr, ops::ControlFlow};

use palisade_net::{Direction, Family, Flow, Number, RangeSet};

use crate::{
    atoms::Atoms,
    bits::Bits,
    entry::{Address, Between, Lists},
    space::{Field, Space},
    volume::Volume,
};

/// Fields of a packet.
pub(crate) const FIELDS: usize = Field::ALL.len();

/// An entry that has matched so far, and whether it surely has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Live(u32);

impl Live {
    /// An entry of a grid.
    pub(crate) fn new(cut: usize, perhaps: bool) -> Self {
        let number = u32::try_from(cut).expect("entries are counted in 31 bits");
        Self(number << 1 | u32::from(perhaps))
    }

    /// Its number in [`Grid::cuts`].
    pub(crate) const fn cut(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// Whether it may match, and may not.
    pub(crate) const fn is_perhaps(self) -> bool {
        self.0 & 1 == 1
    }

    const fn or_perhaps(self, perhaps: bool) -> Self {
        Self(self.0 | perhaps as u32)
    }
}

/// How an entry takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// As it is.
    AsIs,
    /// As if it might not be there, so that what comes after it is seen.
    Perhaps,
}

/// An entry in a grid.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// Its number in [`Lists::entries`].
    pub(crate) entry: usize,
    /// Its list.
    pub(crate) list: u32,
    /// Whether it may not be there at all.
    perhaps: bool,
    /// What surely and what possibly belongs to it, a pair of sets a field, in the order in which fields are walked.
    sets: [(u32, u32); FIELDS],
    /// The first field from which on it surely matches everything.
    full_from: usize,
}

/// Lists over the atoms of one space.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    pub(crate) space: Space,
    direction: Direction,
    /// Fields in the order in which they are walked.
    order: [Field; FIELDS],
    /// Atoms of the fields, in the same order.
    atoms: [Atoms; FIELDS],
    /// Entries that match something here, in the order of [`Lists::entries`].
    pub(crate) cuts: Vec<Cut>,
    /// For each of [`Lists::entries`] its number in `cuts`.
    places: Vec<Option<usize>>,
}

/// A region that is a product: atoms of each field, in the order in which fields are walked.
pub(crate) type Product = [Bits; FIELDS];

impl Grid {
    pub(crate) fn of(lists: &Lists<'_>, space: Space, direction: Direction, machine: &[IpAddr]) -> Self {
        match space.family {
            Family::V4 => Self::build::<u32>(lists, space, direction, machine),
            Family::V6 => Self::build::<u128>(lists, space, direction, machine),
        }
    }

    fn build<T: Address>(lists: &Lists<'_>, space: Space, direction: Direction, machine: &[IpAddr]) -> Self {
        let mut small: [Interned<'_, u16>; 3] = Default::default();
        let mut addresses: [Interned<'_, T>; 2] = Default::default();
        let mut found = Vec::new();
        for (number, entry) in lists.entries.iter().enumerate() {
            let Some(pieces) = entry.pieces::<T>(space) else { continue };
            let mut sets = pieces.small.into_iter().zip(&mut small).map(|(set, known)| known.both(set));
            let mut wide =
                pieces.addresses.into_iter().zip(&mut addresses).map(|(set, known)| known.both(set));
            let sets: [(u32, u32); FIELDS] = std::array::from_fn(|_| {
                sets.next().or_else(|| wide.next()).expect("three sets and two make five")
            });
            found.push((number, entry, sets));
        }
        let preferred = |field| space.preferred(field, direction, machine);
        let [protocols, destination_ports, source_ports] = &small;
        let [destinations, sources] = &addresses;
        let atoms = [
            protocols.atoms(&space.protocols(), &preferred(Field::Protocol)),
            destination_ports.atoms(&space.ports(Field::DestinationPort), &preferred(Field::DestinationPort)),
            source_ports.atoms(&space.ports(Field::SourcePort), &preferred(Field::SourcePort)),
            destinations.atoms(&RangeSet::full(), &preferred(Field::Destination)),
            sources.atoms(&RangeSet::full(), &preferred(Field::Source)),
        ];
        let mut order = Field::ALL;
        order.sort_by_key(|field| atoms[*field as usize].len());
        let atoms = order.map(|field| atoms[field as usize].clone());
        let cuts = found.into_iter().map(|(number, entry, sets)| {
            let sets = order.map(|field| sets[field as usize]);
            let fulls = sets.iter().zip(&atoms).rev();
            let full = fulls.take_while(|((must, _), atoms)| atoms.is_full(*must)).count();
            Cut {
                entry: number,
                list: entry.list,
                perhaps: !entry.is_certain(),
                sets,
                full_from: FIELDS - full,
            }
        });
        let cuts: Vec<Cut> = cuts.collect();
        let mut places = vec![None; lists.entries.len()];
        cuts.iter().enumerate().for_each(|(number, cut)| places[cut.entry] = Some(number));
        Self { space, direction, order, atoms, cuts, places }
    }

    /// The number in `cuts` of one of [`Lists::entries`], if it matches something here.
    pub(crate) fn place(&self, entry: usize) -> Option<usize> {
        self.places[entry]
    }

    /// Atoms of the field at a place of the order.
    pub(crate) fn atoms(&self, level: usize) -> &Atoms {
        &self.atoms[level]
    }

    /// The field at a place of the order.
    pub(crate) fn field(&self, level: usize) -> Field {
        self.order[level]
    }

    /// The entries that `choose` takes, before any field was looked at. It may take one as if it were not sure.
    pub(crate) fn start(&self, choose: impl Fn(usize) -> Option<Taken>) -> Vec<Live> {
        let taken = self.cuts.iter().enumerate().filter_map(|(number, cut)| {
            choose(number).map(|taken| Live::new(number, cut.perhaps || taken == Taken::Perhaps))
        });
        self.shortened(taken, 0)
    }

    /// Whether nothing after the last entry of `list` is asked, `level` fields having been looked at.
    pub(crate) fn is_closed(&self, list: &[Live], level: usize) -> bool {
        list.last().is_some_and(|live| self.closes(*live, level))
    }

    /// Whether an entry surely matches whatever the fields from `level` on are.
    pub(crate) fn closes(&self, live: Live, level: usize) -> bool {
        !live.is_perhaps() && self.cuts[live.cut()].full_from <= level
    }

    /// All packets.
    pub(crate) fn everything(&self) -> Product {
        self.atoms.each_ref().map(|atoms| Bits::all(atoms.len()))
    }

    /// The packets that an entry surely matches where it is there.
    pub(crate) fn must(&self, cut: usize) -> Product {
        self.product(cut, |(must, _)| must)
    }

    /// The packets that an entry may match.
    pub(crate) fn may(&self, cut: usize) -> Product {
        self.product(cut, |(_, may)| may)
    }

    /// The sets of an entry; equal for entries that match the same.
    pub(crate) fn sets(&self, cut: usize) -> [(u32, u32); FIELDS] {
        self.cuts[cut].sets
    }

    /// Whether an entry is there for sure.
    pub(crate) fn is_certain(&self, cut: usize) -> bool {
        !self.cuts[cut].perhaps
    }

    /// Whether an entry is there for sure and everything of it is known.
    pub(crate) fn is_exact(&self, cut: usize) -> bool {
        self.is_certain(cut) && self.cuts[cut].sets.iter().all(|(must, may)| must == may)
    }

    /// Whether an entry surely matches all that another may match.
    pub(crate) fn covers(&self, cut: usize, other: usize) -> bool {
        let pairs = self.cuts[cut].sets.iter().zip(self.cuts[other].sets).zip(&self.atoms);
        let mut fields =
            pairs.map(|(((must, _), (_, may)), atoms)| (atoms.members(*must), atoms.members(may)));
        !self.cuts[cut].perhaps && fields.all(|(must, may)| must.covers(may))
    }

    /// What of `list` may match some packet of a product.
    pub(crate) fn meeting(&self, list: &[Live], within: &Product) -> Vec<Live> {
        let meets = |live: &Live| {
            let fields = self.cuts[live.cut()].sets.iter().zip(within).zip(&self.atoms);
            fields.rev().all(|(((_, may), within), atoms)| {
                atoms.is_full(*may) || atoms.members(*may).intersects(within)
            })
        };
        list.iter().copied().filter(meets).collect()
    }

    /// Whether an entry may match all that another may match.
    pub(crate) fn may_contain(&self, cut: usize, other: usize) -> bool {
        self.may_sets(cut, other).all(|(one, other)| one.covers(other))
    }

    /// Whether there is a packet that each of two entries may match.
    pub(crate) fn may_meet(&self, cut: usize, other: usize) -> bool {
        self.may_sets(cut, other).all(|(one, other)| one.intersects(other))
    }

    fn may_sets(&self, cut: usize, other: usize) -> impl Iterator<Item = (&Bits, &Bits)> {
        let pairs = self.cuts[cut].sets.iter().zip(&self.cuts[other].sets).zip(&self.atoms);
        pairs.map(|(((_, one), (_, other)), atoms)| (atoms.members(*one), atoms.members(*other)))
    }

    fn product(&self, cut: usize, choose: impl Fn((u32, u32)) -> u32) -> Product {
        let sets = self.cuts[cut].sets;
        std::array::from_fn(|level| self.atoms[level].members(choose(sets[level])).clone())
    }

    /// How many packets a product holds.
    pub(crate) fn volume(&self, product: &Product) -> Volume {
        let weights = product.iter().zip(&self.atoms).map(|(atoms, field)| field.weight_of(atoms));
        weights.fold(Volume::ONE, |volume, weight| volume * weight)
    }

    /// Of the packets of some products one that people understand well: its values are preferred ones where there are any.
    pub(crate) fn best(&self, products: &[Product]) -> Option<[u32; FIELDS]> {
        let best = |product: &Product| {
            let mut rank = 0;
            let path = std::array::from_fn(|level| {
                let ranked = product[level].iter().map(|atom| (self.atoms[level].rank(atom), atom));
                let (found, atom) = ranked.min().expect("no field of a product is empty");
                rank += found;
                u32::try_from(atom).expect("atoms are counted in 32 bits")
            });
            (rank, path)
        };
        products.iter().map(best).min().map(|(_, path)| path)
    }

    /// The packet that stands for one atom a field.
    pub(crate) fn flow(&self, path: &[u32; FIELDS]) -> Flow {
        let mut values = [0; FIELDS];
        for (level, atom) in path.iter().enumerate() {
            values[self.order[level] as usize] = self.atoms[level].representative(*atom as usize);
        }
        self.space.flow(self.direction, values)
    }

    /// What is left of `list` for packets of one atom of the field at `level`.
    pub(crate) fn step(&self, list: &[Live], level: usize, atom: usize) -> Vec<Live> {
        let field = &self.atoms[level];
        let matched = list.iter().filter_map(|live| {
            let (must, may) = self.cuts[live.cut()].sets[level];
            let possible = field.members(may).contains(atom);
            possible.then(|| live.or_perhaps(must != may && !field.members(must).contains(atom)))
        });
        self.shortened(matched, level + 1)
    }

    /// Each list up to the first entry that surely matches whatever the fields from `level` on are.
    fn shortened(&self, list: impl Iterator<Item = Live>, level: usize) -> Vec<Live> {
        let mut closed = None;
        let mut kept = Vec::new();
        for live in list {
            let cut = &self.cuts[live.cut()];
            if closed == Some(cut.list) {
                continue;
            }
            kept.push(live);
            if self.closes(live, level) {
                closed = Some(cut.list);
            }
        }
        kept
    }

    /// Parts `atoms` of the last field by what is left of `list`, and calls `visit` with each part.
    pub(crate) fn split<B>(
        &self,
        list: &[Live],
        atoms: Bits,
        visit: &mut impl FnMut(&[Live], &Bits) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.split_rest(list, atoms, &mut Vec::new(), visit)
    }

    fn split_rest<B>(
        &self,
        list: &[Live],
        mut atoms: Bits,
        found: &mut Vec<Live>,
        visit: &mut impl FnMut(&[Live], &Bits) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let field = &self.atoms[FIELDS - 1];
        for (place, live) in list.iter().enumerate() {
            let cut = &self.cuts[live.cut()];
            let (must, may) = cut.sets[FIELDS - 1];
            let (must, may) = (field.members(must), field.members(may));
            if !atoms.intersects(may) {
                continue;
            }
            let after = &list[place + 1..];
            let mut open = atoms.intersection(may);
            if !live.is_perhaps() && open.intersects(must) {
                let closed = after.partition_point(|live| self.cuts[live.cut()].list == cut.list);
                found.push(*live);
                self.split_rest(&after[closed..], open.intersection(must), found, visit)?;
                found.pop();
                open.subtract(must);
            }
            if !open.is_empty() {
                found.push(live.or_perhaps(true));
                self.split_rest(after, open, found, visit)?;
                found.pop();
            }
            atoms.subtract(may);
            if atoms.is_empty() {
                return ControlFlow::Continue(());
            }
        }
        if atoms.is_empty() { ControlFlow::Continue(()) } else { visit(found, &atoms) }
    }
}

/// Distinct sets of one field.
pub(crate) struct Interned<'a, T: Number>(HashMap<Cow<'a, RangeSet<T>>, u32>);

impl<T: Number> Default for Interned<'_, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<'a, T: Number + Into<u128>> Interned<'a, T> {
    pub(crate) fn both(&mut self, set: Between<'a, T>) -> (u32, u32) {
        (self.number(set.must), self.number(set.may))
    }

    pub(crate) fn number(&mut self, set: Cow<'a, RangeSet<T>>) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer sets than rules can be");
        *self.0.entry(set).or_insert(next)
    }

    pub(crate) fn atoms(&self, domain: &RangeSet<T>, preferred: &[u128]) -> Atoms {
        let mut sets: Vec<(&u32, &RangeSet<T>)> =
            self.0.iter().map(|(set, number)| (number, &**set)).collect();
        sets.sort_unstable_by_key(|(number, _)| **number);
        let sets: Vec<&RangeSet<T>> = sets.into_iter().map(|(_, set)| set).collect();
        Atoms::of(&sets, domain, preferred)
    }
}
