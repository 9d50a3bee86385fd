//! Properties of the packet parser and builder over generated packets, and agreement with `etherparse`, which others
//! wrote from the same RFCs.

use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use palisade_net::{
    Direction, Family, Mac, Protocol,
    packet::{Extension, Fragment, IcmpBody, Packet, ParseError, Quoted, TcpFlags, Transport, parse},
};
use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

/// Addresses that hosts have.
fn address(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::V4 => (0x0100_0000..0xe000_0000_u32)
            .prop_filter("loopback", |a| a >> 24 != 127)
            .prop_map(|a| IpAddr::V4(a.into()))
            .boxed(),
        Family::V6 => ((1_u128 << 96)..(0xff << 120)).prop_map(|a| IpAddr::V6(a.into())).boxed(),
    }
}

/// Protocols whose header the parser does not read and no walk skips.
fn opaque() -> impl Strategy<Value = Protocol> {
    any::<u8>().prop_map(Protocol).prop_filter("not read by the parser", |&Protocol(number)| {
        !matches!(number, 0 | 1 | 6 | 17 | 43 | 44 | 58 | 60)
    })
}

/// A transport header that an error can quote: without TCP flags and without a quote of its own.
fn quotable(family: Family) -> impl Strategy<Value = Transport> {
    let flags = TcpFlags::default();
    prop_oneof![
        any::<(u16, u16)>().prop_map(move |(source_port, destination_port)| {
            Transport::Tcp { source_port, destination_port, flags }
        }),
        any::<(u16, u16)>()
            .prop_map(|(source_port, destination_port)| { Transport::Udp { source_port, destination_port } }),
        any::<(u8, u8, u16)>().prop_map(move |(kind, code, id)| {
            let body = match IcmpBody::blank(family, kind) {
                IcmpBody::Query { .. } => IcmpBody::Query { id },
                other => other,
            };
            Transport::Icmp { family, kind, code, body }
        }),
        opaque().prop_map(Transport::Other),
    ]
}

fn transport(family: Family) -> impl Strategy<Value = Transport> {
    let quote = (address(family), address(family), quotable(family));
    (quotable(family), any::<u8>(), proptest::option::of(quote)).prop_map(move |(transport, bits, quote)| {
        match (transport, quote) {
            (Transport::Tcp { source_port, destination_port, .. }, _) => {
                Transport::Tcp { source_port, destination_port, flags: TcpFlags(bits) }
            }
            (
                Transport::Icmp { kind, code, body: IcmpBody::Error(_), .. },
                Some((source, destination, transport)),
            ) => {
                let about = Quoted { source, destination, transport };
                Transport::Icmp { family, kind, code, body: IcmpBody::Error(Some(Box::new(about))) }
            }
            (transport, _) => transport,
        }
    })
}

/// At most seven extension headers, so that a fragment header still fits; hop-by-hop options only in front.
fn extensions() -> impl Strategy<Value = Vec<Extension>> {
    let destination = vec(Just(0), 0..40).prop_map(Extension::Destination);
    let routing = (1..=255_u8, vec(any::<u8>(), 0..40)).prop_map(|(kind, data)| Extension::Routing {
        kind,
        segments_left: 0,
        data,
    });
    let first = vec(vec(Just(0), 0..40).prop_map(Extension::HopByHop), 0..=1);
    (first, vec(prop_oneof![destination, routing], 0..=6))
        .prop_map(|(first, rest)| first.into_iter().chain(rest).collect())
}

prop_compose! {
    /// The parts of a packet that only one family has: IPv4 options or IPv6 extension headers.
    fn headers(family: Family)(
        options in vec(Just(1), 0..=40),
        extensions in extensions(),
        has_headers in any::<bool>(),
    ) -> (Vec<u8>, Vec<Extension>) {
        match family {
            Family::V4 if has_headers => (options, Vec::new()),
            Family::V6 if has_headers => (Vec::new(), extensions),
            _ => (Vec::new(), Vec::new()),
        }
    }
}

