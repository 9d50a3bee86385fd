//! Counters, and the request that the sweep program answers.
//!
//! Counters are per CPU and per slot and only grow while a NIC keeps its slot; a reader sums the CPUs.

use crate::verdict::REASONS_MAX;

shared_constants! {
    /// Sweep: end the flows that have timed out.
    pub const SWEEP_EXPIRED: u32 = 0;
    /// Sweep: end the flows of one slot.
    pub const SWEEP_SLOT: u32 = 1;
    /// Sweep: end every flow.
    pub const SWEEP_ALL: u32 = 2;
}

shared_structs! {
    /// What one CPU counted for one slot. Indices of two are by [`crate::flow::Direction`].
    pub struct NicCounters {
        /// Packets that passed; a packet that the network card or the VM segments later counts as its segments.
        pub packets: [u64; 2],
        /// Bytes that passed, from the Ethernet header on.
        pub bytes: [u64; 2],
        /// Flows that began.
        pub flows_created: u64,
        /// Flows that ended.
        pub flows_ended: u64,
        /// Packets by direction, then by [`crate::verdict::Reason`].
        pub reasons: [u64; 2 * REASONS_MAX],
    }

    /// What the sweep is asked for, and what it answers.
    pub struct SweepRequest {
        /// One of `SWEEP_*`.
        pub mode: u32,
        /// The slot, for [`SWEEP_SLOT`].
        pub slot: u32,
        /// Answer: flows that stay.
        pub live: u64,
        /// Answer: flows removed.
        pub ended: u64,
    }
}
