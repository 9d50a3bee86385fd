//! Where entries stand in a row of bits.
//!
//! Mostly in their order. Of two policies that are compared, the second begins with a word of its own, and entries of both
//! that match and do the same stand at the same place of their halves where their order allows it; so what is left of both
//! is the same if the halves are. The reverse need not hold: a row may say less than could be known, never more.

use std::ops::Range;

use super::Cut;
use crate::align::side_by_side;

/// Two policies, the lists of which are in one grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Two<'t> {
    /// The number of the second policy's first list.
    pub(crate) first: u32,
    /// Whether lists stand at the same places in both.
    pub(crate) alike: bool,
    /// For each of [`crate::entry::Lists::entries`] a number that entries share which do the same.
    pub(crate) kinds: &'t [u32],
}

/// Places of entries in a row.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// For each entry of the grid its bit.
    pub(super) bits: Vec<u32>,
    /// For each bit its entry; [`NONE`] for those that stand for nothing.
    pub(super) cuts: Vec<u32>,
    /// The bits of each list.
    pub(super) lists: Vec<Range<usize>>,
    /// The word at which the second of two policies begins, if both can be told to be the same.
    pub(super) second: Option<usize>,
}

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

impl Layout {
    pub(super) fn of(cuts: &[Cut], two: Option<Two<'_>>) -> Self {
        match two {
            Some(two) if two.alike => Self::of_two(cuts, two),
            _ => Self::in_order(cuts),
        }
    }

    fn in_order(cuts: &[Cut]) -> Self {
        let all = u32::try_from(cuts.len()).expect("entries are counted in 31 bits");
        let mut lists = Vec::new();
        let mut first = 0;
        for list in cuts.chunk_by(|one, other| one.list == other.list) {
            lists.push(first..first + list.len());
            first += list.len();
        }
        Self { bits: (0..all).collect(), cuts: (0..all).collect(), lists, second: None }
    }

    fn of_two(cuts: &[Cut], two: Two<'_>) -> Self {
        let last = cuts.iter().map(|cut| cut.list).max().unwrap_or(0);
        let of_list = |list: u32| {
            let first = cuts.partition_point(|cut| cut.list < list);
            first..cuts.partition_point(|cut| cut.list <= list)
        };
        let same = |one: usize, other: usize| {
            let (one, other) = (&cuts[one], &cuts[other]);
            let kinds = two.kinds[one.entry] == two.kinds[other.entry];
            kinds && one.sets == other.sets && one.perhaps == other.perhaps
        };
        // Places in half a row, and the entries of both policies that stand there.
        let mut places: Vec<[Option<usize>; 2]> = Vec::new();
        let mut ranges = Vec::new();
        for list in 0..two.first.max((last + 1).saturating_sub(two.first)) {
            let first = places.len();
            let before = if list < two.first { of_list(list) } else { 0..0 };
            places.extend(side_by_side(before, of_list(two.first + list), same));
            ranges.push(first..places.len());
        }
        let words = places.len().div_ceil(64);
        let second = words * 64;
        let mut layout = Self {
            bits: vec![NONE; cuts.len()],
            cuts: vec![NONE; second + places.len()],
            lists: Vec::new(),
            second: Some(words),
        };
        for (place, pair) in places.iter().enumerate() {
            for (cut, bit) in pair.iter().zip([place, second + place]) {
                let Some(cut) = *cut else { continue };
                layout.bits[cut] = number(bit);
                layout.cuts[bit] = number(cut);
            }
        }
        let moved = ranges.iter().map(|range| range.start + second..range.end + second);
        layout.lists = ranges.iter().cloned().chain(moved).filter(|range| !range.is_empty()).collect();
        layout
    }
}

fn number(cut: usize) -> u32 {
    u32::try_from(cut).expect("entries are counted in 31 bits")
}
