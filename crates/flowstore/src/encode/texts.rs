//! A column of texts: a dictionary that grows from page to page, and the keys of each page.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::{
    basic::Encoding, column::writer::ColumnCloseResult, data_type::ByteArray, errors::Result,
    file::statistics::Statistics, schema::types::ColumnDescPtr,
};

use super::{
    bits,
    chunk::{Chunk, Entries, Presence},
};
use crate::hash::Keyed;

/// The key of what is missing.
pub(crate) const NONE: u32 = u32::MAX;
/// Statistics tell of texts that are no longer, in bytes.
const TOLD_BYTES: usize = 128;

/// The pages of a column of texts.
pub(crate) struct Texts<'r> {
    chunk: Chunk,
    known: HashMap<&'r str, u32, Keyed>,
    /// Each text behind its length in four bytes.
    entries: Vec<u8>,
    count: u32,
    least: Option<ByteArray>,
    most: Option<ByteArray>,
    present: Vec<u32>,
    levels: Vec<u32>,
}

impl<'r> Texts<'r> {
    pub(crate) fn new(is_optional: bool) -> Self {
        Self {
            chunk: Chunk::new(is_optional),
            known: HashMap::default(),
            entries: Vec::new(),
            count: 0,
            least: None,
            most: None,
            present: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// The key of a text.
    pub(crate) fn key(&mut self, text: &'r str) -> u32 {
        if let Some(key) = self.known.get(text) {
            return *key;
        }
        let key = self.push(text);
        self.known.insert(text, key);
        key
    }

    /// The key of a text that was not met before, as the caller knows.
    pub(crate) fn push(&mut self, text: &str) -> u32 {
        self.entries.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.entries.extend_from_slice(text.as_bytes());
        if self.least.as_ref().is_none_or(|least| text.as_bytes() < least.data()) {
            self.least = Some(text.into());
        }
        if self.most.as_ref().is_none_or(|most| text.as_bytes() > most.data()) {
            self.most = Some(text.into());
        }
        self.count += 1;
        self.count - 1
    }

    /// Bytes of its dictionary.
    pub(crate) fn dictionary_bytes(&self) -> usize {
        self.entries.len()
    }

    /// Adds a page of rows that all have the same text, or none.
    pub(crate) fn add_same(&mut self, key: u32, rows: usize) -> Result<()> {
        let width = self.width();
        let mut page = vec![width as u8];
        if key == NONE {
            return self.chunk.add(Presence::None(rows), Encoding::RLE_DICTIONARY, &page);
        }
        bits::run(&mut page, key, rows, width);
        self.chunk.add(Presence::All(rows), Encoding::RLE_DICTIONARY, &page)
    }

    /// Adds a page of rows with these keys.
    pub(crate) fn add(&mut self, keys: &[u32]) -> Result<()> {
        let width = self.width();
        let mut page = Vec::with_capacity(keys.len() * width as usize / 8 + 16);
        page.push(width as u8);
        if !keys.contains(&NONE) {
            bits::hybrid(&mut page, keys, width);
            return self.chunk.add(Presence::All(keys.len()), Encoding::RLE_DICTIONARY, &page);
        }
        self.levels.clear();
        self.levels.extend(keys.iter().map(|key| u32::from(*key != NONE)));
        self.present.clear();
        self.present.extend(keys.iter().filter(|key| **key != NONE));
        bits::hybrid(&mut page, &self.present, width);
        self.chunk.add(Presence::of(&self.levels, self.present.len()), Encoding::RLE_DICTIONARY, &page)
    }

    fn width(&self) -> u32 {
        bits::width(self.count.saturating_sub(1).into())
    }

    /// The column as it is in a file.
    pub(crate) fn close(self, column: ColumnDescPtr) -> Result<(Bytes, ColumnCloseResult)> {
        let is_told = |text: &Option<ByteArray>| text.as_ref().is_some_and(|text| text.len() <= TOLD_BYTES);
        let (least, most) =
            if is_told(&self.least) && is_told(&self.most) { (self.least, self.most) } else { (None, None) };
        let statistics = Statistics::byte_array(least, most, None, Some(self.chunk.nulls()), false);
        let entries = Entries { bytes: self.entries, count: self.count as usize };
        self.chunk.close(column, Some(entries), statistics)
    }
}
