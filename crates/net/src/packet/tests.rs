//! Frames by hand: one for each thing that the parser tells apart, and one for each of its refusals.
//!
//! Most start from a built packet and change the bytes that matter. Properties over many packets are in
//! `tests/packets.rs`.

use super::{write::ip, *};

pub(super) const V4: [&str; 2] = ["10.0.1.4", "198.51.100.7"];
const V4_A: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 4);
pub(super) const V6: [&str; 2] = ["2001:db8::4", "2001:db8:ffff::7"];
pub(super) const SYN: Transport =
    Transport::Tcp { source_port: 50_000, destination_port: 3389, flags: TcpFlags::SYN };
pub(super) const DNS: Transport = Transport::Udp { source_port: 40_000, destination_port: 53 };
/// Where the IP header starts, and the IPv4 and IPv6 transport headers without options and extensions.
pub(super) const AT_IP: usize = ETHERNET_BYTES;
pub(super) const AT_V4_BODY: usize = AT_IP + IPV4_BYTES;
pub(super) const AT_V6_BODY: usize = AT_IP + IPV6_BYTES;

pub(super) fn packet([source, destination]: [&str; 2], transport: Transport) -> Packet {
    Packet::new(source.parse().unwrap(), destination.parse().unwrap(), transport)
}

pub(super) fn echo(kind: u8) -> Transport {
    let family = if kind == 8 { Family::V4 } else { Family::V6 };
    Transport::Icmp { family, kind, code: 0, body: IcmpBody::Query { id: 77 } }
}

/// The frame after `change`.
pub(super) fn changed(packet: &Packet, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = packet.build().unwrap();
    change(&mut frame);
    frame
}

pub(super) fn transport_of(frame: &[u8]) -> Transport {
    parse(frame).unwrap().ip().unwrap().transport.clone()
}

#[track_caller]
pub(super) fn malformed(frame: &[u8], cause: &str) {
    match parse(frame) {
        Err(ParseError::Malformed(text)) => assert!(text.contains(cause), "{text:?} is not about {cause:?}"),
        other => panic!("not malformed: {other:?}"),
    }
}

/// Every shorter frame is malformed: the IP header's length tells that something is missing.
#[track_caller]
fn cut_anywhere(packet: &Packet) {
    let frame = packet.build().unwrap();
    parse(&frame).unwrap();
    for length in 0..frame.len() {
        assert!(matches!(parse(&frame[..length]), Err(ParseError::Malformed(_))), "cut to {length} bytes");
    }
}

#[test]
fn what_was_built_is_read() {
    for (addresses, transport, protocol, ports) in [
        (V4, SYN, Protocol::TCP, (50_000, 3389)),
        (V6, SYN, Protocol::TCP, (50_000, 3389)),
        (V4, DNS, Protocol::UDP, (40_000, 53)),
        (V6, DNS, Protocol::UDP, (40_000, 53)),
        (V4, echo(8), Protocol::ICMP, (0, 8)),
        (V6, echo(128), Protocol::ICMPV6, (0, 128)),
        (V4, Transport::Other(Protocol::ESP), Protocol::ESP, (0, 0)),
        (V6, Transport::Other(Protocol::AH), Protocol::AH, (0, 0)),
    ] {
        let packet = packet(addresses, transport)
            .between(Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]))
            .with_payload(*b"hello");
        let frame = packet.build().unwrap();
        let parsed = parse(&frame).unwrap();
        assert_eq!((parsed.source_mac, parsed.destination_mac), (packet.source_mac, packet.destination_mac));
        let ip = parsed.ip().unwrap();
        assert_eq!((ip.source, ip.destination), (packet.source, packet.destination));
        assert_eq!((&ip.transport, ip.protocol(), ip.hop_limit), (&packet.transport, protocol, 64));
        assert_eq!(&frame[ip.payload.clone()], b"hello");
        assert_eq!(ip.fragment, Fragment::None);
        let flow = parsed.to_flow(Direction::Inbound).unwrap();
        assert_eq!((flow.source_port(), flow.destination_port()), ports);
        assert_eq!((flow.local(), flow.remote()), (packet.destination, packet.source));
        assert_eq!(parsed.to_flow(Direction::Outbound).unwrap().local(), packet.source);
    }
}

