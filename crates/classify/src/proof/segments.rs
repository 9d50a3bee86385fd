//! Where every value of a field leads, read from the blob's bytes.
//!
//! It must not know rules. Invariant: segments ascend, the first starts at 0, and together they cover the field.

use std::fmt;

use palisade_abi::{
    Pod,
    policy::{
        ENTRY_GRID, ENTRY_HALF, ENTRY_KIND, ENTRY_LIST, Grid, NarrowList, POLICY_WORDS_MAX, Record, WideList,
    },
};
use palisade_net::Protocol;

use super::Disproof;

/// A field of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The source address in IPv4 packets.
    SourceV4,
    /// The destination address in IPv4 packets.
    DestinationV4,
    /// The source address in IPv6 packets.
    SourceV6,
    /// The destination address in IPv6 packets.
    DestinationV6,
    /// The destination port, or ICMP type, of a protocol; for others the protocol alone.
    Protocol(Protocol),
    /// Later fragments of a protocol, which carry no ports.
    Fragment(Protocol),
    /// The source port.
    SourcePort,
    /// Packets that have no source port.
    NoSourcePort,
    /// The time.
    Time,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceV4 | Self::SourceV6 => f.write_str("source address"),
            Self::DestinationV4 | Self::DestinationV6 => f.write_str("destination address"),
            Self::Protocol(protocol) => write!(f, "{protocol} with destination port"),
            Self::Fragment(protocol) => write!(f, "{protocol} fragments of destination port"),
            Self::SourcePort => f.write_str("source port"),
            Self::NoSourcePort => f.write_str("no source port"),
            Self::Time => f.write_str("time"),
        }
    }
}

/// One bit a rule.
pub(super) type Bits = [u64; POLICY_WORDS_MAX];

/// Values from `start` up to the next segment's lead to `record`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) start: u128,
    pub(super) record: u32,
}

/// Which keys a search is about.
#[derive(Clone, Copy)]
enum Keys {
    /// Of up to 32 bits.
    Narrow,
    /// The upper halves of IPv6 addresses.
    Upper,
    /// The lower halves below this upper half.
    Lower(u64),
}

/// The bytes of a blob that was found sound.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a> {
    pub(super) bytes: &'a [u8],
}

impl Decoder<'_> {
    fn structure<T: Pod>(self, offset: u32) -> T {
        T::read_from(&self.bytes[offset as usize..]).expect("a sound blob holds what its entries lead to")
    }

    /// Element `index` of the numbers at `offset`.
    pub(super) fn number(self, offset: u32, index: usize) -> u32 {
        let at = offset as usize + index * size_of::<u32>();
        let bytes = self.bytes[at..at + size_of::<u32>()].try_into().expect("the slice has four bytes");
        u32::from_le_bytes(bytes)
    }

    /// Word `index` of the words at `offset`.
    pub(super) fn word(self, offset: u32, index: usize) -> u64 {
        let at = offset as usize + index * size_of::<u64>();
        let bytes = self.bytes[at..at + size_of::<u64>()].try_into().expect("the slice has eight bytes");
        u64::from_le_bytes(bytes)
    }

    /// The bits of a record, found as the kernel program finds them: by summary and rank.
    pub(super) fn bits(self, record: u32) -> Bits {
        let Record { ranks, head, .. } = self.structure(record);
        let words = record + size_of::<Record>() as u32;
        std::array::from_fn(|word| match head >> word & 1 {
            0 => 0,
            _ => self.word(words, (ranks >> (4 * word) & 15) as usize),
        })
    }

    /// Where keys of up to 32 bits lead.
    pub(super) fn narrow(self, entry: u32) -> Result<Vec<Segment>, Disproof> {
        self.segments(entry, Keys::Narrow, u32::MAX.into())
    }

    /// Where IPv6 addresses lead.
    pub(super) fn wide(self, entry: u32) -> Result<Vec<Segment>, Disproof> {
        self.segments(entry, Keys::Upper, u64::MAX)
    }

    fn segments(self, entry: u32, keys: Keys, last: u64) -> Result<Vec<Segment>, Disproof> {
        let mut segments = Vec::new();
        self.walk(entry, keys, (0, last), &mut segments)?;
        Ok(segments)
    }

    /// Appends where the keys `first..=last` lead.
    fn walk(
        self,
        entry: u32,
        keys: Keys,
        (first, last): (u64, u64),
        out: &mut Vec<Segment>,
    ) -> Result<(), Disproof> {
        let offset = entry & !ENTRY_KIND;
        match (entry & ENTRY_KIND, keys) {
            (ENTRY_GRID, _) => self.walk_grid(offset, keys, (first, last), out),
            (ENTRY_LIST, _) => self.walk_list(offset, keys, (first, last), out),
            (ENTRY_HALF, Keys::Upper) if first == last => {
                self.walk(self.number(offset, 0), Keys::Lower(first), (0, u64::MAX), out)
            }
            // The compiler writes one for each upper half, and to compare so many is not needed.
            (ENTRY_HALF, _) => Err(Disproof::Halves { first, last }),
            _ => {
                let start = match keys {
                    Keys::Narrow => first.into(),
                    Keys::Upper => u128::from(first) << 64,
                    Keys::Lower(upper) => u128::from(upper) << 64 | u128::from(first),
                };
                if out.last().is_none_or(|before| before.record != offset) {
                    out.push(Segment { start, record: offset });
                }
                Ok(())
            }
        }
    }

    fn walk_grid(
        self,
        offset: u32,
        keys: Keys,
        (first, last): (u64, u64),
        out: &mut Vec<Segment>,
    ) -> Result<(), Disproof> {
        let grid: Grid = self.structure(offset);
        let entries = offset + size_of::<Grid>() as u32;
        let entry = |index: u64| self.number(entries, index as usize);
        let steps = u64::from(grid.steps);
        let mut from = first;
        if from < grid.base {
            let to = last.min(grid.base - 1);
            self.walk(entry(steps + 1), keys, (from, to), out)?;
            from = to + 1;
        }
        // A step that would go beyond all keys is not in a sound blob.
        while from <= last {
            let step = ((from - grid.base) >> grid.shift).min(steps);
            let end = u128::from(grid.base) + (u128::from(step + 1) << grid.shift);
            let to = if step == steps { last } else { last.min((end - 1) as u64) };
            self.walk(entry(step), keys, (from, to), out)?;
            let Some(next) = to.checked_add(1) else { break };
            from = next;
        }
        Ok(())
    }

    fn walk_list(
        self,
        offset: u32,
        keys: Keys,
        (first, last): (u64, u64),
        out: &mut Vec<Segment>,
    ) -> Result<(), Disproof> {
        let (starts, entries) = match keys {
            Keys::Narrow => {
                let NarrowList { starts, entries, .. } = self.structure(offset);
                (starts.map(u64::from), entries)
            }
            Keys::Upper | Keys::Lower(_) => {
                let WideList { starts, entries, .. } = self.structure(offset);
                (starts, entries)
            }
        };
        for (index, entry) in entries.into_iter().enumerate() {
            let from = index.checked_sub(1).map_or(first, |before| starts[before].max(first));
            // The keys that the next start is above of.
            let to = match starts.get(index) {
                Some(0) => continue,
                Some(next) => (next - 1).min(last),
                None => last,
            };
            if from <= to {
                self.walk(entry, keys, (from, to), out)?;
            }
        }
        Ok(())
    }
}
