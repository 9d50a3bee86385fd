//! Why something is not done: which thing, which value, what to do instead.

use std::{fmt, net::SocketAddr};

use palisade_model::ResourceId;
use palisade_net::ProtocolMatch;

use super::{LIMIT_MAX, LIMIT_MIN};

/// A refusal. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Too few or too many of something.
    #[error("{what}: {actual} are given, and there can be {least} to {most}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there must be.
        least: usize,
        /// How many there may be.
        most: usize,
    },
    /// A machine stands twice.
    #[error("virtual machine {0} stands twice (give its ports in one place)")]
    MachineTwice(ResourceId),
    /// A port stands twice.
    #[error("port {port} of {machine} stands twice (give one entry; protocol * is TCP and UDP)")]
    DoorTwice {
        /// The machine.
        machine: ResourceId,
        /// The port.
        port: u16,
    },
    /// Port 0.
    #[error("port 0 is none that can be opened (give 1 to 65535)")]
    PortZero,
    /// A protocol without ports.
    #[error("protocol {protocol} of port {port} is none of TCP, UDP, *")]
    Protocol {
        /// The port.
        port: u16,
        /// The protocol.
        protocol: ProtocolMatch,
    },
    /// A time limit outside of its bounds.
    #[error(
        "the longest time of port {port} is {}; it must be between {} and {}",
        Length(*seconds), Length(LIMIT_MIN), Length(LIMIT_MAX)
    )]
    Limit {
        /// The port.
        port: u16,
        /// The limit.
        seconds: u32,
    },
    /// A text that is missing or too long.
    #[error("the {what} has {actual} characters; it must have {least} to {most}")]
    Text {
        /// Which.
        what: &'static str,
        /// Its length.
        actual: usize,
        /// The shortest.
        least: usize,
        /// The longest.
        most: usize,
    },
    /// The policy says nothing of the machine.
    #[error("virtual machine {0} is none of the policy's (add it to the policy, or ask at another one)")]
    NoMachine(ResourceId),
    /// The port is no door.
    #[error("port {port} of {machine} is none that the policy opens (add it to the policy)")]
    NoDoor {
        /// The machine.
        machine: ResourceId,
        /// The port.
        port: u16,
    },
    /// The end is not after now.
    #[error("the end of port {port} has passed already (give a time that is to come)")]
    Past {
        /// The port.
        port: u16,
    },
    /// Longer than the policy allows.
    #[error(
        "port {port} is asked for {}, and the policy allows {} (ask for less)",
        Length(*asked), Length(*limit)
    )]
    TooLong {
        /// The port.
        port: u16,
        /// What was asked for.
        asked: u32,
        /// What is allowed.
        limit: u32,
    },
    /// From where the policy does not allow it.
    #[error("port {port} may not be opened to {sources} by the policy (ask from an address that it allows)")]
    Source {
        /// The port.
        port: u16,
        /// What was asked for.
        sources: String,
    },
    /// A tunnel to a door that somebody else must open.
    #[error(
        "port {port} of {machine} needs the approval of somebody else (ask with `palisade jit request`, and connect once it is approved)"
    )]
    NotApproved {
        /// The machine.
        machine: ResourceId,
        /// The port.
        port: u16,
    },
    /// Too many grants of one machine.
    #[error("{machine} has {most} grants that are open or wait already (end some of them)")]
    TooMany {
        /// The machine.
        machine: ResourceId,
        /// How many there may be.
        most: usize,
    },
    /// Too many requests that are alive.
    #[error("the policy has {0} requests that are open or wait already (end some of them)")]
    TooManyRequests(usize),
    /// There is no such request.
    #[error("the policy has no request {0} (list them with `palisade jit list`)")]
    NoRequest(String),
    /// Nothing of it is as it must be.
    #[error("nothing of request {request} is {wanted} (it is {found})")]
    State {
        /// The request.
        request: String,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Who asked must not approve.
    #[error("request {0} is your own, and somebody else must approve it")]
    OwnRequest(String),
    /// An extension that does not extend.
    #[error("request {0} ends no earlier than that already (give a later time, or end it)")]
    NotLater(String),
    /// A connection that a door is not for.
    #[error("port {port} of request {request} is not for the connection from {from}")]
    NotItsUse {
        /// The request.
        request: String,
        /// The port.
        port: u16,
        /// Where the connection comes from.
        from: SocketAddr,
    },
}

impl AccessError {
    pub(super) const fn count(what: &'static str, actual: usize, least: usize, most: usize) -> Self {
        Self::Count { what, actual, least, most }
    }
}

/// Seconds as one says them: 3h, 1h30m, 45s.
struct Length(u32);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.0 / 3_600, 'h'), (self.0 / 60 % 60, 'm'), (self.0 % 60, 's')];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}
