//! What happens in the fleet that an operator may want to know.

use std::net::SocketAddr;

use palisade_control::fleet::HostName;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetEvent {
    /// A host became one of the fleet.
    Joined {
        /// Which.
        host: HostName,
    },
    /// A host is connected.
    Connected {
        /// Which.
        host: HostName,
        /// From where.
        address: String,
        /// Version of its agent.
        version: String,
    },
    /// A host connected a second time; the first session was ended.
    Replaced {
        /// Which.
        host: HostName,
    },
    /// A host is no longer connected.
    Lost {
        /// Which.
        host: HostName,
        /// Why.
        why: String,
    },
    /// Somebody was not let in.
    Refused {
        /// From where, if that is known.
        address: Option<SocketAddr>,
        /// Why.
        why: String,
    },
    /// A host has another revision in force.
    Applied {
        /// Which.
        host: HostName,
        /// The revision.
        revision: u64,
    },
    /// A host does not put a revision in force.
    PolicyRefused {
        /// Which.
        host: HostName,
        /// The revision.
        revision: u64,
        /// Its reason.
        why: String,
    },
    /// A host has other documents than it should; it is sent all again.
    Differs {
        /// Which.
        host: HostName,
        /// The revision.
        revision: u64,
    },
    /// What a host should have is more than it takes; it keeps what it has.
    TooLarge {
        /// Which.
        host: HostName,
        /// What is too large.
        why: String,
    },
    /// What a host told of its interfaces is not kept.
    InventoryRefused {
        /// Which.
        host: HostName,
        /// Why.
        why: String,
    },
    /// Flow records of a host cannot be made durable; it is tried again.
    FlowsNotKept {
        /// Which.
        host: HostName,
        /// Why.
        why: String,
    },
    /// Flow records of a host are missing.
    FlowsLost {
        /// Which.
        host: HostName,
        /// How many.
        count: u64,
        /// By whose fault: the kernel's ring, the agent's memory, or its spool.
        by: String,
    },
    /// Flow records of a host cannot be read; they are left out.
    FlowsRefused {
        /// Which.
        host: HostName,
        /// What is wrong with them.
        why: String,
    },
    /// Several hosts have an interface that fits a network interface; all of them enforce its rules.
    Rivals {
        /// Id of the network interface.
        nic: String,
        /// The hosts.
        hosts: Vec<HostName>,
    },
}
