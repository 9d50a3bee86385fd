//! From a flow to a frame whose first packet it is, in one of the many shapes that such a frame can have.
//!
//! Whatever the shape, `palisade_net::packet::parse` gives the flow back. Shapes come from a seed, so that a failure can be
//! repeated.

use palisade_classify::generate::Random;
use palisade_model::is_link_control;
use palisade_net::{
    Family, Flow, Protocol,
    packet::{Extension, IcmpBody, Packet, Quoted, TcpFlags, Transport},
};

/// IPv6 next-header values that name an extension header and no protocol (RFC 8200, section 4).
const EXTENSION_HEADERS: [u8; 4] = [0, 43, 44, 60];
/// Payload and options that a generated frame has at most.
const PAYLOAD_MAX: usize = 64;
const OPTIONS_MAX: usize = 40;
/// A UDP port pair that no generated flow uses; errors about it are about no flow.
const UNUSED_PORTS: (u16, u16) = (61_001, 61_002);

/// Whether a packet can begin such a flow.
pub fn exists(flow: &Flow) -> bool {
    let is_header = flow.family() == Family::V6 && EXTENSION_HEADERS.contains(&flow.protocol().0);
    let is_type = !flow.protocol().is_icmp() || flow.destination_port() <= 255;
    !is_header && is_type
}

/// A packet that begins `flow`, which must exist.
pub fn packet(flow: &Flow, random: &mut Random) -> Packet {
    let mut packet = Packet::first_of(flow);
    let is_link_control = is_link_control(flow);
    packet.hop_limit = if is_link_control { link_hop_limit(flow) } else { 1 + random.below(255) as u8 };
    packet.payload = bytes(random, PAYLOAD_MAX);
    vary_transport(&mut packet, flow, random);
    if !is_link_control {
        vary_network(&mut packet, flow.family(), random);
    }
    packet
}

/// Messages of the link are such only if no router has passed them on (RFC 4861, RFC 3810).
fn link_hop_limit(flow: &Flow) -> u8 {
    if matches!(flow.destination_port(), 133..=137) || flow.protocol() == Protocol::UDP { 255 } else { 1 }
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
    if random.chance(10) {
        // The first fragment has the whole transport header.
        packet.fragment = Some((0, random.chance(80)));
    }
    match family {
        Family::V4 if random.chance(10) => packet.options = bytes(random, OPTIONS_MAX),
        Family::V6 if random.chance(15) => {
            packet.extensions = (0..1 + random.below(3)).map(|place| extension(place, random)).collect();
        }
        Family::V4 | Family::V6 => {}
    }
}

/// An extension header that may stand in this place.
pub fn extension(place: usize, random: &mut Random) -> Extension {
    match random.below(3) {
        0 if place == 0 => Extension::HopByHop(vec![0; random.below(20)]),
        1 => Extension::Routing { kind: 4, data: vec![0; random.below(20)] },
        _ => Extension::Destination(vec![0; random.below(20)]),
    }
}

/// Up to `max` bytes.
fn bytes(random: &mut Random, max: usize) -> Vec<u8> {
    (0..random.below(max + 1)).map(|_| random.port() as u8).collect()
}
