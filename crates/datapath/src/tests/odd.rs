//! Odd packets: extension headers, options and tags by name, and thousands of damaged frames against the model in
//! `palisade-net`, which must see every frame the same way.

use std::{collections::BTreeMap, net::IpAddr};

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_classify::generate::Random;
use palisade_net::{
    Direction as Way, Mac,
    packet::{
        self, Arp, Dhcp, Discovery, Extension, Fragment, IcmpBody, Packet, ParseError, Passage, Quoted,
        Refusal, Station, tagged,
    },
};

use super::rig::{LOOPBACK, Rig, icmp, other, tcp, udp};
use crate::{Guards, TestPacket};

const OPEN: &[&str] = &["allow * * * *"];

/// The VM of these tests, under these guards.
pub(super) fn station(guards: Guards) -> Station {
    let owned = ["10.0.0.4", "10.0.0.9", "fd00::4", "fd00::9"]
        .map(|text| text.parse::<IpAddr>().expect("an address"));
    Station { guards, mac: Mac([0, 0x0d, 0x3a, 0x12, 0x34, 0x56]), owned: owned.into_iter().collect() }
}

/// Puts the station behind the NIC, with rules that allow everything.
pub(super) fn publish(rig: &mut Rig, station: &Station) {
    rig.publish_with(OPEN, OPEN, |nic| {
        (nic.guards, nic.mac, nic.owned) = (station.guards, Some(station.mac), station.owned.clone());
        nic.loose_tcp = true;
    });
    rig.datapath.clear_flows().expect("the flows are removed");
}

/// What the kernel must say of a frame when every rule allows.
pub(super) fn expected(station: &Station, frame: &[u8], way: Way) -> Reason {
    match station.examine(frame, way) {
        Ok(Passage::LinkControl) => Reason::LinkControl,
        Ok(Passage::Packet(parsed)) => {
            let ip = parsed.ip().expect("ARP is link control");
            match station.check_source(ip.source, way) {
                Err(refusal) => of_refusal(refusal),
                Ok(()) if ip.fragment == Fragment::Later => Reason::LaterFragment,
                Ok(()) => Reason::Allowed,
            }
        }
        Err(refusal) => of_refusal(refusal),
    }
}

const fn of_refusal(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Unreadable(ParseError::Malformed(_)) => Reason::Malformed,
        Refusal::Unreadable(ParseError::UnsupportedEtherType(_)) => Reason::UnsupportedEtherType,
        Refusal::Unreadable(ParseError::VlanTagged) => Reason::VlanTagged,
        Refusal::Unreadable(ParseError::SourceRoute) => Reason::SourceRoute,
        Refusal::ForeignMac => Reason::ForeignMac,
        Refusal::ForeignSource => Reason::ForeignSource,
        Refusal::ForeignArp => Reason::ForeignArp,
        Refusal::ForeignNeighbour => Reason::ForeignNeighbour,
        Refusal::DhcpServer => Reason::DhcpServer,
        Refusal::RouterMessage => Reason::RouterMessage,
        Refusal::ForgedPlatform => Reason::ForgedPlatform,
    }
}

/// Judges frames, and compares each with the model; counts the reasons.
pub(super) fn compare(
    rig: &Rig,
    station: &Station,
    frames: &[(Vec<u8>, Way)],
    reached: &mut BTreeMap<Reason, usize>,
) {
    let packets = frames.iter().map(|(frame, way)| TestPacket {
        direction: match way {
            Way::Inbound => Direction::Inbound,
            Way::Outbound => Direction::Outbound,
        },
        ifindex: LOOPBACK,
        bytes: frame,
        segments: (0, 0),
    });
    let outcomes = rig.datapath.run_packets(packets).expect("the kernel takes the packets");
    for ((frame, way), outcome) in frames.iter().zip(outcomes) {
        let observed = match outcome.reason {
            // Whether a flow is there already is no business of the parser.
            Reason::Established | Reason::Related => Reason::Allowed,
            reason => reason,
        };
        let expected = expected(station, frame, *way);
        assert_eq!(observed, expected, "{way} {:?} {frame:02x?}", station.guards);
        assert_eq!(outcome.passes, !observed.is_drop());
        *reached.entry(observed).or_insert(0) += 1;
    }
}