#[test]
fn the_first_packet_of_a_flow_is_of_that_flow() {
    for (addresses, protocol, ports) in [
        (V4, Protocol::TCP, (1, 2)),
        (V6, Protocol::UDP, (3, 4)),
        (V4, Protocol::ICMP, (0, 8)),
        (V4, Protocol::ICMP, (0, 3)),
        (V6, Protocol::ICMPV6, (0, 135)),
        (V4, Protocol(132), (0, 0)),
    ] {
        let [source, destination] = addresses.map(|a| a.parse().unwrap());
        let flow =
            Flow::new(Direction::Outbound, protocol, (source, ports.0), (destination, ports.1)).unwrap();
        let frame = Packet::first_of(&flow).build().unwrap();
        assert_eq!(parse(&frame).unwrap().to_flow(Direction::Outbound), Some(flow));
    }
}

#[test]
fn arp_is_read_and_is_no_flow() {
    let message = Arp {
        operation: 1,
        sender: (Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 0, 0, 1)),
        target: (Mac::default(), Ipv4Addr::new(10, 0, 0, 2)),
    };
    let frame = arp(message.sender.0, Mac([0xff; 6]), &message);
    let parsed = parse(&frame).unwrap();
    assert_eq!(parsed.content, Content::Arp(message));
    assert_eq!(parsed.to_flow(Direction::Inbound), None);
    for length in AT_IP..frame.len() {
        malformed(&frame[..length], "not an ARP message");
    }
    for at in 14..20 {
        let mut other = frame.clone();
        other[at] ^= 0x10;
        malformed(&other, "not an ARP message");
    }
    for (operation, is_known) in [(0, false), (1, true), (2, true), (3, false), (8, false), (0x0101, false)] {
        let other = arp(message.sender.0, Mac([0xff; 6]), &Arp { operation, ..message });
        assert_eq!(parse(&other).is_ok(), is_known, "operation {operation}");
    }
    let padded = |bytes: usize| [&frame[..], &vec![0; bytes]].concat();
    assert_eq!(parse(&padded(18)).unwrap().content, Content::Arp(message));
    malformed(&padded(19), "behind an ARP message");
}

#[test]
fn one_tag_is_looked_behind_and_a_second_one_refused() {
    for (is_provider, inner) in [(false, packet(V4, SYN)), (true, packet(V6, DNS).with_payload(*b"abc"))] {
        let frame = inner.build().unwrap();
        let once = tagged(&frame, 7, is_provider);
        let ip = parse(&once).unwrap().ip().unwrap().clone();
        assert_eq!((ip.source, &ip.transport), (inner.source, &inner.transport));
        assert_eq!(once[ip.payload], inner.payload);
        for length in 14..18 {
            malformed(&once[..length], "within its VLAN tag");
        }
        for again in [false, true] {
            assert_eq!(parse(&tagged(&once, 1, again)), Err(ParseError::VlanTagged));
        }
    }
    let message = Arp { operation: 1, sender: (Mac::default(), V4_A), target: (Mac::default(), V4_A) };
    let frame = tagged(&arp(Mac::default(), Mac::default(), &message), 0, false);
    assert_eq!(parse(&frame).unwrap().content, Content::Arp(message));
}

#[test]
fn other_ethernet_types_are_unsupported() {
    // 802.3 length, old VLAN in VLAN, MPLS, PPPoE, LLDP, RARP.
    for ethertype in [0x0026_u16, 0x9100, 0x8847, 0x8864, 0x88cc, 0x8035] {
        let frame = changed(&packet(V4, SYN), |f| f[12..14].copy_from_slice(&ethertype.to_be_bytes()));
        assert_eq!(parse(&frame), Err(ParseError::UnsupportedEtherType(ethertype)));
    }
    assert!(ParseError::UnsupportedEtherType(0x8847).to_string().contains("0x8847"));
}

#[test]
fn cut_packets_are_malformed() {
    for addresses in [V4, V6] {
        cut_anywhere(&packet(addresses, SYN).with_payload(*b"data"));
        cut_anywhere(&packet(addresses, DNS));
        cut_anywhere(&packet(addresses, Transport::Other(Protocol::ESP)).with_payload(*b"data"));
    }
    cut_anywhere(&packet(V4, echo(8)));
    cut_anywhere(&packet(V6, echo(128)));
    cut_anywhere(&Packet { options: vec![1; 40], ..packet(V4, DNS) });
    let extensions = vec![Extension::HopByHop(vec![0; 6]), Extension::Destination(vec![0; 100])];
    cut_anywhere(&Packet { extensions, fragment: Some((0, true)), ..packet(V6, DNS) });
    cut_anywhere(&Packet { fragment: Some((8, true)), ..packet(V6, DNS).with_payload([0; 16]) });
}

