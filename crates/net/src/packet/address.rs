//! What an address is by itself, never whose it is: the model of `bpf/address.h` (RFC 1122, 4291, 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Protocol;

/// Azure's address for services of the platform, DHCP among them.
const PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// Where a machine asks for its metadata.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The platform's address on every link.
const PLATFORM_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x1234, 0x5678, 0x9abc);

/// Every node of the link.
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Every router of the link.
pub(super) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Every DHCPv6 server and relay of the link.
pub(super) const ALL_DHCP_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// Whether it is one of the addresses in whose name only the platform speaks.
pub(super) fn is_platform(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address == PLATFORM || address == METADATA,
        IpAddr::V6(address) => address == PLATFORM_V6,
    }
}

/// Whether it is where a machine's DHCP may go: to everybody on the link, or to the platform.
pub(super) fn is_dhcp_server(address: Ipv4Addr) -> bool {
    address.is_broadcast() || is_dhcp_platform(address)
}

/// Whether it is where the platform's DHCP comes from.
pub(super) fn is_dhcp_platform(address: Ipv4Addr) -> bool {
    address == PLATFORM
}

/// The group in which the owner of an address is asked for (RFC 4291, 2.7.1).
pub(super) fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// Whether it stays inside a host: `::`, `::1`, and IPv4 addresses written as IPv6 ones.
fn is_internal(address: Ipv6Addr) -> bool {
    address.is_unspecified() || address.is_loopback() || address.to_ipv4_mapped().is_some()
}

/// Whether no packet on a wire is between these addresses. Groups and loopback addresses send nothing; a host without an
/// address yet sends from 0.0.0.0 or `::` what gives it one (DHCP, neighbour discovery) or names its groups (IGMP, MLD).
pub(super) fn are_impossible(source: IpAddr, destination: IpAddr, protocol: Protocol) -> bool {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let is_nowhere =
                source.is_loopback() || destination.is_loopback() || destination.is_unspecified();
            let has_address = !source.is_unspecified() || matches!(protocol, Protocol::UDP | Protocol::IGMP);
            is_nowhere || source.is_multicast() || source.is_broadcast() || !has_address
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let has_no_source = source.is_unspecified() && protocol == Protocol::ICMPV6;
            source.is_multicast() || is_internal(destination) || (is_internal(source) && !has_no_source)
        }
        _ => true,
    }
}

/// The link-local address that RFC 4291 makes of a hardware address.
pub(super) const fn eui64([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// Whether it may be a link-local address whose end was drawn at random (RFC 7217, 8981). One that names a hardware address is
/// that address's, small ones are given by hand, chiefly to routers, and the platform's is the platform's.
pub(super) fn may_be_drawn(address: Ipv6Addr) -> bool {
    let [first, a, b, c, d, e, f, _] = address.segments();
    let is_link_local = [first, a, b, c] == [0xfe80, 0, 0, 0];
    let is_eui64 = e & 0xff == 0xff && f >> 8 == 0xfe;
    is_link_local && (d, e) != (0, 0) && !is_eui64 && address != PLATFORM_V6
}
