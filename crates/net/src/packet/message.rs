//! Messages that keep a link working, for tests and tools: discovery, DHCP, DHCPv6.
//!
//! Each is what a machine would send, so that a test need name only what it changes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    IcmpBody, Packet, Transport,
    address::{ALL_NODES, solicited_node},
    dhcp, link_control, neighbour,
};
use crate::{Family, Mac};

/// A message of neighbour discovery (RFC 4861).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// ICMPv6 type.
    pub kind: u8,
    /// Flags of an advertisement, as in the first two bytes of their field.
    pub flags: u16,
    /// Who says so.
    pub source: Ipv6Addr,
    /// Where to.
    pub destination: Ipv6Addr,
    /// Whom it is about.
    pub target: Ipv6Addr,
    /// Types and contents of options, of six bytes each.
    pub options: Vec<(u8, [u8; 6])>,
}

impl Discovery {
    /// Type of the option with the sender's hardware address.
    pub const SOURCE_MAC: u8 = neighbour::OPTION_SOURCE_MAC;
    /// Type of the option with the target's hardware address.
    pub const TARGET_MAC: u8 = neighbour::OPTION_TARGET_MAC;
    /// Type of the option by which a host knows its own question again.
    pub const NONCE: u8 = neighbour::OPTION_NONCE;

    /// Who has `target`? Asked of the group that its owner is in.
    pub fn solicitation((mac, source): (Mac, Ipv6Addr), target: Ipv6Addr) -> Self {
        Self {
            kind: neighbour::NEIGHBOUR_SOLICITATION,
            flags: 0,
            source,
            destination: solicited_node(target),
            target,
            options: vec![(Self::SOURCE_MAC, mac.0)],
        }
    }

    /// Has anybody `target`? Asked before it is taken (RFC 4862).
    pub fn probe(target: Ipv6Addr) -> Self {
        Self { options: vec![], ..Self::solicitation((Mac::default(), Ipv6Addr::UNSPECIFIED), target) }
    }

    /// The sender has its address, told to everybody.
    pub fn advertisement((mac, source): (Mac, Ipv6Addr)) -> Self {
        Self {
            kind: neighbour::NEIGHBOUR_ADVERTISEMENT,
            flags: 0x2000,
            source,
            destination: ALL_NODES,
            target: source,
            options: vec![(Self::TARGET_MAC, mac.0)],
        }
    }

    /// The packet; without hardware addresses, as other packets are.
    pub fn to_packet(&self) -> Packet {
        // Flags stand where queries have their identifier.
        let body = IcmpBody::Query { id: self.flags };
        let transport = Transport::Icmp { family: Family::V6, kind: self.kind, code: 0, body };
        let mut payload = fixed_part(self.kind, self.target);
        for (kind, content) in &self.options {
            payload.extend([*kind, 1]);
            payload.extend(content);
        }
        Packet {
            hop_limit: neighbour::HOP_LIMIT,
            ..Packet::new(self.source.into(), self.destination.into(), transport).with_payload(payload)
        }
    }
}

fn fixed_part(kind: u8, target: Ipv6Addr) -> Vec<u8> {
    match kind {
        neighbour::ROUTER_SOLICITATION => vec![],
        neighbour::ROUTER_ADVERTISEMENT => vec![0; 8],
        neighbour::REDIRECT => [target.octets(), target.octets()].concat(),
        _ => target.octets().to_vec(),
    }
}

/// A DHCP message (RFC 2131): the part that clients and servers have in common, without options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dhcp {
    /// [`Dhcp::REQUEST`] or [`Dhcp::REPLY`].
    pub operation: u8,
    /// Whose lease it is about.
    pub client: Mac,
}

impl Dhcp {
    /// From a client.
    pub const REQUEST: u8 = dhcp::REQUEST;
    /// From a server.
    pub const REPLY: u8 = dhcp::REPLY;

    /// What follows the UDP header.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; dhcp::COOKIE_AT];
        bytes[0] = self.operation;
        bytes[1..3].copy_from_slice(&dhcp::HARDWARE);
        bytes[dhcp::MAC_AT..][..6].copy_from_slice(&self.client.0);
        bytes.extend(dhcp::COOKIE);
        bytes
    }

    /// The datagram of a client without an address, or of a server to one.
    pub fn to_packet(self, server: Ipv4Addr) -> Packet {
        let (client_port, server_port) = dhcp::PORTS_V4;
        let (source, destination, source_port, destination_port) = if self.operation == Self::REQUEST {
            (Ipv4Addr::UNSPECIFIED, server, client_port, server_port)
        } else {
            (server, Ipv4Addr::BROADCAST, server_port, client_port)
        };
        let transport = Transport::Udp { source_port, destination_port };
        Packet::new(source.into(), destination.into(), transport).with_payload(self.to_bytes())
    }
}

/// What follows the UDP header of a DHCPv6 message of this type (RFC 8415), without options.
pub fn dhcpv6(kind: u8) -> Vec<u8> {
    vec![kind, 0, 0, 7]
}

/// What a first packet must say to be what its type and ports promise; nothing for all others.
pub(super) fn content_of(packet: &Packet) -> Vec<u8> {
    match (&packet.transport, packet.destination) {
        (&Transport::Icmp { family: Family::V6, kind, .. }, IpAddr::V6(destination)) => {
            if neighbour::is_discovery(kind) {
                fixed_part(kind, neighbour::target_of(destination))
            } else if link_control::is_listener(kind) {
                vec![0; link_control::LISTENER_V1_BYTES]
            } else {
                vec![]
            }
        }
        (&Transport::Udp { source_port, destination_port }, destination) => {
            let ports = (source_port, destination_port);
            let is = |of: (u16, u16)| ports == of;
            match destination {
                IpAddr::V4(_) if is(dhcp::PORTS_V4) => {
                    Dhcp { operation: Dhcp::REQUEST, client: Mac::default() }.to_bytes()
                }
                IpAddr::V4(_) if is((dhcp::PORTS_V4.1, dhcp::PORTS_V4.0)) => {
                    Dhcp { operation: Dhcp::REPLY, client: Mac::default() }.to_bytes()
                }
                IpAddr::V6(_) if is(dhcp::PORTS_V6) => dhcpv6(1),
                IpAddr::V6(_) if is((dhcp::PORTS_V6.1, dhcp::PORTS_V6.0)) => dhcpv6(7),
                _ => vec![],
            }
        }
        _ => vec![],
    }
}

/// The hop limit without which a message of this type is none.
pub(super) fn hop_limit_of(transport: &Transport) -> Option<u8> {
    match *transport {
        Transport::Icmp { family: Family::V6, kind, .. } if neighbour::is_discovery(kind) => {
            Some(neighbour::HOP_LIMIT)
        }
        Transport::Icmp { family: Family::V6, kind, .. } if link_control::is_listener(kind) => {
            Some(link_control::LISTENER_HOP_LIMIT)
        }
        _ => None,
    }
}
