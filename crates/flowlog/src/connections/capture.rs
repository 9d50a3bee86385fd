//! Captures, put together into connections.
//!
//! Whoever sends the first packet began the connection, unless that packet accepts one. A TCP connection is over with a reset, or when both
//! ends are done; others when they are quiet. It must not look into what packets carry.

mod file;
mod frame;

use std::{collections::HashMap, net::IpAddr};

use palisade_guard::{Connection, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::{Protocol, packet::TcpFlags};

use super::ConnectionIntake;
use crate::FlowLogError;
use frame::Headers;

/// A connection without packets for this long is over; its next packet begins another.
const QUIET_MS: u64 = 120_000;

/// One end of a connection.
type End = (IpAddr, u16);

/// A packet, as far as connections are concerned.
#[derive(Debug, Clone, Copy)]
struct Seen {
    time_ms: u64,
    headers: Headers,
}

/// A connection that grows.
#[derive(Debug, Clone, Copy)]
struct Growing {
    first: Seen,
    end_ms: u64,
    traffic: FlowTraffic,
    /// Flags of either end, together.
    flags: (TcpFlags, TcpFlags),
}

pub(super) fn is_one(bytes: &[u8]) -> bool {
    file::is_one(bytes)
}

pub(super) fn read(bytes: &[u8], intake: &mut ConnectionIntake<'_>) -> Result<(), FlowLogError> {
    let mut growing: HashMap<(Protocol, End, End), Growing> = HashMap::new();
    let mut number = 0;
    file::frames(bytes, |frame| {
        number += 1;
        let seen = frame.and_then(|file::Frame { time_ms, link, kept, length }| {
            let headers = frame::headers(link, kept, length)?;
            Ok(headers.map(|headers| Seen { time_ms, headers }))
        });
        match seen {
            Ok(Some(seen)) => {
                if let Some(whole) = grow(&mut growing, seen) {
                    intake.add_growing(&whole)?;
                }
                intake.has_room(growing.len())?;
            }
            Ok(None) => intake.log.passed_over += 1,
            Err(message) => intake.problem(number, message),
        }
        Ok(())
    })?;
    let mut rest: Vec<Growing> = growing.into_values().collect();
    rest.sort_unstable_by_key(|whole| (whole.end_ms, whole.first.headers.from, whole.first.headers.to));
    rest.iter().try_for_each(|whole| intake.add_growing(whole))
}

/// Adds a packet to its connection; gives the one before it, if that was over.
fn grow(growing: &mut HashMap<(Protocol, End, End), Growing>, seen: Seen) -> Option<Growing> {
    let Headers { protocol, from, to, .. } = seen.headers;
    let key = (protocol, from.min(to), from.max(to));
    let over =
        growing.get(&key).is_some_and(|held| held.is_over(&seen)).then(|| growing.remove(&key)).flatten();
    growing.entry(key).or_insert_with(|| Growing::begin(seen)).add(&seen);
    over
}

impl Growing {
    fn begin(seen: Seen) -> Self {
        let Headers { from, to, flags, .. } = seen.headers;
        let accepts = flags.has(TcpFlags::SYN.with(TcpFlags::ACK));
        let (from, to) = if accepts { (to, from) } else { (from, to) };
        let first = Seen { headers: Headers { from, to, ..seen.headers }, ..seen };
        let (traffic, flags) = (FlowTraffic::default(), (TcpFlags::default(), TcpFlags::default()));
        Self { first, end_ms: seen.time_ms, traffic, flags }
    }

    fn add(&mut self, seen: &Seen) {
        let is_back = seen.headers.from != self.first.headers.from;
        let (packets, bytes, flags) = if is_back {
            (&mut self.traffic.packets_to_source, &mut self.traffic.bytes_to_source, &mut self.flags.1)
        } else {
            (
                &mut self.traffic.packets_to_destination,
                &mut self.traffic.bytes_to_destination,
                &mut self.flags.0,
            )
        };
        *packets += 1;
        *bytes += seen.headers.bytes;
        *flags = flags.with(seen.headers.flags);
        self.end_ms = self.end_ms.max(seen.time_ms);
    }

    /// Whether a packet begins another connection of the same ends.
    fn is_over(&self, next: &Seen) -> bool {
        let is_done = self.flags.0.has(TcpFlags::FIN) && self.flags.1.has(TcpFlags::FIN);
        let is_reset = self.flags.0.has(TcpFlags::RST) || self.flags.1.has(TcpFlags::RST);
        let opens = next.headers.flags.has(TcpFlags::SYN) && !next.headers.flags.has(TcpFlags::ACK);
        let is_quiet = next.time_ms.saturating_sub(self.end_ms) >= QUIET_MS;
        if next.headers.protocol == Protocol::TCP { opens && (is_done || is_reset) } else { is_quiet }
    }

    fn outcome(&self) -> Outcome {
        let (sent, back) = self.flags;
        match (self.first.headers.protocol, self.traffic.packets_to_source) {
            (Protocol::TCP, 0) if sent.has(TcpFlags::ACK) => Outcome::Unknown,
            (_, 0) => Outcome::Unanswered,
            (Protocol::TCP, _)
                if back.has(TcpFlags::RST) && sent.has(TcpFlags::SYN) && !back.has(TcpFlags::SYN) =>
            {
                Outcome::Refused
            }
            _ => Outcome::Answered,
        }
    }
}

impl ConnectionIntake<'_> {
    fn add_growing(&mut self, whole: &Growing) -> Result<(), FlowLogError> {
        let Headers { protocol, from, to, .. } = whole.first.headers;
        let from = if protocol.is_icmp() { (from.0, 0) } else { from };
        let Ok(flow) = self.flow(protocol, from, to) else { return Ok(()) };
        let (start_ms, end_ms, outcome) = (whole.first.time_ms, whole.end_ms, whole.outcome());
        self.add(Connection {
            start_ms,
            end_ms,
            flow,
            outcome,
            traffic: Some(whole.traffic),
            stage: Stage::Over,
        })
    }
}
