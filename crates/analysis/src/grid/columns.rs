//! For each atom the entries that hold it, as a row of bits.
//!
//! What is left of lists is a row of the same shape; so one more field is looked at by one intersection, and what stands
//! behind an entry that surely matches is cut off. A row has a bit for each entry that may have matched so far, and, where
//! not all entries are exact, another half with a bit for each that surely has. Invariant: the second half is within the first.

use std::sync::Arc;

use super::{Cut, FIELDS, layout::Layout};
use crate::{atoms::Atoms, bits::Bits};

/// The entries of a grid, turned to atoms.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(super) layout: Layout,
    /// Words of a half.
    pub(super) words: usize,
    /// Words of a row: one half or two.
    pub(super) stride: usize,
    /// The row of all entries, before any field is looked at.
    pub(super) all: Vec<u64>,
    /// For each field the rows of its atoms.
    rows: [Vec<u64>; FIELDS],
    /// For each number of fields that were looked at: entries that match whatever the others are.
    pub(super) closing: [Bits; FIELDS + 1],
}

impl Columns {
    pub(super) fn of(cuts: &[Cut], atoms: &[Arc<Atoms>; FIELDS], layout: Layout) -> Self {
        let is_exact = |cut: &Cut| !cut.perhaps && cut.sets.iter().all(|(must, may)| must == may);
        let words = layout.cuts.len().div_ceil(64);
        let stride = if cuts.iter().all(is_exact) { words } else { 2 * words };
        let shape = (&layout, words, stride);
        let rows = std::array::from_fn(|level| rows(cuts, &atoms[level], level, shape));
        let closing = std::array::from_fn(|level| {
            let mut closing = Bits::none(words * 64);
            let closes = cuts.iter().zip(&layout.bits).filter(|(cut, _)| cut.full_from <= level);
            closes.for_each(|(_, bit)| closing.insert(*bit as usize));
            closing
        });
        let mut all = vec![0; stride];
        for (cut, bit) in cuts.iter().zip(&layout.bits) {
            let (place, bit) = (*bit as usize / 64, 1 << (bit % 64));
            all[place] |= bit;
            if stride > words && !cut.perhaps {
                all[words + place] |= bit;
            }
        }
        Self { layout, words, stride, all, rows, closing }
    }

    /// The entries that hold an atom of the field at `level`.
    pub(super) fn row(&self, level: usize, atom: usize) -> &[u64] {
        &self.rows[level][atom * self.stride..][..self.stride]
    }
}

/// The rows of one field.
fn rows(
    cuts: &[Cut],
    atoms: &Atoms,
    level: usize,
    (layout, words, stride): (&Layout, usize, usize),
) -> Vec<u64> {
    let mut always = vec![0; stride];
    let halves = if stride > words { &[(0, true), (words, false)][..] } else { &[(0, true)] };
    let sets = |half: &(usize, bool)| {
        let (first, may) = *half;
        cuts.iter().zip(&layout.bits).map(move |(cut, bit)| {
            let (must, possible) = cut.sets[level];
            (if may { possible } else { must }, first + *bit as usize / 64, 1 << (bit % 64))
        })
    };
    // What holds every atom is put into all rows at once.
    for (_, place, bit) in halves.iter().flat_map(sets).filter(|(set, ..)| atoms.is_full(*set)) {
        always[place] |= bit;
    }
    let mut rows = always.repeat(atoms.len());
    for (set, place, bit) in halves.iter().flat_map(sets).filter(|(set, ..)| !atoms.is_full(*set)) {
        atoms.members(set).iter().for_each(|atom| rows[atom * stride + place] |= bit);
    }
    rows
}