fn packet_of(family: Family) -> impl Strategy<Value = Packet> {
    let payload = vec(any::<u8>(), 0..64);
    let macs = any::<([u8; 6], [u8; 6])>();
    let tcp_options = vec(Just(1), 0..=40);
    let addresses = (address(family), address(family));
    let fixed = (any::<u8>(), any::<u32>(), proptest::bool::weighted(0.25));
    (macs, addresses, fixed, headers(family), transport(family), tcp_options, payload).prop_map(
        |(
            macs,
            addresses,
            (hop_limit, identification, is_fragment),
            headers,
            transport,
            tcp_options,
            payload,
        )| {
            let (options, extensions) = headers;
            let packet = Packet {
                hop_limit,
                identification,
                options,
                extensions,
                tcp_options,
                payload,
                ..Packet::new(addresses.0, addresses.1, transport).between(Mac(macs.0), Mac(macs.1))
            };
            if is_fragment { packet.into_first_fragment().unwrap() } else { packet }
        },
    )
}

fn packet() -> impl Strategy<Value = Packet> {
    prop_oneof![packet_of(Family::V4), packet_of(Family::V6)]
}

/// A built packet with a few bytes changed, most of them in its headers, and perhaps a part of it cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((prop_oneof![12..60_usize, 0..200_usize], any::<u8>()), 0..4);
    (packet(), changes, proptest::option::of(0..100_usize)).prop_map(|(packet, changes, cut)| {
        let mut frame = packet.build().unwrap();
        for (at, byte) in changes {
            if let Some(old) = frame.get_mut(at) {
                *old = byte;
            }
        }
        frame.truncate(cut.unwrap_or(usize::MAX));
        frame
    })
}

/// Source address, destination address, source port and destination port or ICMP type, as `etherparse` sees them.
fn peers_view(frame: &[u8]) -> Option<(IpAddr, IpAddr, (u16, u16))> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (source, destination): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Arp(_) => return None,
    };
    let ports = match packet.transport? {
        TransportSlice::Tcp(tcp) => (tcp.source_port(), tcp.destination_port()),
        TransportSlice::Udp(udp) => (udp.source_port(), udp.destination_port()),
        TransportSlice::Icmpv4(icmp) => (0, icmp.type_u8().into()),
        TransportSlice::Icmpv6(icmp) => (0, icmp.type_u8().into()),
        TransportSlice::Igmp(_) => return None,
    };
    Some((source, destination, ports))
}

