//! Values of one field, and the atom of each.
//!
//! The leading bits of a value lead to the few intervals that it can be in, so that most lookups touch two words. It must not
//! know what an atom means.

use palisade_net::Number;

use crate::atoms::Atoms;

/// A number whose leading bits lead to an interval.
pub(super) trait Leading: Number + Into<u128> + TryFrom<u128> {
    /// How many bits it has.
    const WIDTH: u32;

    /// The first bits, 1 to 16 of them.
    fn leading(self, bits: u32) -> usize;
}

impl Leading for u16 {
    const WIDTH: u32 = 16;

    fn leading(self, bits: u32) -> usize {
        usize::from(self >> (Self::WIDTH - bits))
    }
}

impl Leading for u32 {
    const WIDTH: u32 = 32;

    fn leading(self, bits: u32) -> usize {
        (self >> (Self::WIDTH - bits)) as usize
    }
}

impl Leading for u128 {
    const WIDTH: u32 = 128;

    fn leading(self, bits: u32) -> usize {
        (self >> (Self::WIDTH - bits)) as usize
    }
}

/// Values of a field by their atoms.
#[derive(Debug)]
pub(super) struct Cuts<T> {
    starts: Vec<T>,
    atoms: Vec<u32>,
    /// How many leading bits the index has.
    bits: u32,
    /// For each value of the leading bits, the interval in which such values begin; one more at the end.
    index: Vec<u32>,
}

impl<T: Leading> Cuts<T> {
    pub(super) fn of(atoms: &Atoms) -> Self {
        let number = |value: u128| T::try_from(value).ok().expect("atoms are of the field");
        let (starts, atoms): (Vec<T>, Vec<u32>) =
            atoms.starts().map(|(start, atom)| (number(start), atom)).unzip();
        // Four places an interval: few of them hold more than one.
        let bits = (usize::BITS - starts.len().leading_zeros() + 2).min(16);
        let mut index = Vec::with_capacity((1 << bits) + 1);
        let mut at = 0;
        for block in 0..1u128 << bits {
            let first = block << (T::WIDTH - bits);
            while starts.get(at + 1).is_some_and(|start| (*start).into() <= first) {
                at += 1;
            }
            index.push(u32::try_from(at).expect("intervals are fewer than endpoints of sets"));
        }
        index.push(u32::try_from(starts.len() - 1).expect("as above"));
        Self { starts, atoms, bits, index }
    }

    pub(super) fn atom(&self, value: T) -> u32 {
        let block = value.leading(self.bits);
        let (from, to) = (self.index[block] as usize, self.index[block + 1] as usize);
        let inside = self.starts[from + 1..=to].partition_point(|start| *start <= value);
        self.atoms[from + inside]
    }
}

#[cfg(test)]
mod tests {
    use palisade_net::RangeSet;

    use super::*;

    /// The atom of every value, found by looking at all intervals.
    fn check<T: Leading + std::fmt::Debug>(sets: &[RangeSet<T>], values: impl Iterator<Item = T>) {
        let sets: Vec<&RangeSet<T>> = sets.iter().collect();
        let atoms = Atoms::of(&sets, &RangeSet::full(), &[]);
        let cuts = Cuts::of(&atoms);
        for value in values {
            let last = atoms.starts().take_while(|(start, _)| *start <= value.into()).last();
            assert_eq!(Some(cuts.atom(value)), last.map(|(_, atom)| atom), "{value:?}");
        }
    }

    #[test]
    fn every_value_has_the_atom_of_its_interval() {
        check::<u16>(&[], 0..=u16::MAX);
        let ports = [(0u16, 0), (22, 22), (1024, u16::MAX), (60_000, 60_001)];
        check(&ports.map(|range| [range].into_iter().collect()), 0..=u16::MAX);
        let many: Vec<RangeSet<u32>> =
            (0..3_000u32).map(|at| [(at * 1_000_003, at * 1_000_003 + at)].into_iter().collect()).collect();
        check(&many, (0..10_000u32).map(|at| at.wrapping_mul(429_497)));
        check(&many, (0..3_000u32).flat_map(|at| [at * 1_000_003, at * 1_001_003 % u32::MAX]));
        let wide: Vec<RangeSet<u128>> =
            (0..200u128).map(|at| [(at << 121, (at << 121) + 7)].into_iter().collect()).collect();
        check(&wide[..100], (0..1_000u128).map(|at| (at << 118) | (at % 9)));
    }
}
