//! What is counted, summed up: for a NIC, and for the rules of a layer.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hasher},
    sync::Arc,
};

use palisade_abi::{
    counters::{NicCounters, RuleCounters},
    flow::Direction,
    verdict::{REASONS_MAX, Reason},
};

/// Counters of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectionCounters {
    /// Bytes that passed.
    pub bytes: u64,
    /// Packets by reason, those that are not zero.
    pub reasons: BTreeMap<Reason, u64>,
}

impl DirectionCounters {
    /// Packets that passed.
    pub fn packets(&self) -> u64 {
        self.sum(|reason| !reason.is_drop())
    }

    /// Packets that were dropped.
    pub fn dropped(&self) -> u64 {
        self.sum(Reason::is_drop)
    }

    fn sum(&self, counts: impl Fn(Reason) -> bool) -> u64 {
        self.reasons.iter().filter(|(reason, _)| counts(**reason)).map(|(_, packets)| packets).sum()
    }
}

/// Counters of one slot, summed over the CPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotCounters {
    /// Packets from the VM.
    pub outbound: DirectionCounters,
    /// Packets to the VM.
    pub inbound: DirectionCounters,
    /// Flows in the table at this moment, those included that are over and await the sweep.
    pub flows: u64,
    /// Those of them that are TCP connections whose handshake is not over.
    pub half_open: u64,
    /// Flows that began.
    pub flows_created: u64,
    /// Flows that a change of policy or the end of a rule's time cut.
    pub flows_cut: u64,
    /// Flows judged again and still allowed.
    pub flows_rejudged: u64,
    /// Flows that pass only because what would deny them is in audit.
    pub flows_audited: u64,
    /// Events that were lost, or not told because there were too many.
    pub events_lost: u64,
}

impl SlotCounters {
    /// Flows that ended: those that began and are not in the table any more.
    pub fn flows_ended(&self) -> u64 {
        self.flows_created.saturating_sub(self.flows)
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
        self.flows_cut += counts.flows_cut;
        self.flows_rejudged += counts.flows_rejudged;
        self.flows_audited += counts.flows_audited;
        self.events_lost += counts.events_lost;
        for (index, direction) in [&mut self.outbound, &mut self.inbound].into_iter().enumerate() {
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

/// Names the content of a policy blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobDigest(u64);

impl BlobDigest {
    /// The digest of a blob. It is compared within one process only.
    pub fn of(blob: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(blob);
        Self(hasher.finish())
    }
}

/// What the rules of one layer counted, for all NICs that share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCounts {
    /// Name that the layer was published under.
    pub name: Arc<str>,
    /// Which packets it judges.
    pub direction: Direction,
    /// The rules.
    pub blob: BlobDigest,
    /// For each rule, in the blob's order.
    pub rows: Vec<RuleCounters>,
}
