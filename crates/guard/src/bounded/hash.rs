//! Fingerprints of few instructions, for tables and lists.
//!
//! They do not depend on where or when they are made. They must not be relied on against somebody who chooses what is hashed.

use std::hash::{Hash, Hasher};

/// 32 bits of something.
pub(crate) fn print(thing: impl Hash) -> u32 {
    (print_long(thing) >> 32) as u32
}

/// 64 bits of something, for keys that are too long to be kept.
pub(crate) fn print_long(thing: impl Hash) -> u64 {
    let mut hasher = Mix::default();
    thing.hash(&mut hasher);
    hasher.finish()
}

/// A hash of few instructions for short keys: each word is multiplied into 128 bits, whose halves are folded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mix(u64);

impl Mix {
    /// Odd numbers without a pattern: the fraction of the golden ratio, and of the square root of 3.
    const FACTORS: (u64, u64) = (0x9e37_79b9_7f4a_7c15, 0xbb67_ae85_84ca_a73b);

    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ Self::FACTORS.1) * u128::from(Self::FACTORS.0);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.add(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_isize(&mut self, value: isize) {
        self.add(value as u64);
    }

    fn finish(&self) -> u64 {
        // The map takes its bits from both ends.
        let product = u128::from(self.0 ^ Self::FACTORS.0) * u128::from(Self::FACTORS.1);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_of_neighbours_differ() {
        let mut prints: Vec<u32> = (0..100_000_u128).map(|host| print((host << 64, 22_u16))).collect();
        prints.sort_unstable();
        prints.dedup();
        assert!(prints.len() > 99_990, "{} of 100,000", prints.len());
    }
}
