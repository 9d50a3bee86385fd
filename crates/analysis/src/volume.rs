//! How many first packets there are in a region, exactly.
//!
//! Two IPv6 addresses, two ports and a protocol have more combinations than 128 bits can count, so a volume has 320. It must
//! not know what is counted. Invariant: no volume of an analysis passes that of its family's universe, which is below 2^290,
//! so arithmetic on parts of one universe cannot overflow.

use std::{
    cmp::Ordering,
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Mul, Sub},
};

const WORDS: usize = 5;

/// A number of first packets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Volume([u64; WORDS]);

impl Volume {
    /// Nothing.
    pub const ZERO: Self = Self([0; WORDS]);
    /// One packet.
    pub const ONE: Self = Self([1, 0, 0, 0, 0]);

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// As a number of 128 bits, if it is that small.
    pub(crate) fn narrow(&self) -> Option<u128> {
        let [low, high, rest @ ..] = self.0;
        (rest == [0; WORDS - 2]).then_some(u128::from(high) << 64 | u128::from(low))
    }

    /// The part that this is of `whole`, from 0 to 1; 0 of nothing. For people: it is rounded.
    pub fn share_of(&self, whole: &Self) -> f64 {
        if whole.is_zero() { 0.0 } else { self.approximate() / whole.approximate() }
    }

    /// The nearest floating-point number, or one beside it.
    pub fn approximate(&self) -> f64 {
        self.0.iter().rev().fold(0.0, |value, &word| value * 2f64.powi(64) + word as f64)
    }

    /// Divides by a small number; answers the remainder.
    fn divide(&mut self, by: u64) -> u64 {
        self.0.iter_mut().rev().fold(0, |rest, word| {
            let value = u128::from(rest) << 64 | u128::from(*word);
            *word = (value / u128::from(by)) as u64;
            (value % u128::from(by)) as u64
        })
    }
}

impl From<u128> for Volume {
    fn from(value: u128) -> Self {
        Self([value as u64, (value >> 64) as u64, 0, 0, 0])
    }
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        let mut carry = false;
        for (word, other) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = word.overflowing_add(other);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first || second);
        }
        assert!(!carry, "a volume is below 2^320");
    }
}

impl Add for Volume {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sub for Volume {
    type Output = Self;

    /// # Panics
    /// If `other` is larger: a part is never larger than its whole.
    fn sub(self, other: Self) -> Self {
        let mut borrow = false;
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            let (rest, first) = word.overflowing_sub(other);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (rest, first || second);
        }
        assert!(!borrow, "a part is not larger than its whole");
        Self(words)
    }
}

impl Mul for Volume {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let mut words = [0; WORDS];
        for (i, &a) in self.0.iter().enumerate().filter(|(_, a)| **a != 0) {
            let mut carry = 0;
            for (j, &b) in other.0.iter().enumerate() {
                let Some(word) = words.get_mut(i + j) else {
                    assert!(b == 0 && carry == 0, "a volume is below 2^320");
                    continue;
                };
                let value = u128::from(a) * u128::from(b) + u128::from(*word) + u128::from(carry);
                (*word, carry) = (value as u64, (value >> 64) as u64);
            }
            assert!(carry == 0, "a volume is below 2^320");
        }
        Self(words)
    }
}

impl Sum for Volume {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl Ord for Volume {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Volume {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// All its decimal digits.
impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHUNK: u64 = 10_000_000_000_000_000_000;
        let (mut rest, mut chunks) = (*self, Vec::new());
        while !rest.is_zero() {
            chunks.push(rest.divide(CHUNK));
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        chunks.iter().rev().for_each(|chunk| text += &format!("{chunk:019}"));
        f.pad_integral(true, "", &text)
    }
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A volume that may depend on what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// What it surely is at least.
    pub least: Volume,
    /// What it is at most.
    pub most: Volume,
}

impl Bounds {
    /// Whether nothing is open.
    pub fn is_exact(&self) -> bool {
        self.least == self.most
    }
}

impl AddAssign for Bounds {
    fn add_assign(&mut self, other: Self) {
        self.least += other.least;
        self.most += other.most;
    }
}

#[cfg(test)]
mod tests {
    use palisade_net::Family;

    use super::Volume;
    use crate::universe;

    #[test]
    fn universes_have_all_their_digits() {
        // Two protocols with two ports, two with 256 types, and 252 with neither, between any two addresses.
        assert_eq!(universe(Family::V4).to_string(), "158456339121841147501185335296");
        let v6 = "994646561284729461620337799901874226838473901\
                  492963719430318879931913176070697795977216";
        assert_eq!(universe(Family::V6).to_string(), v6);
    }

    #[test]
    fn arithmetic_carries_through_all_words() {
        let word = Volume::from(1 << 64);
        let large = word * word * word * word;
        let digits = "115792089237316195423570985008687907853\
                      269984665640564039457584007913129639936";
        assert_eq!(large.to_string(), digits);
        assert_eq!(large - Volume::ONE + Volume::ONE, large);
        assert_eq!((large - Volume::ONE).to_string(), digits.replace("936", "935"));
        assert!(large > large - Volume::ONE && word < large);
        assert_eq!(Volume::ZERO.to_string(), "0");
        assert_eq!(word.share_of(&(word + word)), 0.5);
        assert_eq!(word.share_of(&Volume::ZERO), 0.0);
    }

    #[test]
    #[should_panic(expected = "a part is not larger than its whole")]
    fn a_part_is_not_larger_than_its_whole() {
        let _ = Volume::ONE - Volume::from(2);
    }
}
