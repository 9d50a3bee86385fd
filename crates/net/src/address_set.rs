//! A set of IP addresses of both families.
//!
//! Every question is answered in the family of its address: a set of IPv4 addresses never matches an IPv6 one.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Prefix, RangeSet};

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, 32 bits.
    V4,
    /// IPv6, 128 bits.
    V6,
}

impl Family {
    /// Both families.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bits of an address.
    pub const fn width(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// A set of IPv4 and IPv6 addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AddressSet {
    v4: RangeSet<u32>,
    v6: RangeSet<u128>,
}

impl AddressSet {
    /// The set without members.
    pub const fn empty() -> Self {
        Self { v4: RangeSet::empty(), v6: RangeSet::empty() }
    }

    /// All addresses of both families.
    pub fn full() -> Self {
        Self { v4: RangeSet::full(), v6: RangeSet::full() }
    }

    /// A set from its two halves.
    pub const fn from_ranges(v4: RangeSet<u32>, v6: RangeSet<u128>) -> Self {
        Self { v4, v6 }
    }

    /// The IPv4 members, as numbers in host order.
    pub const fn v4(&self) -> &RangeSet<u32> {
        &self.v4
    }

    /// The IPv6 members, as numbers in host order.
    pub const fn v6(&self) -> &RangeSet<u128> {
        &self.v6
    }

    /// Whether the set has no member.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether every address of both families is a member.
    pub fn is_full(&self) -> bool {
        self.v4.is_full() && self.v6.is_full()
    }

    /// Whether `address` is a member.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => self.v4.contains(a.into()),
            IpAddr::V6(a) => self.v6.contains(a.into()),
        }
    }

    /// Members of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    /// Members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { v4: self.v4.intersection(&other.v4), v6: self.v6.intersection(&other.v6) }
    }

    /// Whether an address is a member of both sets.
    pub fn intersects(&self, other: &Self) -> bool {
        self.v4.intersects(&other.v4) || self.v6.intersects(&other.v6)
    }

    /// Addresses that are not members.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self { v4: self.v4.complement(), v6: self.v6.complement() }
    }

    /// Members of this set that are not members of `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self { v4: self.v4.difference(&other.v4), v6: self.v6.difference(&other.v6) }
    }

    /// The fewest prefixes that cover the set exactly, IPv4 first, ascending.
    pub fn prefixes(&self) -> Vec<Prefix> {
        let mut prefixes = Vec::new();
        for &(first, last) in self.v4.ranges() {
            cover(first.into(), last.into(), 32, |a, length| {
                let address = Ipv4Addr::from(u32::try_from(a).expect("an IPv4 range holds 32-bit numbers"));
                prefixes.push(
                    Prefix::truncated(address.into(), length)
                        .expect("a cover's lengths are within the width"),
                );
            });
        }
        for &(first, last) in self.v6.ranges() {
            cover(first, last, 128, |a, length| {
                let prefix = Prefix::truncated(Ipv6Addr::from(a).into(), length);
                prefixes.push(prefix.expect("a cover's lengths are within the width"));
            });
        }
        prefixes
    }
}

/// Calls `emit` for each aligned block of the closed range `first..=last` in a space of `width` bits.
fn cover(mut first: u128, last: u128, width: u32, mut emit: impl FnMut(u128, u8)) {
    loop {
        // The largest block that starts here, is aligned, and does not pass the end.
        let fitting = (last - first).checked_add(1).map_or(128, u128::ilog2);
        let bits = first.trailing_zeros().min(fitting).min(width);
        emit(first, u8::try_from(width - bits).expect("a width is at most 128"));
        let end = first + 1u128.checked_shl(bits).map_or(u128::MAX, |size| size - 1);
        if end == last {
            return;
        }
        first = end + 1;
    }
}

impl FromIterator<Prefix> for AddressSet {
    fn from_iter<I: IntoIterator<Item = Prefix>>(iter: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in iter {
            match (prefix.address(), prefix.last()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((u32::from(first), u32::from(last))),
                (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((u128::from(first), u128::from(last))),
                _ => unreachable!("the ends of a prefix are of one family"),
            }
        }
        Self { v4: v4.into_iter().collect(), v6: v6.into_iter().collect() }
    }
}

impl FromIterator<IpAddr> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(iter: I) -> Self {
        iter.into_iter().map(Prefix::host).collect()
    }
}
