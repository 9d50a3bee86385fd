//! The sweep over all endpoints of sets of ranges.
//!
//! Sets share most endpoints, because rules share prefixes; so distinct endpoints are found by hashing, few are sorted, and
//! each is visited once with the sets that begin or end there. It must not know why a field is cut.

use palisade_net::{Number, RangeSet};

use crate::rows::Rows;

/// Intervals that have the same members, as atoms in the order of their first values.
pub(super) struct Swept {
    /// For each atom the sets that hold it, the domain last, as a row of bits.
    holders: Rows,
    /// How many values it holds, modulo 2^128.
    pub(super) weights: Vec<u128>,
    /// Intervals, ascending, with their atom; neighbours of one atom are one interval.
    pub(super) intervals: Vec<(u128, u128, u32)>,
}

impl Swept {
    /// The sets that hold an atom; the one after the last set is the domain.
    pub(super) fn holders(&self, atom: usize) -> impl Iterator<Item = usize> + '_ {
        crate::bits::numbers(self.holders.row(atom).iter().copied())
    }
}

/// Sweeps over the domain.
pub(super) fn sweep<T>(sets: &[&RangeSet<T>], domain: &RangeSet<T>) -> Swept
where
    T: Number + Into<u128>,
{
    let all = || sets.iter().copied().chain([domain]);
    let edges = Edges::of(all);
    let width = (sets.len() + 1).div_ceil(64);
    let mut active = vec![0u64; width];
    let mut swept = Swept { holders: Rows::new(width), weights: Vec::new(), intervals: Vec::new() };
    for (place, &first) in edges.points.iter().enumerate() {
        for &set in edges.at(place) {
            active[set as usize / 64] ^= 1 << (set % 64);
        }
        let is_inside = active[sets.len() / 64] >> (sets.len() % 64) & 1 == 1;
        if is_inside {
            let next = edges.points.get(place + 1).and_then(|next| next.previous());
            swept.take(first.into(), next.unwrap_or(T::MAX).into(), &active);
        }
    }
    swept
}

impl Swept {
    /// From `first` to `last` the `active` sets hold every value.
    fn take(&mut self, first: u128, last: u128, active: &[u64]) {
        let (atom, is_new) = self.holders.number(active);
        if is_new {
            self.weights.push(0);
        }
        self.weights[atom] = self.weights[atom].wrapping_add(last - first).wrapping_add(1);
        let atom = u32::try_from(atom).expect("rows are limited");
        match self.intervals.last_mut() {
            Some((_, end, same)) if *same == atom && end.checked_add(1) == Some(first) => *end = last,
            _ => self.intervals.push((first, last, atom)),
        }
    }
}

/// Where sets begin, and where they have ended.
struct Edges<T> {
    /// Ascending.
    points: Vec<T>,
    /// For each point where its sets begin in `sets`; one more at the end.
    starts: Vec<u32>,
    sets: Vec<u32>,
}

impl<T: Number + Into<u128>> Edges<T> {
    fn of<'s, I: Iterator<Item = &'s RangeSet<T>>>(all: impl Fn() -> I) -> Self
    where
        T: 's,
    {
        let ends = || {
            let ranges = |set: &'s RangeSet<T>| set.ranges().iter();
            all().zip(0u32..).flat_map(move |(set, number)| {
                ranges(set).flat_map(move |&(first, last)| {
                    [Some(first), last.next()].into_iter().flatten().map(move |at| (at, number))
                })
            })
        };
        let mut known = Rows::new(2);
        let found: Vec<u32> = ends()
            .map(|(at, _)| {
                let value: u128 = at.into();
                known.number(&[value as u64, (value >> 64) as u64]).0 as u32
            })
            .collect();
        let value = |number: usize| {
            let row = known.row(number);
            u128::from(row[1]) << 64 | u128::from(row[0])
        };
        let mut order: Vec<u32> = (0..known.len() as u32).collect();
        order.sort_unstable_by_key(|number| value(*number as usize));
        let mut ranks = vec![0u32; order.len()];
        order.iter().zip(0..).for_each(|(number, rank)| ranks[*number as usize] = rank);
        let mut starts = vec![0u32; order.len() + 1];
        found.iter().for_each(|number| starts[ranks[*number as usize] as usize + 1] += 1);
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        let (mut points, mut sets) = (vec![T::MIN; order.len()], vec![0u32; found.len()]);
        let mut next = starts.clone();
        for ((at, set), number) in ends().zip(&found) {
            let rank = ranks[*number as usize] as usize;
            points[rank] = at;
            sets[next[rank] as usize] = set;
            next[rank] += 1;
        }
        Self { points, starts, sets }
    }

    /// The sets that begin or have ended at a point.
    fn at(&self, place: usize) -> &[u32] {
        &self.sets[self.starts[place] as usize..self.starts[place + 1] as usize]
    }
}
