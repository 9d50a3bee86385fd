//! One bit a row for each class of a field.
//!
//! Invariant: no bit above the last row is set, and no two classes of a field have equal bits.

use std::collections::HashMap;

use palisade_abi::policy::POLICY_WORDS_MAX;

use super::error::{CompileError, Field};

/// The rows that still may match, while a field is swept.
pub(crate) type Bits = [u64; POLICY_WORDS_MAX];

/// The vectors of the classes of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vectors {
    words: usize,
    bits: Vec<u64>,
}

impl Vectors {
    /// The vectors, by class.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u64]> {
        // Without rows a vector has no words, and there is one class.
        let classes = self.bits.len().checked_div(self.words).unwrap_or(1);
        (0..classes).map(|class| &self.bits[class * self.words..(class + 1) * self.words])
    }
}

/// Gives equal vectors of one field the same class, in order of first appearance.
pub(super) struct Interner {
    field: Field,
    max: usize,
    classes: HashMap<Box<[u64]>, u32>,
    vectors: Vectors,
}

impl Interner {
    /// An interner of vectors of `words` words that hands out at most `max` classes.
    pub(super) fn new(field: Field, words: usize, max: usize) -> Self {
        Self { field, max, classes: HashMap::new(), vectors: Vectors { words, bits: Vec::new() } }
    }

    /// The field whose classes these are.
    pub(super) const fn field(&self) -> Field {
        self.field
    }

    /// The class of `bits`, which belongs to one of `intervals` intervals.
    pub(super) fn class(&mut self, bits: &Bits, intervals: usize) -> Result<u32, CompileError> {
        let bits = &bits[..self.vectors.words];
        if let Some(&class) = self.classes.get(bits) {
            return Ok(class);
        }
        let next = self.classes.len();
        let class = u32::try_from(next).ok().filter(|_| next < self.max);
        let class = class.ok_or(CompileError::Classes { field: self.field, intervals, max: self.max })?;
        self.classes.insert(bits.into(), class);
        self.vectors.bits.extend_from_slice(bits);
        Ok(class)
    }

    /// The vectors of the classes that were handed out.
    pub(super) fn into_vectors(self) -> Vectors {
        self.vectors
    }
}

/// Flips the bit of `row`.
pub(crate) const fn flip(bits: &mut Bits, row: usize) {
    bits[row / 64] ^= 1 << (row % 64);
}

/// The bits of the rows for which a condition holds.
pub(crate) fn bits_of(conditions: impl Iterator<Item = bool>) -> Bits {
    let mut bits = Bits::default();
    conditions.enumerate().filter(|(_, holds)| *holds).for_each(|(row, _)| flip(&mut bits, row));
    bits
}
