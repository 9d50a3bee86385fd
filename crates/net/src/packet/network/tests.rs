//! Fragments, extension headers, options, source routes and addresses, by hand.

use super::{
    super::{
        BuildError, Extension, Packet, Transport, parse,
        tests::{
            AT_IP, AT_V4_BODY, AT_V6_BODY, DNS, SYN, V4, V6, changed, echo, malformed, packet, transport_of,
        },
    },
    *,
};
use crate::Direction;

/// The frame of a fragment without transport header but what the payload has.
fn piece(addresses: [&str; 2], protocol: Protocol, fragment: (u16, bool), payload: &[u8]) -> Vec<u8> {
    let packet = packet(addresses, Transport::Other(protocol)).with_payload(payload);
    Packet { fragment: Some(fragment), ..packet }.build().unwrap()
}

#[test]
fn fragments_are_told_apart() {
    for addresses in [V4, V6] {
        let with = |fragment, payload: &[u8]| {
            let packet = packet(addresses, DNS).with_payload(payload);
            let frame = Packet { fragment: Some(fragment), ..packet }.build().unwrap();
            parse(&frame).unwrap().ip().unwrap().clone()
        };
        let first = with((0, true), &[0; 16]);
        assert_eq!((first.fragment, first.transport), (Fragment::First, DNS));
        let atomic = with((0, false), &[]);
        assert_eq!(atomic.fragment, if addresses == V6 { Fragment::First } else { Fragment::None });
        for (offset, more, length) in [(1, true, 24), (2, false, 1), (185, true, 8), (8170, false, 24)] {
            let frame = piece(addresses, Protocol::UDP, (offset, more), &vec![7; length]);
            let later = parse(&frame).unwrap().ip().unwrap().clone();
            assert_eq!((later.fragment, later.transport), (Fragment::Later, Transport::Other(Protocol::UDP)));
            assert_eq!(frame[later.payload], vec![7; length]);
            malformed(&frame[..frame.len() - 1], "longer than the frame");
            let flow = parse(&frame).unwrap().to_flow(Direction::Inbound).unwrap();
            assert_eq!((flow.protocol(), flow.source_port(), flow.destination_port()), (Protocol::UDP, 0, 0));
        }
    }
}

#[test]
fn pieces_that_fit_no_packet_are_malformed() {
    for addresses in [V4, V6] {
        let check = |protocol, fragment, length: usize, cause| {
            malformed(&piece(addresses, protocol, fragment, &vec![0; length]), cause);
        };
        check(Protocol::TCP, (1, false), 24, "TCP fragment at offset 1");
        check(Protocol::TCP, (1, true), 24, "TCP fragment at offset 1");
        // Tiny first fragments: the transport header goes on in the next one.
        check(Protocol::TCP, (0, true), 16, "TCP header is cut off");
        check(Protocol::ESP, (0, true), 0, "impossible length");
        check(Protocol::ESP, (4, false), 0, "impossible length");
        check(Protocol::ESP, (4, true), 12, "impossible length");
        check(Protocol::ESP, (0, true), 12, "impossible length");
        check(Protocol::ESP, (8191, false), 8, "longest packet");
    }
    // Of an IPv4 packet, the header counts too.
    malformed(&piece(V4, Protocol::ESP, (8189, false), &[0; 8]), "longest packet");
    assert!(parse(&piece(V4, Protocol::ESP, (8189, false), &[0; 3])).is_ok());
    assert!(parse(&piece(V6, Protocol::ESP, (8190, true), &[0; 8])).is_ok());
    assert!(parse(&piece(V6, Protocol::ESP, (8191, false), &[0; 7])).is_ok());
    let extensions = vec![Extension::Destination(vec![])];
    let longer = packet(V6, Transport::Other(Protocol::ESP)).with_payload([0; 7]);
    let longer = Packet { extensions, fragment: Some((8191, false)), ..longer };
    malformed(&longer.build().unwrap(), "longest packet");
    // A piece of a piece, and one of hop-by-hop options.
    malformed(&piece(V6, Protocol(44), (0, true), &[0; 16]), "piece of a piece");
    malformed(&piece(V6, Protocol(0), (4, true), &[0; 16]), "piece of a piece");
    let twice = piece(V6, Protocol(60), (0, true), &[44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0]);
    malformed(&twice, "piece of a piece");
    // What else may follow a fragment header is not known in later pieces.
    for protocol in [43, 59, 60, 135] {
        let later = parse(&piece(V6, Protocol(protocol), (4, true), &[0; 16])).unwrap();
        assert_eq!(later.ip().unwrap().protocol(), Protocol(protocol));
    }
}

