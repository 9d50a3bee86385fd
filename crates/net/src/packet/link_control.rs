//! What keeps a link working and is not subject to rules, in Azure as here, as far as a flow tells: it has addresses, ports
//! and types, but neither hop limit nor content.
//!
//! Neighbour and router discovery and multicast listener reports (RFC 4861, 2710, 3810); a machine's DHCP (RFC 2131,
//! 8415). What a packet's content adds is in `neighbour.rs` and `dhcp.rs`.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};

use super::{Fragment, Ip, ParseError, Refusal, address, dhcp, neighbour};
use crate::{Direction, Flow, Protocol};

const LISTENER_QUERY: u8 = 130;
const LISTENER_DONE: u8 = 132;
const LISTENER_REPORT_V2: u8 = 143;

/// Hop limit of what listeners and those who query them say.
pub(super) const LISTENER_HOP_LIMIT: u8 = 1;
/// MLDv1 has one form; what MLDv2 lists fits into the packet that every link carries.
pub(super) const LISTENER_V1_BYTES: usize = 16;
const LISTENER_V2_BYTES_MAX: usize = neighbour::ROUTER_BYTES_MAX;
/// The router alert that announces such a message.
const ROUTER_ALERT_BYTES: usize = 8;

/// Whether a well-formed packet of the flow, fresh from the link, passes without a rule.
pub fn is_link_control(flow: &Flow) -> bool {
    let (ports, direction) = ((flow.source_port(), flow.destination_port()), flow.direction());
    match (flow.protocol(), flow.source(), flow.destination()) {
        (Protocol::UDP, IpAddr::V4(source), IpAddr::V4(destination)) => match direction {
            Direction::Outbound => ports == dhcp::PORTS_V4 && address::is_dhcp_server(destination),
            Direction::Inbound => {
                ports == swapped(dhcp::PORTS_V4) && dhcp::may_answer_v4(source, destination)
            }
        },
        (Protocol::UDP, IpAddr::V6(source), IpAddr::V6(destination)) => {
            let expected = match direction {
                Direction::Outbound => dhcp::PORTS_V6,
                Direction::Inbound => swapped(dhcp::PORTS_V6),
            };
            ports == expected && dhcp::is_between_v6(source, destination, direction)
        }
        (Protocol::ICMPV6, IpAddr::V6(source), IpAddr::V6(destination)) => {
            u8::try_from(flow.destination_port()).is_ok_and(|kind| {
                let between = (source, destination);
                may_discover(kind, between) || (is_listener(kind) && are_listening(between))
            })
        }
        _ => false,
    }
}

const fn swapped((a, b): (u16, u16)) -> (u16, u16) {
    (b, a)
}

fn may_discover(kind: u8, (source, destination): (Ipv6Addr, Ipv6Addr)) -> bool {
    let can_send = match kind {
        neighbour::ROUTER_ADVERTISEMENT | neighbour::REDIRECT => source.is_unicast_link_local(),
        neighbour::NEIGHBOUR_ADVERTISEMENT => !source.is_unspecified(),
        _ => true,
    };
    let target = neighbour::target_of(destination);
    neighbour::is_discovery(kind) && can_send && neighbour::is_needed(kind, source, destination, target)
}

/// Whether an ICMPv6 type is one of multicast listeners.
pub(super) const fn is_listener(kind: u8) -> bool {
    matches!(kind, LISTENER_QUERY..=LISTENER_DONE | LISTENER_REPORT_V2)
}

fn are_listening((source, destination): (Ipv6Addr, Ipv6Addr)) -> bool {
    destination.is_multicast() && (source.is_unicast_link_local() || source.is_unspecified())
}

/// Whether a message of multicast listeners passes without a rule; none does that is of another type. Receivers drop what has
/// another hop limit, since it may be from anywhere.
pub(super) fn judge_listener(ip: &Ip, kind: u8, between: (Ipv6Addr, Ipv6Addr)) -> Result<bool, Refusal> {
    if !is_listener(kind) {
        return Ok(false);
    }
    if ip.hop_limit != LISTENER_HOP_LIMIT {
        return Err(ParseError::Malformed("a message of multicast listeners from afar").into());
    }
    let is_v2 = matches!(kind, LISTENER_QUERY | LISTENER_REPORT_V2);
    let fits = ip.payload.len() == LISTENER_V1_BYTES || (is_v2 && ip.payload.len() <= LISTENER_V2_BYTES_MAX);
    Ok(fits && ip.fragment == Fragment::None && ip.extensions <= ROUTER_ALERT_BYTES && are_listening(between))
}