#[test]
fn padding_is_not_payload() {
    for addresses in [V4, V6] {
        let frame = changed(&packet(addresses, DNS).with_payload(*b"x"), |f| f.extend([0; 30]));
        let ip = parse(&frame).unwrap().ip().unwrap().clone();
        assert_eq!(&frame[ip.payload], b"x");
    }
}

#[test]
fn contradictions_are_malformed() {
    let v4 = packet(V4, SYN);
    malformed(&changed(&v4, |f| f[AT_IP] = 0x65), "another version");
    malformed(&changed(&v4, |f| f[AT_IP] = 0x44), "lengths in the IPv4 header");
    malformed(&changed(&v4, |f| f[AT_IP] = 0x4f), "lengths in the IPv4 header");
    malformed(&changed(&v4, |f| f[AT_IP + 2..AT_IP + 4].fill(0)), "lengths in the IPv4 header");
    malformed(&changed(&v4, |f| f[AT_IP + 2] = 0xff), "longer than the frame");
    malformed(&changed(&packet(V6, SYN), |f| f[AT_IP] = 0x45), "another version");
    malformed(&changed(&packet(V6, SYN), |f| f[AT_IP + 4] = 0xff), "longer than the frame");
    malformed(&changed(&packet(V6, SYN), |f| f[AT_IP + 4..AT_IP + 6].fill(0)), "TCP header is cut off");
    malformed(&changed(&packet(V4, DNS), |f| f[AT_V4_BODY + 5] = 7), "UDP length");
    malformed(&changed(&packet(V4, DNS), |f| f[AT_V4_BODY + 5] = 9), "UDP length");
    malformed(&changed(&packet(V6, DNS), |f| f[AT_V6_BODY + 4] = 1), "UDP length");
    malformed(&changed(&v4, |f| f[AT_V4_BODY + 12] = 0x40), "impossible length");
    malformed(&changed(&v4, |f| f[AT_V4_BODY + 12] = 0x60), "impossible length");
    malformed(&changed(&packet(V6, SYN), |f| f[AT_V6_BODY + 12] = 0xf0), "impossible length");
}

#[test]
fn options_are_skipped() {
    for options in [1, 4, 39, 40] {
        let packet = Packet { options: vec![1; options], ..packet(V4, DNS).with_payload(*b"abc") };
        let frame = packet.build().unwrap();
        assert_eq!(transport_of(&frame), DNS);
        let packet =
            Packet { transport: SYN, options: vec![], tcp_options: vec![1; options], ..packet.clone() };
        let frame = packet.build().unwrap();
        let ip = parse(&frame).unwrap().ip().unwrap().clone();
        assert_eq!((&ip.transport, &frame[ip.payload]), (&SYN, &b"abc"[..]));
    }
}

#[test]
fn icmp_of_the_other_family_keeps_its_number_and_quotes_nothing() {
    for (addresses, echo, family, kind) in [(V4, echo(128), Family::V6, 1), (V6, echo(8), Family::V4, 3)] {
        assert_eq!(transport_of(&packet(addresses, echo.clone()).build().unwrap()), echo);
        let error = Transport::Icmp { family, kind, code: 0, body: IcmpBody::Error(None) };
        let quote = ip(&packet(addresses, DNS)).unwrap();
        let frame = packet(addresses, error.clone()).with_payload(quote).build().unwrap();
        assert_eq!(transport_of(&frame), error);
    }
}

#[test]
fn every_icmp_type_has_its_class() {
    let classes = |family, addresses| {
        let mut found = [Vec::new(), Vec::new()];
        for kind in 0..=255 {
            let body = IcmpBody::Query { id: 7 };
            let frame = packet(addresses, Transport::Icmp { family, kind, code: 5, body }).build().unwrap();
            let Transport::Icmp { kind: read, code: 5, body, .. } = transport_of(&frame) else {
                panic!("ICMP type {kind} was not read as ICMP")
            };
            assert_eq!(read, kind);
            match body {
                IcmpBody::Query { id } => found[0].push((kind, id)),
                IcmpBody::Error(None) => found[1].push((kind, 0)),
                other => assert_eq!(other, IcmpBody::Other),
            }
        }
        found.map(|kinds| kinds.into_iter().map(|(kind, id)| format!("{kind}:{id} ")).collect::<String>())
    };
    assert_eq!(classes(Family::V4, V4), ["0:7 8:7 13:7 14:7 15:7 16:7 17:7 18:7 ", "3:0 11:0 12:0 "]);
    assert_eq!(classes(Family::V6, V6), ["128:7 129:7 ", "1:0 2:0 3:0 4:0 "]);
}