#[test]
fn extension_headers_are_walked_to_the_transport_header() {
    for mut rig in Rig::each_with_rules(&["allow tcp * * 80"], OPEN) {
        let options = || Extension::Destination(vec![1, 4, 0, 0, 0, 0]);
        let route = |kind, segments_left| Extension::Routing { kind, segments_left, data: vec![0; 20] };
        let mut check = |extensions: Vec<Extension>, expected: Reason| {
            let mut packet = tcp("[fd00::9]:9", "[fd00::4]:80", "S");
            packet.extensions = extensions;
            rig.datapath.clear_flows().expect("the flows are removed");
            assert_eq!(rig.inbound(&packet), expected, "{:?}", packet.extensions);
        };
        check(vec![], Reason::Allowed);
        check(vec![Extension::HopByHop(vec![]), options()], Reason::Allowed);
        check((0..8).map(|_| options()).collect(), Reason::Allowed);
        check((0..9).map(|_| options()).collect(), Reason::Malformed);
        check(vec![options(), Extension::HopByHop(vec![])], Reason::Malformed);
        check(vec![Extension::Destination(vec![0; 2000])], Reason::Allowed);
        check(vec![route(4, 0)], Reason::Allowed);
        check(vec![route(2, 0), options()], Reason::Allowed);
        check(vec![route(4, 1)], Reason::SourceRoute);
        check(vec![options(), route(0, 0)], Reason::SourceRoute);
    }
}

#[test]
fn source_routes_of_ipv4_are_refused() {
    for mut rig in Rig::each_with_rules(&["allow tcp * * 80"], OPEN) {
        let mut check = |options: &[u8], expected: Reason| {
            let packet = Packet { options: options.to_vec(), ..tcp("10.0.0.9:9", "10.0.0.4:80", "S") };
            rig.datapath.clear_flows().expect("the flows are removed");
            assert_eq!(rig.inbound(&packet), expected, "{options:?}");
        };
        // Nothing, record route, router alert, forty bytes of nothing.
        check(&[1], Reason::Allowed);
        check(&[7, 7, 4, 0, 0, 0, 0], Reason::Allowed);
        check(&[148, 4, 0, 0], Reason::Allowed);
        check(&[1; 40], Reason::Allowed);
        check(&[131, 7, 4, 192, 0, 2, 1], Reason::SourceRoute);
        check(&[&[1; 37][..], &[137, 3, 4]].concat(), Reason::SourceRoute);
        check(&[7, 3, 4, 0, 131, 3, 4], Reason::Allowed);
        check(&[7, 9, 4, 0], Reason::Malformed);
        check(&[&[1; 39][..], &[7]].concat(), Reason::Malformed);
    }
}

#[test]
fn headers_beyond_the_linear_part_are_found() {
    for rig in Rig::each_with_rules(&["allow tcp * * 80"], OPEN) {
        let mut packet = tcp("10.0.0.9:9", "10.0.0.4:80", "S");
        packet.options = vec![1; 40];
        assert_eq!(rig.inbound(&packet), Reason::Allowed);
        packet.tcp_options = vec![1; 40];
        assert_eq!(rig.inbound(&packet), Reason::Established);
    }
}

#[test]
fn protocols_without_ports_are_judged_by_their_number() {
    for rig in Rig::each_with_rules(&["allow esp * * *", "allow 47 * * *", "allow icmp * * 8"], OPEN) {
        let inbound = |source: &str, destination: &str, protocol| {
            rig.inbound(&other(source, destination, protocol).with_payload([7; 24]))
        };
        for (source, destination) in [("10.0.0.9", "10.0.0.4"), ("fd00::9", "fd00::4")] {
            assert_eq!(inbound(source, destination, 50), Reason::Allowed);
            assert_eq!(inbound(source, destination, 47), Reason::Allowed);
            // AH, SCTP, no next header, a number that nobody uses.
            for protocol in [51, 132, 59, 200] {
                assert_eq!(inbound(source, destination, protocol), Reason::SubnetDeny, "{protocol}");
            }
        }
        let query = |kind| icmp("10.0.0.9", "10.0.0.4", kind, IcmpBody::Query { id: 5 });
        assert_eq!(rig.inbound(&query(8)), Reason::Allowed);
        assert_eq!(rig.inbound(&query(13)), Reason::SubnetDeny);
        assert_eq!(rig.inbound(&icmp("10.0.0.9", "10.0.0.4", 5, IcmpBody::Other)), Reason::SubnetDeny);
    }
}