/// Whether every checksum in the frame is right, as `etherparse` computes them.
fn peer_accepts_checksums(frame: &[u8]) -> bool {
    let packet = SlicedPacket::from_ethernet(frame).expect("a built packet");
    match (packet.net.expect("an IP packet"), packet.transport) {
        (NetSlice::Ipv4(ip), transport) => {
            let header = ip.header().to_header();
            let (source, destination) = (header.source, header.destination);
            header.calc_header_checksum() == header.header_checksum
                && match transport {
                    Some(TransportSlice::Tcp(tcp)) => {
                        tcp.calc_checksum_ipv4(source, destination).unwrap() == tcp.checksum()
                    }
                    Some(TransportSlice::Udp(udp)) => {
                        let header = udp.to_header();
                        header.calc_checksum_ipv4_raw(source, destination, udp.payload()).unwrap()
                            == header.checksum
                    }
                    Some(TransportSlice::Icmpv4(icmp)) => {
                        icmp.icmp_type().calc_checksum(icmp.payload()) == icmp.checksum()
                    }
                    _ => true,
                }
        }
        (NetSlice::Ipv6(ip), transport) => {
            let (source, destination) = (ip.header().source(), ip.header().destination());
            match transport {
                Some(TransportSlice::Tcp(tcp)) => {
                    tcp.calc_checksum_ipv6(source, destination).unwrap() == tcp.checksum()
                }
                Some(TransportSlice::Udp(udp)) => {
                    let header = udp.to_header();
                    header.calc_checksum_ipv6_raw(source, destination, udp.payload()).unwrap()
                        == header.checksum
                }
                Some(TransportSlice::Icmpv6(icmp)) => icmp.is_checksum_valid(source, destination),
                _ => true,
            }
        }
        (NetSlice::Arp(_), _) => panic!("built as IP"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn parsing_undoes_building(packet in packet()) {
        let frame = packet.build().unwrap();
        let parsed = parse(&frame).unwrap();
        prop_assert_eq!(parsed.source_mac, packet.source_mac);
        prop_assert_eq!(parsed.destination_mac, packet.destination_mac);
        let ip = parsed.ip().unwrap();
        prop_assert_eq!((ip.source, ip.destination), (packet.source, packet.destination));
        prop_assert_eq!(ip.hop_limit, packet.hop_limit);
        let fragment = if packet.fragment.is_some() { Fragment::First } else { Fragment::None };
        prop_assert_eq!(ip.fragment, fragment);
        if !quotes_payload(&packet.transport) {
            prop_assert_eq!(&ip.transport, &packet.transport);
        }
        // An ICMP error's payload starts with the packet it quotes.
        prop_assert!(frame[ip.payload.clone()].ends_with(&packet.payload));
        let flow = parsed.to_flow(Direction::Inbound).unwrap();
        prop_assert_eq!((flow.source_port(), flow.destination_port()), packet.transport.ports());
    }

    #[test]
    fn peer_reads_the_same(packet in packet()) {
        let frame = packet.build().unwrap();
        let whole = packet.fragment.is_none();
        if whole && is_read_by_both(&packet.transport) {
            let view = peers_view(&frame);
            prop_assert_eq!(view, Some((packet.source, packet.destination, packet.transport.ports())));
            prop_assert!(peer_accepts_checksums(&frame));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn payload_lies_within_the_frame(frame in damaged()) {
        if let Ok(parsed) = parse(&frame) && let Some(ip) = parsed.ip() {
            prop_assert!(ip.payload.start <= ip.payload.end && ip.payload.end <= frame.len());
        }
    }
}

/// Whether both parsers stop at this header of a packet: the peer walks through AH and others, which are protocols to
/// rules.
fn is_read_by_both(transport: &Transport) -> bool {
    !matches!(transport, Transport::Other(_))
}

/// Whether random payload may happen to be read as the packet that an error quotes.
fn quotes_payload(transport: &Transport) -> bool {
    matches!(transport, Transport::Icmp { body: IcmpBody::Error(None), .. })
}

/// Where both parsers understand a damaged packet, they must understand the same; each refusal must have been seen.
#[test]
fn peer_agrees_on_damaged_packets() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let (mut both, mut malformed, mut later, mut unsupported, mut routed) = (0, 0, 0, 0, 0);
    for _ in 0..20_000 {
        let frame = damaged().new_tree(&mut runner).unwrap().current();
        match parse(&frame) {
            Ok(parsed) => {
                later += u32::from(parsed.ip().is_some_and(|ip| ip.fragment == Fragment::Later));
                let Some(ip) = parsed.ip().filter(|ip| is_read_by_both(&ip.transport)) else { continue };
                let Some(view) = peers_view(&frame) else { continue };
                assert_eq!(view, (ip.source, ip.destination, ip.transport.ports()), "{frame:02x?}");
                both += 1;
            }
            Err(ParseError::Malformed(_)) => malformed += 1,
            Err(ParseError::UnsupportedEtherType(_) | ParseError::VlanTagged) => unsupported += 1,
            Err(ParseError::SourceRoute) => routed += 1,
        }
    }
    let reached = [both, malformed, later, unsupported, routed];
    assert!(reached.iter().all(|&count| count > 15), "outcomes reached: {reached:?}");
}
