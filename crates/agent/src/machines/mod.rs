//! Virtual machines that run on this host, and the interfaces that they have: for people who are to say which NIC is whose,
//! and for a server that is to know which NICs are here.
//!
//! Nothing is enforced by what is found here, and a machine that is not found is not less enforced: processes may hide their
//! arguments. Found are QEMU's machines, with and without libvirt, Firecracker's and Cloud Hypervisor's, by their command
//! lines, their open tap devices and libvirt's own records. Only processes of this network namespace count: another's
//! interfaces may have the same names. The places are parameters, so that tests can make up a host.
//!
//! References: qemu(1) `-netdev`, `-device`, `-nic`; `Documentation/networking/tuntap.rst` (`iff` in fdinfo); libvirt's
//! `domstatus` files; the configuration files of Firecracker; `cloud-hypervisor --help`.

mod firecracker;
mod libvirt;
mod options;
mod process;
mod qemu;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use palisade_net::Mac;
use serde::Serialize;

use crate::interfaces::Link;
use process::Process;

/// Machines of one host.
pub const MACHINES_MAX: usize = 4_096;

/// Where the system tells of machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Processes.
    pub proc: PathBuf,
    /// Libvirt's records of running machines.
    pub libvirt: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { proc: "/proc".into(), libvirt: "/run/libvirt/qemu".into() }
    }
}

/// A machine that runs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its name, as its hypervisor has it; its process id if it has none.
    pub name: String,
    /// What runs it.
    pub hypervisor: Hypervisor,
    /// Its process.
    pub pid: u32,
    /// Its cards that have an interface of this host.
    pub cards: Vec<Card>,
}

/// What runs machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hypervisor {
    /// QEMU, by hand.
    Qemu,
    /// QEMU, by libvirt.
    Libvirt,
    /// Firecracker.
    Firecracker,
    /// Cloud Hypervisor.
    CloudHypervisor,
}

impl Hypervisor {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qemu => "QEMU",
            Self::Libvirt => "libvirt",
            Self::Firecracker => "Firecracker",
            Self::CloudHypervisor => "Cloud Hypervisor",
        }
    }
}

/// A network card of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    /// The interface of this host.
    pub interface: String,
    /// The machine's hardware address, if the hypervisor was told one.
    #[serde(serialize_with = "crate::identity::write_mac")]
    pub mac: Option<Mac>,
}

/// Every machine that can be seen, by name. `links` are this host's interfaces.
pub fn find(places: &Places, links: &[Link]) -> Vec<Machine> {
    let processes = fs::read_dir(&places.proc).into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let seen = pids.filter_map(|pid| Process::open(&places.proc, pid));
    let mut machines: Vec<Machine> =
        seen.filter_map(|process| machine(&process, &places.proc, links)).collect();
    for domain in libvirt::domains(&places.libvirt) {
        domain.complete(&mut machines);
    }
    machines.sort_by(|a, b| (&a.name, a.pid).cmp(&(&b.name, b.pid)));
    machines.truncate(MACHINES_MAX);
    machines
}

/// The machine that a process runs, if it is a hypervisor of this namespace.
fn machine(process: &Process, proc: &Path, links: &[Link]) -> Option<Machine> {
    let program = Path::new(process.arguments.first()?).file_name()?.to_str()?;
    let (hypervisor, name, mut claims) = match program {
        "firecracker" => {
            let (name, claims) = firecracker::read(process);
            (Hypervisor::Firecracker, name, claims)
        }
        "cloud-hypervisor" => {
            (Hypervisor::CloudHypervisor, None, options::cloud_hypervisor(&process.arguments))
        }
        "kvm" | "qemu-kvm" => qemu::read(&process.arguments),
        _ if program.starts_with("qemu-system-") => qemu::read(&process.arguments),
        _ => return None,
    };
    if !process.is_here(proc) {
        return None;
    }
    let mut open = process.open_interfaces(links);
    let mut cards = Vec::new();
    for claim in claims.extract_if(.., |claim| claim.is_placed()) {
        let interface = claim
            .interface
            .clone()
            .or_else(|| claim.descriptors.iter().find_map(|descriptor| open.get(descriptor).cloned()));
        cards.extend(interface.map(|interface| Card { interface, mac: claim.mac }));
    }
    open.retain(|_, interface| cards.iter().all(|card| card.interface != *interface));
    let mut left: Vec<String> = open.into_values().collect();
    left.sort();
    left.dedup();
    // A device that the hypervisor opened by itself can only be the card that has none, if there is one of each.
    let lonely = if let ([_], [claim]) = (&left[..], &claims[..]) { claim.mac } else { None };
    cards.extend(left.into_iter().map(|interface| Card { interface, mac: lonely }));
    let name = name.unwrap_or_else(|| format!("process {}", process.pid));
    Some(Machine { name, hypervisor, pid: process.pid, cards })
}

/// A card as a command line has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Claim {
    interface: Option<String>,
    /// Numbers of open files of the process.
    descriptors: Vec<u32>,
    mac: Option<Mac>,
}

impl Claim {
    /// Whether the command line says which interface it has.
    const fn is_placed(&self) -> bool {
        self.interface.is_some() || !self.descriptors.is_empty()
    }
}
