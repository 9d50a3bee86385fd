//! What a flow tells of link control, and what its first packet then looks like to a NIC.

use std::net::IpAddr;

use super::*;
use crate::{
    AddressSet, Mac,
    packet::{Guards, Packet, Passage, Station},
};

/// A NIC without guards.
fn station() -> Station {
    Station { guards: Guards::NONE, mac: Mac::default(), owned: AddressSet::empty() }
}

fn flow(direction: Direction, protocol: Protocol, addresses: [&str; 2], ports: (u16, u16)) -> Flow {
    let [source, destination] = addresses.map(|address| address.parse::<IpAddr>().unwrap());
    Flow::new(direction, protocol, (source, ports.0), (destination, ports.1)).unwrap()
}

/// What the flow tells, which must be what its first packet is, unless none can be.
#[track_caller]
fn check(direction: Direction, protocol: Protocol, addresses: [&str; 2], ports: (u16, u16), expect: bool) {
    let flow = flow(direction, protocol, addresses, ports);
    assert_eq!(is_link_control(&flow), expect, "{flow:?}");
    let frame = Packet::first_of(&flow).build().unwrap();
    if let Ok(passage) = station().examine(&frame, direction) {
        assert_eq!(passage == Passage::LinkControl, expect, "{flow:?}");
    } else {
        assert!(!expect, "{flow:?}");
    }
}

#[test]
fn dhcp_is_of_the_link() {
    use Direction::{Inbound, Outbound};
    let udp = |direction, addresses, ports, expect| check(direction, Protocol::UDP, addresses, ports, expect);
    udp(Outbound, ["0.0.0.0", "255.255.255.255"], (68, 67), true);
    udp(Outbound, ["10.0.0.4", "168.63.129.16"], (68, 67), true);
    udp(Outbound, ["10.0.0.4", "192.0.2.1"], (68, 67), false);
    udp(Outbound, ["10.0.0.4", "10.0.0.255"], (68, 67), false);
    udp(Outbound, ["10.0.0.4", "255.255.255.255"], (67, 68), false);
    udp(Outbound, ["10.0.0.4", "255.255.255.255"], (68, 68), false);
    udp(Inbound, ["192.0.2.1", "255.255.255.255"], (67, 68), true);
    udp(Inbound, ["168.63.129.16", "10.0.0.4"], (67, 68), true);
    udp(Inbound, ["192.0.2.1", "10.0.0.4"], (67, 68), false);
    udp(Inbound, ["0.0.0.0", "255.255.255.255"], (68, 67), false);
    udp(Outbound, ["fe80::4", "ff02::1:2"], (546, 547), true);
    udp(Outbound, ["fe80::4", "fe80::1"], (546, 547), true);
    udp(Outbound, ["fe80::4", "2001:db8::1"], (546, 547), false);
    udp(Outbound, ["fe80::4", "ff05::1:3"], (546, 547), false);
    udp(Outbound, ["2001:db8::4", "ff02::1:2"], (546, 547), false);
    udp(Inbound, ["fe80::1", "fe80::4"], (547, 546), true);
    udp(Inbound, ["febf::1", "fe80::4"], (547, 546), true);
    udp(Inbound, ["fec0::1", "fe80::4"], (547, 546), false);
    udp(Inbound, ["fe80::1", "ff02::1:2"], (547, 546), false);
    udp(Inbound, ["2001:db8::1", "fe80::4"], (547, 546), false);
    // Ports of the other family.
    udp(Outbound, ["10.0.0.4", "255.255.255.255"], (546, 547), false);
    udp(Outbound, ["fe80::4", "ff02::1:2"], (68, 67), false);
}

#[test]
fn discovery_goes_where_no_router_carries_it() {
    for direction in Direction::ALL {
        let icmp = |kind, addresses, expect| check(direction, Protocol::ICMPV6, addresses, (0, kind), expect);
        let group = "ff02::1:ff00:9";
        for (source, destination, kinds) in [
            ("fe80::4", group, &[135][..]),
            ("2001:db8::4", group, &[135]),
            ("::", group, &[135]),
            ("2001:db8::4", "2001:db8::9", &[133, 135, 136]),
            ("2001:db8::4", "2001:db8:0:1::9", &[]),
            ("2001:db8::4", "fe80::9", &[133, 135, 136]),
            ("fe80::4", "2001:db8::9", &[133, 134, 135, 136, 137]),
            ("fe80::4", "ff02::1", &[134, 136]),
            ("fe80::4", "ff02::2", &[133]),
            ("::", "ff02::2", &[133]),
            ("::", "ff02::1", &[]),
            ("fe80::4", "ff05::2", &[]),
            ("2001:db8::4", "ff05::1:ff00:9", &[]),
            ("fe80::4", "ff02::1:fe00:9", &[]),
        ] {
            for kind in 133..=137 {
                icmp(kind, [source, destination], kinds.contains(&kind));
            }
        }
        for (source, destination, expect) in [
            ("fe80::4", "ff02::16", true),
            ("::", "ff02::16", true),
            ("fe80::4", "ff05::1:3", true),
            ("2001:db8::4", "ff02::16", false),
            ("fe80::4", "fe80::9", false),
        ] {
            for kind in [130, 131, 132, 143] {
                icmp(kind, [source, destination], expect);
            }
        }
        for kind in [0, 1, 128, 129, 138, 141, 142, 144, 255] {
            icmp(kind, ["fe80::4", "ff02::1"], false);
        }
        check(direction, Protocol::ICMP, ["10.0.0.4", "10.0.0.9"], (0, 135), false);
        check(direction, Protocol::TCP, ["10.0.0.4", "255.255.255.255"], (68, 67), false);
    }
}
