//! One bit a row for each class of a field, and the search for the first row that all fields agree on.
//!
//! A class has a summary besides its vector: bit *i* tells that word *i* is not zero, so that the search touches only
//! words that can hold a match. Invariant: no bit above the last row is set.

use std::collections::HashMap;

use palisade_abi::policy::POLICY_WORDS_MAX;

use super::error::{CompileError, Field};

/// The rows that still may match, while a field is swept.
pub(super) type Bits = [u64; POLICY_WORDS_MAX];

/// The vectors of the classes of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vectors {
    pub(crate) words: usize,
    pub(crate) summaries: Vec<u32>,
    pub(crate) bits: Vec<u64>,
}

/// The vector of one class.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vector<'a> {
    summary: u32,
    words: &'a [u64],
}

impl Vectors {
    /// The vector of `class`.
    pub(super) fn vector(&self, class: u16) -> Vector<'_> {
        let class = usize::from(class);
        let first = class * self.words;
        Vector { summary: self.summaries[class], words: &self.bits[first..first + self.words] }
    }

    /// Number of classes.
    pub(crate) const fn classes(&self) -> usize {
        self.summaries.len()
    }

    /// Bytes when encoded.
    pub(super) const fn size(&self) -> usize {
        self.summaries.len() * size_of::<u32>() + self.bits.len() * size_of::<u64>()
    }
}

/// The first row at or after `start` whose bit is set in every vector.
pub(crate) fn first_common<const N: usize>(vectors: [Vector<'_>; N], start: usize) -> Option<usize> {
    let (first_word, first_bit) = (start / 64, start % 64);
    let mut summary = vectors.iter().fold(u32::MAX, |all, vector| all & vector.summary);
    summary &= u32::try_from(first_word).ok().and_then(|word| u32::MAX.checked_shl(word))?;
    while summary != 0 {
        let word = summary.trailing_zeros() as usize;
        let mut bits = vectors.iter().fold(u64::MAX, |all, vector| all & vector.words[word]);
        if word == first_word {
            bits &= u64::MAX << first_bit;
        }
        if bits != 0 {
            return Some(word * 64 + bits.trailing_zeros() as usize);
        }
        summary &= summary - 1;
    }
    None
}

/// Gives equal vectors of one field the same class, in order of first appearance.
pub(super) struct Interner {
    field: Field,
    words: usize,
    max: usize,
    classes: HashMap<Box<[u64]>, u16>,
    vectors: Vectors,
}

impl Interner {
    /// An interner of vectors of `words` words that hands out at most `max` classes.
    pub(super) fn new(field: Field, words: usize, max: usize) -> Self {
        let vectors = Vectors { words, summaries: Vec::new(), bits: Vec::new() };
        Self { field, words, max, classes: HashMap::new(), vectors }
    }

    /// The field whose classes these are.
    pub(super) const fn field(&self) -> Field {
        self.field
    }

    /// The class of `bits`, which belongs to one of `intervals` intervals.
    pub(super) fn class(&mut self, bits: &Bits, intervals: usize) -> Result<u16, CompileError> {
        let bits = &bits[..self.words];
        if let Some(&class) = self.classes.get(bits) {
            return Ok(class);
        }
        let next = u16::try_from(self.vectors.classes()).ok().filter(|&class| usize::from(class) < self.max);
        let class = next.ok_or(CompileError::Classes { field: self.field, intervals, max: self.max })?;
        self.classes.insert(bits.into(), class);
        self.vectors.bits.extend_from_slice(bits);
        self.vectors.summaries.push(summary(bits));
        Ok(class)
    }

    /// The vectors of the classes that were handed out.
    pub(super) fn into_vectors(self) -> Vectors {
        self.vectors
    }
}

/// Bit *i* is set when word *i* is not zero.
fn summary(words: &[u64]) -> u32 {
    words.iter().enumerate().fold(0, |summary, (i, &word)| summary | (u32::from(word != 0) << i))
}

/// Flips the bit of `row`.
pub(super) const fn flip(bits: &mut Bits, row: usize) {
    bits[row / 64] ^= 1 << (row % 64);
}
