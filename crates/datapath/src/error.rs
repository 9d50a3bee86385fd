//! What can go wrong between this process and the kernel, in words that say what to do.

use std::{io, path::PathBuf};

use palisade_abi::{arena::WORKING_SET_MAX, verdict::Layer};
use palisade_classify::blob::BlobError;
use palisade_net::Family;

use crate::policy::Throttle;

/// Why a datapath operation did not happen. After an error the policy that was in force still is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("cannot {action}")]
    System {
        /// What was tried, such as "pin the map arena".
        action: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel refused the program or one of its maps.
    #[error("the kernel refused the program (see `palisade doctor`)")]
    Load {
        /// libbpf's account.
        source: libbpf_rs::Error,
    },
    /// The pin directory is not on a BPF file system.
    #[error("{} is not on a BPF file system: mount one (mount -t bpf bpf /sys/fs/bpf), or choose a directory on one", .dir.display())]
    NotBpffs {
        /// The pin directory.
        dir: PathBuf,
    },
    /// The pin directory has no name of its own.
    #[error("{} cannot be a pin directory: name a directory inside a BPF file system", .dir.display())]
    BadPinDir {
        /// The pin directory.
        dir: PathBuf,
    },
    /// Another process is the writer of this pin directory.
    #[error("{} is in use by another palisade process: stop it, or choose another pin directory", .dir.display())]
    Busy {
        /// The pin directory.
        dir: PathBuf,
    },
    /// Nothing is pinned there.
    #[error("no datapath is loaded at {}: start the agent", .dir.display())]
    NotLoaded {
        /// The pin directory.
        dir: PathBuf,
    },
    /// This user may not open what is pinned.
    #[error("{} cannot be opened by this user (run as root)", .path.display())]
    NotPermitted {
        /// The pin, or a directory on the way to it.
        path: PathBuf,
    },
    /// Somebody else could change what is pinned there.
    #[error(
        "{} belongs to another user or can be changed by one, who could end enforcement: remove it, or make it root's \
         (chown root, chmod 700)", .dir.display()
    )]
    Untrusted {
        /// The directory.
        dir: PathBuf,
    },
    /// The BPF file system is only in this process's mount namespace.
    #[error(
        "what is pinned at {} would vanish with this process's mount namespace, and enforcement with it: enter only \
         the network namespace (nsenter --net=/run/netns/NAME palisade ..., not `ip netns exec`)", .dir.display()
    )]
    Fleeting {
        /// The pin directory.
        dir: PathBuf,
    },
    /// The pinned state has another layout than this program, and cannot be taken over.
    #[error(
        "the datapath at {} has layout {found}, this program knows layout {expected}: use the palisade that loaded it or a \
         newer one (palisade --version), or end enforcement with that one (palisade detach)", .dir.display()
    )]
    Version {
        /// The pin directory.
        dir: PathBuf,
        /// Layout version of what is pinned.
        found: u32,
        /// [`palisade_abi::ABI_VERSION`].
        expected: u32,
    },
    /// The pinned state has an older layout; the agent of this version takes it over.
    #[error(
        "the datapath at {} has the older layout {found}, this program knows layout {expected}: it enforces, and the agent of \
         this version takes it over when it starts", .dir.display()
    )]
    Older {
        /// The pin directory.
        dir: PathBuf,
        /// Layout version of what is pinned.
        found: u32,
        /// [`palisade_abi::ABI_VERSION`].
        expected: u32,
    },
    /// The pinned state is not what this program pins.
    #[error("the datapath at {} is damaged ({what}): stop enforcement and remove the directory", .dir.display())]
    Damaged {
        /// The pin directory.
        dir: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A policy blob contradicts itself.
    #[error("the {layer} policy of the NIC in slot {slot} cannot be published")]
    Blob {
        /// Slot of the NIC.
        slot: u32,
        /// The layer that the blob was for.
        layer: Layer,
        /// What is wrong with it.
        source: BlobError,
    },
    /// The memory has no room for the new policy beside the one in force.
    #[error(
        "the policy needs {needed} more bytes and the shared memory has {free} free: fewer or smaller rule lists fit"
    )]
    MemoryFull {
        /// Bytes of the piece that did not fit.
        needed: usize,
        /// Free bytes, in one or several pieces.
        free: usize,
    },
    /// A size that a datapath cannot have.
    #[error("a datapath of {value} {field} cannot be made: choose between 1 and {max}")]
    Size {
        /// "flows" or "slots".
        field: &'static str,
        /// What was asked for.
        value: u32,
        /// The most that fits.
        max: u32,
    },
    /// A NIC whose frames are to be compared with a hardware address that it does not have.
    #[error(
        "the NIC in slot {slot} has the MAC guard and no MAC address: give it one, or take the guard off"
    )]
    NoMac {
        /// Slot of the NIC.
        slot: u32,
    },
    /// A NIC owns too many ranges of addresses.
    #[error("the NIC in slot {slot} owns {got} ranges of {family} addresses, it may own {max}")]
    TooManyRanges {
        /// Slot of the NIC.
        slot: u32,
        /// Family of the addresses.
        family: Family,
        /// Ranges that it owns.
        got: usize,
        /// [`palisade_abi::arena::OWNED_RANGES_MAX`].
        max: usize,
    },
    /// A throttle that is none.
    #[error(
        "the throttle of the NIC in slot {slot} lets {per_second} new destinations a second pass, with a working set of \
         {working_set}: give 1 to {rate_max}, and 1 to {set_max}",
        per_second = .throttle.per_second,
        working_set = .throttle.working_set,
        rate_max = Throttle::PER_SECOND_MAX,
        set_max = WORKING_SET_MAX
    )]
    Throttle {
        /// Slot of the NIC.
        slot: u32,
        /// What it would be.
        throttle: Throttle,
    },
    /// A layer has too long a name.
    #[error("the name of the {layer} policy of the NIC in slot {slot} has {bytes} bytes, it may have {max}")]
    LayerName {
        /// Slot of the NIC.
        slot: u32,
        /// The layer.
        layer: Layer,
        /// Bytes of the name.
        bytes: usize,
        /// [`crate::LAYER_NAME_BYTES_MAX`].
        max: usize,
    },
    /// More NICs than one host may have.
    #[error("the policy has {got} NICs, one host may have {max}")]
    TooManyNics {
        /// NICs in the policy.
        got: usize,
        /// [`palisade_abi::arena::NICS_MAX`].
        max: usize,
    },
    /// Two NICs of the policy share an interface or a slot, or the value cannot be one.
    #[error("NIC {field} {value} is used twice or is out of range (1 to {max})")]
    BadNic {
        /// "interface" or "slot".
        field: &'static str,
        /// The offending value.
        value: u32,
        /// The largest value allowed.
        max: u32,
    },
    /// Interface numbers that leave no place in the table.
    #[error("the interface numbers of the policy collide in a table of {entries} entries")]
    Crowded {
        /// Size of the largest table that was tried.
        entries: usize,
    },
    /// A test run did not count exactly one reason.
    #[error("the test packet on interface {ifindex} counted no single reason: is other traffic on its slot?")]
    Ambiguous {
        /// Interface of the test packet.
        ifindex: u32,
    },
}

/// Attaches what was tried to an operating system error.
pub(crate) trait Context<T> {
    /// `action` completes the sentence "cannot ...".
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::System { action: action(), source })
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|errno| Error::System { action: action(), source: errno.into() })
    }
}

impl<T> Context<T> for libbpf_rs::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|error| Error::System { action: action(), source: io::Error::other(error) })
    }
}
