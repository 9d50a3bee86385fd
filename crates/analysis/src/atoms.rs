//! One field cut into atoms: values that are members of the same sets.
//!
//! Every endpoint of every set is swept in order, and the intervals between them that have the same members are one atom. A
//! hundred thousand prefixes give few thousand atoms. It must not know what the values mean. Invariant: the atoms part the
//! field's domain, and each set is a union of atoms. That two intervals are alike is found by a signature and then confirmed
//! member by member, so that exactness does not rest on a hash.

use std::collections::HashMap;

use palisade_net::{Number, RangeSet};

use crate::{bits::Bits, volume::Volume};

/// The atoms of one field.
#[derive(Debug, Clone)]
pub(crate) struct Atoms {
    /// For each set, its atoms.
    members: Vec<Bits>,
    /// For each set, whether that is all of them.
    full: Vec<bool>,
    weights: Vec<Volume>,
    /// For each word of a set of atoms, the word with all atoms and what they weigh.
    words: Vec<(u64, Volume)>,
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
        let mut sweep = Sweep::new(sets.len());
        let edges = edges(sets.iter().copied().chain([domain]));
        let mut rest = edges.as_slice();
        while let Some(&(start, _)) = rest.first() {
            let here = rest.iter().take_while(|(at, _)| *at == start).count();
            rest[..here].iter().for_each(|&(_, set)| sweep.toggle(set as usize));
            rest = &rest[here..];
            let next = rest.first().and_then(|(at, _)| at.previous());
            sweep.interval(start.into(), next.unwrap_or(T::MAX).into());
        }
        sweep.finish(preferred)
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

    /// How many values an atom holds.
    pub(crate) fn weight(&self, atom: usize) -> Volume {
        self.weights[atom]
    }

    /// How many values some atoms hold. Atoms are mostly taken or left by the word, so whole words are added at once.
    pub(crate) fn weight_of(&self, atoms: &Bits) -> Volume {
        let mut sum = Volume::ZERO;
        for (place, (&word, (whole, weight))) in atoms.words().iter().zip(&self.words).enumerate() {
            if word == *whole {
                sum += *weight;
                continue;
            }
            let mut rest = word;
            while rest != 0 {
                sum += self.weights[place * 64 + rest.trailing_zeros() as usize];
                rest &= rest - 1;
            }
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

/// Where sets begin, and where they have ended; the number of the set with each.
fn edges<'s, T: Number + 's>(sets: impl Iterator<Item = &'s RangeSet<T>>) -> Vec<(T, u32)> {
    let mut edges = Vec::new();
    for (number, set) in sets.enumerate() {
        let number = u32::try_from(number).expect("fewer sets than rules can be");
        for &(first, last) in set.ranges() {
            edges.push((first, number));
            edges.extend(last.next().map(|end| (end, number)));
        }
    }
    edges.sort_unstable();
    edges
}

/// The state of the sweep; the domain is the last of the sets.
struct Sweep {
    active: Bits,
    signature: u128,
    sets: usize,
    /// Atoms by signature; more than one only where signatures collide.
    known: HashMap<u128, Vec<u32>>,
    /// For each atom, the sets that hold it.
    holders: Vec<Bits>,
    weights: Vec<Volume>,
    intervals: Vec<(u128, u128, u32)>,
}

impl Sweep {
    fn new(sets: usize) -> Self {
        Self {
            active: Bits::none(sets + 1),
            signature: 0,
            sets,
            known: HashMap::new(),
            holders: Vec::new(),
            weights: Vec::new(),
            intervals: Vec::new(),
        }
    }

    fn toggle(&mut self, set: usize) {
        self.active.toggle(set);
        self.signature ^= key(set);
    }

    /// From `first` to `last` the sets that are active now hold every value.
    fn interval(&mut self, first: u128, last: u128) {
        if !self.active.contains(self.sets) {
            return;
        }
        let alike = self.known.entry(self.signature).or_default();
        let found = alike.iter().copied().find(|&atom| self.holders[atom as usize] == self.active);
        let atom = found.unwrap_or_else(|| {
            let atom = u32::try_from(self.holders.len()).expect("fewer atoms than memory holds intervals");
            alike.push(atom);
            self.holders.push(self.active.clone());
            self.weights.push(Volume::ZERO);
            atom
        });
        self.weights[atom as usize] += Volume::from(last - first) + Volume::ONE;
        match self.intervals.last_mut() {
            Some((_, end, same)) if *same == atom && end.checked_add(1) == Some(first) => *end = last,
            _ => self.intervals.push((first, last, atom)),
        }
    }

    fn finish(self, preferred: &[u128]) -> Atoms {
        let mut members = vec![Bits::none(self.holders.len()); self.sets];
        for (atom, holders) in self.holders.iter().enumerate() {
            holders.iter().filter(|set| *set < self.sets).for_each(|set| members[set].insert(atom));
        }
        let mut found: Vec<Option<(usize, u128)>> = vec![None; self.weights.len()];
        for (rank, &value) in preferred.iter().enumerate() {
            let after = self.intervals.partition_point(|(first, _, _)| *first <= value);
            if let Some(&(_, last, atom)) = after.checked_sub(1).map(|at| &self.intervals[at])
                && value <= last
            {
                found[atom as usize].get_or_insert((rank, value));
            }
        }
        for &(first, _, atom) in &self.intervals {
            found[atom as usize].get_or_insert((preferred.len(), first));
        }
        let found = found.into_iter().map(|value| value.expect("an atom has an interval"));
        let (ranks, representatives) = found.unzip();
        let full = members.iter().map(|atoms| atoms.len() == self.holders.len()).collect();
        let weigh = |atoms: &[Volume]| atoms.iter().copied().sum();
        let all = Bits::all(self.weights.len());
        let words = all.words().iter().copied().zip(self.weights.chunks(64).map(weigh)).collect();
        Atoms {
            members,
            full,
            weights: self.weights,
            words,
            intervals: self.intervals,
            representatives,
            ranks,
        }
    }
}

/// A number of 128 bits that looks random, from SplitMix64's finalizer (Steele, Lea and Flood, OOPSLA 2014).
fn key(set: usize) -> u128 {
    let mix = |seed: u64| {
        let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let seed = 2 * set as u64 + 1;
    u128::from(mix(seed)) << 64 | u128::from(mix(seed + 1))
}
