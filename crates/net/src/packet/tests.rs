//! Frames by hand: one for each thing that the parser tells apart, and one for each of its refusals.
//!
//! Most start from a built packet and change the bytes that matter. Properties over many packets are in
//! `tests/packets.rs`.

use super::{write::ip, *};

pub(super) const V4: [&str; 2] = ["10.0.1.4", "198.51.100.7"];
pub(super) const V6: [&str; 2] = ["2001:db8::4", "2001:db8:ffff::7"];
pub(super) const SYN: Transport =
    Transport::Tcp { source_port: 50_000, destination_port: 3389, flags: TcpFlags::SYN };
const DNS: Transport = Transport::Udp { source_port: 40_000, destination_port: 53 };
/// Where the IP header starts, and the IPv4 and IPv6 transport headers without options and extensions.
const AT_IP: usize = ETHERNET_BYTES;
const AT_V4_BODY: usize = AT_IP + IPV4_BYTES;
const AT_V6_BODY: usize = AT_IP + IPV6_BYTES;

pub(super) fn packet([source, destination]: [&str; 2], transport: Transport) -> Packet {
    Packet::new(source.parse().unwrap(), destination.parse().unwrap(), transport)
}

pub(super) fn echo(kind: u8) -> Transport {
    let family = if kind == 8 { Family::V4 } else { Family::V6 };
    Transport::Icmp { family, kind, code: 0, body: IcmpBody::Query { id: 77 } }
}

/// The frame after `change`.
fn changed(packet: &Packet, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = packet.build().unwrap();
    change(&mut frame);
    frame
}

fn transport_of(frame: &[u8]) -> Transport {
    parse(frame).unwrap().ip().unwrap().transport.clone()
}

#[track_caller]
fn malformed(frame: &[u8], cause: &str) {
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
        assert!(!ip.is_fragment);
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
    assert_eq!(parsed.content, Content::Arp(Some(message)));
    assert_eq!(parsed.to_flow(Direction::Inbound), None);
    for length in AT_IP..frame.len() {
        assert_eq!(parse(&frame[..length]).unwrap().content, Content::Arp(None), "cut to {length} bytes");
    }
    for at in 14..20 {
        let mut other = frame.clone();
        other[at] ^= 0x10;
        assert_eq!(parse(&other).unwrap().content, Content::Arp(None));
    }
}

#[test]
fn other_ethernet_types_are_unsupported() {
    // 802.3 length, VLAN, VLAN in VLAN, MPLS, PPPoE, LLDP, RARP.
    for ethertype in [0x0026_u16, 0x8100, 0x88a8, 0x8847, 0x8864, 0x88cc, 0x8035] {
        let frame = changed(&packet(V4, SYN), |f| f[12..14].copy_from_slice(&ethertype.to_be_bytes()));
        assert_eq!(parse(&frame), Err(ParseError::UnsupportedEtherType(ethertype)));
    }
    assert!(ParseError::UnsupportedEtherType(0x8100).to_string().contains("0x8100"));
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
fn first_fragments_are_judged_and_later_ones_refused() {
    for addresses in [V4, V6] {
        let with = |transport, fragment, payload: &[u8]| {
            Packet { fragment: Some(fragment), ..packet(addresses, transport).with_payload(payload) }
                .build()
                .unwrap()
        };
        let first = parse(&with(DNS, (0, true), &[0; 16])).unwrap();
        assert!(first.ip().unwrap().is_fragment);
        assert_eq!(first.ip().unwrap().transport, DNS);
        let atomic = parse(&with(DNS, (0, false), &[])).unwrap();
        assert_eq!(atomic.ip().unwrap().is_fragment, addresses == V6);
        for offset in [1, 2, 185, 8191] {
            for more in [false, true] {
                let udp = with(DNS, (offset, more), &[0; 24]);
                assert_eq!(parse(&udp), Err(ParseError::Fragment));
                malformed(&udp[..udp.len() - 1], "longer than the frame");
                let tcp = parse(&with(SYN, (offset, more), &[0; 24]));
                assert_eq!(tcp == Err(ParseError::Fragment), offset > 1, "offset {offset}: {tcp:?}");
            }
        }
        malformed(&with(SYN, (1, false), &[0; 24]), "TCP fragment at offset 1");
        // Tiny first fragments: the transport header goes on in the next one.
        malformed(&with(Transport::Other(Protocol::TCP), (0, true), &[0; 16]), "TCP header is cut off");
        malformed(&with(Transport::Other(Protocol::UDP), (0, true), &[]), "UDP header is cut off");
    }
}

#[test]
fn reserved_and_do_not_fragment_bits_are_ignored() {
    let frame = changed(&packet(V4, DNS), |f| f[AT_IP + 6] = 0xc0);
    assert!(!parse(&frame).unwrap().ip().unwrap().is_fragment);
}

#[test]
fn eight_extension_headers_are_walked() {
    let chain = |count: usize| Packet {
        extensions: (0..count)
            .map(|i| match i % 3 {
                _ if i == 0 => Extension::HopByHop(vec![0; 5]),
                1 => Extension::Routing { kind: 4, data: vec![0; 12] },
                _ => Extension::Destination(vec![0; i]),
            })
            .collect(),
        ..packet(V6, DNS)
    };
    for count in 0..=EXTENSION_HEADERS_MAX {
        assert_eq!(transport_of(&chain(count).build().unwrap()), DNS, "{count} headers");
    }
    malformed(&chain(EXTENSION_HEADERS_MAX + 1).build().unwrap(), "too many");
    // The fragment header counts too.
    let seven = Packet { fragment: Some((0, true)), ..chain(EXTENSION_HEADERS_MAX - 1) };
    assert_eq!(transport_of(&seven.build().unwrap()), DNS);
    let eight = Packet { fragment: Some((0, true)), ..chain(EXTENSION_HEADERS_MAX) };
    malformed(&eight.build().unwrap(), "too many");
    let later = Packet { fragment: Some((2, true)), ..eight };
    assert_eq!(parse(&later.build().unwrap()), Err(ParseError::Fragment));
}

#[test]
fn headers_out_of_place_are_malformed() {
    let with = |extension| Packet { extensions: vec![extension], ..packet(V6, DNS) };
    let route = with(Extension::Routing { kind: 0, data: vec![0; 20] });
    malformed(&route.build().unwrap(), "type 0 routing");
    let second = vec![Extension::Destination(vec![]), Extension::HopByHop(vec![])];
    let second = Packet { extensions: second, ..packet(V6, DNS) };
    malformed(&second.build().unwrap(), "not the first");
    let endless = changed(&with(Extension::Destination(vec![])), |f| f[AT_V6_BODY + 1] = 0xff);
    malformed(&endless, "extension header is cut off");
}

#[test]
fn no_next_header_esp_and_ah_end_the_chain() {
    for protocol in [59, 50, 51, 135, 255] {
        let transport = Transport::Other(Protocol(protocol));
        let packet = Packet {
            extensions: vec![Extension::Destination(vec![])],
            ..packet(V6, transport.clone()).with_payload(*b"x")
        };
        assert_eq!(transport_of(&packet.build().unwrap()), transport);
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
    let long = vec![Extension::Routing { kind: 4, data: vec![0; 2045] }];
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
