//! From a [`Table`] to bytes.
//!
//! Records come first, then what leads to them, so that offsets descend on every path. Records with equal vectors are one,
//! also across fields; a section whose bytes were already written is not written again.
//! Invariant: equal tables give equal bytes.

use std::collections::HashMap;

use palisade_abi::{
    ABI_VERSION, Pod,
    policy::{
        BIT_POSITIONS, ENTRY_HALF, POLICY_AUDIT, POLICY_MAGIC, POLICY_SOURCE_PORTS, POLICY_TIMES,
        PolicyHeader, RECORD_MARK, Record, SETS,
    },
    verdict::Action,
};

use super::grid::{Start, Width, Writer};
use crate::{
    Row,
    table::{Bits, Classes, CompileError, Intervals, Limits, Sides, Table, Vectors, bits_of},
};

/// The policy blob of `rows`, which stand in the order of their priority.
///
/// # Errors
/// [`CompileError`] names the limit that the rows exceed.
pub fn compile(rows: &[Row], limits: &Limits) -> Result<Vec<u8>, CompileError> {
    let table = Table::compile(rows, limits)?;
    let bytes = encode(&table);
    let max = limits.clamped().bytes;
    if bytes.len() > max { Err(CompileError::Bytes { bytes: bytes.len(), max }) } else { Ok(bytes) }
}

fn encode(table: &Table) -> Vec<u8> {
    let rules = table.actions.len();
    let mut sections = Sections::new(rules.div_ceil(64));
    let [v4_source, v4_destination] = sections.sides(&table.v4, narrow);
    let [v6_source, v6_destination] = sections.sides(&table.v6, wide);
    let mut header = PolicyHeader {
        magic: POLICY_MAGIC,
        version: ABI_VERSION,
        rules: to_u32(rules),
        words: to_u32(sections.words),
        flags: flags(table),
        bit_positions: BIT_POSITIONS,
        addresses: [v4_source, v4_destination, v6_source, v6_destination],
        ..PolicyHeader::default()
    };
    sections.protocols(table, &mut header);
    if let Some(ports) = &table.source_ports {
        let records = sections.records(&ports.classes.vectors);
        header.source_ports = narrow(&mut sections, &ports.classes.intervals, &records);
        header.no_source_port = records[ports.portless as usize];
    }
    if let Some(times) = &table.times {
        let records = sections.records(&times.classes.vectors);
        let Intervals { starts, classes } = &times.classes.intervals;
        // The first interval starts at 0 and has no boundary.
        header.times_count = to_u32(starts.len() - 1);
        header.times_offset = sections.numbers(&starts[1..]);
        let records: Vec<u32> = classes.iter().map(|&class| records[class as usize]).collect();
        header.time_records_offset = sections.numbers(&records);
        header.expires_offset = sections.numbers(&times.expires);
    }
    header.actions_offset =
        sections.write(&table.actions.iter().map(|&action| action as u8).collect::<Vec<_>>());
    header.sets_offset = sections.sets(table);
    sections.finish(header)
}

fn flags(table: &Table) -> u32 {
    let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
    flag(table.audit != Bits::default(), POLICY_AUDIT)
        | flag(table.source_ports.is_some(), POLICY_SOURCE_PORTS)
        | flag(table.times.is_some(), POLICY_TIMES)
}

/// The blob so far, with room for the header at its front.
pub(super) struct Sections {
    bytes: Vec<u8>,
    words: usize,
    /// Offset and length of the sections that may come again.
    known: Vec<(usize, usize)>,
    /// Offset of the record of each vector.
    records: HashMap<Box<[u64]>, u32>,
}

impl Sections {
    /// A blob of vectors of `words` words.
    fn new(words: usize) -> Self {
        let mut bytes = vec![0; size_of::<PolicyHeader>()];
        align(&mut bytes);
        Self { bytes, words, known: Vec::new(), records: HashMap::new() }
    }

    /// Writes a section and returns its offset.
    pub(super) fn append(&mut self, section: &[u8]) -> u32 {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(section);
        align(&mut self.bytes);
        to_u32(at)
    }

    /// Writes a section, or finds it, and returns its offset.
    fn write(&mut self, section: &[u8]) -> u32 {
        let mut same = self.known.iter().filter(|&&(at, length)| &self.bytes[at..at + length] == section);
        if let Some(&(at, _)) = same.next() {
            return to_u32(at);
        }
        self.known.push((self.bytes.len(), section.len()));
        self.append(section)
    }

