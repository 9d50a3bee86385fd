//! Flow records on their way to a server: how a batch is filled, checked and read.
//!
//! A [`FlowBatch`] holds columns, as the file does in which they end: what many records share is a [`FlowShape`], said once. It
//! must not know where records come from or go to. Invariant: a batch that [`FlowBatch::check`] has passed is read without a gap.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};

use crate::limits::{FLOW_RECORDS_MAX, FLOW_SHAPES_MAX};
use crate::{FlowBatch, FlowShape};

/// Bytes of an address in a column.
const ADDRESS_BYTES: usize = 16;
/// The word of [`FlowShape::kind`] for records that are missing; their number is the packets to the destination.
pub const LOST: &str = "lost";

/// What differs from record to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowLine {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// When the flow began; `None` for a packet that began none.
    pub began_ms: Option<u64>,
    /// When a packet last prolonged it, if that is told.
    pub last_ms: Option<u64>,
    /// Where the first packet came from.
    pub source: (IpAddr, u16),
    /// Where it went.
    pub destination: (IpAddr, u16),
    /// TCP flags to the destination, and to the source.
    pub tcp_flags: [u8; 2],
    /// Packets to the destination, and to the source.
    pub packets: [u64; 2],
    /// Bytes to the destination, and to the source.
    pub bytes: [u64; 2],
}

/// What is wrong with a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowBatchError {
    /// Columns do not fit each other.
    #[error(
        "column {column} of a batch of flow records has {found} values where there are {expected} records"
    )]
    Column {
        /// Which.
        column: &'static str,
        /// How many values.
        found: usize,
        /// How many records.
        expected: usize,
    },
    /// A record has a shape that is not there.
    #[error("a flow record is of shape {shape}, and its batch has {shapes}")]
    Shape {
        /// Which.
        shape: u32,
        /// How many there are.
        shapes: usize,
    },
    /// There are too many.
    #[error("a batch has {found} {what}, and may have {max} (send more batches)")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        max: usize,
    },
}

impl FlowBatch {
    /// How many records it has.
    pub fn records(&self) -> usize {
        self.shape.len()
    }

    /// Adds a record; `shape` is an index of [`FlowBatch::shapes`].
    pub fn push(&mut self, shape: u32, line: &FlowLine) {
        if self.shape.is_empty() {
            self.base_ms = line.time_ms;
        }
        let since = |then: Option<u64>| then.map_or(0, |then| line.time_ms.saturating_sub(then) + 1);
        self.shape.push(shape);
        self.time.push(line.time_ms.wrapping_sub(self.base_ms).cast_signed());
        self.age.push(since(line.began_ms));
        self.quiet.push(since(line.last_ms));
        self.source.extend_from_slice(&mapped(line.source.0));
        self.destination.extend_from_slice(&mapped(line.destination.0));
        self.source_port.push(line.source.1.into());
        self.destination_port.push(line.destination.1.into());
        self.flags_to_destination.push(line.tcp_flags[0]);
        self.flags_to_source.push(line.tcp_flags[1]);
        self.packets_to_destination.push(line.packets[0]);
        self.packets_to_source.push(line.packets[1]);
        self.bytes_to_destination.push(line.bytes[0]);
        self.bytes_to_source.push(line.bytes[1]);
    }

    /// Adds that records are missing, and by whose fault.
    pub fn push_lost(&mut self, time_ms: u64, count: u64, by: &str) {
        let nobody = (Ipv6Addr::UNSPECIFIED.into(), 0);
        let shape = u32::try_from(self.shapes.len()).expect("shapes are few");
        self.shapes.push(FlowShape { kind: LOST.to_owned(), reason: by.to_owned(), ..FlowShape::default() });
        let line = FlowLine {
            time_ms,
            began_ms: None,
            last_ms: None,
            source: nobody,
            destination: nobody,
            tcp_flags: [0; 2],
            packets: [count, 0],
            bytes: [0; 2],
        };
        self.push(shape, &line);
    }

    /// Whether it can be read.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), FlowBatchError> {
        within("shapes", self.shapes.len(), FLOW_SHAPES_MAX)?;
        within("records", self.records(), FLOW_RECORDS_MAX)?;
        let columns = [
            ("time", self.time.len()),
            ("age", self.age.len()),
            ("quiet", self.quiet.len()),
            ("source", addresses(&self.source)),
            ("destination", addresses(&self.destination)),
            ("source_port", self.source_port.len()),
            ("destination_port", self.destination_port.len()),
            ("flags_to_destination", self.flags_to_destination.len()),
            ("flags_to_source", self.flags_to_source.len()),
            ("packets_to_destination", self.packets_to_destination.len()),
            ("packets_to_source", self.packets_to_source.len()),
            ("bytes_to_destination", self.bytes_to_destination.len()),
            ("bytes_to_source", self.bytes_to_source.len()),
        ];
        let expected = self.records();
        if let Some(&(column, found)) = columns.iter().find(|(_, found)| *found != expected) {
            return Err(FlowBatchError::Column { column, found, expected });
        }
        let shapes = self.shapes.len();
        match self.shape.iter().find(|shape| **shape as usize >= shapes) {
            Some(&shape) => Err(FlowBatchError::Shape { shape, shapes }),
            None => Ok(()),
        }
    }

    /// Its records, in order. It must have been [checked](Self::check).
    ///
    /// # Panics
    /// If it was not, and is wrong.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (&FlowShape, FlowLine)> {
        (0..self.records()).map(|index| (&self.shapes[self.shape[index] as usize], self.line(index)))
    }

    fn line(&self, index: usize) -> FlowLine {
        let time_ms = self.base_ms.wrapping_add_signed(self.time[index]);
        let before = |since: u64| since.checked_sub(1).map(|since| time_ms.saturating_sub(since));
        // A port is 16 bits; what an agent says beyond that is cut off.
        let port = |ports: &[u32]| (ports[index] & 0xffff) as u16;
        FlowLine {
            time_ms,
            began_ms: before(self.age[index]),
            last_ms: before(self.quiet[index]),
            source: (address(&self.source, index), port(&self.source_port)),
            destination: (address(&self.destination, index), port(&self.destination_port)),
            tcp_flags: [self.flags_to_destination[index], self.flags_to_source[index]],
            packets: [self.packets_to_destination[index], self.packets_to_source[index]],
            bytes: [self.bytes_to_destination[index], self.bytes_to_source[index]],
        }
    }
}

/// How many addresses a column has; one that is not whole makes it as many as there cannot be.
const fn addresses(column: &[u8]) -> usize {
    if column.len().is_multiple_of(ADDRESS_BYTES) { column.len() / ADDRESS_BYTES } else { usize::MAX }
}

fn mapped(address: IpAddr) -> [u8; ADDRESS_BYTES] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn address(column: &[u8], index: usize) -> IpAddr {
    let bytes = &column[index * ADDRESS_BYTES..][..ADDRESS_BYTES];
    Ipv6Addr::from(<[u8; ADDRESS_BYTES]>::try_from(bytes).expect("it was cut to the length")).to_canonical()
}

const fn within(what: &'static str, found: usize, max: usize) -> Result<(), FlowBatchError> {
    if found > max { Err(FlowBatchError::TooMany { what, found, max }) } else { Ok(()) }
}
