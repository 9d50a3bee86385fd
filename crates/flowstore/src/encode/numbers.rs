//! A column of numbers: keys of a dictionary while few are different, packed differences otherwise. And one of flags.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::{
    basic::Encoding, column::writer::ColumnCloseResult, errors::Result, file::statistics::Statistics,
    schema::types::ColumnDescPtr,
};

use super::{
    bits,
    chunk::{Chunk, Entries, Presence},
};
use crate::hash::Keyed;

/// Different numbers of a dictionary: at most, and where there are few rows so many and a part of them.
const ENTRIES_MAX: usize = 1 << 15;
const ENTRIES_FEW: usize = 256;
const ROWS_AN_ENTRY: usize = 4;

/// The pages of a column of numbers.
pub(crate) struct Numbers {
    chunk: Chunk,
    is_narrow: bool,
    /// `None` if its pages are no keys.
    dictionary: Option<Dictionary>,
    /// Whether the next page may be one of keys.
    is_open: bool,
    values: usize,
    /// The least and the most.
    bounds: Option<(i64, i64)>,
}

/// Different numbers, and how they stand in a file.
#[derive(Default)]
struct Dictionary {
    known: HashMap<i64, u32, Keyed>,
    entries: Vec<u8>,
    /// Keys of the page that is being made.
    keys: Vec<u32>,
    is_used: bool,
}

impl Numbers {
    /// A column of 32 bits or 64.
    pub(crate) fn new(is_optional: bool, is_narrow: bool) -> Self {
        Self {
            dictionary: Some(Dictionary::default()),
            is_open: true,
            ..Self::steady(is_optional, is_narrow)
        }
    }

    /// A column whose numbers hardly come twice and differ little from one to the next.
    pub(crate) fn steady(is_optional: bool, is_narrow: bool) -> Self {
        Self {
            chunk: Chunk::new(is_optional),
            is_narrow,
            dictionary: None,
            is_open: false,
            values: 0,
            bounds: None,
        }
    }

    /// Adds a page of these numbers, which are those of the rows that have one.
    pub(crate) fn add(&mut self, presence: Presence<'_>, values: &[i64]) -> Result<()> {
        self.values += values.len();
        let least = values.iter().copied().min();
        let most = values.iter().copied().max();
        if let Some((least, most)) = least.zip(most) {
            let (first, last) = self.bounds.unwrap_or((least, most));
            self.bounds = Some((first.min(least), last.max(most)));
        }
        let mut page = Vec::with_capacity(2 * values.len() + 16);
        if let Some(dictionary) = self.dictionary.as_mut().filter(|_| self.is_open) {
            let most = ENTRIES_MAX.min(ENTRIES_FEW + self.values / ROWS_AN_ENTRY);
            if dictionary.take(values, self.is_narrow, most) {
                dictionary.is_used = true;
                let width = bits::width(dictionary.known.len().saturating_sub(1) as u64);
                page.push(width as u8);
                bits::hybrid(&mut page, &dictionary.keys, width);
                return self.chunk.add(presence, Encoding::RLE_DICTIONARY, &page);
            }
            self.is_open = false;
            self.dictionary.take_if(|dictionary| !dictionary.is_used);
        }
        bits::differences(&mut page, values, self.is_narrow);
        self.chunk.add(presence, Encoding::DELTA_BINARY_PACKED, &page)
    }

    /// The column as it is in a file.
    pub(crate) fn close(self, column: ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        let (least, most) = self.bounds.unzip();
        let nulls = Some(self.chunk.nulls());
        let narrow = |value: Option<i64>| value.map(|value| value as i32);
        let statistics = if self.is_narrow {
            Statistics::int32(narrow(least), narrow(most), None, nulls, false)
        } else {
            Statistics::int64(least, most, None, nulls, false)
        };
        let entries = self.dictionary.map(|found| Entries { bytes: found.entries, count: found.known.len() });
        self.chunk.close(column, entries, statistics)
    }
}

impl Dictionary {
    /// Finds the keys of a page; whether there are no more entries than these.
    fn take(&mut self, values: &[i64], is_narrow: bool, most: usize) -> bool {
        self.keys.clear();
        let mut last = None;
        for value in values {
            if let Some((known, key)) = last
                && known == *value
            {
                self.keys.push(key);
                continue;
            }
            let next = self.known.len() as u32;
            let key = *self.known.entry(*value).or_insert(next);
            if key == next {
                if next as usize >= most {
                    self.known.remove(value);
                    return false;
                }
                self.entries.extend_from_slice(&value.to_le_bytes()[..if is_narrow { 4 } else { 8 }]);
            }
            self.keys.push(key);
            last = Some((*value, key));
        }
        true
    }
}

/// The pages of a column of flags.
pub(crate) struct Flags {
    chunk: Chunk,
    /// Whether one of them was down, or up.
    met: [bool; 2],
}

impl Flags {
    pub(crate) fn new(is_optional: bool) -> Self {
        Self { chunk: Chunk::new(is_optional), met: [false; 2] }
    }

    /// Adds a page of these flags, which are those of the rows that have one: 0 or 1.
    pub(crate) fn add(&mut self, presence: Presence<'_>, flags: &[i64]) -> Result<()> {
        self.met[0] |= flags.contains(&0);
        self.met[1] |= flags.contains(&1);
        let mut page = Vec::with_capacity(flags.len() / 8 + 16);
        bits::pack(&mut page, flags.iter().map(|flag| flag.cast_unsigned()), 1);
        self.chunk.add(presence, Encoding::PLAIN, &page)
    }

    /// The column as it is in a file.
    pub(crate) fn close(self, column: ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        let is_any = self.met[0] || self.met[1];
        let (least, most) = (is_any.then_some(!self.met[0]), is_any.then_some(self.met[1]));
        let statistics = Statistics::boolean(least, most, None, Some(self.chunk.nulls()), false);
        self.chunk.close(column, None, statistics)
    }
}