    fn numbers(&mut self, numbers: &[u32]) -> u32 {
        self.write(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
    }

    /// The offsets of the records of a field's classes.
    fn records(&mut self, vectors: &Vectors) -> Vec<u32> {
        vectors.iter().map(|vector| self.record(vector)).collect()
    }

    fn record(&mut self, vector: &[u64]) -> u32 {
        if let Some(&known) = self.records.get(vector) {
            return known;
        }
        let mut record = Record { head: RECORD_MARK, ..Record::default() };
        for (word, _) in vector.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            record.head |= 1 << word;
            record.ranks |= u64::from(record.count) << (4 * word);
            record.count += 1;
        }
        let at = self.append(record.as_bytes());
        for bits in vector.iter().filter(|bits| **bits != 0) {
            self.append(&bits.to_le_bytes());
        }
        self.records.insert(vector.into(), at);
        at
    }

    /// The entries of both sides of one family.
    fn sides<T>(&mut self, sides: &Sides<T>, write: LeadBy<T>) -> [u32; 2] {
        [&sides.source, &sides.destination].map(|Classes { intervals, vectors }| {
            let records = self.records(vectors);
            write(self, intervals, &records)
        })
    }

    fn protocols(&mut self, table: &Table, header: &mut PolicyHeader) {
        let protocols = &table.protocols;
        let records = self.records(&protocols.vectors);
        let entries: Vec<u32> = protocols.ports.iter().map(|ports| narrow(self, ports, &records)).collect();
        header.protocols_offset = self.numbers(&protocols.entries.map(|entry| entries[entry]));
        header.fragments_offset = self.numbers(&protocols.fragments.map(|class| records[class as usize]));
    }

    /// The rule sets, in the order of their positions in the layout.
    fn sets(&mut self, table: &Table) -> u32 {
        let doing = |action| bits_of(table.actions.iter().map(|&done| done == action));
        let sets: [Bits; SETS] = [table.audit, table.whole, doing(Action::Allow), doing(Action::AlwaysAllow)];
        let words = sets.iter().flat_map(|set| &set[..self.words]);
        let bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        self.write(&bytes)
    }

    fn finish(mut self, header: PolicyHeader) -> Vec<u8> {
        let header = PolicyHeader { size: to_u32(self.bytes.len()), ..header };
        self.bytes[..size_of::<PolicyHeader>()].copy_from_slice(header.as_bytes());
        self.bytes
    }
}

/// Writes what leads to the records of one field's intervals.
type LeadBy<T> = fn(&mut Sections, &Intervals<T>, &[u32]) -> u32;

fn narrow<T: Copy + Into<u64>>(sections: &mut Sections, intervals: &Intervals<T>, records: &[u32]) -> u32 {
    let starts = intervals.starts.iter().map(|&start| start.into());
    let starts: Vec<Start> =
        starts.zip(intervals.classes.iter().map(|&class| records[class as usize])).collect();
    Writer { sections, width: Width::Narrow }.lead(starts[0].1, &starts[1..])
}

/// IPv6: one search for the upper half of the address, and where intervals start within one upper half, another one for
/// the lower half.
fn wide(sections: &mut Sections, intervals: &Intervals<u128>, records: &[u32]) -> u32 {
    let starts: Vec<(u128, u32)> = intervals
        .starts
        .iter()
        .zip(&intervals.classes)
        .map(|(&start, &class)| (start, records[class as usize]))
        .collect();
    let mut writer = Writer { sections, width: Width::Wide };
    let upper = |start: u128| (start >> 64) as u64;
    let mut halves: Vec<Start> = Vec::new();
    let mut before = starts[0].1;
    for same_upper in starts.chunk_by(|a, b| upper(a.0) == upper(b.0)) {
        let lower: Vec<Start> = same_upper.iter().map(|&(start, record)| (start as u64, record)).collect();
        let (within, after) = match lower[..] {
            [(0, record)] => (record, record),
            [(0, record), ref inside @ ..] => (writer.half(record, inside), inside[inside.len() - 1].1),
            ref inside => (writer.half(before, inside), inside[inside.len() - 1].1),
        };
        let at = upper(same_upper[0].0);
        // The upper half after the one before may have been begun already.
        if halves.last().is_some_and(|&(start, _)| start == at) {
            halves.pop();
        }
        halves.push((at, within));
        if after != within && at != u64::MAX {
            halves.push((at + 1, after));
        }
        before = after;
    }
    writer.lead(halves[0].1, &halves[1..])
}

impl Writer<'_> {
    /// The entry for one upper half, with the lower halves' `starts` inside.
    fn half(&mut self, before: u32, starts: &[Start]) -> u32 {
        let entry = self.lead(before, starts);
        self.sections.append(&entry.to_le_bytes()) | ENTRY_HALF
    }
}

/// Pads to the largest alignment that the layout asks for.
fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(size_of::<u64>()), 0);
}

/// A count or an offset of a blob.
fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("tables are limited so that a blob stays far below 4 GiB")
}