#[test]
fn a_packet_is_cut_into_its_fragments() {
    for addresses in [V4, V6] {
        let whole = packet(addresses, SYN).with_payload(vec![5; 100]);
        let pieces = whole.fragments(48).unwrap();
        let bytes: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| {
                let frame = piece.build().unwrap();
                let header = if addresses == V4 { AT_V4_BODY } else { AT_V6_BODY + 8 };
                frame[header..].to_vec()
            })
            .collect();
        let frame = whole.build().unwrap();
        assert!(frame.ends_with(&bytes) && bytes.len() == 120);
        let places: Vec<_> = pieces.iter().map(|piece| piece.fragment.unwrap()).collect();
        assert_eq!(places, [(0, true), (6, true), (12, false)]);
        assert_eq!(transport_of(&pieces[0].build().unwrap()), SYN);
    }
    for piece in [0, 7, 12] {
        assert_eq!(packet(V4, SYN).fragments(piece), Err(BuildError::Piece(piece)));
    }
}

#[test]
fn reserved_and_do_not_fragment_bits_are_ignored() {
    let frame = changed(&packet(V4, DNS), |f| f[AT_IP + 6] = 0xc0);
    assert_eq!(parse(&frame).unwrap().ip().unwrap().fragment, Fragment::None);
}

#[test]
fn eight_extension_headers_are_walked() {
    let chain = |count: usize| Packet {
        extensions: (0..count)
            .map(|i| match i % 3 {
                _ if i == 0 => Extension::HopByHop(vec![0; 5]),
                1 => Extension::Routing { kind: 4, segments_left: 0, data: vec![0; 12] },
                _ => Extension::Destination(vec![0; i]),
            })
            .collect(),
        ..packet(V6, DNS)
    };
    for count in 0..=EXTENSION_HEADERS_MAX {
        assert_eq!(transport_of(&chain(count).build().unwrap()), DNS, "{count} headers");
    }
    malformed(&chain(EXTENSION_HEADERS_MAX + 1).build().unwrap(), "too many");
    // The fragment header counts too, and first of all the number of headers.
    let seven = Packet { fragment: Some((0, true)), ..chain(EXTENSION_HEADERS_MAX - 1) };
    assert_eq!(transport_of(&seven.build().unwrap()), DNS);
    for offset in [0, 2] {
        let eight = chain(EXTENSION_HEADERS_MAX).with_payload([0; 8]);
        malformed(&Packet { fragment: Some((offset, true)), ..eight }.build().unwrap(), "too many");
    }
}

#[test]
fn headers_out_of_place_are_malformed() {
    let with = |extension| Packet { extensions: vec![extension], ..packet(V6, DNS) };
    let second = vec![Extension::Destination(vec![]), Extension::HopByHop(vec![])];
    let second = Packet { extensions: second, ..packet(V6, DNS) };
    malformed(&second.build().unwrap(), "not the first");
    let endless = changed(&with(Extension::Destination(vec![])), |f| f[AT_V6_BODY + 1] = 0xff);
    malformed(&endless, "extension header is cut off");
}

