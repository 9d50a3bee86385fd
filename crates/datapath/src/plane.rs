//! What the agent needs of a datapath, so that it can be tested against one that is only memory.

use crate::{
    error::Error,
    policy::{Attachment, NicKind, NicPolicy, NicState, SlotCounters, Sweep},
};

/// Reading: what is in force, and what was counted.
pub trait Watch {
    /// Number of the policy in force; 0 before the first publish.
    fn generation(&self) -> u64;

    /// NICs of the policy in force.
    fn nics(&self) -> Vec<NicState>;

    /// Interfaces that have the programs.
    ///
    /// # Errors
    /// If the pinned links cannot be read.
    fn attached(&self) -> Result<Vec<Attachment>, Error>;

    /// Counters of a slot; [`palisade_abi::arena::SLOT_UNKNOWN`] is that of interfaces without a descriptor.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn counters(&self, slot: u32) -> Result<SlotCounters, Error>;
}

/// Changing: the host's policy and where it is enforced.
pub trait Plane: Watch {
    /// Puts a policy into force in place of the one before, for all NICs at one instant; its generation.
    ///
    /// # Errors
    /// Then the policy that was in force still is.
    fn publish(&mut self, nics: &[NicPolicy]) -> Result<u64, Error>;

    /// Enforces at an interface; without a descriptor in force everything there drops. Idempotent.
    ///
    /// # Errors
    /// If the kernel refuses, for example because the interface is gone.
    fn attach(&mut self, ifindex: u32, kind: NicKind) -> Result<(), Error>;

    /// Stops to enforce at an interface. Idempotent.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn detach(&mut self, ifindex: u32) -> Result<(), Error>;

    /// Removes flows that are over. They match no packet any more; this frees their places.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn sweep(&mut self) -> Result<Sweep, Error>;
}
