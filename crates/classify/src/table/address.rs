//! From an address of one family to its class.
//!
//! A sorted list of interval starts, and a root that narrows the search to a few of them by the leading bits of the
//! address (DXR: Zec, Rizzo and Mikuc, CCR 2012). It must not know rows.
//! Invariant: `starts` begins with zero and ascends; `root` is empty or has `2^root_bits + 1` entries.

use palisade_abi::policy::ADDRESS_ROOT_BITS_MAX;
use palisade_net::Number;

use super::{
    sweep::Intervals,
    vectors::{Vector, Vectors},
};

/// An address as a number.
pub(crate) trait Address: Number {
    /// Bytes of one interval start.
    const SIZE: usize;

    /// The leading `bits` bits of the address; `bits` is at least 1 and at most [`ADDRESS_ROOT_BITS_MAX`].
    fn bucket(self, bits: u32) -> usize;

    /// The first address whose leading `bits` bits are `bucket`.
    fn first_of(bucket: u32, bits: u32) -> Self;
}

impl Address for u32 {
    const SIZE: usize = 4;

    fn bucket(self, bits: u32) -> usize {
        (self >> (Self::BITS - bits)) as usize
    }

    fn first_of(bucket: u32, bits: u32) -> Self {
        bucket << (Self::BITS - bits)
    }
}

impl Address for u128 {
    const SIZE: usize = 16;

    fn bucket(self, bits: u32) -> usize {
        (self >> (Self::BITS - bits)) as usize
    }

    fn first_of(bucket: u32, bits: u32) -> Self {
        Self::from(bucket) << (Self::BITS - bits)
    }
}

/// The intervals of one family and side, with the vectors of their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressClasses<T> {
    pub(crate) root_bits: u32,
    pub(crate) root: Vec<u32>,
    pub(crate) search_steps: u32,
    pub(crate) starts: Vec<T>,
    pub(crate) classes: Vec<u16>,
    pub(crate) vectors: Vectors,
}

impl<T: Address> AddressClasses<T> {
    pub(super) fn new(intervals: Intervals<T>, vectors: Vectors) -> Self {
        let Intervals { starts, classes } = intervals;
        let (root_bits, root, search_steps) = choose_root(&starts);
        Self { root_bits, root, search_steps, starts, classes, vectors }
    }

    /// The vector of the class of `address`.
    pub(super) fn vector(&self, address: T) -> Vector<'_> {
        let (first, last) = if self.root.is_empty() {
            (0, self.starts.len() - 1)
        } else {
            let bucket = address.bucket(self.root_bits);
            (self.root[bucket] as usize, self.root[bucket + 1] as usize)
        };
        // The first candidate starts at or before the address, so only the others are searched.
        let after = self.starts[first + 1..=last].partition_point(|&start| start <= address);
        self.vectors.vector(self.classes[first + after])
    }

    /// Bytes when encoded.
    pub(super) fn size(&self) -> usize {
        self.root.len() * size_of::<u32>()
            + self.starts.len() * (T::SIZE + size_of::<u16>())
            + self.vectors.size()
    }
}

/// Two loads of the root cost about as much as this many halvings.
const ROOT_STEPS: u32 = 2;

/// The root that makes lookups cheapest, with its bits and the halvings left; no root if it does not pay.
///
/// The finest root that is considered has about two entries an interval. A coarser one is a sample of it, and wins if
/// it leaves no more halvings, which is usual for IPv6, where most prefixes share their leading bits.
fn choose_root<T: Address>(starts: &[T]) -> (u32, Vec<u32>, u32) {
    let finest_bits = (starts.len().next_power_of_two().ilog2() + 1).min(ADDRESS_ROOT_BITS_MAX);
    let finest = root(starts, finest_bits);
    let mut best = (0, search_steps(starts.len()));
    let mut best_cost = best.1;
    for bits in 1..=finest_bits {
        let buckets = finest.iter().step_by(1 << (finest_bits - bits));
        let widest = buckets.clone().zip(buckets.skip(1)).map(|(from, to)| to - from + 1).max();
        let steps = search_steps(widest.map_or(1, |widest| widest as usize));
        if steps + ROOT_STEPS < best_cost {
            best = (bits, steps);
            best_cost = steps + ROOT_STEPS;
        }
    }
    let (bits, steps) = best;
    let chosen =
        if bits == 0 { Vec::new() } else { finest.into_iter().step_by(1 << (finest_bits - bits)).collect() };
    (bits, chosen, steps)
}

/// For each bucket the last interval that starts at or before it, and after the last bucket the last interval.
fn root<T: Address>(starts: &[T], bits: u32) -> Vec<u32> {
    let mut root = Vec::with_capacity((1 << bits) + 1);
    let mut index = 0;
    for bucket in 0..1u32 << bits {
        let first = T::first_of(bucket, bits);
        while starts.get(index as usize + 1).is_some_and(|&start| start <= first) {
            index += 1;
        }
        root.push(index);
    }
    root.push(u32::try_from(starts.len() - 1).expect("intervals are limited far below 2^32"));
    root
}

/// Halvings that reduce `candidates` to one: the smallest `n` with `2^n >= candidates`.
pub(crate) const fn search_steps(candidates: usize) -> u32 {
    candidates.next_power_of_two().ilog2()
}
