//! What a caller publishes, and what it reads back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use palisade_abi::{
    arena::{NIC_INVERTED, NICS_MAX, NicDescriptor, SLOT_UNKNOWN},
    counters::NicCounters,
    flow::{Direction, FLOW_STATES, FLOW_TIMEOUTS_S, FlowState},
    verdict::{LAYERS, Layer, REASONS_MAX, Reason},
};

use crate::error::Error;

/// How an interface shows its VM's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NicKind {
    /// Packets from the VM come in (tap, and the host's end of a veth pair).
    Direct,
    /// Packets from the VM go out (macvtap).
    Inverted,
}

/// The policy of one NIC: a blob for each layer, `None` where the layer has no rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicPolicy {
    /// Interface number on this host.
    pub ifindex: u32,
    /// The NIC's number as long as the host knows it, from 1. Flows and counters belong to the slot: a slot that was
    /// out of the policy starts without flows.
    pub slot: u32,
    /// How the interface shows packets.
    pub kind: NicKind,
    /// Packets to the VM, in evaluation order: admin, subnet, NIC.
    pub inbound: [Option<Arc<[u8]>>; LAYERS],
    /// Packets from the VM, in evaluation order: admin, NIC, subnet.
    pub outbound: [Option<Arc<[u8]>>; LAYERS],
}

/// Evaluation order of the layers for packets to the VM.
pub const LAYERS_INBOUND: [Layer; LAYERS] = [Layer::Admin, Layer::Subnet, Layer::NetworkInterface];
/// Evaluation order of the layers for packets from the VM.
pub const LAYERS_OUTBOUND: [Layer; LAYERS] = [Layer::Admin, Layer::NetworkInterface, Layer::Subnet];

impl NicPolicy {
    /// Every blob of the NIC, with the layer that it decides for.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = (Layer, &Arc<[u8]>)> {
        let inbound = LAYERS_INBOUND.into_iter().zip(&self.inbound);
        let outbound = LAYERS_OUTBOUND.into_iter().zip(&self.outbound);
        inbound.chain(outbound).filter_map(|(layer, blob)| Some((layer, blob.as_ref()?)))
    }
}

/// Checks that a policy's NICs are not too many and that each has an interface and a slot of its own.
pub(crate) fn check(nics: &[NicPolicy], slot_max: u32) -> Result<(), Error> {
    if nics.len() > NICS_MAX {
        return Err(Error::TooManyNics { got: nics.len(), max: NICS_MAX });
    }
    let (mut slots, mut interfaces) = (BTreeSet::new(), BTreeSet::new());
    for nic in nics {
        if nic.slot == SLOT_UNKNOWN || nic.slot > slot_max || !slots.insert(nic.slot) {
            return Err(Error::BadNic { field: "slot", value: nic.slot, max: slot_max });
        }
        if nic.ifindex == 0 || nic.ifindex > i32::MAX as u32 || !interfaces.insert(nic.ifindex) {
            return Err(Error::BadNic { field: "interface", value: nic.ifindex, max: i32::MAX as u32 });
        }
    }
    Ok(())
}

/// A NIC of the policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NicState {
    /// Interface number.
    pub ifindex: u32,
    /// Slot.
    pub slot: u32,
    /// How the interface shows packets.
    pub kind: NicKind,
    /// Generation that last changed this NIC's rules.
    pub generation: u64,
}

impl From<&NicDescriptor> for NicState {
    fn from(nic: &NicDescriptor) -> Self {
        let kind = if nic.flags & NIC_INVERTED == 0 { NicKind::Direct } else { NicKind::Inverted };
        Self { ifindex: nic.ifindex, slot: nic.slot, kind, generation: nic.generation }
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

/// Counters of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectionCounters {
    /// Packets that passed.
    pub packets: u64,
    /// Bytes that passed.
    pub bytes: u64,
    /// Packets by reason, those that are not zero.
    pub reasons: BTreeMap<Reason, u64>,
}

impl DirectionCounters {
    /// Packets that were dropped.
    pub fn dropped(&self) -> u64 {
        self.reasons.iter().filter(|(reason, _)| reason.is_drop()).map(|(_, packets)| packets).sum()
    }
}

/// Counters of one slot, summed over the CPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotCounters {
    /// Packets from the VM.
    pub outbound: DirectionCounters,
    /// Packets to the VM.
    pub inbound: DirectionCounters,
    /// Flows that began.
    pub flows_created: u64,
    /// Flows that ended.
    pub flows_ended: u64,
}

impl SlotCounters {
    /// Flows in the table, those included that have timed out and await the sweep.
    pub fn flows(&self) -> u64 {
        self.flows_created.saturating_sub(self.flows_ended)
    }

    /// Counters of a direction.
    pub fn direction(&self, direction: Direction) -> &DirectionCounters {
        match direction {
            Direction::Outbound => &self.outbound,
            Direction::Inbound => &self.inbound,
        }
    }

    /// Adds what one CPU counted.
    pub(crate) fn add(&mut self, counts: &NicCounters) {
        self.flows_created += counts.flows_created;
        self.flows_ended += counts.flows_ended;
        for (index, direction) in [&mut self.outbound, &mut self.inbound].into_iter().enumerate() {
            direction.packets += counts.packets[index];
            direction.bytes += counts.bytes[index];
            for reason in Reason::ALL {
                let packets = counts.reasons[index * REASONS_MAX + *reason as usize];
                if packets > 0 {
                    *direction.reasons.entry(*reason).or_default() += packets;
                }
            }
        }
    }
}

/// What a sweep found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Flows that stay.
    pub live: u64,
    /// Flows that were removed.
    pub ended: u64,
}

/// Idle timeouts in seconds, by [`FlowState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts([u32; FLOW_STATES]);

impl Default for Timeouts {
    fn default() -> Self {
        Self(FLOW_TIMEOUTS_S)
    }
}

impl Timeouts {
    /// The same with another timeout for one state.
    #[must_use]
    pub fn with(mut self, state: FlowState, seconds: u32) -> Self {
        self.0[state as usize] = seconds;
        self
    }

    /// In kernel ticks.
    pub(crate) fn ticks(self, per_second: u32) -> [u32; FLOW_STATES] {
        self.0.map(|seconds| seconds.saturating_mul(per_second))
    }
}
