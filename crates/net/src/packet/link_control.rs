//! What keeps a link working and is not subject to rules, in Azure as here: the model of `bpf/guard.h`.
//!
//! ARP; neighbour and router discovery and multicast listener reports (RFC 4861, 2710, 3810); a machine's DHCP (RFC
//! 2131, 8415). Hop limits of 255 and 1 are part of the check: no such packet can come from beyond a router.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

use super::{Content, Ip, Parsed, Transport};
use crate::{Direction, Family};

/// DHCP ports of the client and the server, by family.
const DHCP: (u16, u16) = (68, 67);
const DHCPV6: (u16, u16) = (546, 547);
/// Azure's address for services of the platform, DHCP among them.
const PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

impl Parsed {
    /// Whether the packet passes without a rule because the link needs it.
    pub fn is_link_control(&self, direction: Direction) -> bool {
        match &self.content {
            Content::Arp(_) => true,
            Content::Ip(ip) if ip.is_fragment => false,
            Content::Ip(ip) => match ip.transport {
                Transport::Udp { source_port, destination_port } => match direction {
                    Direction::Outbound => {
                        is_dhcp(ip.source, (source_port, destination_port)) && is_dhcp_server(ip.destination)
                    }
                    Direction::Inbound => is_dhcp(ip.source, (destination_port, source_port)),
                },
                Transport::Icmp { family: Family::V6, kind, .. } => is_discovery(ip, kind),
                _ => false,
            },
        }
    }
}

/// Whether the machine's and the other side's port are those of DHCP. DHCPv6 speaks from link-local addresses.
fn is_dhcp(source: IpAddr, ports: (u16, u16)) -> bool {
    match source {
        IpAddr::V4(_) => ports == DHCP,
        IpAddr::V6(source) => ports == DHCPV6 && source.is_unicast_link_local(),
    }
}

/// Whether a machine's DHCP may go there: to everybody on the link, or to the platform. A server at another address, which
/// a lease is renewed with, is for the rules to allow; otherwise these ports would be a way around every rule.
pub fn is_dhcp_server(destination: IpAddr) -> bool {
    match destination {
        IpAddr::V4(address) => address.is_broadcast() || address == PLATFORM,
        IpAddr::V6(_) => true,
    }
}

fn is_discovery(ip: &Ip, kind: u8) -> bool {
    let is_from_link = match kind {
        133..=137 => ip.hop_limit == 255,
        130..=132 | 143 => ip.hop_limit == 1,
        _ => false,
    };
    ip.source.is_ipv6() && is_from_link
}
