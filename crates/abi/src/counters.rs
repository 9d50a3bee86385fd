//! Counters of NICs, per CPU, and of rules.
//!
//! They only grow while a NIC keeps its slot, or a rule list its place; a reader sums the CPUs or the shards.

use crate::verdict::REASONS_MAX;

shared_constants! {
    /// Copies of a list's rule counters, so that CPUs rarely meet; a CPU uses copy `cpu % shards`.
    pub const RULE_COUNTER_SHARDS: u32 = 4;
}

shared_structs! {
    /// What one CPU counted for one slot. Indices of two are by [`crate::flow::Direction`].
    pub struct NicCounters {
        /// Bytes that passed, from the Ethernet header on.
        pub bytes: [u64; 2],
        /// Flows that began.
        pub flows_created: u64,
        /// Flows whose place was freed.
        pub flows_ended: u64,
        /// Flows that a change of policy or the end of a rule's time cut.
        pub flows_cut: u64,
        /// Flows judged again and still allowed.
        pub flows_rejudged: u64,
        /// Flows that pass only because what would deny them is in audit.
        pub flows_audited: u64,
        /// Events that were lost because the ring was full, or not told because there were too many.
        pub events_lost: u64,
        /// Packets by direction, then by [`crate::verdict::Reason`]; a packet that the network card or the VM segments later
        /// counts as its segments.
        pub reasons: [u64; 2 * REASONS_MAX],
    }

    /// Packets that a rule decided about: one for each new flow or denied packet. The counters of a list stand one after the
    /// other, a copy of the whole list for each shard.
    pub struct RuleCounters {
        /// New flows, and packets without a flow, that it allowed.
        pub allowed: u64,
        /// Packets that it denied, or would deny if it or its list were not in audit.
        pub denied: u64,
    }

    /// The kernel's time, as the program that tells it answers.
    pub struct Clock {
        /// Kernel tick (jiffies), in which flows are dated.
        pub tick: u64,
    }
}