#[test]
fn packets_behind_one_tag_are_judged_as_if_it_were_not_there() {
    for mut rig in Rig::each() {
        let frame = tcp("10.0.0.9:9", "10.0.0.4:80", "S").build().expect("the packet can be written");
        let six = udp("[fd00::9]:9", "[fd00::4]:53").build().expect("the packet can be written");
        for (guards, expected) in
            [(Guards::ALL - Guards::VLAN, Reason::Allowed), (Guards::ALL, Reason::VlanTagged)]
        {
            publish(&mut rig, &station(guards));
            for is_provider in [false, true] {
                rig.datapath.clear_flows().expect("the flows are removed");
                for frame in [&frame, &six] {
                    let once = tagged(frame, 7, is_provider);
                    assert_eq!(rig.frame(Direction::Inbound, &once), expected);
                    let twice = tagged(&once, 8, false);
                    assert_eq!(rig.frame(Direction::Inbound, &twice), Reason::VlanTagged);
                    assert!(!rig.frame(Direction::Inbound, frame).is_drop());
                }
            }
        }
    }
}

/// Frames of every kind; damage to them reaches the corners of parser and guards.
fn seeds(station: &Station) -> Vec<Vec<u8>> {
    let own = "fd00::4".parse().expect("an address");
    let link_local = "fe80::8c1f:23:4567:89ab".parse().expect("an address");
    let platform = "168.63.129.16".parse().expect("an address");
    let mut packets = [plain(), fragments(), with_headers()].concat();
    let asked = Discovery::solicitation((station.mac, own), "fd00::1".parse().expect("an address"));
    let told = Discovery::advertisement((station.mac, link_local));
    packets.extend([
        asked.to_packet(),
        Discovery::probe(own).to_packet(),
        told.to_packet(),
        Discovery { kind: 133, destination: "ff02::2".parse().expect("an address"), ..asked.clone() }
            .to_packet(),
        Discovery { kind: 134, ..told.clone() }.to_packet(),
        Discovery { kind: 137, destination: own, ..told }.to_packet(),
        Dhcp { operation: Dhcp::REQUEST, client: station.mac }.to_packet(platform),
        Dhcp { operation: Dhcp::REPLY, client: station.mac }.to_packet(platform),
        udp("[fe80::8c1f:23:4567:89ab]:546", "[ff02::1:2]:547").with_payload(packet::dhcpv6(1)),
        udp("[fe80::1]:547", "[fe80::8c1f:23:4567:89ab]:546").with_payload(packet::dhcpv6(7)),
    ]);
    let broadcast = Mac([0xff; 6]);
    let frames = packets.into_iter().map(|packet| packet.between(station.mac, broadcast).build());
    let mut frames: Vec<Vec<u8>> = frames.map(|frame| frame.expect("the packet can be written")).collect();
    for (operation, address) in
        [(Arp::REQUEST, [10, 0, 0, 4]), (Arp::REPLY, [10, 0, 0, 9]), (Arp::REQUEST, [0; 4])]
    {
        let sender = (station.mac, address.into());
        let message = Arp { operation, sender, target: (broadcast, [10, 0, 0, 4].into()) };
        frames.push(packet::arp(station.mac, broadcast, &message));
    }
    let tags: Vec<Vec<u8>> = frames.iter().step_by(7).map(|frame| tagged(frame, 5, false)).collect();
    [frames, tags].concat()
}

fn plain() -> Vec<Packet> {
    let quoted = |packet: &Packet| {
        let transport = packet.transport.clone();
        IcmpBody::Error(Some(Box::new(Quoted {
            source: packet.source,
            destination: packet.destination,
            transport,
        })))
    };
    let (v4, v6) = (udp("10.0.0.4:68", "192.0.2.7:67"), udp("[fd00::4]:546", "[2001:db8::2]:547"));
    let mut report = icmp("fe80::8c1f:23:4567:89ab", "ff02::16", 143, IcmpBody::Other).with_payload([0; 20]);
    report.hop_limit = 1;
    report.extensions = vec![Extension::HopByHop(vec![5, 2, 0, 0])];
    vec![
        tcp("10.0.0.4:9", "10.0.0.9:80", "S"),
        tcp("[fd00::4]:9", "[fd00::9]:80", "SA").with_payload([7; 30]),
        icmp("10.0.0.4", "10.0.0.9", 8, IcmpBody::Query { id: 5 }),
        icmp("10.0.0.4", "10.0.0.9", 3, quoted(&v4)),
        icmp("fd00::4", "fd00::9", 1, quoted(&v6)),
        udp("168.63.129.16:53", "10.0.0.9:9"),
        report,
        v4,
        v6,
    ]
}

