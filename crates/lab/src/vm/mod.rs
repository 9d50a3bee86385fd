//! QEMU guests to try policy on: real machines with their own kernels, on taps in a bridge.
//!
//! ```text
//! guest a   guest b     kernel and initramfs of our own, one virtio network card each
//!    |         |        vm-a, vm-b: taps, where the agent enforces
//!   [    br0    ]-- third   a namespace beside the guests
//! ```
//!
//! Emulated in software (TCG): a guest boots in about three seconds, and a nested hypervisor that exists but does not
//! work, which is common on rented machines, cannot get in the way. Nothing here knows policy.

mod guest;
mod initramfs;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use guest::{Answer, Guest, Try};

use crate::error::{LabError, Result};
use crate::hosts::Addresses;
use crate::netns::ip::Batch;
use crate::netns::stage::{Lifetime, Stage};
use crate::netns::{Namespace, is_installed};

/// The part with bridge and taps.
pub const HYPERVISOR: &str = "host";
/// The part that stands beside the guests.
const THIRD: &str = "third";
/// A guest boots in about three seconds on an idle machine.
const BOOT_PATIENCE: Duration = Duration::from_secs(90);

/// The files that a guest boots from, as `scripts/guest-kernel.sh` leaves them.
#[derive(Debug, Clone)]
pub struct GuestImage {
    folder: PathBuf,
}

/// Where a guest stands on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    /// Its name; the tap is `vm-NAME` and has the alias `NAME-nic`.
    pub name: &'static str,
    /// Its addresses.
    pub addresses: Addresses,
}

/// Bridge, taps and the third host.
#[derive(Debug)]
pub struct Bench {
    stage: Stage,
    seats: Vec<Seat>,
}

impl GuestImage {
    /// The image in this folder, or what is missing.
    pub fn open(folder: impl AsRef<Path>) -> Result<GuestImage> {
        if !is_installed("qemu-system-x86_64") {
            return Err(LabError::ToolMissing { tool: "qemu-system-x86_64", package: "qemu-system-x86" });
        }
        let folder = folder.as_ref().to_owned();
        let complete = folder.join("complete");
        if complete.exists() {
            Ok(GuestImage { folder })
        } else {
            Err(LabError::NoGuestImage { folder: folder.display().to_string() })
        }
    }

    fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }
}

impl Seat {
    /// The tap on the hypervisor.
    pub fn tap(&self) -> String {
        format!("vm-{}", self.name)
    }

    /// The tap's alias, by which an estate names it.
    pub fn nic(&self) -> String {
        format!("{}-nic", self.name)
    }

    /// The network card's address.
    pub fn mac(&self) -> String {
        self.addresses.mac()
    }
}

impl Bench {
    /// Builds the wire for these guests and for the third host, which gets these addresses. All are in one /24 and /64.
    pub fn up(name: &str, lifetime: Lifetime, seats: &[Seat], third: Addresses) -> Result<Bench> {
        let stage = Stage::up(name, lifetime, &[HYPERVISOR, THIRD], |stage| {
            let (hypervisor, beside) = (stage.namespace(HYPERVISOR), stage.namespace(THIRD));
            hypervisor.configure(crate::topology::HYPERVISOR_SETTINGS)?;
            beside.configure(crate::topology::HOST_SETTINGS)?;
            wires(seats, &beside).run_in(&hypervisor)?;
            Batch::new()
                .line("link set lo up")
                .line(format!("address add {}/24 dev eth0", third.v4))
                .line(format!("address add {}/64 dev eth0 nodad", third.v6))
                .line("link set eth0 up")
                .run_in(&beside)
        })?;
        Ok(Bench { stage, seats: seats.to_vec() })
    }

    /// Boots a guest on every seat, at the same time, and waits until all answer.
    pub fn boot(&mut self, image: &GuestImage) -> Result<Vec<Guest>> {
        let folder = self.stage.folder();
        let initrd = initramfs::write(image, &folder)?;
        let mut guests = Vec::with_capacity(self.seats.len());
        for seat in &self.seats {
            let command = self.stage.command(HYPERVISOR, "qemu-system-x86_64")?;
            let guest = Guest::start(command, *seat, &image.kernel(), &initrd, &folder)?;
            self.stage.adopt(guest.process())?;
            guests.push(guest);
        }
        for guest in &mut guests {
            guest.wait_until_ready(BOOT_PATIENCE)?;
        }
        Ok(guests)
    }

    /// Namespaces, files and processes.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The third host.
    pub fn third(&self) -> Namespace {
        self.stage.namespace(THIRD)
    }

    /// Removes everything, guests included.
    pub fn down(self) -> Result<()> {
        self.stage.down()
    }
}

fn wires(seats: &[Seat], third: &Namespace) -> Batch {
    let mut batch = Batch::new();
    batch
        .line("link set lo up")
        .line("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        .line("link set br0 up")
        .line(format!("link add to-third type veth peer name eth0 netns {}", third.name()))
        .line("link set to-third master br0 up");
    for seat in seats {
        let tap = seat.tap();
        batch
            .line(format!("tuntap add dev {tap} mode tap"))
            .line(format!("link set {tap} alias {}", seat.nic()))
            .line(format!("link set {tap} master br0 up"));
    }
    batch
}
