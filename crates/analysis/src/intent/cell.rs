//! Blocks of packets cut by one another, counted, and stood for by one packet.
//!
//! Invariant: a cut is exact, and its parts share no packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_net::{AddressSet, Direction, Family, Flow, PortSet, Protocol, ProtocolMatch, RangeSet};

use super::Service;
use crate::{
    Block, Volume,
    space::{Field, Kind, Space},
};

/// Packets of a product that an exception is about.
#[derive(Debug, Clone)]
pub(super) struct Cutter<'s> {
    pub(super) sources: AddressSet,
    pub(super) destinations: AddressSet,
    /// Everything if it is empty.
    pub(super) services: &'s [Service],
}

/// A block with other addresses; `None` if it holds no packet.
pub(super) fn with_addresses(block: &Block, sources: AddressSet, destinations: AddressSet) -> Option<Block> {
    let is_empty = sources.is_empty() || destinations.is_empty();
    (!is_empty).then(|| Block { sources, destinations, ..block.clone() })
}

/// The packets of a block that go from some addresses to some.
pub(super) fn between(block: &Block, sources: &AddressSet, destinations: &AddressSet) -> Option<Block> {
    let cut = |one: &AddressSet, other: &AddressSet| one.intersection(other);
    with_addresses(block, cut(&block.sources, sources), cut(&block.destinations, destinations))
}

/// The packets of two blocks.
pub(super) fn common(one: &Block, other: &Block) -> Option<Block> {
    if one.family != other.family {
        return None;
    }
    let protocols: Vec<Protocol> =
        one.protocols.iter().copied().filter(|protocol| other.protocols.contains(protocol)).collect();
    let source_ports = one.source_ports.intersection(&other.source_ports);
    let destination_ports = one.destination_ports.intersection(&other.destination_ports);
    let is_empty = protocols.is_empty() || source_ports.is_empty() || destination_ports.is_empty();
    let block = Block { protocols, source_ports, destination_ports, ..one.clone() };
    between(&block, &other.sources, &other.destinations).filter(|_| !is_empty)
}

/// The packets of a block that a cutter is about, and those that it is not.
pub(super) fn cut(block: &Block, by: &Cutter<'_>) -> (Vec<Block>, Vec<Block>) {
    let mut outside = Vec::new();
    let inside = block.sources.intersection(&by.sources);
    outside.extend(with_addresses(block, block.sources.difference(&by.sources), block.destinations.clone()));
    let rest = block.destinations.difference(&by.destinations);
    outside.extend(with_addresses(block, inside.clone(), rest));
    let both = block.destinations.intersection(&by.destinations);
    let Some(both) = with_addresses(block, inside, both) else { return (Vec::new(), outside) };
    if by.services.is_empty() {
        return (vec![both], outside);
    }
    let mut within = Vec::new();
    let mut left = both;
    for service in by.services {
        let ProtocolMatch::Number(protocol) = service.protocol else { continue };
        let Some(at) = left.protocols.iter().position(|other| *other == protocol) else { continue };
        left.protocols.remove(at);
        let of =
            |ports: PortSet| Block { protocols: vec![protocol], destination_ports: ports, ..left.clone() };
        let domain = Space { family: left.family, kind: Kind::of(protocol) }.ports(Field::DestinationPort);
        let ports =
            if left.destination_ports.is_full() { domain.clone() } else { left.destination_ports.clone() };
        let (meant, other) = (ports.intersection(&service.ports), ports.difference(&service.ports));
        let widened = |ports: PortSet| if ports == domain { PortSet::full() } else { ports };
        within.extend((!meant.is_empty()).then(|| of(widened(meant))));
        outside.extend((!other.is_empty()).then(|| of(widened(other))));
    }
    outside.extend((!left.protocols.is_empty()).then_some(left));
    (within, outside)
}

/// How many packets a block holds.
pub(super) fn volume(block: &Block) -> Volume {
    pairs(&block.sources, &block.destinations) * Volume::from(services(block))
}

/// How many packets of a block are between these addresses, whatever its own are.
pub(super) fn volume_between(block: &Block, sources: &AddressSet, destinations: &AddressSet) -> Volume {
    pairs(sources, destinations) * Volume::from(services(block))
}

fn pairs(sources: &AddressSet, destinations: &AddressSet) -> Volume {
    addresses(sources) * addresses(destinations)
}

fn addresses(set: &AddressSet) -> Volume {
    let v4 = set.v4().ranges().iter().map(|&(first, last)| Volume::from(u128::from(last - first) + 1));
    let v6 = set.v6().ranges().iter().map(|&(first, last)| Volume::from(last - first) + Volume::ONE);
    v4.chain(v6).sum()
}

/// Combinations of protocol and ports or type.
fn services(block: &Block) -> u128 {
    let of = |protocol: &Protocol| {
        let space = Space { family: block.family, kind: Kind::of(*protocol) };
        let ports = |set: &PortSet, field| count(&set.intersection(&space.ports(field)));
        ports(&block.source_ports, Field::SourcePort)
            * ports(&block.destination_ports, Field::DestinationPort)
    };
    block.protocols.iter().map(of).sum()
}

fn count(set: &PortSet) -> u128 {
    set.ranges().iter().map(|&(first, last)| u128::from(last - first) + 1).sum()
}

/// One packet of a block: one that people understand well. `machine` are addresses of the machine at the end that it is seen
/// from.
pub(super) fn example(block: &Block, direction: Direction, machine: &[IpAddr]) -> Flow {
    let usual = [Protocol::TCP, Protocol::UDP, Protocol::icmp_of(block.family), Protocol::ESP];
    let chosen = usual.into_iter().find(|protocol| block.protocols.contains(protocol));
    let protocol = chosen.unwrap_or(block.protocols[0]);
    let space = Space { family: block.family, kind: Kind::of(protocol) };
    let preferred = |field| space.preferred(field, direction, machine);
    let port = |set: &PortSet, field| {
        let set = set.intersection(&space.ports(field));
        let good = preferred(field).into_iter().filter_map(|port| u16::try_from(port).ok());
        good.into_iter().find(|port| set.contains(*port)).or_else(|| first(&set)).unwrap_or_default()
    };
    let address = |set: &AddressSet, field| {
        let of = |number: u128| match block.family {
            Family::V4 => u32::try_from(number).ok().map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
            Family::V6 => Some(IpAddr::V6(Ipv6Addr::from(number))),
        };
        let good = preferred(field).into_iter().filter_map(of).find(|address| set.contains(*address));
        let lowest = match block.family {
            Family::V4 => set.v4().ranges().first().and_then(|&(first, _)| of(first.into())),
            Family::V6 => set.v6().ranges().first().and_then(|&(first, _)| of(first)),
        };
        good.or(lowest)
    };
    let source = address(&block.sources, Field::Source).expect("a block has a source");
    let destination = address(&block.destinations, Field::Destination).expect("a block has a destination");
    let source = (source, port(&block.source_ports, Field::SourcePort));
    let destination = (destination, port(&block.destination_ports, Field::DestinationPort));
    Flow::new(direction, protocol, source, destination).expect("a block is of one family")
}

fn first(set: &RangeSet<u16>) -> Option<u16> {
    set.ranges().first().map(|&(first, _)| first)
}
