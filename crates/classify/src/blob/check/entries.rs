//! Walks everything that entries lead to.
//!
//! Each grid, list and record is looked at once, however many entries lead to it, so that the time is bounded by the bytes.

use std::collections::{HashMap, HashSet};

use palisade_abi::policy::{
    ENTRY_GRID, ENTRY_HALF, ENTRY_KIND, ENTRY_LIST, ENTRY_RECORD, GRID_STEP_BITS, Grid, LIST_STARTS,
    NarrowList, PolicyHeader, RECORD_MARK, Record, WideList,
};

use super::{section, spare_bits};
use crate::blob::{error::BlobError, reader::Reader};

/// What an entry is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Nothing: the entry must be a record.
    None,
    /// A port or an ICMP type.
    Port,
    /// An IPv4 address.
    V4,
    /// The upper half of an IPv6 address.
    Upper,
    /// The lower half.
    Lower,
}

impl Key {
    /// Grids on a path at most.
    const fn depth(self) -> u32 {
        let bits = match self {
            Self::None => 0,
            Self::Port => 16,
            Self::V4 => 32,
            Self::Upper | Self::Lower => 64,
        };
        bits / GRID_STEP_BITS
    }

    const fn is_wide(self) -> bool {
        matches!(self, Self::Upper | Self::Lower)
    }
}

/// What was found sound so far.
pub(super) struct Entries<'a> {
    reader: Reader<'a>,
    rules: usize,
    words: u32,
    records: HashSet<u32>,
    /// Grids on the longest path from an entry.
    depths: HashMap<(u32, Key), u32>,
    /// Entries of grids that may still be read: those of sound grids do not overlap.
    left: usize,
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Place {
    what: &'static str,
    key: Key,
    /// What the entry leads to must be before this offset.
    below: u32,
    /// Grids that the path may still have.
    depth: u32,
}

impl<'a> Entries<'a> {
    pub(super) fn new(reader: Reader<'a>, header: &PolicyHeader) -> Self {
        Self {
            reader,
            rules: header.rules as usize,
            words: header.words,
            records: HashSet::new(),
            depths: HashMap::new(),
            left: reader.bytes.len() / size_of::<u32>(),
        }
    }

    /// Checks all that `entry` leads to.
    pub(super) fn walk(&mut self, what: &'static str, entry: u32, key: Key) -> Result<(), BlobError> {
        self.entry(entry, Place { what, key, below: self.reader.bytes.len() as u32, depth: key.depth() })
            .map(drop)
    }

    /// Grids on the longest path.
    fn entry(&mut self, entry: u32, place: Place) -> Result<u32, BlobError> {
        let (kind, offset) = (entry & ENTRY_KIND, entry & !ENTRY_KIND);
        let wrong = BlobError::Number { what: place.what, value: entry };
        if kind == ENTRY_RECORD {
            return self.record(offset).map(|()| 0);
        }
        if place.key == Key::None || offset >= place.below {
            return Err(wrong);
        }
        if let Some(&depth) = self.depths.get(&(entry, place.key)) {
            return if depth <= place.depth { Ok(depth) } else { Err(wrong) };
        }
        let depth = match (kind, place.key) {
            (ENTRY_LIST, _) => self.list(offset, place)?,
            (ENTRY_GRID, _) if place.depth > 0 => self.grid(offset, place)?,
            (ENTRY_HALF, Key::Upper) => self.half(offset, place)?,
            _ => return Err(wrong),
        };
        self.depths.insert((entry, place.key), depth);
        Ok(depth)
    }

    fn half(&mut self, offset: u32, place: Place) -> Result<u32, BlobError> {
        section(self.reader, "lower half", offset, 1, size_of::<u32>())?;
        let wrong = BlobError::Element { what: "lower half at", index: offset as usize };
        let entry = self.reader.u32(offset, 0).ok_or(wrong)?;
        let key = Key::Lower;
        self.entry(entry, Place { key, below: offset, depth: key.depth(), ..place })?;
        Ok(0)
    }

