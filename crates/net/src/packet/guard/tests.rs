//! Each guard on and off, and what only looks like link control. The same frames go through the kernel program in
//! `palisade-datapath`.

use super::{
    super::{
        BuildError, Dhcp, Discovery, Extension, Fragment, IcmpBody, Packet, TcpFlags, arp, dhcpv6, tagged,
    },
    *,
};

const MAC: Mac = Mac([0, 0x0d, 0x3a, 0x12, 0x34, 0x56]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
/// The link-local address made of [`MAC`].
const EUI64: &str = "fe80::20d:3aff:fe12:3456";
/// One that a system may have drawn.
const DRAWN: &str = "fe80::8c1f:23:4567:89ab";

fn station(guards: Guards) -> Station {
    let owned = ["10.0.0.4", "10.0.0.9", "2001:db8::4"].map(|text| text.parse::<IpAddr>().unwrap());
    Station { guards, mac: MAC, owned: owned.into_iter().collect() }
}

/// In one word, what becomes of a frame from the VM.
fn word(found: &Result<Passage, Refusal>) -> &'static str {
    match found {
        Ok(Passage::LinkControl) => "link",
        Ok(Passage::Packet(_)) => "rules",
        Err(Refusal::Unreadable(ParseError::Malformed(_))) => "malformed",
        Err(Refusal::Unreadable(ParseError::UnsupportedEtherType(_))) => "type",
        Err(Refusal::Unreadable(ParseError::VlanTagged)) => "vlan",
        Err(Refusal::Unreadable(ParseError::SourceRoute)) => "route",
        Err(Refusal::ForeignMac) => "mac",
        Err(Refusal::ForeignSource) => "source",
        Err(Refusal::ForeignArp) => "arp",
        Err(Refusal::ForeignNeighbour) => "neighbour",
        Err(Refusal::DhcpServer) => "server",
        Err(Refusal::RouterMessage) => "router",
        Err(Refusal::ForgedPlatform) => "platform",
    }
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn frame_of(packet: Result<Vec<u8>, BuildError>) -> Vec<u8> {
    packet.unwrap()
}

/// Checks what becomes of a packet from the VM with all guards, and without.
#[track_caller]
fn check(packet: &Packet, guarded: &str, unguarded: &str) {
    let frame = frame_of(packet.clone().between(MAC, OTHER).build());
    let found = |guards| word(&station(guards).examine(&frame, Direction::Outbound));
    assert_eq!((found(Guards::ALL), found(Guards::NONE)), (guarded, unguarded), "{packet:?}");
    // Guards hold for what is sent.
    let received = word(&station(Guards::ALL).examine(&frame, Direction::Inbound));
    let is_dhcp = matches!(packet.transport, Transport::Udp { .. });
    assert!(is_dhcp || received == unguarded, "{packet:?}: {received}");
}

fn udp(addresses: [&str; 2], source_port: u16, destination_port: u16) -> Packet {
    let [source, destination] = addresses.map(|address| address.parse().unwrap());
    Packet::new(source, destination, Transport::Udp { source_port, destination_port })
}

#[test]
fn sets_of_guards_are_joined_and_parted() {
    let both = Guards::MAC | Guards::VLAN;
    assert!(both.contains(Guards::MAC) && both.contains(Guards::VLAN) && !both.contains(Guards::ALL));
    assert_eq!((both - Guards::MAC, both - both), (Guards::VLAN, Guards::NONE));
    assert_eq!(Guards::default() | Guards::IDENTITY, Guards::ALL);
}

#[test]
fn frames_carry_the_macs_and_types_of_their_nic() {
    let packet = udp(["10.0.0.4", "192.0.2.1"], 1000, 53);
    let frame = |mac| frame_of(packet.clone().between(mac, OTHER).build());
    let only = station;
    let out = Direction::Outbound;
    assert_eq!(word(&only(Guards::MAC).examine(&frame(MAC), out)), "rules");
    assert_eq!(word(&only(Guards::MAC).examine(&frame(OTHER), out)), "mac");
    assert_eq!(word(&only(Guards::MAC).examine(&frame(OTHER), Direction::Inbound)), "rules");
    for direction in Direction::ALL {
        let tag = tagged(&frame(MAC), 7, false);
        assert_eq!(word(&only(Guards::VLAN).examine(&tag, direction)), "vlan");
        assert_eq!(word(&only(Guards::MAC).examine(&tag, direction)), "rules");
        assert_eq!(word(&only(Guards::MAC).examine(&tagged(&tag, 7, true), direction)), "vlan");
        let mut other = frame(MAC);
        other[12..14].copy_from_slice(&[0x88, 0xcc]);
        assert_eq!(word(&only(Guards::ETHER_TYPE).examine(&other, direction)), "type");
        assert_eq!(word(&only(Guards::MAC).examine(&other, direction)), "link");
    }
}

#[test]
fn sources_are_the_nics_own() {
    let own = |guards: Guards, address: &str| {
        let source = address.parse().unwrap();
        station(guards)
            .check_source(source, Direction::Outbound)
            .err()
            .map_or("", |refusal| word(&Err(refusal)))
    };
    for (address, guarded) in [
        ("10.0.0.4", ""),
        ("10.0.0.9", ""),
        ("10.0.0.5", "source"),
        ("0.0.0.0", "source"),
        ("2001:db8::4", ""),
        ("2001:db8::5", "source"),
        ("::", "source"),
        (EUI64, ""),
        (DRAWN, ""),
        ("fe80::1", "source"),
        ("fe80::20d:3aff:fe12:3457", "source"),
        ("fe80:0:0:1:8c1f:23:4567:89ab", "source"),
        ("168.63.129.16", "platform"),
        ("169.254.169.254", "platform"),
        ("fe80::1234:5678:9abc", "platform"),
    ] {
        assert_eq!(own(Guards::ALL, address), guarded, "{address}");
        assert_eq!(own(Guards::NONE, address), "", "{address}");
        let only = Guards::PLATFORM;
        assert_eq!(own(only, address), if guarded == "platform" { guarded } else { "" }, "{address}");
        let source = address.parse().unwrap();
        assert_eq!(station(Guards::ALL).check_source(source, Direction::Inbound), Ok(()));
    }
    // Without the MAC guard, a drawn address is nobody's.
    let loose = Guards::ALL - Guards::MAC;
    assert_eq!((own(loose, EUI64), own(loose, DRAWN)), ("", "source"));
    let unknown = Station { owned: AddressSet::empty(), ..station(Guards::ALL) };
    for address in ["10.0.0.4", "2001:db8::4", EUI64, DRAWN] {
        assert!(!unknown.owns(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn arp_speaks_for_the_nic() {
    let [own, gateway, free]: [Ipv4Addr; 3] = ["10.0.0.4", "10.0.0.1", "0.0.0.0"].map(|a| a.parse().unwrap());
    for (operation, sender, target, guarded) in [
        (Arp::REQUEST, (MAC, own), gateway, "link"),
        (Arp::REPLY, (MAC, own), gateway, "link"),
        (Arp::REQUEST, (MAC, own), own, "link"),
        (Arp::REQUEST, (MAC, free), own, "link"),
        (Arp::REQUEST, (MAC, free), gateway, "arp"),
        (Arp::REPLY, (MAC, free), own, "arp"),
        (Arp::REQUEST, (MAC, gateway), own, "arp"),
        (Arp::REPLY, (MAC, gateway), gateway, "arp"),
        (Arp::REQUEST, (OTHER, own), gateway, "arp"),
    ] {
        let message = Arp { operation, sender, target: (OTHER, target) };
        let frame = arp(MAC, OTHER, &message);
        let found = |guards, direction| word(&station(guards).examine(&frame, direction));
        assert_eq!(found(Guards::ALL, Direction::Outbound), guarded, "{message:?}");
        assert_eq!(found(Guards::NONE, Direction::Outbound), "link");
        assert_eq!(found(Guards::ALL, Direction::Inbound), "link");
    }
}

#[test]
fn solicitations_and_advertisements_speak_for_the_nic() {
    let own = (MAC, v6("2001:db8::4"));
    let solicitation = |source: &str, target: &str| Discovery::solicitation((MAC, v6(source)), v6(target));
    let say = |message: &Discovery, guarded, unguarded| check(&message.to_packet(), guarded, unguarded);
    say(&solicitation("2001:db8::4", "2001:db8::1"), "link", "link");
    say(&solicitation(EUI64, "2001:db8::1"), "link", "link");
    say(&solicitation(DRAWN, "fe80::1"), "link", "link");
    say(&solicitation("2001:db8::5", "2001:db8::1"), "neighbour", "link");
    say(&solicitation("fe80::1", "2001:db8::1"), "neighbour", "link");
    let asked = Discovery { destination: v6("2001:db8::1"), ..solicitation("2001:db8::4", "2001:db8::1") };
    say(&asked, "link", "link");
    say(&Discovery { destination: v6("2001:db8::2"), ..asked.clone() }, "rules", "rules");
    say(&Discovery { options: vec![(Discovery::SOURCE_MAC, OTHER.0)], ..asked.clone() }, "neighbour", "link");
    let far = v6("2001:db8:1::1");
    say(&Discovery { destination: far, target: far, ..asked.clone() }, "rules", "rules");
    // Whoever asks for an address from nowhere claims it.
    for (target, guarded) in
        [("2001:db8::4", "link"), (DRAWN, "link"), ("2001:db8::1", "neighbour"), ("fe80::1", "neighbour")]
    {
        say(&Discovery::probe(v6(target)), guarded, "link");
    }
    let nonce = (Discovery::NONCE, [7; 6]);
    say(&Discovery { options: vec![nonce], ..Discovery::probe(own.1) }, "link", "link");
    let advertisement = Discovery::advertisement(own);
    say(&advertisement, "link", "link");
    say(
        &Discovery { destination: v6("2001:db8::1"), flags: 0x6000, ..advertisement.clone() },
        "link",
        "link",
    );
    say(&Discovery { destination: far, ..advertisement.clone() }, "rules", "rules");
    say(&Discovery { target: v6("2001:db8::1"), ..advertisement.clone() }, "neighbour", "link");
    say(&Discovery { source: v6("2001:db8::1"), ..advertisement.clone() }, "neighbour", "link");
    say(
        &Discovery { options: vec![(Discovery::TARGET_MAC, OTHER.0)], ..advertisement.clone() },
        "neighbour",
        "link",
    );
    say(&Discovery { options: vec![], ..advertisement.clone() }, "link", "link");
    // More than it needs is for the rules; a guarded VM does not say it.
    say(&Discovery { options: vec![(25, [0; 6])], ..advertisement.clone() }, "neighbour", "rules");
    say(
        &Discovery { options: vec![nonce; 3], ..solicitation("2001:db8::4", "2001:db8::1") },
        "neighbour",
        "rules",
    );
}

#[test]
fn what_receivers_of_discovery_discard_is_malformed() {
    let own = (MAC, v6("2001:db8::4"));
    let (asked, told) = (Discovery::solicitation(own, v6("2001:db8::1")), Discovery::advertisement(own));
    let say = |packet: &Packet| check(packet, "malformed", "malformed");
    for message in [&asked, &told, &Discovery { kind: 133, destination: v6("ff02::2"), ..asked.clone() }] {
        let packet = message.to_packet();
        say(&Packet { hop_limit: 254, ..packet.clone() });
        say(&Packet { fragment: Some((0, false)), ..packet.clone() });
        let mut zero = packet.clone();
        let last = zero.payload.len() - 7;
        zero.payload[last] = 0;
        say(&zero);
        let mut cut = packet.clone();
        cut.payload.pop();
        say(&cut);
        if message.kind != 133 {
            say(&packet.clone().with_payload(&packet.payload[..15]));
        }
        let mut coded = packet.clone();
        if let Transport::Icmp { code, .. } = &mut coded.transport {
            *code = 1;
        }
        say(&coded);
    }
    say(&Discovery { target: v6("ff02::1"), ..asked.clone() }.to_packet());
    say(&Discovery { target: v6("ff02::1"), ..told.clone() }.to_packet());
    say(&Discovery { source: v6("::"), ..asked.clone() }.to_packet());
    say(&Discovery { source: v6("::"), options: vec![], destination: v6("2001:db8::1"), ..asked }.to_packet());
    say(&Discovery { source: v6("::"), options: vec![], ..told.clone() }.to_packet());
    say(&Discovery { flags: 0x4000, ..told }.to_packet());
}

#[test]
fn only_routers_speak_as_routers() {
    for (kind, destination) in [(134, "ff02::1"), (134, "2001:db8::9"), (137, "2001:db8::9")] {
        let source = v6(DRAWN);
        let message = Discovery { kind, ..Discovery::solicitation((MAC, source), v6("2001:db8::9")) };
        let message = Discovery { destination: v6(destination), ..message };
        check(&message.to_packet(), "router", "link");
        let global = Discovery { source: v6("2001:db8::4"), ..message.clone() };
        check(&global.to_packet(), "router", "malformed");
        let mut long = message.to_packet();
        long.payload.resize(1240, 1);
        check(&long, "router", "rules");
    }
    let redirect = Discovery { kind: 137, ..Discovery::solicitation((MAC, v6(DRAWN)), v6("ff02::1")) };
    check(&Discovery { destination: v6("ff02::1"), ..redirect.clone() }.to_packet(), "router", "rules");
    let mut short = redirect.to_packet();
    short.payload.truncate(31);
    check(&short, "malformed", "malformed");
    // Who asks for routers is none.
    let ask = Discovery { kind: 133, destination: v6("ff02::2"), ..redirect };
    check(&ask.to_packet(), "link", "link");
    check(&Discovery { source: v6("2001:db8::5"), ..ask.clone() }.to_packet(), "neighbour", "link");
    check(&Discovery { source: v6("::"), options: vec![], ..ask }.to_packet(), "link", "link");
}

#[test]
fn extension_headers_are_no_part_of_discovery() {
    let message = Discovery::advertisement((MAC, v6("2001:db8::4"))).to_packet();
    let extensions = vec![Extension::Destination(vec![0; 200])];
    check(&Packet { extensions: extensions.clone(), ..message }, "rules", "rules");
    let forged = Discovery::advertisement((MAC, v6("2001:db8::1"))).to_packet();
    check(&Packet { extensions, ..forged }, "neighbour", "rules");
}

#[test]
fn listeners_are_heard_on_their_link() {
    let say = |kind, bytes: usize| {
        let transport = Transport::Icmp { family: Family::V6, kind, code: 0, body: IcmpBody::Other };
        let packet =
            Packet::new(v6(DRAWN).into(), v6("ff02::16").into(), transport).with_payload(vec![0; bytes]);
        Packet { hop_limit: 1, extensions: vec![Extension::HopByHop(vec![5, 2, 0, 0])], ..packet }
    };
    for (kind, bytes, expect) in [
        (130, 16, "link"),
        (130, 20, "link"),
        (131, 16, "link"),
        (131, 20, "rules"),
        (132, 24, "rules"),
        (143, 0, "link"),
        (143, 1232, "link"),
        (143, 1233, "rules"),
    ] {
        check(&say(kind, bytes), expect, expect);
    }
    let report = say(143, 20);
    check(&Packet { hop_limit: 2, ..report.clone() }, "malformed", "malformed");
    check(&Packet { source: v6("fe80::1").into(), ..report.clone() }, "source", "link");
    check(&Packet { source: v6("fe80::1234:5678:9abc").into(), ..report.clone() }, "platform", "link");
    check(&Packet { source: v6("::").into(), ..report.clone() }, "link", "link");
    check(&Packet { extensions: vec![Extension::HopByHop(vec![0; 14])], ..report.clone() }, "rules", "rules");
    check(&Packet { fragment: Some((0, false)), ..report }, "rules", "rules");
}

#[test]
fn clients_ask_for_their_own_lease() {
    let ask = Dhcp { operation: Dhcp::REQUEST, client: MAC };
    let broadcast = Ipv4Addr::BROADCAST;
    check(&ask.to_packet(broadcast), "link", "link");
    check(&Dhcp { client: OTHER, ..ask }.to_packet(broadcast), "mac", "link");
    check(&ask.to_packet(Ipv4Addr::new(168, 63, 129, 16)), "link", "link");
    check(&ask.to_packet(Ipv4Addr::new(192, 0, 2, 1)), "rules", "rules");
    let bound = |source: &str| Packet { source: source.parse().unwrap(), ..ask.to_packet(broadcast) };
    check(&bound("10.0.0.4"), "link", "link");
    check(&bound("10.0.0.5"), "source", "link");
    // What only has the ports.
    let say = |payload: &[u8]| check(&ask.to_packet(broadcast).with_payload(payload), "rules", "rules");
    say(b"");
    say(&ask.to_bytes()[..239]);
    say(&Dhcp { operation: Dhcp::REPLY, ..ask }.to_bytes());
    let mut other = ask.to_bytes();
    other[239] ^= 1;
    say(&other);
    let first = ask.to_packet(broadcast).fragments(64).unwrap().swap_remove(0);
    check(&first, "rules", "rules");

    let ask = |addresses, kind| udp(addresses, 546, 547).with_payload(dhcpv6(kind));
    for kind in 0..=13 {
        let expect = if [1, 3, 4, 5, 6, 8, 9, 11].contains(&kind) { "link" } else { "rules" };
        check(&ask([DRAWN, "ff02::1:2"], kind), expect, expect);
    }
    check(&ask(["fe80::1", "ff02::1:2"], 1), "source", "link");
    check(&ask([DRAWN, "ff02::1:2"], 1).with_payload([1, 0, 0]), "rules", "rules");
}

#[test]
fn no_guest_is_a_dhcp_server() {
    let answer = Dhcp { operation: Dhcp::REPLY, client: OTHER };
    check(&answer.to_packet(Ipv4Addr::new(10, 0, 0, 4)), "server", "rules");
    // Clients do not care which port the answer is from.
    check(&udp(["10.0.0.4", "10.0.0.7"], 1067, 68), "server", "rules");
    check(&udp(["2001:db8::4", "fe80::9"], 547, 546), "server", "rules");
    check(&udp(["10.0.0.4", "10.0.0.7"], 547, 546), "rules", "rules");
    let first = answer.to_packet(Ipv4Addr::new(10, 0, 0, 4)).fragments(64).unwrap().swap_remove(0);
    check(&first, "server", "rules");
}

#[test]
fn answers_are_for_everybody_from_the_platform_or_about_the_nic() {
    let inbound = |packet: &Packet, mac| {
        let station = Station { mac, ..station(Guards::ALL) };
        word(&station.examine(&frame_of(packet.build()), Direction::Inbound))
    };
    let answer = |client, source: &str, destination: &str| Packet {
        destination: destination.parse().unwrap(),
        ..Dhcp { operation: Dhcp::REPLY, client }.to_packet(source.parse().unwrap())
    };
    assert_eq!(inbound(&answer(OTHER, "192.0.2.1", "255.255.255.255"), MAC), "link");
    assert_eq!(inbound(&answer(OTHER, "168.63.129.16", "10.0.0.4"), MAC), "link");
    assert_eq!(inbound(&answer(MAC, "192.0.2.1", "10.0.0.4"), MAC), "link");
    assert_eq!(inbound(&answer(OTHER, "192.0.2.1", "10.0.0.4"), MAC), "rules");
    // A NIC whose address is not known has no lease of its own.
    assert_eq!(inbound(&answer(Mac::default(), "192.0.2.1", "10.0.0.4"), Mac::default()), "rules");
    let question = Dhcp { operation: Dhcp::REQUEST, client: MAC }.to_bytes();
    assert_eq!(inbound(&answer(MAC, "192.0.2.1", "255.255.255.255").with_payload(question), MAC), "rules");
    for (kind, expect) in [(1, "rules"), (2, "link"), (7, "link"), (10, "link"), (13, "rules")] {
        let answer = udp(["fe80::1", DRAWN], 547, 546).with_payload(dhcpv6(kind));
        assert_eq!(inbound(&answer, MAC), expect);
    }
}

#[test]
fn packets_behind_every_guard_are_the_parsers() {
    let packet = udp(["10.0.0.4", "192.0.2.1"], 1000, 53).between(MAC, OTHER);
    let frame = frame_of(packet.build());
    let found = station(Guards::ALL).examine(&frame, Direction::Outbound);
    assert_eq!(found, Ok(Passage::Packet(super::super::parse(&frame).unwrap())));
    let later = packet.with_payload([0; 100]).fragments(64).unwrap().swap_remove(1);
    let Ok(Passage::Packet(parsed)) =
        station(Guards::ALL).examine(&frame_of(later.build()), Direction::Outbound)
    else {
        panic!("a later fragment is a packet")
    };
    assert_eq!(parsed.ip().unwrap().fragment, Fragment::Later);
    let flags = TcpFlags::default();
    let forged = Packet::new(
        "10.0.0.5".parse().unwrap(),
        "192.0.2.1".parse().unwrap(),
        Transport::Tcp { source_port: 1, destination_port: 2, flags },
    );
    // Whether it begins something, and its source matters, is for flows to say.
    check(&forged, "rules", "rules");
}
