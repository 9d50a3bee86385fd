//! The kernel program, loaded for one test: it judges frames of the test's making, and no interface has it.
//!
//! Each value has a pin directory of its own that disappears with it.

use std::{fs, path::PathBuf, time::Duration};

use palisade_abi::flow::Direction as Way;
use palisade_classify::enforce::PolicyBlobs;
use palisade_datapath::{
    Config, Datapath, FlowEntry, Guards, MemoryChoice, NicPolicy, Outcome, Plane, Sizes, TestPacket,
};
use palisade_net::Direction;

use crate::pins;

/// The loopback interface: test runs need an interface that exists, and nothing is attached to it.
const LOOPBACK: u32 = 1;
const SLOT: u32 = 1;
/// The first kernel that has all that the program uses (tcx links are the youngest part; arenas are optional).
const KERNEL_MIN: (u32, u32) = (6, 6);

/// A loaded kernel program with one NIC.
#[derive(Debug)]
pub struct Kernel {
    datapath: Datapath,
    pin_dir: PathBuf,
}

impl Kernel {
    /// Most flows that the table surely holds.
    pub const FLOWS_MAX: u32 = 4096;

    /// A program without policy; `None`, with the reason printed, where this process cannot have one.
    ///
    /// # Panics
    /// If the program should load here and does not.
    pub fn open(memory: MemoryChoice) -> Option<Self> {
        if let Some(reason) = obstacle() {
            println!("skipped: {reason}");
            return None;
        }
        let pin_dir = pins::fresh();
        let mut config = Config::new(&pin_dir);
        config.sizes = Sizes { flows: 2 * Self::FLOWS_MAX, slots: 4 };
        config.memory = memory;
        config.grace = Duration::ZERO;
        let datapath = Datapath::open(&config).unwrap_or_else(|error| panic!("{error}: {error:?}"));
        Some(Self { datapath, pin_dir })
    }

    /// Puts a policy into force.
    ///
    /// # Panics
    /// If it is refused.
    pub fn publish(&mut self, blobs: &PolicyBlobs) {
        // What guards say is tested elsewhere: here the rules alone speak.
        let nic = NicPolicy { guards: Guards::NONE, ..NicPolicy::new(LOOPBACK, SLOT) };
        self.datapath.publish(&[nic.with_rules(blobs)]).expect("compiled policy is published");
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