#[test]
fn errors_name_the_packet_they_are_about() {
    for (addresses, family, kind, echo) in [(V4, Family::V4, 3, echo(8)), (V6, Family::V6, 2, echo(128))] {
        let [local, remote] = addresses.map(|a| a.parse().unwrap());
        for transport in [SYN, DNS, echo, Transport::Other(Protocol::ESP)] {
            let quoted = Quoted { source: local, destination: remote, transport: without_flags(transport) };
            let body = IcmpBody::Error(Some(Box::new(quoted)));
            let error = Transport::Icmp { family, kind, code: 4, body };
            let packet = Packet::new(remote, local, error.clone());
            assert_eq!(transport_of(&packet.build().unwrap()), error);
        }
    }
}

fn without_flags(transport: Transport) -> Transport {
    match transport {
        Transport::Tcp { source_port, destination_port, .. } => {
            Transport::Tcp { source_port, destination_port, flags: TcpFlags::default() }
        }
        other => other,
    }
}

#[test]
fn unusable_quotes_are_no_quotes() {
    let error = Transport::Icmp { family: Family::V4, kind: 3, code: 1, body: IcmpBody::Error(None) };
    let later = Packet { fragment: Some((2, false)), ..packet(V4, DNS).with_payload([0; 16]) };
    for (name, quote) in [
        ("cut transport header", ip(&packet(V4, DNS)).unwrap()[..27].to_vec()),
        ("cut IP header", ip(&packet(V4, DNS)).unwrap()[..19].to_vec()),
        ("other family", ip(&packet(V6, DNS)).unwrap()),
        ("later fragment", ip(&later).unwrap()),
        ("nothing", vec![]),
    ] {
        let frame = packet(V4, error.clone()).with_payload(quote).build().unwrap();
        assert_eq!(transport_of(&frame), error, "{name}");
    }
    // A quote is cut after 8 bytes of transport header, whatever its IP header says.
    let long = ip(&packet(V4, SYN).with_payload([0; 1400])).unwrap();
    let frame = packet(V4, error).with_payload(&long[..28]).build().unwrap();
    let Transport::Icmp { body: IcmpBody::Error(Some(about)), .. } = transport_of(&frame) else {
        panic!("the quote was not read")
    };
    assert_eq!(about.transport, without_flags(SYN));
}

#[test]
fn impossible_packets_are_not_built() {
    let check = |packet: Packet, expect: BuildError| assert_eq!(packet.build(), Err(expect));
    let (v4, v6) = (packet(V4, DNS), packet(V6, DNS));
    check(packet([V4[0], V6[0]], DNS), BuildError::Families);
    check(Packet { options: vec![1], ..v6.clone() }, BuildError::WrongFamily);
    check(Packet { extensions: vec![Extension::HopByHop(vec![])], ..v4.clone() }, BuildError::WrongFamily);
    check(Packet { options: vec![1; 41], ..v4.clone() }, BuildError::Options(41));
    check(Packet { tcp_options: vec![1; 41], ..packet(V4, SYN) }, BuildError::Options(41));
    let long = vec![Extension::Destination(vec![0; 2047])];
    check(Packet { extensions: long, ..v6.clone() }, BuildError::Extension(2047));
    let long = vec![Extension::Routing { kind: 4, segments_left: 0, data: vec![0; 2045] }];
    check(Packet { extensions: long, ..v6.clone() }, BuildError::Extension(2045));
    check(Packet { fragment: Some((8192, true)), ..v4.clone() }, BuildError::FragmentOffset(8192));
    check(v4.clone().with_payload(vec![0; 65_508]), BuildError::Length(65_536));
    check(v6.clone().with_payload(vec![0; 65_528]), BuildError::Length(65_536));
    let other_family = Quoted { source: v6.source, destination: v6.destination, transport: DNS };
    let body = IcmpBody::Error(Some(Box::new(other_family)));
    check(packet(V4, Transport::Icmp { family: Family::V4, kind: 3, code: 0, body }), BuildError::Families);

    let longest = [v4.with_payload(vec![0; 65_507]), v6.with_payload(vec![0; 65_527])];
    for packet in longest {
        assert_eq!(transport_of(&packet.build().unwrap()), DNS);
    }
}

#[test]
fn flags_combine() {
    let reply = TcpFlags::SYN.with(TcpFlags::ACK);
    assert!(reply.has(TcpFlags::SYN) && reply.has(TcpFlags::ACK) && reply.has(reply));
    assert!(!reply.has(TcpFlags::FIN) && !TcpFlags::SYN.has(reply));
}
