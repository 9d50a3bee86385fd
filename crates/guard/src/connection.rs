//! What the detectors look at: one connection, whole, with what came of it.
//!
//! A reader of some format makes these, or [`crate::Fold`] makes them of a host's flow records. What a format does not tell is
//! [`Outcome::Unknown`] or `None`; nothing is guessed. It must not know a format.

use std::{
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv6Addr},
};

use palisade_model::FlowTraffic;
use palisade_net::{Direction, Flow, Protocol};

/// A connection, told when it is over, or once while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Its first packet, in milliseconds since 1970.
    pub start_ms: u64,
    /// Its last packet, or the moment at which it was told of.
    pub end_ms: u64,
    /// Who talks to whom, seen from the machine that is guarded.
    pub flow: Flow,
    /// What came of it.
    pub outcome: Outcome,
    /// What has passed; `None` where it was not counted.
    pub traffic: Option<FlowTraffic>,
    /// Whether this is all of it.
    pub stage: Stage,
}

/// What came of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A rule did not let it pass.
    Denied,
    /// The other end said nothing.
    Unanswered,
    /// The other end, or a router before it, said no.
    Refused,
    /// Both ends spoke.
    Answered,
    /// The format does not tell.
    Unknown,
}

/// Whether a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It goes on, and will be told again when it is over.
    Ongoing,
    /// Whoever began it has closed his side and the other has not; it will be told again as [`Self::Closed`].
    Closing,
    /// It is over.
    Over,
    /// It is over, and was told of while it closed.
    Closed,
}

impl Stage {
    /// Whether nothing more passes.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Over | Self::Closed)
    }

    /// Whether it is told for the first time now that whoever began it is done.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Over | Self::Closing)
    }
}

impl Connection {
    /// How long it has lasted.
    pub const fn duration_ms(&self) -> u64 {
        self.end_ms.saturating_sub(self.start_ms)
    }

    /// Whether the first contact with a destination went well (`Some(true)`), failed, or tells nothing.
    ///
    /// A datagram without an answer tells nothing: many protocols have none. Of ICMP only echo requests count, since errors
    /// have no answer either.
    pub const fn has_succeeded(&self) -> Option<bool> {
        match (self.outcome, self.flow.protocol()) {
            (_, Protocol::ICMP | Protocol::ICMPV6) if !self.is_echo() => None,
            (Outcome::Answered, _) => Some(true),
            (Outcome::Denied | Outcome::Refused, _) => Some(false),
            (Outcome::Unanswered, Protocol::TCP | Protocol::ICMP | Protocol::ICMPV6) => Some(false),
            (Outcome::Unanswered | Outcome::Unknown, _) => None,
        }
    }

    /// Whether it is an ICMP echo request.
    pub const fn is_echo(&self) -> bool {
        matches!(
            (self.flow.protocol(), self.flow.destination_port()),
            (Protocol::ICMP, 8) | (Protocol::ICMPV6, 128)
        )
    }

    /// Bytes that left the guarded machine, and bytes that came; `None` where they were not counted.
    pub fn bytes_out_in(&self) -> Option<(u64, u64)> {
        let traffic = self.traffic?;
        let (there, back) = (traffic.bytes_to_destination, traffic.bytes_to_source);
        Some(match self.flow.direction() {
            Direction::Outbound => (there, back),
            Direction::Inbound => (back, there),
        })
    }
}

/// An address as one number: IPv4 addresses lie in their place of IPv6. Keys of one kind hash faster than `IpAddr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Host {
    // Two words and not `u128`, which keys would be padded for.
    high: u64,
    low: u64,
}

/// Of IPv4 addresses the upper word is always 0, and says nothing.
impl Hash for Host {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.high != 0 {
            state.write_u64(self.high);
        }
        state.write_u64(self.low);
    }
}

impl Host {
    /// Stands for all hosts. As an address it would be of no host and no network.
    pub(crate) const ANY: Self = Self { high: u64::MAX, low: u64::MAX };

    /// The network that a neighbour's address is likely to be in too: /24, or /64.
    pub(crate) fn block(self) -> Self {
        let is_v4 = self.high == 0 && self.low >> 32 == 0xffff;
        Self { high: self.high, low: if is_v4 { self.low & !0xff } else { 0 } }
    }

    /// The address.
    pub(crate) fn address(self) -> IpAddr {
        let bits = u128::from(self.high) << 64 | u128::from(self.low);
        Ipv6Addr::from_bits(bits).to_canonical()
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self { high: 0, low: 0xffff_0000_0000 | u64::from(v4.to_bits()) },
            IpAddr::V6(v6) => Self { high: (v6.to_bits() >> 64) as u64, low: v6.to_bits() as u64 },
        }
    }
}

/// A connection with what every detector asks of it, worked out once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    /// The connection.
    pub(crate) connection: &'a Connection,
    /// Who began it.
    pub(crate) source: Host,
    /// Whom it is to.
    pub(crate) destination: Host,
    /// The moment of the stream; it never goes back.
    pub(crate) now_ms: u64,
}

impl<'a> Sight<'a> {
    /// Of a connection that is told at a moment.
    pub(crate) fn new(connection: &'a Connection, now_ms: u64) -> Self {
        let (source, destination) = (connection.flow.source().into(), connection.flow.destination().into());
        Self { connection, source, destination, now_ms }
    }

    /// The port it is to, or the ICMP type.
    pub(crate) const fn port(&self) -> u16 {
        self.connection.flow.destination_port()
    }

    /// Which way it goes.
    pub(crate) const fn direction(&self) -> Direction {
        self.connection.flow.direction()
    }

    /// Its protocol.
    pub(crate) const fn protocol(&self) -> Protocol {
        self.connection.flow.protocol()
    }

    /// The guarded machine, and the other end.
    pub(crate) const fn ends(&self) -> (Host, Host) {
        match self.direction() {
            Direction::Inbound => (self.destination, self.source),
            Direction::Outbound => (self.source, self.destination),
        }
    }
}
