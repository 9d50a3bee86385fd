//! Guards: what a VM may not do whatever the rules say, as a set.

use core::ops::{BitOr, Sub};

/// A set of guards; `|` joins two, `-` takes the second out of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guards(u32);

impl Guards {
    /// No guard.
    pub const NONE: Self = Self(0);
    /// Frames from the VM carry the NIC's MAC address.
    pub const MAC: Self = Self(1);
    /// Packets from the VM carry an address that the NIC owns.
    pub const SOURCE: Self = Self(1 << 1);
    /// ARP and neighbour discovery from the VM speak for the NIC alone.
    pub const NEIGHBOUR: Self = Self(1 << 2);
    /// No answers of a DHCP or DHCPv6 server come from the VM.
    pub const DHCP_SERVER: Self = Self(1 << 3);
    /// No router advertisements and no redirects come from the VM.
    pub const ROUTER: Self = Self(1 << 4);
    /// Only IPv4, IPv6 and ARP.
    pub const ETHER_TYPE: Self = Self(1 << 5);
    /// No VLAN tags.
    pub const VLAN: Self = Self(1 << 6);
    /// No packets from the VM in the name of the platform's addresses.
    pub const PLATFORM: Self = Self(1 << 7);
    /// Those that ask who the NIC is: its MAC address and the addresses it owns.
    pub const IDENTITY: Self = Self(Self::MAC.0 | Self::SOURCE.0 | Self::NEIGHBOUR.0);
    /// Every guard.
    pub const ALL: Self = Self(0xff);

    /// Whether every guard of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set as the memory that the kernel shares has it: `GUARD_*` bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl Default for Guards {
    /// Every guard that needs to know nothing of the NIC.
    fn default() -> Self {
        Self::ALL - Self::IDENTITY
    }
}

impl BitOr for Guards {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Sub for Guards {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
