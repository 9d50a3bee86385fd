//! Which connections an alert is about: for whoever wants to see them, or count them.
//!
//! A detector keeps fingerprints and counts; the connections themselves are with whoever told them. It must not decide
//! whether there is something to tell.

use std::net::IpAddr;

use palisade_net::Direction;

use crate::{Alert, Connection, Kind, Outcome};

impl Alert {
    /// Whether a connection is one of those that the alert is about: of the same ends and port, between its first moment and its
    /// last, and of the kind that was counted.
    pub fn concerns(&self, connection: &Connection) -> bool {
        connection.stage.is_done()
            && self.is_within(connection)
            && self.has_ends_of(connection)
            && self.counts(connection)
    }

    /// The machine that is guarded, if it is one.
    pub const fn machine(&self) -> Option<IpAddr> {
        match self.direction {
            Direction::Inbound => self.destination,
            Direction::Outbound => self.source,
        }
    }

    fn is_within(&self, connection: &Connection) -> bool {
        // Hours are counted by the ends of connections, series by their beginnings.
        let begin_ms = match self.kind {
            Kind::Exfiltration | Kind::Deviation => connection.end_ms,
            _ => connection.start_ms,
        };
        begin_ms >= self.since_ms && connection.end_ms <= self.time_ms
    }

    fn has_ends_of(&self, connection: &Connection) -> bool {
        let flow = &connection.flow;
        let is = |wanted: Option<IpAddr>, address: IpAddr| {
            wanted.is_none_or(|wanted| wanted == address.to_canonical())
        };
        if self.kind == Kind::Exfiltration {
            // Data leaves whoever began the connection.
            return is(self.source, flow.local()) && is(self.destination, flow.remote());
        }
        flow.direction() == self.direction
            && flow.protocol() == self.protocol
            && is(self.source, flow.source())
            && is(self.destination, flow.destination())
            && self.port.is_none_or(|port| port == flow.destination_port())
    }

    fn counts(&self, connection: &Connection) -> bool {
        match self.kind {
            Kind::Scan => connection.has_succeeded().is_some(),
            Kind::RefusedBeacon => connection.has_succeeded() == Some(false),
            Kind::Beacon => connection.has_succeeded() == Some(true),
            Kind::BruteForce(..) | Kind::SuccessAfterFailures(_) => {
                matches!(connection.outcome, Outcome::Answered | Outcome::Unknown)
            }
            Kind::Exfiltration => connection.bytes_out_in().is_some_and(|(out, _)| out > 0),
            Kind::Deviation => connection.outcome != Outcome::Denied,
        }
    }
}

impl Kind {
    /// The words of all kinds.
    pub const WORDS: [&str; 6] = ["scan", "bruteforce", "compromise", "beacon", "exfiltration", "deviation"];

    /// One word for programs: of the same deed, the same one.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::BruteForce(..) => "bruteforce",
            Self::SuccessAfterFailures(_) => "compromise",
            Self::Beacon | Self::RefusedBeacon => "beacon",
            Self::Exfiltration => "exfiltration",
            Self::Deviation => "deviation",
        }
    }
}
