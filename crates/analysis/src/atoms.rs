//! One field cut into atoms: values that are members of the same sets.
//!
//! Every endpoint of every set is swept in order, and the intervals between them that have the same members are one atom. A
//! hundred thousand prefixes give few thousand atoms. It must not know what the values mean. Invariant: the atoms part the
//! field's domain, and each set is a union of atoms; that two intervals are alike is decided by their members, not by a hash.

mod sweep;

use palisade_net::{Number, RangeSet};

use crate::{bits::Bits, volume::Volume};

/// The atoms of one field.
#[derive(Debug, Clone)]
pub(crate) struct Atoms {
    /// For each set, its atoms.
    members: Vec<Bits>,
    /// For each set, whether that is all of them.
    full: Vec<bool>,
    /// How many values each atom holds, modulo 2^128: 0 stands for the whole of a field of 128 bits.
    weights: Vec<u128>,
    /// For each word of a set of atoms, the word with all atoms and what they weigh, modulo 2^128.
    words: Vec<(u64, u128)>,
    /// Intervals, ascending, with their atom.
    intervals: Vec<(u128, u128, u32)>,
    /// For each atom, the value that stands for it.
    representatives: Vec<u128>,
    /// For each atom, how many preferred values come before its representative.
    ranks: Vec<usize>,
}

impl Atoms {
    /// Cuts `domain` by `sets`. An atom is represented by the first of the `preferred` values that it holds, else by its
    /// lowest one.
    pub(crate) fn of<T>(sets: &[&RangeSet<T>], domain: &RangeSet<T>, preferred: &[u128]) -> Self
    where
        T: Number + Into<u128>,
    {
        let swept = sweep::sweep(sets, domain);
        let count = swept.weights.len();
        let mut members = vec![Bits::none(count); sets.len()];
        for atom in 0..count {
            swept.holders(atom).filter(|set| *set < sets.len()).for_each(|set| members[set].insert(atom));
        }
        let sum = |atoms: &[u128]| atoms.iter().fold(0, |sum: u128, weight| sum.wrapping_add(*weight));
        let all = Bits::all(count);
        let (ranks, representatives) = represent(count, &swept.intervals, preferred);
        Self {
            full: members.iter().map(|atoms| atoms.len() == count).collect(),
            members,
            words: all.words().iter().copied().zip(swept.weights.chunks(64).map(sum)).collect(),
            weights: swept.weights,
            intervals: swept.intervals,
            representatives,
            ranks,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.weights.len()
    }

    /// The atoms of a set.
    pub(crate) fn members(&self, set: u32) -> &Bits {
        &self.members[set as usize]
    }

    /// Whether a set holds every atom.
    pub(crate) fn is_full(&self, set: u32) -> bool {
        self.full[set as usize]
    }

    /// Whether these are all atoms.
    pub(crate) fn is_all(&self, atoms: &Bits) -> bool {
        atoms.words().iter().zip(&self.words).all(|(word, (whole, _))| word == whole)
    }

    /// How many values an atom holds, modulo 2^128. Sums of atoms that are not none make sense of it ([`volume`]).
    pub(crate) fn weight(&self, atom: usize) -> u128 {
        self.weights[atom]
    }

    /// How many values some atoms hold.
    pub(crate) fn weight_of(&self, atoms: &Bits) -> Volume {
        if atoms.is_empty() {
            return Volume::ZERO;
        }
        let words = atoms.words().iter().enumerate();
        volume(words.fold(0, |sum, (place, &word)| sum.wrapping_add(self.weight_in(place, word))))
    }

    /// How many values the atoms of one word of a set hold, modulo 2^128. Atoms are mostly taken or left by the word.
    fn weight_in(&self, place: usize, word: u64) -> u128 {
        let (whole, weight) = self.words[place];
        if word == whole {
            return weight;
        }
        let (mut sum, mut rest) = (0u128, word);
        while rest != 0 {
            sum = sum.wrapping_add(self.weights[place * 64 + rest.trailing_zeros() as usize]);
            rest &= rest - 1;
        }
        sum
    }

    /// The value that stands for an atom.
    pub(crate) fn representative(&self, atom: usize) -> u128 {
        self.representatives[atom]
    }

    /// How little the value that stands for an atom is preferred.
    pub(crate) fn rank(&self, atom: usize) -> usize {
        self.ranks[atom]
    }

    /// The atoms that have a value from `first` to `last`, and the values, by interval.
    pub(crate) fn meeting(&self, first: u128, last: u128) -> impl Iterator<Item = (usize, u128, u128)> + '_ {
        let start = self.intervals.partition_point(|(_, end, _)| *end < first);
        let inside = self.intervals[start..].iter().take_while(move |(from, _, _)| *from <= last);
        inside.map(move |&(from, end, atom)| (atom as usize, from.max(first), end.min(last)))
    }

    /// Every interval, ascending: its first value, and its atom.
    pub(crate) fn starts(&self) -> impl Iterator<Item = (u128, u32)> + '_ {
        self.intervals.iter().map(|&(first, _, atom)| (first, atom))
    }

    /// The values of some atoms, as ranges that may touch.
    pub(crate) fn ranges_of<'a>(&'a self, atoms: &'a Bits) -> impl Iterator<Item = (u128, u128)> + 'a {
        let inside = self.intervals.iter().filter(|(_, _, atom)| atoms.contains(*atom as usize));
        inside.map(|&(first, last, _)| (first, last))
    }
}

/// The weight of some atoms, not none, from the sum modulo 2^128 of what each holds.
pub(crate) fn volume(sum: u128) -> Volume {
    if sum == 0 { Volume::from(u128::MAX) + Volume::ONE } else { Volume::from(sum) }
}

/// For each atom how little the value that stands for it is preferred, and the value.
fn represent(count: usize, intervals: &[(u128, u128, u32)], preferred: &[u128]) -> (Vec<usize>, Vec<u128>) {
    let mut found: Vec<Option<(usize, u128)>> = vec![None; count];
    for (rank, &value) in preferred.iter().enumerate() {
        let after = intervals.partition_point(|(first, _, _)| *first <= value);
        if let Some(&(_, last, atom)) = after.checked_sub(1).map(|at| &intervals[at])
            && value <= last
        {
            found[atom as usize].get_or_insert((rank, value));
        }
    }
    for &(first, _, atom) in intervals {
        found[atom as usize].get_or_insert((preferred.len(), first));
    }
    found.into_iter().map(|value| value.expect("an atom has an interval")).unzip()
}
