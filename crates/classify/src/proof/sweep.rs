//! Which rules each value of a field should be matched by, and where a blob differs.
//!
//! All edges of all sets are sorted; between two of them the same rules match. Rules that name equal sets are taken together,
//! so that a service tag in a hundred rules is walked once. It must not know what the values mean.

use std::collections::HashMap;

use palisade_net::RangeSet;

use super::segments::{Bits, Decoder, Segment};

/// The rules that should match, by value.
#[derive(Default)]
pub(super) struct Expected {
    /// Where rules begin or end to match; each flips the rules of its mask.
    edges: Vec<(u128, u32)>,
    masks: Vec<Bits>,
}

/// A value at which a rule matches and should not, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) rule: usize,
    pub(super) value: u128,
    /// Whether the blob matches.
    pub(super) matches: bool,
}

impl Expected {
    /// What rules that name these sets should match, each given with the rule's number.
    pub(super) fn of<'s, T>(sets: impl Iterator<Item = (usize, &'s RangeSet<T>)>) -> Self
    where
        T: palisade_net::Number + Into<u128> + 's,
    {
        let mut known: HashMap<&RangeSet<T>, u32> = HashMap::new();
        let mut this = Self::default();
        for (rule, set) in sets {
            let mask = *known.entry(set).or_insert_with(|| {
                let mask = this.masks.len() as u32;
                this.masks.push(Bits::default());
                for &(first, last) in set.ranges() {
                    this.edges.push((first.into(), mask));
                    this.edges.extend(last.next().map(|end| (end.into(), mask)));
                }
                mask
            });
            this.masks[mask as usize][rule / 64] |= 1 << (rule % 64);
        }
        this.edges.sort_unstable();
        this
    }

    /// What rules should match that are in force from a first second up to another one.
    pub(super) fn of_times(windows: impl Iterator<Item = (usize, (u32, Option<u32>))>) -> Self {
        let mut this = Self::default();
        for (rule, (first, end)) in windows {
            let mask = this.masks.len() as u32;
            let mut bits = Bits::default();
            bits[rule / 64] |= 1 << (rule % 64);
            this.masks.push(bits);
            this.edges.push((first.into(), mask));
            this.edges.extend(end.map(|end| (end.into(), mask)));
        }
        this.edges.sort_unstable();
        this
    }

    /// Compares the whole field, without the rules of `ignored`; answers the number of intervals.
    pub(super) fn compare(
        &self,
        blob: Decoder<'_>,
        segments: &[Segment],
        ignored: &Bits,
    ) -> Result<usize, Difference> {
        let mut bits = Bits::default();
        let mut edges = self.edges.as_slice();
        let mut intervals = 0;
        for (index, segment) in segments.iter().enumerate() {
            let found = blob.bits(segment.record);
            let end = segments.get(index + 1).map(|next| next.start);
            let mut value = segment.start;
            loop {
                let here = edges.iter().take_while(|(at, _)| *at <= value).count();
                for &(_, mask) in &edges[..here] {
                    bits.iter_mut().zip(&self.masks[mask as usize]).for_each(|(bits, mask)| *bits ^= mask);
                }
                edges = &edges[here..];
                compare(&found, &bits, ignored).map_err(|(rule, matches)| Difference {
                    rule,
                    value,
                    matches,
                })?;
                intervals += 1;
                match edges.first() {
                    Some(&(next, _)) if end.is_none_or(|end| next < end) => value = next,
                    _ => break,
                }
            }
        }
        Ok(intervals)
    }
}

/// The first rule in which two vectors differ, and whether it is set in the first.
pub(super) fn compare(found: &Bits, expected: &Bits, ignored: &Bits) -> Result<(), (usize, bool)> {
    for (word, ((found, expected), ignored)) in found.iter().zip(expected).zip(ignored).enumerate() {
        let differ = (found ^ expected) & !ignored;
        if differ != 0 {
            let bit = differ.trailing_zeros();
            return Err((word * 64 + bit as usize, found >> bit & 1 == 1));
        }
    }
    Ok(())
}
