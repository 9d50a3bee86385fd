//! Captures in the classic pcap format, put together into connections.
//!
//! Reads Ethernet frames with the parser that the tests hold against the kernel program. Whoever sends the first packet began the
//! connection, unless that packet accepts one. A TCP connection is over with a reset, or when both ends are done; others when they
//! are quiet. Format: IETF draft-ietf-opsawg-pcap. It must not look into what packets carry.

use std::{collections::HashMap, net::IpAddr};

use palisade_guard::{Connection, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::{
    Protocol,
    packet::{Content, TcpFlags, Transport, parse},
};

use super::ConnectionIntake;
use crate::FlowLogError;

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
const ETHERNET: u32 = 1;
const ETHERNET_HEADER: u64 = 14;
/// A connection without packets for this long is over; its next packet begins another.
const QUIET_MS: u64 = 120_000;

/// How a capture writes its numbers.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    is_little: bool,
    /// Of the fraction of a second, in a millisecond.
    per_ms: u64,
}

impl Numbers {
    fn of(bytes: &[u8]) -> Option<Self> {
        let magic: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
        let (is_little, per_ms) = match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => (true, 1_000),
            [0xa1, 0xb2, 0xc3, 0xd4] => (false, 1_000),
            [0x4d, 0x3c, 0xb2, 0xa1] => (true, 1_000_000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (false, 1_000_000),
            _ => return None,
        };
        Some(Self { is_little, per_ms })
    }

    fn read(self, bytes: &[u8], at: usize) -> Option<u32> {
        let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.is_little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) })
    }
}

/// One end of a connection.
type End = (IpAddr, u16);

/// A packet, as far as connections are concerned.
#[derive(Debug, Clone, Copy)]
struct Seen {
    time_ms: u64,
    bytes: u64,
    protocol: Protocol,
    from: End,
    to: End,
    flags: TcpFlags,
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
    Numbers::of(bytes).is_some()
}

pub(super) fn read(bytes: &[u8], intake: &mut ConnectionIntake<'_>) -> Result<(), FlowLogError> {
    let Some(numbers) = Numbers::of(bytes) else { return Ok(()) };
    if numbers.read(bytes, 20).map(|link| link & 0xffff) != Some(ETHERNET) {
        intake.problem(0, "the capture is not of Ethernet frames");
        return Ok(());
    }
    let mut growing: HashMap<(Protocol, End, End), Growing> = HashMap::new();
    let (mut at, mut number) = (FILE_HEADER, 0);
    while at < bytes.len() {
        number += 1;
        let Some((seen, next)) = packet(numbers, bytes, at) else {
            intake.problem(number, "the capture ends in the middle of a packet");
            break;
        };
        at = next;
        match seen {
            Ok(Some(seen)) => {
                if let Some(whole) = grow(&mut growing, seen) {
                    intake.add_growing(&whole)?;
                }
            }
            Ok(None) => intake.log.passed_over += 1,
            Err(message) => intake.problem(number, message),
        }
    }
    let mut rest: Vec<Growing> = growing.into_values().collect();
    rest.sort_unstable_by_key(|whole| (whole.end_ms, whole.first.from, whole.first.to));
    rest.iter().try_for_each(|whole| intake.add_growing(whole))
}

/// A packet and where the next one begins; `None` if the file ends first.
fn packet(numbers: Numbers, bytes: &[u8], at: usize) -> Option<(Result<Option<Seen>, String>, usize)> {
    let word = |place: usize| numbers.read(bytes, at + place);
    let time_ms = u64::from(word(0)?) * 1_000 + u64::from(word(4)?) / numbers.per_ms;
    let (kept, length) = (usize::try_from(word(8)?).ok()?, u64::from(word(12)?));
    let begin = at + PACKET_HEADER;
    let frame = bytes.get(begin..begin.checked_add(kept)?)?;
    Some((seen(frame, time_ms, length), begin + kept))
}

