//! Distinct rows of words, each with a number.
//!
//! What is left of a list is a row of bits, and a walk meets the same rows again and again: here each is kept once, all of
//! them in one piece of memory. It must not know what the bits mean. Invariant: two rows have one number only if they are
//! equal, word by word; the hash merely says where to look.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Rows of one width, numbered as they came.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    width: usize,
    words: Vec<u64>,
    /// For each row its hash.
    hashes: Vec<u32>,
    /// Numbers of rows by hash, with linear probing; a power of two of places.
    table: Vec<u32>,
}

/// A place of the table that is free.
const FREE: u32 = u32::MAX;
/// Places of a table that has any.
const PLACES_MIN: usize = 16;

impl Rows {
    pub(crate) const fn new(width: usize) -> Self {
        Self { width, words: Vec::new(), hashes: Vec::new(), table: Vec::new() }
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.hashes.len()
    }

    /// A row by its number.
    pub(crate) fn row(&self, number: usize) -> &[u64] {
        &self.words[number * self.width..][..self.width]
    }

    /// The number of a row, and whether it is new.
    pub(crate) fn number(&mut self, row: &[u64]) -> (usize, bool) {
        if self.hashes.len() * 2 >= self.table.len() {
            self.grow();
        }
        let hash = hash(row) as u32;
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            match self.table[place] {
                FREE => break,
                found if self.hashes[found as usize] == hash && self.row(found as usize) == row => {
                    return (found as usize, false);
                }
                _ => place = (place + 1) & mask,
            }
        }
        let number = self.hashes.len();
        self.table[place] = u32::try_from(number).expect("rows are limited");
        self.hashes.push(hash);
        self.words.extend_from_slice(row);
        (number, true)
    }

    fn grow(&mut self) {
        let places = (self.table.len() * 2).max(PLACES_MIN);
        self.table = vec![FREE; places];
        for (number, &hash) in (0..).zip(&self.hashes) {
            let mut place = hash as usize & (places - 1);
            while self.table[place] != FREE {
                place = (place + 1) & (places - 1);
            }
            self.table[place] = number;
        }
    }
}

/// Mixes words by folded products, as wyhash does: fast, and good enough where equality is checked.
fn hash(words: &[u64]) -> u64 {
    let (pairs, rest) = words.as_chunks::<2>();
    let mixed = pairs.iter().fold(SEED, |hash, [one, other]| mix(hash, *one, *other));
    let mixed = rest.iter().fold(mixed, |hash, word| mix(hash, *word, 0));
    mix(mixed, 0, 0xe703_7ed1_a0b4_28db)
}

/// What a hash begins with.
pub(crate) const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash with two words more.
pub(crate) fn mix(hash: u64, one: u64, other: u64) -> u64 {
    let product = u128::from(hash ^ one) * u128::from(other ^ SEED);
    product as u64 ^ (product >> 64) as u64
}

/// A map whose keys are hashed as rows are: they come from rules, and nobody gains by choosing them.
pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// [`mix`] as the standard library's maps want it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        let rest = rest.iter().map(|byte| u64::from(*byte));
        words.chain(rest).for_each(|word| self.write_u64(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word, 0).wrapping_add(SEED);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        mix(self.0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_have_one_number_and_others_their_own() {
        let mut rows = Rows::new(2);
        let row = |number: u64| [number % 97, number / 97];
        for number in 0..10_000 {
            assert_eq!(rows.number(&row(number)), (number as usize, true));
        }
        for number in 0..10_000 {
            assert_eq!(rows.number(&row(number)), (number as usize, false));
            assert_eq!(rows.row(number as usize), row(number));
        }
        assert_eq!(rows.len(), 10_000);
    }

    #[test]
    fn rows_without_words_are_one() {
        let mut rows = Rows::new(0);
        assert_eq!((rows.number(&[]), rows.number(&[])), ((0, true), (0, false)));
    }
}
