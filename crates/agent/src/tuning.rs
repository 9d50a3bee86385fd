//! How much of a host the flows of its machines may take.
//!
//! Numbers only; what they mean is enforced in the kernel, and their defaults are the datapath's.

use std::time::Duration;

use palisade_datapath::{Limits, Sizes};

/// The numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Flows of the whole host, IPv4 and IPv6 together; by default twice those of one NIC. Memory for all of them is taken
    /// when the table is made; a table that is taken over keeps its size.
    pub flows: u32,
    /// Flows of one NIC at one time; by default Azure's limit, and never more than half of the table.
    pub nic_flows: u32,
    /// TCP connections of one NIC at one time whose handshake is not over; by default a twentieth of its flows. One that
    /// nobody answers is half-open for 30 seconds, so this lasts for 800 of them a second, and a flood of SYNs takes no more
    /// than that from the machine's other flows.
    pub nic_half_open: u32,
    /// How long after an interface came into the policy TCP connections that are under way there go by the rules, though
    /// nobody saw them begin; by default a minute: long enough for connections that are in use, and for the interfaces of
    /// a whole host to be attached.
    pub grace: Duration,
}

impl Tuning {
    /// Default of [`Self::grace`].
    pub const GRACE: Duration = Duration::from_secs(60);

    /// The sizes of a new datapath.
    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { flows: self.flows, ..Sizes::default() }
    }

    /// What one NIC may take: never more than half of the table, so that no NIC can fill it for the others.
    pub(crate) fn limits(&self) -> Limits {
        let flows = self.nic_flows.min(self.flows / 2);
        Limits { flows, half_open: self.nic_half_open.min(flows) }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        let (Sizes { flows, .. }, limits) = (Sizes::default(), Limits::default());
        Self { flows, nic_flows: limits.flows, nic_half_open: limits.half_open, grace: Self::GRACE }
    }
}
