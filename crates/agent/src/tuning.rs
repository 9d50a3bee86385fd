//! How much of a host the flows of its machines may take.
//!
//! Numbers only; what they mean is enforced in the kernel. Every one has a default that its field explains.

use std::time::Duration;

use palisade_datapath::{Limits, Sizes};

/// The numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Flows of the whole host, IPv4 and IPv6 together. Memory for all of them is taken when the table is made; a table
    /// that is taken over keeps its size.
    pub flows: u32,
    /// Flows of one NIC at one time; never more than half of the table, so that no NIC can fill it for the others.
    pub nic_flows: u32,
    /// TCP connections of one NIC at one time whose handshake is not over.
    pub nic_half_open: u32,
    /// How long after an interface was first attached TCP connections that are under way there go by the rules, though
    /// nobody saw them begin.
    pub grace: Duration,
}

impl Tuning {
    /// Twice what one NIC may have: 204 MiB.
    pub const FLOWS: u32 = 1_000_000;
    /// Azure's limit.
    pub const NIC_FLOWS: u32 = 500_000;
    /// A twentieth of the flows. A connection nobody answers is half-open for 30 seconds, so this lasts for 800 new ones a
    /// second, and a flood of SYNs takes no more than that from the machine's other connections.
    pub const NIC_HALF_OPEN: u32 = 25_000;
    /// A minute: long enough for connections that are in use, and for machines of a whole host to be attached.
    pub const GRACE_S: u64 = 60;
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            flows: Self::FLOWS,
            nic_flows: Self::NIC_FLOWS,
            nic_half_open: Self::NIC_HALF_OPEN,
            grace: Duration::from_secs(Self::GRACE_S),
        }
    }
}

impl Tuning {
    /// The sizes of a new datapath.
    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { flows: self.flows, ..Sizes::default() }
    }

    /// What one NIC may take.
    pub(crate) fn limits(&self) -> Limits {
        let flows = self.nic_flows.min(self.flows / 2);
        Limits { flows, half_open: self.nic_half_open.min(flows) }
    }
}
