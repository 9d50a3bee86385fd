//! The kernel's parser: fragments and extension headers by name, and thousands of damaged frames against the parser in
//! `palisade-net`, which must see every frame the same way.

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_classify::generate::Random;
use palisade_net::{
    Direction as Way,
    packet::{self, Extension, IcmpBody, Packet, ParseError, Quoted},
};

use super::rig::{LOOPBACK, Rig, icmp, other, tcp, udp};
use crate::TestPacket;

const OPEN: &[&str] = &["allow * * * *"];

#[test]
fn first_fragments_are_judged_and_later_ones_dropped() {
    for rig in Rig::each_with_rules(&["allow udp * * 53", "allow tcp * * 80"], OPEN) {
        for (source, destination) in [("10.0.0.9", "10.0.0.4"), ("[fd00::9]", "[fd00::4]")] {
            let piece = |port: u16, fragment| {
                let mut packet =
                    udp(&format!("{source}:9"), &format!("{destination}:{port}")).with_payload([0; 64]);
                packet.fragment = Some(fragment);
                packet
            };
            assert_eq!(rig.inbound(&piece(53, (0, true))), Reason::Allowed);
            assert_eq!(rig.inbound(&piece(54, (0, true))), Reason::SubnetDeny);
            assert_eq!(rig.inbound(&piece(53, (9, true))), Reason::Fragment);
            assert_eq!(rig.inbound(&piece(53, (9, false))), Reason::Fragment);
            let mut overwriting =
                tcp(&format!("{source}:9"), &format!("{destination}:80"), "S").with_payload([0; 64]);
            overwriting.fragment = Some((1, false));
            assert_eq!(rig.inbound(&overwriting), Reason::Malformed);
            let mut tiny = overwriting.clone();
            tiny.fragment = Some((0, true));
            let mut frame = tiny.build().expect("the packet can be written");
            let (length_at, headers) = if source.starts_with('[') { (18, 40 + 8) } else { (16, 20) };
            // Eight bytes of TCP header, as in RFC 1858.
            frame.truncate(14 + headers + 8);
            let length = if source.starts_with('[') { 16u16 } else { 28 };
            frame[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
            assert_eq!(rig.frame(Direction::Inbound, &frame), Reason::Malformed);
        }
    }
}

#[test]
fn extension_headers_are_walked_to_the_transport_header() {
    for mut rig in Rig::each_with_rules(&["allow tcp * * 80"], OPEN) {
        let options = || Extension::Destination(vec![1, 4, 0, 0, 0, 0]);
        let mut check = |extensions: Vec<Extension>, expected: Reason| {
            let mut packet = tcp("[fd00::9]:9", "[fd00::4]:80", "S");
            packet.extensions = extensions;
            rig.datapath.clear_flows().expect("the flows are removed");
            assert_eq!(rig.inbound(&packet), expected, "{:?}", packet.extensions);
        };
        check(vec![], Reason::Allowed);
        check(vec![Extension::HopByHop(vec![]), options()], Reason::Allowed);
        check(vec![Extension::Routing { kind: 4, data: vec![0; 20] }], Reason::Allowed);
        check((0..8).map(|_| options()).collect(), Reason::Allowed);
        check((0..9).map(|_| options()).collect(), Reason::Malformed);
        check(vec![Extension::Routing { kind: 0, data: vec![0; 20] }], Reason::Malformed);
        check(vec![options(), Extension::HopByHop(vec![])], Reason::Malformed);
        check(vec![Extension::Destination(vec![0; 2000])], Reason::Allowed);
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

/// Frames of every kind; damage to them reaches the parser's corners.
fn seeds() -> Vec<Vec<u8>> {
    let quoted = |packet: &Packet| {
        let transport = packet.transport.clone();
        IcmpBody::Error(Some(Box::new(Quoted {
            source: packet.source,
            destination: packet.destination,
            transport,
        })))
    };
    let (v4, v6) = (udp("10.0.0.9:68", "10.0.0.4:67"), udp("[fe80::9]:546", "[ff02::1:2]:547"));
    let mut packets = vec![
        tcp("10.0.0.9:9", "10.0.0.4:80", "S"),
        tcp("[fd00::9]:9", "[fd00::4]:80", "SA").with_payload([7; 30]),
        icmp("10.0.0.9", "10.0.0.4", 8, IcmpBody::Query { id: 5 }),
        icmp("10.0.0.9", "10.0.0.4", 3, quoted(&v4)),
        icmp("fe80::9", "ff02::1", 1, quoted(&v6)),
        icmp("fe80::9", "ff02::1", 135, IcmpBody::Other),
        icmp("fe80::9", "ff02::16", 143, IcmpBody::Other),
        other("10.0.0.9", "10.0.0.4", 47).with_payload([1; 20]),
        other("fd00::9", "fd00::4", 50).with_payload([1; 20]),
        v4,
        v6,
    ];
    packets[5].hop_limit = 255;
    packets[6].hop_limit = 1;
    let mut with_options = tcp("10.0.0.9:9", "10.0.0.4:80", "A").with_payload([3; 8]);
    with_options.options = vec![1; 8];
    with_options.fragment = Some((0, true));
    let mut extended = udp("[fd00::9]:9", "[fd00::4]:53");
    extended.extensions = vec![
        Extension::HopByHop(vec![5, 2, 0, 0]),
        Extension::Routing { kind: 4, data: vec![0; 4] },
        Extension::Destination(vec![]),
    ];
    let mut fragment = extended.clone();
    fragment.fragment = Some((0, true));
    packets.extend([with_options, extended, fragment]);
    packets.iter().map(|packet| packet.build().expect("the packet can be written")).collect()
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

/// What the kernel must say of a frame when every rule allows.
fn expected(frame: &[u8], way: Way) -> &'static str {
    match packet::parse(frame) {
        Err(ParseError::Malformed(_)) => "malformed",
        Err(ParseError::UnsupportedEtherType(_)) => "unsupported",
        Err(ParseError::Fragment) => "fragment",
        Ok(parsed) if parsed.is_link_control(way) => "link control",
        Ok(_) => "judged",
    }
}

fn observed(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => "malformed",
        Reason::UnsupportedEtherType => "unsupported",
        Reason::Fragment => "fragment",
        Reason::LinkControl => "link control",
        Reason::Allowed | Reason::Established | Reason::Related => "judged",
        other => panic!("no such reason can be: {other}"),
    }
}

#[test]
fn damaged_frames_are_seen_as_the_model_sees_them() {
    for mut rig in Rig::each_with_rules(OPEN, OPEN) {
        let seeds = seeds();
        let mut random = Random::new(20);
        let mut reached = std::collections::BTreeMap::new();
        for _ in 0..60 {
            let frames: Vec<(Vec<u8>, bool)> = (0..500)
                .map(|_| {
                    let seed = random.pick(&seeds).clone();
                    (damage(&mut random, &seed), random.chance(50))
                })
                .collect();
            let packets = frames.iter().map(|(frame, inbound)| TestPacket {
                direction: if *inbound { Direction::Inbound } else { Direction::Outbound },
                ifindex: LOOPBACK,
                bytes: frame,
                segments: (0, 0),
            });
            let outcomes = rig.datapath.run_packets(packets).expect("the kernel takes the packets");
            for ((frame, inbound), outcome) in frames.iter().zip(outcomes) {
                let way = if *inbound { Way::Inbound } else { Way::Outbound };
                assert_eq!(observed(outcome.reason), expected(frame, way), "{way} {frame:02x?}");
                *reached.entry(observed(outcome.reason)).or_insert(0) += 1;
            }
            rig.datapath.clear_flows().expect("the flows are removed");
        }
        assert!(reached.len() == 5 && reached.values().all(|count| *count > 50), "{reached:?}");
    }
}
