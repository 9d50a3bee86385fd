//! An address prefix in CIDR notation (RFC 4632, RFC 4291 section 2.3).
//!
//! Invariant: all bits after the prefix length are zero. Azure's API refuses a prefix with host bits set, its portal
//! normalises it; so there are two constructors.

use core::{fmt, str::FromStr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Family;

/// A block of addresses of one family: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Why a text or a pair is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The text is neither an address nor address/length.
    #[error("\"{0}\" is not an IP address or prefix (write 10.0.0.0/24, 10.0.0.4 or 2001:db8::/32)")]
    Syntax(String),
    /// The length exceeds the family's width.
    #[error("prefix length {got} is above {max}")]
    Length {
        /// The length given.
        got: u8,
        /// 32 or 128.
        max: u8,
    },
    /// Bits after the length are set.
    #[error("{address}/{length} has host bits set (write {network}/{length})")]
    HostBits {
        /// The address given.
        address: IpAddr,
        /// The length given.
        length: u8,
        /// The address with the host bits cleared.
        network: IpAddr,
    },
}

impl Prefix {
    /// A prefix from its parts; refuses host bits.
    ///
    /// # Errors
    /// [`PrefixError::Length`], [`PrefixError::HostBits`].
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let prefix = Self::truncated(address, length)?;
        if prefix.address == address {
            Ok(prefix)
        } else {
            Err(PrefixError::HostBits { address, length, network: prefix.address })
        }
    }

    /// The prefix of `length` bits that holds `address`; clears host bits.
    ///
    /// # Errors
    /// [`PrefixError::Length`].
    pub fn truncated(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let max = Family::of(address).width();
        if length > max {
            return Err(PrefixError::Length { got: length, max });
        }
        let address = match address {
            IpAddr::V4(a) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(a) & mask))
            }
            IpAddr::V6(a) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(a) & mask))
            }
        };
        Ok(Self { address, length })
    }

    /// The prefix of one address.
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: Family::of(address).width() }
    }

    /// Parses `address/length` or `address` and clears host bits.
    ///
    /// # Errors
    /// [`PrefixError::Syntax`], [`PrefixError::Length`].
    pub fn parse_truncating(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = Self::split(text)?;
        Self::truncated(address, length)
    }

    /// First address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Leading bits that count.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// IPv4 or IPv6.
    pub fn family(self) -> Family {
        Family::of(self.address)
    }

    /// Last address.
    pub fn last(self) -> IpAddr {
        match self.address {
            IpAddr::V4(a) => {
                let host = u32::MAX.checked_shr(u32::from(self.length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(a) | host))
            }
            IpAddr::V6(a) => {
                let host = u128::MAX.checked_shr(u32::from(self.length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(a) | host))
            }
        }
    }

    /// Whether `address` is in the block.
    pub fn contains(self, address: IpAddr) -> bool {
        self.address <= address && address <= self.last() && Family::of(address) == self.family()
    }

    /// Whether the two blocks share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    fn split(text: &str) -> Result<(IpAddr, u8), PrefixError> {
        let syntax = || PrefixError::Syntax(text.to_owned());
        let (address, length) = match text.split_once('/') {
            // A leading zero is refused as it is in an address: some readers take the number for an octal one.
            Some((_, length)) if length.len() > 1 && length.starts_with(['0', '+']) => return Err(syntax()),
            Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| syntax())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| syntax())?;
        Ok((address, length.unwrap_or(Family::of(address).width())))
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = Self::split(text)?;
        Self::new(address, length)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}
