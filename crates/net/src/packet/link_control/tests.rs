//! Every kind of link control, and what only looks like it.

use super::{
    super::{
        IcmpBody, Packet, parse,
        tests::{SYN, V4, V6, echo, packet},
    },
    *,
};

#[test]
fn link_control_is_what_the_link_needs() {
    let is_link_control = |packet: &Packet| {
        let parsed = parse(&packet.build().unwrap()).unwrap();
        Direction::ALL.map(|direction| parsed.is_link_control(direction))
    };
    let udp = |source_port, destination_port| Transport::Udp { source_port, destination_port };
    let link_local = ["fe80::1", "ff02::1:2"];
    for (addresses, transport, expect) in [
        (["0.0.0.0", "255.255.255.255"], udp(68, 67), [false, true]),
        (["10.0.0.4", "168.63.129.16"], udp(68, 67), [false, true]),
        (["10.0.0.4", "192.0.2.1"], udp(68, 67), [false; 2]),
        (["10.0.0.4", "10.0.0.255"], udp(68, 67), [false; 2]),
        (V4, udp(67, 68), [true, false]),
        (V4, udp(68, 68), [false; 2]),
        (V4, udp(546, 547), [false; 2]),
        (link_local, udp(546, 547), [false, true]),
        (link_local, udp(547, 546), [true, false]),
        (["febf::1", "fe80::1"], udp(547, 546), [true, false]),
        (["fec0::1", "fe80::1"], udp(547, 546), [false; 2]),
        (V6, udp(68, 67), [false; 2]),
        (V4, SYN, [false; 2]),
        (V4, echo(8), [false; 2]),
    ] {
        assert_eq!(is_link_control(&packet(addresses, transport.clone())), expect, "{transport:?}");
        let part = Packet { fragment: Some((0, true)), ..packet(addresses, transport) };
        assert_eq!(is_link_control(&part), [false; 2]);
    }
    for kind in 0..=255 {
        let expect = match kind {
            133..=137 => Some(255),
            130..=132 | 143 => Some(1),
            _ => None,
        };
        let body = IcmpBody::blank(Family::V6, kind);
        let transport = Transport::Icmp { family: Family::V6, kind, code: 0, body };
        for hop_limit in [1, 64, 255] {
            let of = |addresses| Packet { hop_limit, ..packet(addresses, transport.clone()) };
            assert_eq!(is_link_control(&of(V6)), [expect == Some(hop_limit); 2], "type {kind}");
            assert_eq!(is_link_control(&of(V4)), [false; 2]);
        }
    }
}
