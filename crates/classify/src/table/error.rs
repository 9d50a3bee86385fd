//! What rows may not exceed when they are compiled, and how a refusal reads.
//!
//! Invariant: a table that was compiled within [`Limits::default`] fits the kernel's layout.

use core::fmt;

use palisade_abi::policy::{ADDRESS_INTERVALS_MAX, POLICY_BYTES_MAX, POLICY_CLASSES_MAX, POLICY_RULES_MAX};

/// The largest table that may be compiled. Values above the default are treated as the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one direction.
    pub rows: usize,
    /// Classes of one field.
    pub classes: usize,
    /// Address intervals of one field.
    pub intervals: usize,
    /// Bytes of the blob.
    pub bytes: usize,
}

/// The limits of the kernel's layout.
impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: POLICY_RULES_MAX,
            classes: POLICY_CLASSES_MAX,
            intervals: ADDRESS_INTERVALS_MAX,
            bytes: POLICY_BYTES_MAX,
        }
    }
}

impl Limits {
    /// The stricter of these limits and the kernel's.
    pub(crate) fn clamped(self) -> Self {
        let layout = Self::default();
        Self {
            rows: self.rows.min(layout.rows),
            classes: self.classes.min(layout.classes),
            intervals: self.intervals.min(layout.intervals),
            bytes: self.bytes.min(layout.bytes),
        }
    }
}

/// A field of a packet that rows restrict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Source address in IPv4 packets.
    SourceV4,
    /// Destination address in IPv4 packets.
    DestinationV4,
    /// Source address in IPv6 packets.
    SourceV6,
    /// Destination address in IPv6 packets.
    DestinationV6,
    /// Protocol with the destination port or ICMP type.
    Protocol,
    /// Source port.
    SourcePort,
    /// The time.
    Time,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SourceV4 => "IPv4 source addresses",
            Self::DestinationV4 => "IPv4 destination addresses",
            Self::SourceV6 => "IPv6 source addresses",
            Self::DestinationV6 => "IPv6 destination addresses",
            Self::Protocol => "protocols and destination ports",
            Self::SourcePort => "source ports",
            Self::Time => "times",
        })
    }
}

/// Why rows cannot be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// More rows than a vector has bits.
    #[error("{rows} rules in one direction, at most {max} can be enforced (remove or merge rules)")]
    Rows {
        /// Rows given.
        rows: usize,
        /// The limit.
        max: usize,
    },
    /// The addresses of one field have too many edges.
    #[error(
        "{field} of all rules form {intervals} intervals, at most {max} can be enforced \
         (merge adjacent prefixes or use fewer service tags)"
    )]
    Intervals {
        /// Which field.
        field: Field,
        /// Intervals that the rows form.
        intervals: usize,
        /// The limit.
        max: usize,
    },
    /// The values of one field can be told apart in too many ways.
    #[error(
        "{field} of all rules form {intervals} intervals of more than {max} classes, at most {max} can be enforced \
         (let rules share the same list of values instead of each naming its own)"
    )]
    Classes {
        /// Which field.
        field: Field,
        /// Intervals that the rows form.
        intervals: usize,
        /// The limit.
        max: usize,
    },
    /// All tables together are too large.
    #[error(
        "the compiled rules take {bytes} bytes, at most {max} can be enforced (name fewer prefixes, or split the rules \
         over the subnet's and the interface's NSG)"
    )]
    Bytes {
        /// Bytes of the blob.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}