#[test]
fn source_routes_are_refused() {
    let route = |kind, segments_left| {
        let extensions = vec![Extension::Routing { kind, segments_left, data: vec![0; 20] }];
        parse(&Packet { extensions, ..packet(V6, DNS) }.build().unwrap())
    };
    for (kind, segments_left, is_refused) in [
        (0, 0, true),
        (0, 1, true),
        (2, 1, true),
        (4, 0, false),
        (4, 2, true),
        (2, 0, false),
        (253, 255, true),
    ] {
        let found = route(kind, segments_left);
        assert_eq!(found == Err(ParseError::SourceRoute), is_refused, "type {kind}, {segments_left} left");
        assert_eq!(found.is_ok(), !is_refused);
    }
    let with = |options: &[u8]| Packet { options: options.to_vec(), ..packet(V4, DNS) }.build().unwrap();
    // Loose and strict, alone, behind others, and behind the end of the list.
    for (options, is_refused) in [
        (&[131, 7, 4, 192, 0, 2, 1][..], true),
        (&[137, 3, 4], true),
        (&[1, 1, 1, 7, 7, 4, 0, 0, 0, 0, 137, 3, 4], true),
        (&[7, 7, 4, 131, 3, 0, 0], false),
        (&[0, 131, 3, 4], false),
        (&[148, 4, 0, 0], false),
    ] {
        let found = parse(&with(options));
        assert_eq!(found == Err(ParseError::SourceRoute), is_refused, "{options:?}: {found:?}");
        assert_eq!(found.is_ok(), !is_refused, "{options:?}");
    }
    // Lengths that lie, also that of a source route.
    for options in [&[7, 0, 0, 0][..], &[7, 1, 0, 0], &[7, 5, 0, 0], &[1, 1, 1, 7], &[131, 9, 4, 0]] {
        malformed(&with(options), "options do not fit");
    }
}

#[test]
fn addresses_that_no_host_has_are_malformed() {
    let check = |source: &str, destination: &str, transport: Transport, is_possible: bool| {
        let frame = packet([source, destination], transport).build().unwrap();
        match parse(&frame) {
            Ok(_) => assert!(is_possible, "{source} to {destination}"),
            Err(error) => {
                assert!(!is_possible, "{source} to {destination}: {error}");
                malformed(&frame, "no host sends");
            }
        }
    };
    let igmp = Transport::Other(Protocol::IGMP);
    for (source, transport, is_possible) in [
        ("10.0.0.4", DNS, true),
        ("240.0.0.1", DNS, true),
        ("255.255.255.254", DNS, true),
        ("0.0.0.0", DNS, true),
        ("0.0.0.0", igmp, true),
        ("0.0.0.0", SYN, false),
        ("0.0.0.1", SYN, true),
        ("127.0.0.1", DNS, false),
        ("127.255.0.1", SYN, false),
        ("224.0.0.1", DNS, false),
        ("239.255.255.255", DNS, false),
        ("255.255.255.255", DNS, false),
    ] {
        check(source, "192.0.2.1", transport, is_possible);
    }
    for (destination, is_possible) in
        [("0.0.0.0", false), ("127.0.0.1", false), ("224.0.0.1", true), ("255.255.255.255", true)]
    {
        check("10.0.0.4", destination, DNS, is_possible);
    }
    for (source, transport, is_possible) in [
        ("2001:db8::4", DNS, true),
        ("fe80::1", DNS, true),
        ("::1.2.3.4", DNS, true),
        ("::2", DNS, true),
        ("::", echo(128), true),
        ("::", DNS, false),
        ("::", SYN, false),
        ("::1", echo(128), false),
        ("::ffff:10.0.0.4", DNS, false),
        ("ff02::1", DNS, false),
        ("ff0e::1", echo(128), false),
    ] {
        check(source, "2001:db8::9", transport, is_possible);
    }
    for (destination, is_possible) in
        [("::", false), ("::1", false), ("::ffff:10.0.0.4", false), ("ff02::1", true), ("::2", true)]
    {
        check("2001:db8::4", destination, DNS, is_possible);
    }
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
