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

    /// Members of this set that are not members of `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }
}

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
