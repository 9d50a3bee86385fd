//! What the kernel tells of flows, as lines that people and programs read.
//!
//! A [`Record`] has the kernel's numbers; a [`NameBook`] knows what they are called; [`line`](mod@line) makes one JSON object of
//! both; [`EventServer`] hands lines to whoever listens at the instance's socket. Nobody waits for a reader: one that is too slow
//! loses lines and is told how many. With nobody listening nothing is read and nothing is made.

mod book;
pub mod line;
mod record;
mod server;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use palisade_abi::flow::{Direction, FlowState};
use palisade_abi::verdict::LAYERS;

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
    /// Policy, or the end of a rule's time, ended a flow.
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

/// One thing that happened to a flow, in the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What.
    pub kind: Kind,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// Why; a flow that goes on has no reason.
    pub reason: Option<&'static str>,
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
}
