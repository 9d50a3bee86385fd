//! From a flow to a frame whose first packet it is, in one of the many shapes that such a frame can have.
//!
//! Whatever the shape, `palisade_net::packet` gives the flow back. Shapes come from a seed, so that a failure can be
//! repeated. It knows no rule.

use std::mem;

use palisade_classify::generate::Random;
use palisade_datapath::FlowId;
use palisade_net::{
    AddressSet, Direction, Family, Flow, Mac,
    packet::{
        Extension, Guards, IcmpBody, Packet, Passage, Quoted, Refusal, Station, TcpFlags, Transport,
        is_link_control, parse,
    },
};

use crate::{
    judge::opposite,
    kernel::{SLOT, way},
};

/// Payload and options that a generated frame has at most.
const PAYLOAD_MAX: usize = 64;
const OPTIONS_MAX: usize = 40;
/// An IPv4 option that says nothing.
const NO_OPERATION: u8 = 1;
/// Bytes of the Ethernet header.
pub const ETHERNET: usize = 14;
/// A UDP port pair that no generated flow uses; errors about it are about no flow.
const UNUSED_PORTS: (u16, u16) = (61_001, 61_002);

/// What the parser and the rest before the rules make of a frame at a NIC without guards.
///
/// # Errors
/// If it ends there.
pub fn examine(frame: &[u8], direction: Direction) -> Result<Passage, Refusal> {
    let station = Station { guards: Guards::NONE, mac: Mac::default(), owned: AddressSet::empty() };
    station.examine(frame, direction)
}

/// Whether a packet can begin such a flow: one that is neither impossible nor something else.
pub fn exists(flow: &Flow) -> bool {
    let frame = Packet::first_of(flow).build().expect("a header without payload is short");
    match examine(&frame, flow.direction()) {
        Ok(Passage::LinkControl) => is_link_control(flow),
        Ok(Passage::Packet(parsed)) => {
            !is_link_control(flow) && parsed.to_flow(flow.direction()) == Some(*flow)
        }
        Err(_) => false,
    }
}

/// A packet that begins `flow`, which must exist.
pub fn packet(flow: &Flow, random: &mut Random) -> Packet {
    let mut packet = Packet::first_of(flow);
    // What keeps a link working is that only as it is, and what looks like it has rules of its own.
    if is_link_control(flow) || is_about_link(&packet.transport) {
        return packet;
    }
    packet.hop_limit = 1 + random.below(255) as u8;
    packet.payload = bytes(random, PAYLOAD_MAX);
    vary_transport(&mut packet, flow, random);
    vary_network(&mut packet, flow.family(), random);
    packet
}

/// Neighbour discovery and listeners.
const fn is_about_link(transport: &Transport) -> bool {
    matches!(transport, Transport::Icmp { family: Family::V6, kind: 130..=137 | 143, .. })
}

/// The flow that a packet of a direction belongs to; none for ICMP that is neither a query nor an answer.
pub fn flow_of(packet: &Packet, direction: Direction) -> Option<FlowId> {
    let ((source_port, destination_port), mut query) = (packet.transport.ports(), None);
    let mut ports = match direction {
        Direction::Inbound => (destination_port, source_port),
        Direction::Outbound => (source_port, destination_port),
    };
    if let Transport::Icmp { family, kind, ref body, .. } = packet.transport
        && family == Family::of(packet.source)
    {
        let &IcmpBody::Query { id } = body else { return None };
        let asker = if answered_by(family, kind).is_some() { direction } else { opposite(direction) };
        query = Some((asked_by(family, kind), way(asker)));
        ports = (id, 0);
    }
    let (local, remote) = match direction {
        Direction::Inbound => (packet.destination, packet.source),
        Direction::Outbound => (packet.source, packet.destination),
    };
    let protocol = packet.transport.protocol().0;
    Some(FlowId { slot: SLOT, protocol, query, local: (local, ports.0), remote: (remote, ports.1) })
}

/// Whether the packet begins its flow once it is allowed: an answer without a query does not.
pub fn begins(packet: &Packet) -> bool {
    match packet.transport {
        Transport::Icmp { family, kind, .. } if family == Family::of(packet.source) => {
            answered_by(family, kind).is_some()
        }
        _ => true,
    }
}

/// The ICMP type that answers a query of this type.
pub const fn answered_by(family: Family, kind: u8) -> Option<u8> {
    match (family, kind) {
        (Family::V4, 8) => Some(0),
        (Family::V4, 13 | 15 | 17) => Some(kind + 1),
        (Family::V6, 128) => Some(129),
        _ => None,
    }
}

