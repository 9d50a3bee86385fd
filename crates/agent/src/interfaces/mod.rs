//! The network interfaces of this host, as far as finding a virtual machine's one needs them.
//!
//! [`dump`] asks the kernel, [`matching`] decides which interface is which NIC. Neither knows policy. What an interface
//! can be enforced at is its kind's property, and decided here: tcx sees the frames of a tap and of a veth pair, and sees
//! nothing of what passes the host's network stack by.

pub mod dump;
pub mod matching;
pub mod watch;

use std::fmt;

use palisade_net::Mac;
use serde::{Deserialize, Serialize};

/// A network interface of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number; never used twice while the host is up.
    pub index: u32,
    /// Name.
    pub name: String,
    /// The text that an administrator gave it: `ip link set dev tap0 alias web1-nic`.
    pub alias: Option<String>,
    /// Hardware address on the host's side.
    pub mac: Option<Mac>,
    /// What it is.
    pub kind: LinkKind,
    /// Whether it is administratively up.
    pub is_up: bool,
}

/// What an interface is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LinkKind {
    /// The host's side of a virtual machine's network card.
    Tap,
    /// One end of a pair whose other end is in a namespace.
    Veth,
    /// A virtual machine's card on top of another interface.
    Macvtap,
    /// A tunnel to a program, without Ethernet frames.
    Tun,
    /// Hardware, or a virtual function of it.
    Hardware,
    /// Any other kind, by the kernel's name for it.
    Other(String),
}

impl LinkKind {
    /// Why policy cannot be enforced at such an interface; `None` if it can.
    pub fn obstacle(&self) -> Option<String> {
        let why = match self {
            Self::Tap | Self::Veth => return None,
            Self::Macvtap => "macvtap shows the machine's frames on the wrong side (use a tap in a bridge)",
            Self::Tun => "a tun interface carries no Ethernet frames (use a tap)",
            Self::Hardware => {
                "frames of a card that is passed through do not pass this host's network stack (use a tap in a bridge)"
            }
            Self::Other(_) => "only tap and veth interfaces are supported",
        };
        Some(format!("policy cannot be enforced at a {self} interface: {why}"))
    }

    /// Whether its hardware address says which virtual machine it belongs to. Bridges, bonds and VLANs borrow theirs.
    fn has_own_mac(&self) -> bool {
        !matches!(self, Self::Other(_) | Self::Tun)
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tap => "tap",
            Self::Veth => "veth",
            Self::Macvtap => "macvtap",
            Self::Tun => "tun",
            Self::Hardware => "hardware",
            Self::Other(kind) => kind,
        })
    }
}
