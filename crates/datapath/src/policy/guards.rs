//! Guards: what a VM may not do whatever the rules say, as a set.

use std::ops::{BitOr, Sub};

use palisade_abi::arena::{
    GUARD_DHCP_SERVER, GUARD_ETHER_TYPE, GUARD_MAC, GUARD_NEIGHBOUR, GUARD_PLATFORM, GUARD_ROUTER,
    GUARD_SOURCE, GUARD_VLAN,
};

/// A set of guards; `|` joins two, `-` takes the second out of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guards(u32);

impl Guards {
    /// No guard.
    pub const NONE: Self = Self(0);
    /// Frames from the VM carry the NIC's MAC address.
    pub const MAC: Self = Self(GUARD_MAC);
    /// Packets from the VM carry an address that the NIC owns.
    pub const SOURCE: Self = Self(GUARD_SOURCE);
    /// ARP and neighbour discovery from the VM speak for the NIC alone.
    pub const NEIGHBOUR: Self = Self(GUARD_NEIGHBOUR);
    /// No answers of a DHCP or DHCPv6 server come from the VM.
    pub const DHCP_SERVER: Self = Self(GUARD_DHCP_SERVER);
    /// No router advertisements and no redirects come from the VM.
    pub const ROUTER: Self = Self(GUARD_ROUTER);
    /// Only IPv4, IPv6 and ARP.
    pub const ETHER_TYPE: Self = Self(GUARD_ETHER_TYPE);
    /// No VLAN tags.
    pub const VLAN: Self = Self(GUARD_VLAN);
    /// No packets from the VM in the name of the platform's addresses.
    pub const PLATFORM: Self = Self(GUARD_PLATFORM);
    /// Those that ask who the NIC is: its MAC address and the addresses it owns.
    pub const IDENTITY: Self = Self(GUARD_MAC | GUARD_SOURCE | GUARD_NEIGHBOUR);
    /// Every guard.
    pub const ALL: Self = Self(
        Self::IDENTITY.0 | GUARD_DHCP_SERVER | GUARD_ROUTER | GUARD_ETHER_TYPE | GUARD_VLAN | GUARD_PLATFORM,
    );

    /// Whether every guard of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The `GUARD_*` bits.
    pub(crate) const fn bits(self) -> u32 {
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