fn seen(frame: &[u8], time_ms: u64, length: u64) -> Result<Option<Seen>, String> {
    let ip = match parse(frame).map_err(|error| error.to_string())?.content {
        Content::Ip(ip) => ip,
        Content::Arp(_) => return Ok(None),
    };
    let bytes = length.saturating_sub(ETHERNET_HEADER);
    let of = |protocol, from_port, to_port, flags| {
        let (from, to) = ((ip.source, from_port), (ip.destination, to_port));
        Ok(Some(Seen { time_ms, bytes, protocol, from, to, flags }))
    };
    match ip.transport {
        Transport::Tcp { source_port, destination_port, flags } => {
            of(Protocol::TCP, source_port, destination_port, flags)
        }
        Transport::Udp { source_port, destination_port } => {
            of(Protocol::UDP, source_port, destination_port, TcpFlags::default())
        }
        // The reply is filed under the request that it answers.
        Transport::Icmp { kind: 0 | 8, .. } if ip.source.is_ipv4() => {
            of(Protocol::ICMP, 8, 8, TcpFlags::default())
        }
        Transport::Icmp { kind: 128 | 129, .. } if ip.source.is_ipv6() => {
            of(Protocol::ICMPV6, 128, 128, TcpFlags::default())
        }
        _ => Ok(None),
    }
}

/// Adds a packet to its connection; gives the one before it, if that was over.
fn grow(growing: &mut HashMap<(Protocol, End, End), Growing>, seen: Seen) -> Option<Growing> {
    let key = (seen.protocol, seen.from.min(seen.to), seen.from.max(seen.to));
    let over =
        growing.get(&key).is_some_and(|held| held.is_over(&seen)).then(|| growing.remove(&key)).flatten();
    growing.entry(key).or_insert_with(|| Growing::begin(seen)).add(&seen);
    over
}

impl Growing {
    fn begin(seen: Seen) -> Self {
        let accepts = seen.flags.has(TcpFlags::SYN.with(TcpFlags::ACK));
        let first = if accepts { Seen { from: seen.to, to: seen.from, ..seen } } else { seen };
        let (traffic, flags) = (FlowTraffic::default(), (TcpFlags::default(), TcpFlags::default()));
        Self { first, end_ms: seen.time_ms, traffic, flags }
    }

    fn add(&mut self, seen: &Seen) {
        let is_back = seen.from != self.first.from;
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
        *bytes += seen.bytes;
        *flags = flags.with(seen.flags);
        self.end_ms = self.end_ms.max(seen.time_ms);
    }

    /// Whether a packet begins another connection of the same ends.
    fn is_over(&self, next: &Seen) -> bool {
        let is_done = self.flags.0.has(TcpFlags::FIN) && self.flags.1.has(TcpFlags::FIN);
        let is_reset = self.flags.0.has(TcpFlags::RST) || self.flags.1.has(TcpFlags::RST);
        let opens = next.flags.has(TcpFlags::SYN) && !next.flags.has(TcpFlags::ACK);
        let is_quiet = next.time_ms.saturating_sub(self.end_ms) >= QUIET_MS;
        if next.protocol == Protocol::TCP { opens && (is_done || is_reset) } else { is_quiet }
    }

    fn outcome(&self) -> Outcome {
        let (sent, back) = self.flags;
        match (self.first.protocol, self.traffic.packets_to_source) {
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
        let (first, traffic) = (whole.first, Some(whole.traffic));
        let from = if first.protocol.is_icmp() { (first.from.0, 0) } else { first.from };
        let Some(flow) = self.flow(first.protocol, from, first.to) else { return Ok(()) };
        let (start_ms, end_ms, outcome) = (first.time_ms, whole.end_ms, whole.outcome());
        self.add(Connection { start_ms, end_ms, flow, outcome, traffic, stage: Stage::Over })
    }
}
