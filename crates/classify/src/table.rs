//! Rows compiled to classes and bit vectors.
//!
//! Each field of a packet (source, destination, protocol with destination port, source port) and the time fall into one of a
//! few classes; all packets of a class are alike to every row. A class carries one bit a row, and the first bit set in all
//! fields is the row that matches (ABV: Baboescu and Varghese, SIGCOMM 2001). It must not know how classes are found in
//! memory; [`crate::blob`] does.
//! Invariant: for each field, bit `r` of the class of a value tells whether [`Row::matches`] of row `r` can hold for it.

mod compile;
mod error;
mod sweep;
mod vectors;

use palisade_abi::verdict::Action;
use palisade_net::Protocol;

pub use error::{CompileError, Field, Limits};
pub(crate) use sweep::Intervals;
pub(crate) use vectors::{Bits, Vectors, bits_of};

use crate::Row;

/// The rules of one direction, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) actions: Vec<Action>,
    /// The rows that are only counted.
    pub(crate) audit: Bits,
    /// The rows that restrict no port.
    pub(crate) whole: Bits,
    pub(crate) v4: Sides<u32>,
    pub(crate) v6: Sides<u128>,
    pub(crate) protocols: Protocols,
    /// `None` when no row restricts the source port.
    pub(crate) source_ports: Option<SourcePorts>,
    /// `None` when every row is always in force.
    pub(crate) times: Option<Times>,
}

/// The two address fields of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sides<T> {
    pub(crate) source: Classes<T>,
    pub(crate) destination: Classes<T>,
}

/// One field: its intervals, and the vectors of their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Classes<T> {
    pub(crate) intervals: Intervals<T>,
    pub(crate) vectors: Vectors,
}

/// Classes of (protocol, destination port or ICMP type).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocols {
    /// One entry an IANA protocol number: position in `ports`.
    pub(crate) entries: [usize; 256],
    /// The distinct ways in which protocols are classified; one interval if the port does not matter.
    pub(crate) ports: Vec<Intervals<u16>>,
    /// Class of a protocol's packets that carry no port, for later fragments: the rows that match at some port.
    pub(crate) fragments: [u32; 256],
    pub(crate) vectors: Vectors,
}

/// Classes of the source port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourcePorts {
    pub(crate) classes: Classes<u16>,
    /// Class of packets without ports.
    pub(crate) portless: u32,
}

/// Classes of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Times {
    /// The first interval starts at 0, the others at boundaries.
    pub(crate) classes: Classes<u32>,
    /// For each row, the second in which it ends.
    pub(crate) expires: Vec<u32>,
}

impl Table {
    /// Compiles `rows`, which stand in the order of their priority.
    pub(crate) fn compile(rows: &[Row], limits: &Limits) -> Result<Self, CompileError> {
        compile::compile(rows, limits)
    }
}

/// Whether packets of a protocol differ by destination port or ICMP type.
pub(crate) const fn has_values(protocol: Protocol) -> bool {
    protocol.has_ports() || protocol.is_icmp()
}
