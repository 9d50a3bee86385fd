//! The network interfaces of this host, as far as finding a virtual machine's one needs them.
//!
//! [`dump`] asks the kernel, [`bypass`] looks for what machines may have instead of an interface, [`matching`] decides
//! which of them is which NIC. None knows policy. Whether an interface can be enforced at, and on which side it shows
//! a machine's frames, is its kind's property and decided here. What it is a port of (a bridge, a bond, an Open vSwitch
//! datapath) is not asked: tcx stands before all of them, and stays at an interface that is moved between them.

pub mod bypass;
pub mod dump;
pub mod matching;
pub mod watch;

use std::fmt;
use std::io;

use bypass::{Bypass, Roots};
use palisade_datapath::NicKind;
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
    /// The PCI address of the card behind it, if there is one: `0000:03:00.0`.
    pub card: Option<String>,
    /// Whether it is administratively up.
    pub is_up: bool,
}

#[cfg(test)]
impl Link {
    /// A machine's tap that is up.
    pub(crate) fn tap(index: u32, alias: &str) -> Self {
        Self {
            index,
            name: format!("tap{index}"),
            alias: Some(alias.to_owned()),
            mac: None,
            kind: LinkKind::Tap,
            card: None,
            is_up: true,
        }
    }
}

/// What a host has for machines: interfaces, and what stands in the place of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Interfaces of this network namespace.
    pub links: Vec<Link>,
    /// Devices whose frames pass the host's network stack by.
    pub bypasses: Vec<Bypass>,
}

impl Inventory {
    /// Looks at this host. `tags` are the names that NICs give their interfaces; some may be those of sockets.
    ///
    /// # Errors
    /// If the interfaces cannot be listed. What stands beside them is found as far as the system shows it.
    pub fn take<'a>(roots: &Roots, tags: impl IntoIterator<Item = &'a str>) -> io::Result<Self> {
        let links = dump::links()?;
        let bypasses = bypass::find(roots, &bypass::functions(roots, &links), tags);
        Ok(Self { links, bypasses })
    }
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
    /// The host's handle on a port inside a card that switches by itself.
    Representor,
    /// Any other kind, by the kernel's name for it.
    Other(String),
}

impl LinkKind {
    /// How policy is enforced at such an interface.
    ///
    /// # Errors
    /// Why it cannot be, and what to use.
    pub fn enforced_as(&self) -> Result<NicKind, String> {
        let why = match self {
            Self::Tap | Self::Veth => return Ok(NicKind::Direct),
            // What the machine sends leaves through the interface, and what is for the machine comes in by it.
            Self::Macvtap => return Ok(NicKind::Inverted),
            Self::Tun => "a tun interface carries no Ethernet frames (use a tap)",
            Self::Hardware => {
                "frames of a card that is passed through do not pass this host's network stack (use a tap in a bridge)"
            }
            Self::Representor => {
                "a representor shows only the frames that its card does not forward by itself (use a tap in a bridge)"
            }
            Self::Other(_) => "only tap, veth and macvtap interfaces are supported",
        };
        Err(format!("policy cannot be enforced at a {self} interface: {why}"))
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
            Self::Representor => "representor",
            Self::Other(kind) => kind,
        })
    }
}