fn fragments() -> Vec<Packet> {
    let whole = [
        udp("10.0.0.4:9", "10.0.0.9:53"),
        udp("[fd00::4]:9", "[fd00::9]:53"),
        tcp("10.0.0.4:9", "10.0.0.9:80", "S"),
        tcp("[fd00::4]:9", "[fd00::9]:80", "S"),
        icmp("10.0.0.4", "10.0.0.9", 8, IcmpBody::Query { id: 5 }),
    ];
    let pieces = whole.map(|packet| packet.with_payload([3; 50]).fragments(24).expect("it can be cut"));
    let mut pieces = pieces.concat();
    pieces.push(Packet { fragment: Some((0, false)), ..udp("[fd00::4]:9", "[fd00::9]:53") });
    pieces
}

fn with_headers() -> Vec<Packet> {
    let mut with_options = tcp("10.0.0.4:9", "10.0.0.9:80", "A").with_payload([3; 12]);
    with_options.options = vec![7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0];
    with_options.fragment = Some((0, true));
    let mut extended = udp("[fd00::4]:9", "[fd00::9]:53").with_payload([9; 16]);
    extended.extensions = vec![
        Extension::HopByHop(vec![5, 2, 0, 0]),
        Extension::Routing { kind: 4, segments_left: 0, data: vec![0; 4] },
        Extension::Destination(vec![]),
    ];
    let pieces = [(0, true), (3, true), (3, false)]
        .map(|fragment| Packet { fragment: Some(fragment), ..extended.clone() });
    // ESP, AH, GRE, SCTP, no next header.
    let others = [50, 51, 47, 132, 59].into_iter().flat_map(|protocol| {
        [other("10.0.0.4", "10.0.0.9", protocol), other("fd00::4", "fd00::9", protocol)]
    });
    [
        vec![with_options, extended],
        pieces.to_vec(),
        others.map(|packet| packet.with_payload([1; 20])).collect(),
    ]
    .concat()
}

fn damage(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut frame = seed.to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(frame.len().min(100));
        frame[at] = match random.below(4) {
            0 => random.below(256) as u8,
            1 => *random.pick(&[0, 1, 4, 5, 6, 17, 43, 44, 58, 60, 255]),
            2 => frame[at].wrapping_add(1),
            _ => frame[at] ^ (1 << random.below(8)),
        };
    }
    if random.chance(20) && frame.len() > shortest(&frame) {
        frame.truncate(random.below(frame.len()).max(shortest(&frame)));
    }
    if random.chance(5) {
        frame.resize(frame.len() + random.below(40), 0);
    }
    frame
}

/// A test run refuses frames that are too short for the IP header that their type announces.
fn shortest(frame: &[u8]) -> usize {
    match frame[12..14] {
        [0x08, 0x00] => 14 + 20,
        [0x86, 0xdd] => 14 + 40,
        _ => 15,
    }
}

#[test]
fn damaged_frames_are_seen_as_the_model_sees_them() {
    for mut rig in Rig::each() {
        let mut random = Random::new(20);
        let mut reached = BTreeMap::new();
        for guards in [Guards::ALL, Guards::NONE, Guards::ALL - Guards::VLAN, Guards::default()] {
            let station = station(guards);
            let seeds = seeds(&station);
            for _ in 0..25 {
                publish(&mut rig, &station);
                let frames: Vec<(Vec<u8>, Way)> = (0..500)
                    .map(|_| {
                        let seed = random.pick(&seeds).clone();
                        (damage(&mut random, &seed), *random.pick(&Way::ALL))
                    })
                    .collect();
                compare(&rig, &station, &frames, &mut reached);
            }
        }
        assert!(reached.len() == 14 && reached.values().all(|count| *count > 20), "{reached:?}");
    }
}
