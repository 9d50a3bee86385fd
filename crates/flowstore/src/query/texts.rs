//! Different texts, numbered from 0 on, one after the other in one piece of memory.
//!
//! A text costs its bytes and 16 to 60 more. A short one, as IPv4 addresses are, is found as one number of 128 bits. Those of a dictionary are
//! looked up many at a time, step by step: each step waits for memory, and waits of different texts pass together.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hasher as _},
};

use arrow_array::StringArray;

use crate::hash::Keyed;

/// Bytes of a text that is short: with its length they fit in 128 bits.
const SHORT: usize = 15;
/// Slots for short texts before there is any.
const SLOTS: usize = 1 << 8;
/// Texts that are looked up together.
const TOGETHER: usize = 32;

/// Texts and their numbers.
#[derive(Debug)]
pub(super) struct Texts {
    bytes: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// Short texts by their hash, at most half of the slots; 0 where there is none.
    short: Vec<u128>,
    /// Their numbers.
    numbers: Vec<u32>,
    short_count: usize,
    long: HashMap<Box<str>, u32, Keyed>,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            bytes: String::new(),
            ends: Vec::new(),
            short: vec![0; SLOTS],
            numbers: vec![0; SLOTS],
            short_count: 0,
            long: HashMap::default(),
        }
    }
}

impl Texts {
    /// The number of a text, which it gets if it is new.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        match packed(text.as_bytes(), 0, text.len()) {
            Some(key) => self.short_number(text, key, hash(key)),
            None => self.long_number(text),
        }
    }

    /// The numbers of some entries of a dictionary, in their order.
    pub(super) fn numbers(&mut self, entries: &StringArray, places: &[u32], mut take: impl FnMut(u32, u32)) {
        let (offsets, bytes) = (entries.value_offsets(), entries.value_data());
        let mut asked = [(None, 0); TOGETHER];
        let mut near = [(0, 0); TOGETHER];
        for places in places.chunks(TOGETHER) {
            for (asked, place) in asked.iter_mut().zip(places) {
                let (start, end) = (offsets[*place as usize] as usize, offsets[*place as usize + 1] as usize);
                let key = packed(bytes, start, end);
                *asked = (key, key.map_or(0, hash));
            }
            let last = self.short.len() - 1;
            for (near, (_, hash)) in near.iter_mut().zip(&asked[..places.len()]) {
                let slot = *hash as usize & last;
                *near = (self.short[slot], self.numbers[slot]);
            }
            for ((near, (key, hash)), place) in near.iter().zip(&asked).zip(places) {
                let number = match key {
                    Some(key) if *key == near.0 => near.1,
                    Some(key) => self.short_number(entries.value(*place as usize), *key, *hash),
                    None => self.long_number(entries.value(*place as usize)),
                };
                take(*place, number);
            }
        }
    }

    /// The text of a number.
    pub(super) fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn long_number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.long.get(text) {
            return *number;
        }
        let number = self.push(text);
        self.long.insert(text.into(), number);
        number
    }

    fn short_number(&mut self, text: &str, key: u128, hash: u64) -> u32 {
        if 2 * self.short_count >= self.short.len() {
            self.grow();
        }
        let slot = slot(&self.short, key, hash);
        if self.short[slot] == 0 {
            self.short[slot] = key;
            self.numbers[slot] = self.push(text);
            self.short_count += 1;
        }
        self.numbers[slot]
    }

    fn push(&mut self, text: &str) -> u32 {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        self.ends.len() as u32 - 1
    }

    fn grow(&mut self) {
        let mut short = vec![0; 2 * self.short.len()];
        let mut numbers = vec![0; 2 * self.short.len()];
        for (key, number) in self.short.iter().zip(&self.numbers).filter(|(key, _)| **key != 0) {
            let slot = slot(&short, *key, hash(*key));
            short[slot] = *key;
            numbers[slot] = *number;
        }
        (self.short, self.numbers) = (short, numbers);
    }
}

/// The slot of a key, or the empty one where it belongs.
fn slot(short: &[u128], key: u128, hash: u64) -> usize {
    let mut slot = hash as usize & (short.len() - 1);
    while short[slot] != 0 && short[slot] != key {
        slot = (slot + 1) & (short.len() - 1);
    }
    slot
}

/// A short text and its length, never 0.
fn packed(bytes: &[u8], start: usize, end: usize) -> Option<u128> {
    let length = end - start;
    if length > SHORT {
        return None;
    }
    let text = match bytes.get(start..start + 16) {
        Some(window) => {
            let window = u128::from_le_bytes(window.try_into().expect("it has 16 bytes"));
            window & ((1 << (8 * length)) - 1)
        }
        None => bytes[start..end].iter().rev().fold(0, |text, byte| text << 8 | u128::from(*byte)),
    };
    Some(text | (length as u128 + 1) << 120)
}

fn hash(key: u128) -> u64 {
    let mut hasher = Keyed::default().build_hasher();
    hasher.write_u128(key);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(texts: &mut Texts, asked: &[&str]) -> Vec<u32> {
        let entries = StringArray::from(asked.to_vec());
        let mut found = Vec::new();
        texts.numbers(&entries, &(0..asked.len() as u32).collect::<Vec<_>>(), |_, number| found.push(number));
        found
    }

    #[test]
    fn texts_keep_their_numbers() {
        let all: Vec<String> =
            (0..5_000_u32).map(|number| "x".repeat(number as usize % 19) + &format!("{number:x}")).collect();
        let asked: Vec<&str> = all.iter().chain(&all).map(String::as_str).collect();
        let (mut one, mut many) = (Texts::default(), Texts::default());
        assert!(one.is_empty());
        let wanted: Vec<u32> = (0..5_000).chain(0..5_000).collect();
        assert_eq!(asked.iter().map(|text| one.number(text)).collect::<Vec<_>>(), wanted);
        assert_eq!(numbers(&mut many, &asked), wanted);
        assert_eq!(numbers(&mut many, &asked[77..99]), wanted[77..99], "also those of other dictionaries");
        for (number, text) in all.iter().enumerate() {
            assert_eq!((one.text(number as u32), many.text(number as u32)), (text.as_str(), text.as_str()));
        }
    }

    #[test]
    fn texts_that_look_alike_are_others() {
        let asked = [
            "",
            "\0",
            "\0\0",
            "123456789012345",
            "1234567890123456",
            "123456789012345\0",
            "12345678901234",
            "é",
        ];
        let mut texts = Texts::default();
        assert_eq!(numbers(&mut texts, &asked), (0..8).collect::<Vec<_>>());
        assert_eq!(asked.map(|text| texts.number(text)).to_vec(), (0..8).collect::<Vec<_>>());
    }
}
