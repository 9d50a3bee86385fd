//! How many packets each entry is the first to match, where every entry is exact and there is one list.
//!
//! States that were reached from one state have most entries in common. What these would decide alone is found once for all
//! of such kin; the few others of a state then take from it what they match before it is decided. It must not know what
//! entries do. Invariant: what is taken from one entry is given to another, so that the sum stays the universe.

use palisade_net::Family;

use crate::{
    atoms::{self, Atoms},
    bits::{self, Bits},
    diagram::{Diagram, LAST},
    volume::Volume,
};

/// What each entry of the diagram's grid is the first to match, and what none matches.
pub(crate) fn first_matches(diagram: &Diagram<'_>) -> (Vec<Volume>, Volume) {
    let grid = diagram.walk.grid;
    let field = grid.atoms(LAST);
    let silent = grid.cuts.len();
    let mut tally = Tally {
        diagram,
        field,
        is_narrow: grid.space.family == Family::V4,
        sums: vec![Sum::default(); silent + 1],
        owners: vec![0; field.len()],
        taken: Bits::none(field.len()),
        parts: Parts { weights: vec![None; silent + 1], touched: Vec::new() },
    };
    for kin in diagram.kin() {
        tally.count(kin);
    }
    let is_narrow = tally.is_narrow;
    let mut sums: Vec<Volume> = tally.sums.into_iter().map(|sum| sum.volume(is_narrow)).collect();
    let silent = sums.pop().expect("what none matches has a sum");
    (sums, silent)
}

/// A sum under way, from which something may be taken before it is given. All IPv4 packets are fewer than 2^112, so their
/// numbers are added as they are, modulo 2^128.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    narrow: u128,
    given: Volume,
    taken: Volume,
}

impl Sum {
    fn volume(self, is_narrow: bool) -> Volume {
        if is_narrow { Volume::from(self.narrow) } else { self.given - self.taken }
    }
}

/// What atoms weigh, by the entry that they belong to; sums are modulo 2^128, of at least one atom.
struct Parts {
    weights: Vec<Option<u128>>,
    touched: Vec<u32>,
}

impl Parts {
    fn add(&mut self, owner: u32, weight: u128) {
        let sum = &mut self.weights[owner as usize];
        match sum {
            Some(sum) => *sum = sum.wrapping_add(weight),
            None => {
                *sum = Some(weight);
                self.touched.push(owner);
            }
        }
    }
}

struct Tally<'d> {
    diagram: &'d Diagram<'d>,
    field: &'d Atoms,
    is_narrow: bool,
    /// For each entry its sum; the last is of what none matches.
    sums: Vec<Sum>,
    /// For each atom the first of the common entries that matches.
    owners: Vec<u32>,
    /// Atoms that are decided before.
    taken: Bits,
    parts: Parts,
}

impl Tally<'_> {
    /// Counts what states decide that have much in common.
    fn count(&mut self, kin: std::ops::Range<usize>) {
        let mut common = self.diagram.end(kin.start).0.to_vec();
        let mut count = Volume::ZERO;
        for state in kin.clone() {
            let (row, more) = self.diagram.end(state);
            common.iter_mut().zip(row).for_each(|(common, row)| *common &= row);
            count += more;
        }
        self.own(&common);
        self.settle(count, true);
        for state in kin {
            let (row, count) = self.diagram.end(state);
            let others: Vec<u64> = row.iter().zip(&common).map(|(row, common)| row & !common).collect();
            self.take(&others, count);
        }
    }

    /// Finds for each atom the first of the common entries.
    fn own(&mut self, common: &[u64]) {
        self.taken.clear();
        let silent = number(self.diagram.walk.grid.cuts.len());
        self.owners.fill(silent);
        for cut in self.diagram.walk.cuts(common) {
            let (_, set) = self.diagram.walk.grid.sets(cut)[LAST];
            for (place, new) in new(self.field.members(set), &self.taken) {
                for atom in bits::numbers(std::iter::once(new)) {
                    self.owners[place * 64 + atom] = number(cut);
                }
            }
            self.taken.unite(self.field.members(set));
        }
        for (atom, owner) in self.owners.iter().enumerate() {
            self.parts.add(*owner, self.field.weight(atom));
        }
    }

    /// Gives the other entries of a state what they match before the common ones.
    fn take(&mut self, others: &[u64], count: Volume) {
        self.taken.clear();
        for cut in self.diagram.walk.cuts(others) {
            let (_, set) = self.diagram.walk.grid.sets(cut)[LAST];
            let members = self.field.members(set);
            let mut gained = None;
            for (place, new) in new(members, &self.taken) {
                for atom in bits::numbers(std::iter::once(new)).map(|atom| place * 64 + atom) {
                    // Entries are numbered in their order.
                    if self.owners[atom] > number(cut) {
                        let weight = self.field.weight(atom);
                        gained = Some(gained.unwrap_or(0u128).wrapping_add(weight));
                        self.parts.add(self.owners[atom], weight);
                    }
                }
            }
            self.taken.unite(members);
            if let Some(weight) = gained {
                self.add(cut, count, weight, true);
            }
        }
        self.settle(count, false);
    }

    /// Gives each entry its part, or takes it.
    fn settle(&mut self, count: Volume, is_given: bool) {
        for owner in std::mem::take(&mut self.parts.touched) {
            let weight = self.parts.weights[owner as usize].take().expect("what was touched has a weight");
            self.add(owner as usize, count, weight, is_given);
        }
    }

    fn add(&mut self, cut: usize, count: Volume, weight: u128, is_given: bool) {
        let sum = &mut self.sums[cut];
        match (self.is_narrow, is_given) {
            (true, given) => {
                let count = count.narrow().expect("IPv4 packets are fewer than 2^112");
                let volume = count.wrapping_mul(weight);
                sum.narrow =
                    if given { sum.narrow.wrapping_add(volume) } else { sum.narrow.wrapping_sub(volume) };
            }
            (false, true) => sum.given += count * atoms::volume(weight),
            (false, false) => sum.taken += count * atoms::volume(weight),
        }
    }
}

/// The words of a set, with their places, without what is taken; those with something left.
fn new<'b>(set: &'b Bits, taken: &'b Bits) -> impl Iterator<Item = (usize, u64)> + use<'b> {
    let words = set.words().iter().zip(taken.words()).enumerate();
    words.map(|(place, (set, taken))| (place, set & !taken)).filter(|(_, new)| *new != 0)
}

fn number(cut: usize) -> u32 {
    u32::try_from(cut).expect("entries are counted in 31 bits")
}
