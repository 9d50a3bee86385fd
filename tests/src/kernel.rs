//! The kernel program, loaded for one test: it judges frames of the test's making, and no interface has it.
//!
//! Each value has a pin directory of its own that disappears with it.

use std::{fs, path::PathBuf};

use palisade_abi::flow::Direction as Way;
use palisade_classify::enforce::PolicyBlobs;
use palisade_datapath::{Config, Datapath, FlowEntry, Guards, NicPolicy, Outcome, Plane, Sizes, TestPacket};
use palisade_net::Direction;

use crate::pins;

/// The loopback interface: test runs need an interface that exists, and nothing is attached to it.
const LOOPBACK: u32 = 1;
const SLOT: u32 = 1;
/// The first kernel that has all that the program uses (BPF arenas are the youngest part).
const KERNEL_MIN: (u32, u32) = (6, 9);

/// A loaded kernel program with one NIC.
#[derive(Debug)]
pub struct Kernel {
    datapath: Datapath,
    pin_dir: PathBuf,
}

impl Kernel {
    /// Flows that one test has at a time at most; the table is so much larger that each finds a place.
    pub const FLOWS_MAX: u32 = 2048;

    /// A program without policy; `None`, with the reason printed, where this process cannot have one.
    ///
    /// # Panics
    /// If the program should load here and does not.
    pub fn open() -> Option<Self> {
        if let Some(reason) = obstacle() {
            println!("skipped: {reason}");
            return None;
        }
        let pin_dir = pins::fresh();
        let mut config = Config::new(&pin_dir);
        config.sizes = Sizes { flows: 4 * Self::FLOWS_MAX, slots: 4 };
        let datapath = Datapath::open(&config).unwrap_or_else(|error| panic!("{error}: {error:?}"));
        Some(Self { datapath, pin_dir })
    }

    /// Puts a policy into force, at a NIC without guards that takes connections in the middle for new.
    ///
    /// # Panics
    /// If it is refused.
    pub fn publish(&mut self, blobs: &PolicyBlobs) {
        let nic = NicPolicy::new(LOOPBACK, SLOT).with_rules(blobs);
        let nic = NicPolicy { guards: Guards::NONE, loose_tcp: true, ..nic };
        self.datapath.publish(&[nic]).expect("compiled policy is published");
    }

    /// Judges frames one after the other; those that begin a flow are remembered.
    ///
    /// # Panics
    /// If the kernel does not run the program.
    pub fn judge<'f>(&self, frames: impl IntoIterator<Item = (Direction, &'f [u8])>) -> Vec<Outcome> {
        let packet = |(direction, bytes)| TestPacket {
            direction: match direction {
                Direction::Inbound => Way::Inbound,
                Direction::Outbound => Way::Outbound,
            },
            ifindex: LOOPBACK,
            bytes,
            segments: (0, 0),
        };
        self.datapath.run_packets(frames.into_iter().map(packet)).expect("the kernel takes the frames")
    }

    /// The flows that are remembered.
    pub fn flows(&self) -> Vec<FlowEntry> {
        self.datapath.flows().collect()
    }

    /// Forgets every flow, so that the next frame of each is judged by the rules.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn forget_flows(&mut self) {
        self.datapath.clear_flows().expect("flows are removable");
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // No interface has the program, so its pins are all that keeps it.
        let _ = fs::remove_dir_all(&self.pin_dir);
    }
}

/// What keeps this process from loading the kernel program, if anything does.
pub fn obstacle() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("loading a kernel program needs root".to_owned());
    }
    let release = nix::sys::utsname::uname().ok()?.release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    let (major, minor) = KERNEL_MIN;
    (version < KERNEL_MIN).then(|| format!("kernel {release} is older than {major}.{minor}"))
}
