//! Lists over the atoms of one space.
//!
//! Each field is cut into atoms by the sets of all entries; an entry is then five sets of atoms. Fields are walked with the
//! fewest atoms first. It must not know why lists are compared, or what their entries do. Invariant: all packets of one atom a
//! field are alike to every entry.

mod build;
mod columns;
mod layout;

use std::{
    ops::{ControlFlow, Range},
    sync::Arc,
};

use palisade_net::{Direction, Flow};

pub(crate) use self::{build::Interned, layout::Two};
use self::{columns::Columns, layout::NONE};
use crate::{
    atoms::Atoms,
    bits::Bits,
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
    /// Atoms of the fields, in the same order; addresses are shared by the spaces of a family.
    atoms: [Arc<Atoms>; FIELDS],
    /// Entries that match something here, in the order of [`Lists::entries`].
    pub(crate) cuts: Vec<Cut>,
    /// For each of [`Lists::entries`] its number in `cuts`.
    places: Vec<Option<usize>>,
    columns: Columns,
}

/// A region that is a product: atoms of each field, in the order in which fields are walked.
pub(crate) type Product = [Bits; FIELDS];

impl Grid {
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

    /// Words of half a row, and of a whole one.
    pub(crate) const fn shape(&self) -> (usize, usize) {
        (self.columns.words, self.columns.stride)
    }

    /// Where an entry stands in a row: the word, and the bit.
    pub(crate) fn bit(&self, cut: usize) -> (usize, u64) {
        let bit = self.columns.layout.bits[cut];
        (bit as usize / 64, 1 << (bit % 64))
    }

    /// The entry of a bit.
    pub(crate) fn cut_at(&self, bit: usize) -> usize {
        let cut = self.columns.layout.cuts[bit];
        debug_assert!(cut != NONE, "only bits of entries are set");
        cut as usize
    }

    /// The row of all entries.
    pub(crate) fn everybody(&self) -> &[u64] {
        &self.columns.all
    }

    /// A row of some entries.
    pub(crate) fn row_of(&self, cuts: impl Iterator<Item = usize>) -> Bits {
        let mut row = Bits::none(self.columns.words * 64);
        cuts.for_each(|cut| row.insert(self.columns.layout.bits[cut] as usize));
        row
    }

    /// The entries that hold an atom of the field at `level`.
    pub(crate) fn column(&self, level: usize, atom: usize) -> &[u64] {
        self.columns.row(level, atom)
    }

    /// The entries that match whatever the fields from `level` on are, if they are there for sure.
    pub(crate) const fn closing(&self, level: usize) -> &Bits {
        &self.columns.closing[level]
    }

    /// The bits of each list.
    pub(crate) fn lists(&self) -> &[Range<usize>] {
        &self.columns.layout.lists
    }

    /// The word at which the second of two policies begins, if they stand side by side.
    pub(crate) const fn second(&self) -> Option<usize> {
        self.columns.layout.second
    }

    /// Leaves of a row what may match some of the atoms of a field.
    pub(crate) fn meet(&self, row: &mut [u64], level: usize, atoms: &Bits) {
        if self.atoms[level].is_all(atoms) {
            return;
        }
        let count = atoms.len();
        let mut met = Bits::none(self.columns.words * 64);
        let left: usize = row[..self.columns.words].iter().map(|word| word.count_ones() as usize).sum();
        // Columns are united, or sets compared, whichever are fewer words.
        if count * self.columns.words <= left * atoms.words().len() {
            atoms.iter().for_each(|atom| met.unite_words(self.column(level, atom)));
        } else {
            let field = &self.atoms[level];
            for bit in crate::bits::numbers(row[..self.columns.words].iter().copied()) {
                let (_, may) = self.cuts[self.cut_at(bit)].sets[level];
                if field.is_full(may) || field.members(may).intersects(atoms) {
                    met.insert(bit);
                }
            }
        }
        for half in row.chunks_mut(self.columns.words.max(1)) {
            half.iter_mut().zip(met.words()).for_each(|(row, met)| *row &= met);
        }
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

    /// Whether every entry is.
    pub(crate) const fn is_all_exact(&self) -> bool {
        self.columns.words == self.columns.stride
    }

    /// Whether an entry surely matches all that another may match.
    pub(crate) fn covers(&self, cut: usize, other: usize) -> bool {
        let pairs = self.cuts[cut].sets.iter().zip(self.cuts[other].sets).zip(&self.atoms);
        let mut fields =
            pairs.map(|(((must, _), (_, may)), atoms)| (atoms.members(*must), atoms.members(may)));
        !self.cuts[cut].perhaps && fields.all(|(must, may)| must.covers(may))
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
        self.holds(cut, choose).map(Clone::clone)
    }

    /// The atoms of each field that surely or possibly belong to an entry.
    pub(crate) fn holds(&self, cut: usize, choose: impl Fn((u32, u32)) -> u32) -> [&Bits; FIELDS] {
        let sets = &self.cuts[cut].sets;
        std::array::from_fn(|level| self.atoms[level].members(choose(sets[level])))
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
