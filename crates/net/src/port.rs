//! Port ranges, as rules write them: `80`, `1024-65535`, `*`.

use core::{fmt, str::FromStr};

use crate::RangeSet;

/// A set of ports.
pub type PortSet = RangeSet<u16>;

/// A closed range of ports. Invariant: `first <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is not a port range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Not `*`, a number or two numbers with a hyphen, or a number above 65535.
    #[error(
        "\"{0}\" is not a port, a range of ports or * (write 443, 1024-65535 or *; the range is 0-65535)"
    )]
    Syntax(String),
    /// The range ends before it starts.
    #[error("port range {first}-{last} is reversed (write {last}-{first})")]
    Reversed {
        /// The number before the hyphen.
        first: u16,
        /// The number after it.
        last: u16,
    },
}

impl PortRange {
    /// All ports, 0 to 65535.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// The range from `first` to `last`, both included.
    ///
    /// # Errors
    /// [`PortError::Reversed`].
    pub const fn new(first: u16, last: u16) -> Result<Self, PortError> {
        if first <= last { Ok(Self { first, last }) } else { Err(PortError::Reversed { first, last }) }
    }

    /// Lowest port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Highest port.
    pub const fn last(self) -> u16 {
        self.last
    }
}

impl FromStr for PortRange {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        if text.trim() == "*" {
            return Ok(Self::ALL);
        }
        let number = |part: &str| {
            let part = part.trim();
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits
                .then(|| part.parse::<u16>().ok())
                .flatten()
                .ok_or_else(|| PortError::Syntax(text.to_owned()))
        };
        match text.split_once('-') {
            Some((first, last)) => Self::new(number(first)?, number(last)?),
            None => number(text).map(|port| Self { first: port, last: port }),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (0, u16::MAX) => f.write_str("*"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl FromIterator<PortRange> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortRange>>(iter: I) -> Self {
        iter.into_iter().map(|range| (range.first, range.last)).collect()
    }
}