    fn grid(&mut self, offset: u32, place: Place) -> Result<u32, BlobError> {
        section(self.reader, "grid", offset, 1, size_of::<Grid>())?;
        let wrong = BlobError::Element { what: "grid at", index: offset as usize };
        let grid: Grid = self.reader.structure(offset).ok_or(wrong)?;
        let count = grid.steps as usize + 2;
        if grid.shift >= u64::BITS || grid.steps == 0 || count > self.left {
            return Err(wrong);
        }
        // Beyond the keys, a key below the base would be taken for one in a step.
        let end = u128::from(grid.base) + (u128::from(grid.steps) << grid.shift);
        if end > 1 << u64::BITS {
            return Err(wrong);
        }
        self.left -= count;
        let entries = offset + size_of::<Grid>() as u32;
        section(self.reader, "entries of a grid", entries, count, size_of::<u32>())?;
        let inside = Place { below: offset, depth: place.depth - 1, ..place };
        let mut deepest = 0;
        for index in 0..count {
            let entry = self.reader.u32(entries, index).ok_or(wrong)?;
            deepest = deepest.max(self.entry(entry, inside)?);
        }
        Ok(deepest + 1)
    }

    fn list(&mut self, offset: u32, place: Place) -> Result<u32, BlobError> {
        let wrong = BlobError::Element { what: "list at", index: offset as usize };
        let (starts, entries, reserved) = if place.key.is_wide() {
            section(self.reader, "list", offset, 1, size_of::<WideList>())?;
            let list: WideList = self.reader.structure(offset).ok_or(wrong)?;
            (list.starts, list.entries, list.reserved)
        } else {
            section(self.reader, "list", offset, 1, size_of::<NarrowList>())?;
            let list: NarrowList = self.reader.structure(offset).ok_or(wrong)?;
            (list.starts.map(u64::from), list.entries, list.reserved)
        };
        // Equal starts are filling, and behind filling everything goes to one entry.
        let ascends =
            (1..LIST_STARTS).all(|i| starts[i - 1] < starts[i] || entries[i] == entries[LIST_STARTS]);
        let leads_on = |entry: &u32| matches!(entry & ENTRY_KIND, ENTRY_GRID | ENTRY_LIST);
        if !ascends || !starts.is_sorted() || reserved != 0 || entries.iter().any(leads_on) {
            return Err(wrong);
        }
        let inside = Place { below: offset, depth: 0, ..place };
        entries.into_iter().try_for_each(|entry| self.entry(entry, inside).map(drop))?;
        Ok(0)
    }

    fn record(&mut self, offset: u32) -> Result<(), BlobError> {
        if self.records.contains(&offset) {
            return Ok(());
        }
        section(self.reader, "record", offset, 1, size_of::<Record>())?;
        let wrong = BlobError::Element { what: "record at", index: offset as usize };
        let record: Record = self.reader.structure(offset).ok_or(wrong)?;
        let summary = record.head ^ RECORD_MARK;
        if summary >> self.words != 0 || summary.count_ones() != record.count {
            return Err(wrong);
        }
        let words = offset + size_of::<Record>() as u32;
        section(self.reader, "record", words, record.count as usize, size_of::<u64>())?;
        let (mut ranks, mut rank) = (0, 0_u32);
        for word in (0..self.words).filter(|word| summary >> word & 1 == 1) {
            ranks |= u64::from(rank) << (4 * word);
            let bits = self.reader.u64(words, rank as usize).ok_or(wrong)?;
            let spare = if word + 1 == self.words { spare_bits(self.rules) } else { 0 };
            if bits == 0 || bits & spare != 0 {
                return Err(wrong);
            }
            rank += 1;
        }
        if ranks != record.ranks {
            return Err(wrong);
        }
        self.records.insert(offset);
        Ok(())
    }
}
