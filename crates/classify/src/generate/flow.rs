//! First packets that lie on the edges of given rows.
//!
//! Most fields of a flow are an end of a range of one row, or the number beside it, so that an off-by-one anywhere shows;
//! so are the moments at which to ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_net::{AddressSet, Direction, Family, Flow, Number, Protocol, ProtocolMatch, RangeSet};

use super::Random;
use crate::Row;

/// `count` flows aimed at the edges of `rows`.
pub fn flows(rows: &[Row], count: usize, seed: u64) -> Vec<Flow> {
    let mut random = Random::new(seed);
    (0..count).map(|_| flow(rows, &mut random)).collect()
}

/// The seconds at which windows of `rows` begin and end, those beside them, and both ends of time.
pub fn moments(rows: &[Row]) -> Vec<u32> {
    let edges = rows.iter().flat_map(|row| [row.window.not_before(), row.window.expires_at()]).flatten();
    let mut moments: Vec<u32> = edges
        .flat_map(|edge| [Some(edge), edge.checked_sub(1), edge.checked_add(1)])
        .flatten()
        .chain([0, u32::MAX])
        .collect();
    moments.sort_unstable();
    moments.dedup();
    moments
}

fn flow(rows: &[Row], random: &mut Random) -> Flow {
    let row = if rows.is_empty() || random.chance(5) { None } else { Some(random.pick(rows)) };
    let family = family(row, random);
    // A few flows take their sides from different rows.
    let other = if rows.is_empty() || random.chance(80) { row } else { Some(random.pick(rows)) };
    let source = address(row, random, family, |row| &row.sources);
    let destination = address(other, random, family, |row| &row.destinations);
    let protocol = protocol(row, random, family);
    let destination_port = port(row.map(|row| &row.destination_ports), random);
    let (source_port, destination_port) = if protocol.has_ports() {
        (port(row.map(|row| &row.source_ports), random), destination_port)
    } else if protocol.is_icmp() {
        (0, destination_port & 0xff)
    } else {
        (0, 0)
    };
    Flow::new(*random.pick(&Direction::ALL), protocol, (source, source_port), (destination, destination_port))
        .expect("both addresses were made for one family")
}

/// A family in which the row names addresses, if it names any.
fn family(row: Option<&Row>, random: &mut Random) -> Family {
    let family = if random.chance(65) { Family::V4 } else { Family::V6 };
    let Some(row) = row else { return family };
    let v4_only = row.sources.v6().is_empty() || row.destinations.v6().is_empty();
    let v6_only = row.sources.v4().is_empty() || row.destinations.v4().is_empty();
    match (v4_only, v6_only) {
        (true, false) => Family::V4,
        (false, true) => Family::V6,
        _ => family,
    }
}

fn address(row: Option<&Row>, random: &mut Random, family: Family, side: fn(&Row) -> &AddressSet) -> IpAddr {
    let anywhere = (random.v4(), random.v6());
    let set = row.map(side);
    match family {
        Family::V4 => Ipv4Addr::from(edge(set.map(AddressSet::v4), random, anywhere.0)).into(),
        Family::V6 => Ipv6Addr::from(edge(set.map(AddressSet::v6), random, anywhere.1)).into(),
    }
}

fn port(set: Option<&RangeSet<u16>>, random: &mut Random) -> u16 {
    let anywhere = random.port();
    edge(set, random, anywhere)
}

/// An end of a range of `set` or a neighbour of it; sometimes `anywhere`, and always if the set has no end.
fn edge<T: Number>(set: Option<&RangeSet<T>>, random: &mut Random, anywhere: T) -> T {
    let ranges = set.map_or(&[][..], RangeSet::ranges);
    let is_full = set.is_some_and(RangeSet::is_full);
    if ranges.is_empty() || (is_full && random.chance(90)) || random.chance(5) {
        return anywhere;
    }
    let &(first, last) = random.pick(ranges);
    match random.below(8) {
        0 => first.previous().unwrap_or(first),
        1 => last.next().unwrap_or(last),
        2 | 3 => last,
        4 => first.next().unwrap_or(first),
        _ => first,
    }
}

/// A protocol that the row matches, mostly.
fn protocol(row: Option<&Row>, random: &mut Random, family: Family) -> Protocol {
    let common = [Protocol::TCP, Protocol::UDP, Protocol::icmp_of(family), Protocol::ESP];
    match row.map(|row| row.protocol) {
        _ if random.chance(5) => Protocol(random.port() as u8),
        Some(ProtocolMatch::Number(protocol)) => protocol,
        Some(ProtocolMatch::Icmp) => Protocol::icmp_of(family),
        Some(ProtocolMatch::Any) | None => *random.pick(&common),
    }
}
