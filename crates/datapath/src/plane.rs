//! What the agent needs of a datapath, so that it can be tested against one that is only memory.

use palisade_abi::{
    arena::{NIC_AUDIT, NIC_INVERTED, NicDescriptor},
    event::EventKind,
};

use crate::{
    counters::{RuleCounts, SlotCounters},
    error::Error,
    events::Event,
    policy::{NicKind, NicPolicy},
    sweep::{FlowRecord, Report, Sweep},
};

/// A NIC of the policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NicState {
    /// Interface number.
    pub ifindex: u32,
    /// Slot.
    pub slot: u32,
    /// How the interface shows packets.
    pub kind: NicKind,
    /// Whether nothing is enforced at it, only evaluated and counted.
    pub audit: bool,
    /// Generation that last changed this NIC's policy.
    pub generation: u64,
}

impl From<&NicDescriptor> for NicState {
    fn from(nic: &NicDescriptor) -> Self {
        let kind = if nic.flags & NIC_INVERTED == 0 { NicKind::Direct } else { NicKind::Inverted };
        let audit = nic.flags & NIC_AUDIT != 0;
        Self { ifindex: nic.ifindex, slot: nic.slot, kind, audit, generation: nic.generation }
    }
}

/// An interface that has programs of this datapath.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// Interface number.
    pub ifindex: u32,
    /// How the programs are attached.
    pub kind: NicKind,
}

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

    /// What the rules of the policy in force have counted, by name, direction and content of their list.
    fn rule_counters(&self) -> Vec<RuleCounts>;
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

    /// Removes flows that are over, and tells `sink` of each, and of those that go on if the report asks for them. They match
    /// no packet any more; this frees their places.
    ///
    /// # Errors
    /// If the kernel refuses.
    fn sweep(&mut self, report: Report, sink: &mut dyn FnMut(FlowRecord)) -> Result<Sweep, Error>;

    /// Gives `sink` what the kernel has told since the last call, `limit` events at most; how many there were. It does not
    /// wait.
    fn drain_events(&mut self, limit: usize, sink: &mut dyn FnMut(Event)) -> usize;

    /// Chooses the kinds of events that the kernel tells; at first none.
    fn set_events(&mut self, kinds: &[EventKind]);

    /// Sets the time that windows of rules are judged by: see [`crate::wall_clock_anchor`]. If it goes back, every flow is
    /// judged again on its next packet.
    fn set_anchor(&mut self, anchor: u64);

    /// Final counters of rules that no policy in force names any more. Each is handed out once, and only if it counted
    /// something. It waits for packets under way, and frees what earlier publishes replaced.
    fn take_retired(&mut self) -> Vec<RuleCounts>;
}
