//! Repeatable random numbers: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
//!
//! Good enough to spread test inputs; never for secrets.

/// A stream of numbers that its seed determines.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        // The high half of the product is uniform to within `bound / 2^64`.
        ((self.next() as u128 * bound as u128) >> 64) as usize
    }

    /// True in `percent` of a hundred cases.
    pub const fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A port.
    pub const fn port(&mut self) -> u16 {
        self.next() as u16
    }

    /// An IPv4 address as a number.
    pub const fn v4(&mut self) -> u32 {
        self.next() as u32
    }

    /// An IPv6 address as a number.
    pub const fn v6(&mut self) -> u128 {
        (self.next() as u128) << 64 | self.next() as u128
    }
}