/// A later packet of the flow that `first` began, from its originator.
pub fn again(first: &Packet, random: &mut Random) -> Packet {
    let mut packet = first.clone();
    if let Transport::Tcp { flags, .. } = &mut packet.transport {
        *flags = *random.pick(&[TcpFlags::SYN, TcpFlags::ACK, TcpFlags::ACK.with(TcpFlags::PSH)]);
    }
    packet
}

/// A packet of the flow that `first` began, from its responder; none where no packet would be known as its answer.
pub fn answer(first: &Packet, random: &mut Random) -> Option<Packet> {
    let (source, destination) = (first.destination, first.source);
    let mut packet = Packet { source, destination, ..first.clone() };
    match &mut packet.transport {
        Transport::Tcp { source_port, destination_port, flags } => {
            mem::swap(source_port, destination_port);
            *flags = *random.pick(&[TcpFlags::SYN, TcpFlags::SYN.with(TcpFlags::ACK), TcpFlags::ACK]);
        }
        Transport::Udp { source_port, destination_port } => mem::swap(source_port, destination_port),
        Transport::Icmp { family, kind, .. } if *family == Family::of(source) => {
            *kind = answered_by(*family, *kind)?;
        }
        Transport::Icmp { .. } => return None,
        Transport::Other(_) => {}
    }
    // A group, for one, answers nothing.
    let frame = packet.build().expect("the packet can be written");
    parse(&frame).is_ok().then_some(packet)
}

/// The type of the query that a message of this type belongs to.
fn asked_by(family: Family, kind: u8) -> u8 {
    (0..=u8::MAX).find(|query| answered_by(family, *query) == Some(kind)).unwrap_or(kind)
}

fn vary_transport(packet: &mut Packet, flow: &Flow, random: &mut Random) {
    match &mut packet.transport {
        Transport::Tcp { flags, .. } => {
            // A flow may also be met in the middle: rules are asked about any segment that no flow explains.
            let all = [TcpFlags::SYN, TcpFlags::ACK, TcpFlags::FIN, TcpFlags::RST, TcpFlags::PSH];
            if random.chance(40) {
                *flags = TcpFlags((0..2).fold(0, |bits, _| bits | random.pick(&all).0));
            }
            packet.tcp_options = if random.chance(20) { bytes(random, OPTIONS_MAX) } else { Vec::new() };
        }
        Transport::Icmp { family, body, code, .. } => {
            *code = random.below(16) as u8;
            match body {
                IcmpBody::Query { id } => *id = random.port(),
                IcmpBody::Error(about) if *family == flow.family() && random.chance(50) => {
                    *about = Some(Box::new(unrelated(flow)));
                }
                IcmpBody::Error(_) | IcmpBody::Other => {}
            }
        }
        Transport::Udp { .. } | Transport::Other(_) => {}
    }
}

/// The quote of a packet that never was.
fn unrelated(flow: &Flow) -> Quoted {
    let (source_port, destination_port) = UNUSED_PORTS;
    let transport = Transport::Udp { source_port, destination_port };
    Quoted { source: flow.destination(), destination: flow.source(), transport }
}

fn vary_network(packet: &mut Packet, family: Family, random: &mut Random) {
    match family {
        Family::V4 if random.chance(10) => packet.options = vec![NO_OPERATION; random.below(OPTIONS_MAX + 1)],
        Family::V6 if random.chance(15) => {
            packet.extensions = (0..1 + random.below(3)).map(|place| extension(place, random)).collect();
        }
        Family::V4 | Family::V6 => {}
    }
    if random.chance(10) {
        make_fragment(packet, 0, random.chance(80));
    }
}

/// Makes the packet a fragment. One that others follow is as long as fragments are: a multiple of eight bytes, and not 0. The
/// first one has the whole transport header, all others have none.
pub fn make_fragment(packet: &mut Packet, offset: u16, more: bool) {
    let whole = Packet { options: Vec::new(), extensions: Vec::new(), fragment: None, ..packet.clone() };
    let headers = if packet.source.is_ipv4() { 20 } else { 40 };
    let length = match offset {
        0 => whole.build().expect("the packet is short").len() - ETHERNET - headers,
        _ => packet.payload.len(),
    };
    packet.payload.extend(vec![0; length.next_multiple_of(8).max(8) - length]);
    packet.fragment = Some((offset, more));
}

/// An extension header that may stand in this place.
pub fn extension(place: usize, random: &mut Random) -> Extension {
    match random.below(3) {
        0 if place == 0 => Extension::HopByHop(vec![0; random.below(20)]),
        1 => Extension::Routing { kind: 4, segments_left: 0, data: vec![0; random.below(20)] },
        _ => Extension::Destination(vec![0; random.below(20)]),
    }
}

/// Up to `max` bytes.
fn bytes(random: &mut Random, max: usize) -> Vec<u8> {
    (0..random.below(max + 1)).map(|_| random.port() as u8).collect()
}
