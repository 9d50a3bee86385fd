//! A set of numbers as sorted, disjoint, non-adjacent closed ranges.
//!
//! Invariant: for neighbours `(a, b)` and `(c, d)`: `a <= b`, and there is at least one number between `b` and `c`. Equal sets
//! are therefore equal values.

use crate::Number;

/// A set of numbers, kept as ranges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RangeSet<T> {
    ranges: Vec<(T, T)>,
}

impl<T> Default for RangeSet<T> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<T: Number> RangeSet<T> {
    /// The set without members.
    pub const fn empty() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The set of all numbers.
    pub fn full() -> Self {
        Self { ranges: vec![(T::MIN, T::MAX)] }
    }

    /// Whether the set has no member.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether every number is a member.
    pub fn is_full(&self) -> bool {
        self.ranges == [(T::MIN, T::MAX)]
    }

    /// The ranges, ascending; both ends belong to the set.
    pub fn ranges(&self) -> &[(T, T)] {
        &self.ranges
    }

    /// Whether `value` is a member. Logarithmic in the number of ranges.
    pub fn contains(&self, value: T) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= value);
        after > 0 && value <= self.ranges[after - 1].1
    }

    /// Members of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.ranges.iter().chain(&other.ranges).copied().collect()
    }

    /// Numbers that are not members.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut start = Some(T::MIN);
        for &(first, last) in &self.ranges {
            if let (Some(from), Some(to)) = (start, first.previous())
                && from <= to
            {
                ranges.push((from, to));
            }
            start = last.next();
        }
        if let Some(from) = start {
            ranges.push((from, T::MAX));
        }
        Self { ranges }
    }

    /// Members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let [few, many] = self.by_size(other);
        if few.ranges.len() < many.ranges.len() / MUCH_FEWER {
            return Self { ranges: few.overlaps(many).collect() };
        }
        let (mut i, mut j) = (0, 0);
        let mut ranges = Vec::new();
        while let (Some(&(a, b)), Some(&(c, d))) = (self.ranges.get(i), other.ranges.get(j)) {
            let (first, last) = (a.max(c), b.min(d));
            if first <= last {
                ranges.push((first, last));
            }
            if b < d { i += 1 } else { j += 1 }
        }
        Self { ranges }
    }

    /// Whether a number is a member of both sets. Logarithmic in the ranges of the larger one.
    pub fn intersects(&self, other: &Self) -> bool {
        let [few, many] = self.by_size(other);
        if few.is_full() { !many.is_empty() } else { few.overlaps(many).next().is_some() }
    }

    /// Both sets, the one of fewer ranges first.
    const fn by_size<'s>(&'s self, other: &'s Self) -> [&'s Self; 2] {
        if self.ranges.len() <= other.ranges.len() { [self, other] } else { [other, self] }
    }

    /// What is in both sets, found by looking for each range of this one in the other.
    fn overlaps<'s>(&'s self, other: &'s Self) -> impl Iterator<Item = (T, T)> + 's {
        let mut rest = other.ranges.as_slice();
        self.ranges.iter().flat_map(move |&(first, last)| {
            rest = &rest[rest.partition_point(|(_, end)| *end < first)..];
            let met = rest.iter().take_while(move |(from, _)| *from <= last);
            met.map(move |&(from, end)| (from.max(first), end.min(last)))
        })
    }

    /// Members of this set that are not members of `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }
}

/// Each of so many times fewer ranges is sooner looked for than passed by.
const MUCH_FEWER: usize = 8;

/// Collects ranges in any order, overlapping or not; a range that ends before it starts has no member.
impl<T: Number> FromIterator<(T, T)> for RangeSet<T> {
    fn from_iter<I: IntoIterator<Item = (T, T)>>(iter: I) -> Self {
        let mut sorted: Vec<(T, T)> = iter.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(T, T)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match ranges.last_mut() {
                Some((_, end)) if end.next().is_none_or(|next| first <= next) => *end = last.max(*end),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges }
    }
}
