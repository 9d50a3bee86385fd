//! What the kernel tells of flows, as lines that people and programs read.
//!
//! A [`Record`] has the kernel's numbers; a [`NameBook`] knows what they are called; [`line`](mod@line) makes one JSON object of
//! both; [`EventServer`] hands lines to whoever listens at the instance's socket. Nobody waits for a reader: one that is too slow
//! loses lines and is told how many. Without a reader, and without a server to record for, nothing is read.

mod book;
pub mod line;
mod record;
mod server;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use palisade_abi::flow::{Direction, FlowState};
use palisade_abi::verdict::{LAYERS, Layer};
use palisade_net::packet::TcpFlags;

pub use book::{NameBook, NicNames};
pub use record::Moment;
pub use server::{EventServer, PENDING_BYTES_MAX, SUBSCRIBERS_MAX};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A flow began.
    Begin,
    /// A flow goes on.
    Continue,
    /// A flow ended.
    End,
    /// Packets were denied.
    Deny,
    /// Policy, or the time of a rule, ended a flow.
    Cut,
    /// A flow passes only because what would deny it is in audit.
    WouldDeny,
    /// A limit refused a flow.
    Limit,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Begin, Self::Continue, Self::End, Self::Deny, Self::Cut, Self::WouldDeny, Self::Limit];

    /// The word for it in lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Continue => "continue",
            Self::End => "end",
            Self::Deny => "deny",
            Self::Cut => "cut",
            Self::WouldDeny => "wouldDeny",
            Self::Limit => "limit",
        }
    }
}

/// What cut a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A change of policy.
    Policy,
    /// A rule that admitted it has ended, or one that denies it began to hold.
    Time,
}

impl Cause {
    /// The word for it in lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Time => "time",
        }
    }
}

/// One thing that happened to a flow, in the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What.
    pub kind: Kind,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// Why; a flow that goes on has no reason.
    pub reason: Option<&'static str>,
    /// Where the list stands that decided; `None` if none did.
    pub layer: Option<Layer>,
    /// What cut the flow; `None` if nothing did.
    pub cause: Option<Cause>,
    /// The NIC's number.
    pub slot: u32,
    /// The policy that judged.
    pub generation: u64,
    /// Direction of the flow's first packet.
    pub direction: Direction,
    /// IANA protocol number.
    pub protocol: u8,
    /// Type of an ICMP query.
    pub query: Option<u8>,
    /// Address and port behind the interface; for an ICMP query the port is its identifier.
    pub local: (IpAddr, u16),
    /// The other address and port.
    pub remote: (IpAddr, u16),
    /// How far the flow had come; `None` for a packet that began none.
    pub state: Option<FlowState>,
    /// When the flow began, in milliseconds since 1970; `None` for a packet that began none.
    pub began_ms: Option<u64>,
    /// When a packet last prolonged the flow, in milliseconds since 1970; only the sweep tells.
    pub last_ms: Option<u64>,
    /// Row of the rule that each layer decided by, in evaluation order of the direction.
    pub rules: [Option<u16>; LAYERS],
    /// It passes only because what would deny it is in audit.
    pub audited: bool,
    /// The flow was met in the middle of a connection.
    pub midstream: bool,
    /// Packets from the originator, and from the responder.
    pub packets: [u64; 2],
    /// Bytes from the originator, and from the responder.
    pub bytes: [u64; 2],
    /// TCP flags of the packets that passed, from the originator and from the responder; of a packet that began no flow, its
    /// own. `None` for other protocols.
    pub tcp_flags: Option<[TcpFlags; 2]>,
}

impl Record {
    /// The address and port that the first packet came from, and those it went to.
    pub const fn ends(&self) -> ((IpAddr, u16), (IpAddr, u16)) {
        match self.direction {
            Direction::Outbound => (self.local, self.remote),
            Direction::Inbound => (self.remote, self.local),
        }
    }
}
