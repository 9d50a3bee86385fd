//! A machine's DHCP and DHCPv6: the model of `bpf/dhcp.h` (RFC 2131, 8415).
//!
//! Questions go to everybody on the link, or to the platform; answers are to everybody, from the platform, or about this
//! very NIC. All of them look like what they say they are: ports alone would be a way around every rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Fragment, Ip, Refusal, Station,
    address::{ALL_DHCP_SERVERS, is_dhcp_platform, is_dhcp_server},
    guard::Guards,
};
use crate::{Direction, Mac};

/// DHCP ports of the client and the server, by family.
pub(super) const PORTS_V4: (u16, u16) = (68, 67);
pub(super) const PORTS_V6: (u16, u16) = (546, 547);

/// Operations of DHCP.
pub(super) const REQUEST: u8 = 1;
pub(super) const REPLY: u8 = 2;
/// Ethernet, and the bytes of its addresses.
pub(super) const HARDWARE: [u8; 2] = [1, 6];
pub(super) const MAC_AT: usize = 28;
pub(super) const COOKIE_AT: usize = 236;
pub(super) const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

/// Types of DHCPv6 messages from clients, and from servers to clients; those of relays are neither.
const QUESTIONS_V6: [u8; 8] = [1, 3, 4, 5, 6, 8, 9, 11];
const ANSWERS_V6: [u8; 3] = [2, 7, 10];

/// Whether the datagram with these ports, source and destination, passes without a rule.
pub(super) fn judge(
    station: &Station,
    ip: &Ip,
    (source_port, destination_port): (u16, u16),
    payload: &[u8],
    direction: Direction,
) -> Result<bool, Refusal> {
    let guards = station.of_sender(direction);
    let (client_port, server_port) = if ip.source.is_ipv4() { PORTS_V4 } else { PORTS_V6 };
    // Nothing but an answer of a server goes to a client's port, and clients take it from whatever port it comes.
    if guards.contains(Guards::DHCP_SERVER) && destination_port == client_port {
        return Err(Refusal::DhcpServer);
    }
    let expected = match direction {
        Direction::Outbound => (client_port, server_port),
        Direction::Inbound => (server_port, client_port),
    };
    if (source_port, destination_port) != expected || ip.fragment != Fragment::None {
        return Ok(false);
    }
    match (ip.source, ip.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => match (Message::read(payload), direction) {
            (Some(Message { operation: REQUEST, client }), Direction::Outbound) => {
                if guards.contains(Guards::MAC) && client != Some(station.mac) {
                    return Err(Refusal::ForeignMac);
                }
                Ok(is_dhcp_server(destination))
            }
            (Some(Message { operation: REPLY, client }), Direction::Inbound) => {
                let is_own = client == Some(station.mac) && station.mac != Mac::default();
                Ok(is_own || may_answer_v4(source, destination))
            }
            _ => Ok(false),
        },
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let types: &[u8] = match direction {
                Direction::Outbound => &QUESTIONS_V6,
                Direction::Inbound => &ANSWERS_V6,
            };
            let is_message = payload.len() >= 4 && types.contains(&payload[0]);
            Ok(is_message && is_between_v6(source, destination, direction))
        }
        _ => Ok(false),
    }
}

/// Whether an answer between these addresses needs no rule, whoever it is about.
pub(super) fn may_answer_v4(source: Ipv4Addr, destination: Ipv4Addr) -> bool {
    destination.is_broadcast() || is_dhcp_platform(source)
}

/// Whether DHCPv6 of a machine goes there: from the link to the link.
pub(super) fn is_between_v6(source: Ipv6Addr, destination: Ipv6Addr, direction: Direction) -> bool {
    let is_group = direction == Direction::Outbound && destination == ALL_DHCP_SERVERS;
    source.is_unicast_link_local() && (destination.is_unicast_link_local() || is_group)
}

/// A DHCP message, as far as it is looked at.
struct Message {
    operation: u8,
    /// The client's hardware address, if it is an Ethernet one.
    client: Option<Mac>,
}

impl Message {
    fn read(payload: &[u8]) -> Option<Self> {
        let fixed = payload.get(..COOKIE_AT + COOKIE.len()).filter(|fixed| fixed.ends_with(&COOKIE))?;
        let mac = core::array::from_fn(|i| fixed[MAC_AT + i]);
        Some(Self { operation: fixed[0], client: (fixed[1..3] == HARDWARE).then_some(Mac(mac)) })
    }
}
