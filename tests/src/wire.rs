//! From a flow to a frame whose first packet it is, in one of the many shapes that such a frame can have.
//!
//! Whatever the shape, `palisade_net::packet::parse` gives the flow back. Shapes come from a seed, so that a failure can be
//! repeated.

use palisade_classify::generate::Random;
use palisade_net::{
    AddressSet, Family, Flow, Mac, Protocol,
    packet::{Extension, Guards, IcmpBody, Packet, Quoted, Station, TcpFlags, Transport},
};

/// IPv6 next-header values that name an extension header and no protocol (RFC 8200, section 4).
const EXTENSION_HEADERS: [u8; 4] = [0, 43, 44, 60];
/// Payload and options that a generated frame has at most.
const PAYLOAD_MAX: usize = 64;
const OPTIONS_MAX: usize = 40;
/// An IPv4 option of one byte that means nothing.
const NO_OPTION: u8 = 1;
/// A UDP port pair that no generated flow uses; errors about it are about no flow.
const UNUSED_PORTS: (u16, u16) = (61_001, 61_002);

/// UDP ports of DHCP and DHCPv6, of questions and answers.
const DHCP_PORTS: [(u16, u16); 4] = [(68, 67), (67, 68), (546, 547), (547, 546)];

/// A NIC whose VM may say everything.
pub fn unguarded() -> Station {
    Station { guards: Guards::NONE, mac: Mac::default(), owned: AddressSet::empty() }
}

/// Whether a packet can begin such a flow: between such addresses, of such a type.
pub fn exists(flow: &Flow) -> bool {
    let is_header = flow.family() == Family::V6 && EXTENSION_HEADERS.contains(&flow.protocol().0);
    let is_type = !flow.protocol().is_icmp() || flow.destination_port() <= 255;
    let frame = Packet::first_of(flow).build().expect("the packet can be written");
    !is_header && is_type && unguarded().examine(&frame, flow.direction()).is_ok()
}

/// A packet that begins `flow`, which must exist.
pub fn packet(flow: &Flow, random: &mut Random) -> Packet {
    let mut packet = Packet::first_of(flow);
    if speaks_of_the_link(flow) {
        return packet;
    }
    packet.hop_limit = 1 + random.below(255) as u8;
    packet.payload = bytes(random, PAYLOAD_MAX);
    vary_transport(&mut packet, flow, random);
    vary_network(packet, flow.family(), random)
}

/// Whether the flow's packets have content of their own, without which they would be something else.
fn speaks_of_the_link(flow: &Flow) -> bool {
    match flow.protocol() {
        Protocol::ICMPV6 => matches!(flow.destination_port(), 130..=137 | 143),
        Protocol::UDP => DHCP_PORTS.contains(&(flow.source_port(), flow.destination_port())),
        _ => false,
    }
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

fn vary_network(mut packet: Packet, family: Family, random: &mut Random) -> Packet {
    match family {
        Family::V4 if random.chance(10) => packet.options = vec![NO_OPTION; random.below(OPTIONS_MAX + 1)],
        Family::V6 if random.chance(15) => {
            packet.extensions = (0..1 + random.below(3)).map(|place| extension(place, random)).collect();
        }
        Family::V4 | Family::V6 => {}
    }
    match random.below(100) {
        // The first fragment has the whole transport header.
        0..8 => packet.into_first_fragment().expect("the packet can be written"),
        8..10 => Packet { fragment: Some((0, false)), ..packet },
        _ => packet,
    }
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
