//! What a machine may have instead of an interface of this host: devices whose frames pass the network stack by.
//!
//! Nothing can be enforced there, so nothing is done with them but to say so: a NIC that has one is never reported as
//! enforced, nor as being on another host. Found are vhost-user sockets, vDPA devices, virtual functions, and whole cards
//! that were handed to a machine or a program. Where the system is silent (no `/sys`, an old card) nothing is found;
//! that a device is missing here proves nothing. The places are parameters, so that tests can make up a host.
//!
//! References: `Documentation/ABI/testing/sysfs-bus-pci`, `sysfs-bus-vdpa`; the vhost-user protocol of QEMU.

mod pci;
mod sockets;
#[cfg(test)]
mod tests;
mod vdpa;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use palisade_net::Mac;

use super::{Link, dump};

/// Where the system tells of devices and sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// The device tree.
    pub sys: PathBuf,
    /// The list of Unix sockets.
    pub sockets: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { sys: "/sys".into(), sockets: "/proc/net/unix".into() }
    }
}

/// A device whose frames pass this host's network stack by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bypass {
    /// What it is.
    pub kind: BypassKind,
    /// What the system calls it, and what a NIC's tag may therefore call it. The first is its proper name.
    pub names: Vec<String>,
    /// The machine's hardware address, if the system tells it.
    pub mac: Option<Mac>,
    /// The driver that holds it; a socket has none.
    pub driver: Option<String>,
}

/// What such a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BypassKind {
    /// A socket over which a machine and a switch in user space share memory.
    VhostUser,
    /// A card that takes a machine's frames from its memory.
    Vdpa,
    /// A part of a card that was handed out.
    VirtualFunction,
    /// A whole card that was handed out.
    Card,
}

impl Bypass {
    /// Why nothing can be enforced there, and what to use.
    pub const fn why(&self) -> &'static str {
        match self.kind {
            BypassKind::VhostUser => {
                "its frames go through memory that the machine shares with a program, not through this host's network \
                 stack (use a tap in a bridge)"
            }
            BypassKind::Vdpa => {
                "its frames go through memory that the machine shares with a card, not through this host's network \
                 stack (use a tap in a bridge)"
            }
            BypassKind::VirtualFunction | BypassKind::Card => {
                "frames of a card that is passed through do not pass this host's network stack (use a tap in a bridge)"
            }
        }
    }

    /// Whether a NIC's tag names it.
    pub fn is_called(&self, tag: &str) -> bool {
        self.names.iter().any(|name| name == tag)
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            BypassKind::VhostUser => "vhost-user socket",
            BypassKind::Vdpa => "vDPA device",
            BypassKind::VirtualFunction => "SR-IOV virtual function",
            BypassKind::Card => "network card",
        };
        write!(f, "{kind} {}", self.names.first().map_or("", String::as_str))?;
        self.driver.as_ref().map_or(Ok(()), |driver| write!(f, " (driver {driver})"))
    }
}

/// The hardware address of a virtual function, as its card has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionMac {
    /// PCI address of the card.
    pub card: String,
    /// The card's number for it.
    pub number: u32,
    /// Its hardware address.
    pub mac: Mac,
}

/// What the cards behind these interfaces say of their virtual functions.
pub fn functions(roots: &Roots, links: &[Link]) -> Vec<FunctionMac> {
    let cards = links.iter().filter_map(|link| Some((link, link.card.as_ref()?)));
    let with_functions = cards.filter(|(_, card)| pci::has_functions(roots, card));
    with_functions
        .flat_map(|(link, card)| {
            // A card that does not answer has functions without addresses: they are then known by their names only.
            let told = dump::virtual_functions(link.index).unwrap_or_default();
            told.into_iter().map(|(number, mac)| FunctionMac { card: card.clone(), number, mac })
        })
        .collect()
}

/// Every such device of the host. `tags` are the names that NICs give their interfaces.
pub fn find<'a>(
    roots: &Roots,
    functions: &[FunctionMac],
    tags: impl IntoIterator<Item = &'a str>,
) -> Vec<Bypass> {
    let mut found = pci::functions(roots, functions);
    found.extend(vdpa::devices(roots, &found));
    found.extend(pci::cards(roots));
    found.extend(sockets::named(roots, tags));
    found
}

/// Names and paths of what is in a directory, in the order of the names; nothing if there is no directory.
fn entries(dir: &Path) -> Vec<(String, PathBuf)> {
    let each = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        each.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    found.sort();
    found
}

/// The last part of what a symbolic link points to.
fn target_name(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}
