//! Every guard of a NIC alone, with all others and without: what a VM may say, in both directions, against the model in
//! `palisade-net`; and tags where the kernel keeps them, on a real interface.

use std::{collections::BTreeMap, net::IpAddr};

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_net::{
    Direction as Way, Mac, Prefix,
    packet::{self, Arp, Dhcp, Discovery, IcmpBody, Packet, Station, tagged},
};

use super::{
    interfaces::{counted, send, veth},
    odd::{compare, publish, station},
    rig::{Rig, SLOT, icmp, layer, nic, tcp, udp, wait},
};
use crate::{Guards, NicKind, Plane};

const OPEN: &[&str] = &["allow * * * *"];
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
/// A link-local address that a system may have drawn, the one made of the station's MAC address, and one given by hand.
const DRAWN: &str = "fe80::8c1f:23:4567:89ab";
const EUI64: &str = "fe80::20d:3aff:fe12:3456";
const BY_HAND: &str = "fe80::1";

const EACH: [Guards; 8] = [
    Guards::MAC,
    Guards::SOURCE,
    Guards::NEIGHBOUR,
    Guards::DHCP_SERVER,
    Guards::ROUTER,
    Guards::ETHER_TYPE,
    Guards::VLAN,
    Guards::PLATFORM,
];

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("it is written right")
}

fn frame(packet: &Packet) -> Vec<u8> {
    packet.build().expect("the packet can be written")
}

/// What VMs say, and what they should not, from the station's MAC address and from another one.
fn frames(mac: Mac) -> Vec<Vec<u8>> {
    let packets = [plain(), neighbours(mac), routers(mac), leases(mac)].concat();
    let mut frames = arps(mac);
    for packet in packets {
        frames.push(frame(&packet.clone().between(mac, Mac([0xff; 6]))));
        frames.push(frame(&packet.between(OTHER, Mac([0xff; 6]))));
    }
    let mut other = frames[0].clone();
    other[12..14].copy_from_slice(&[0x88, 0xcc]);
    let once: Vec<Vec<u8>> = [&frames[0], &frames[20], &other].map(|frame| tagged(frame, 7, false)).into();
    let twice = tagged(&once[0], 8, true);
    [frames, once, vec![other, twice]].concat()
}

/// Packets that begin something, from every kind of address.
fn plain() -> Vec<Packet> {
    let v4 = ["10.0.0.4", "10.0.0.9", "10.0.0.5", "10.0.0.3", "0.0.0.0", "168.63.129.16", "169.254.169.254"];
    let v6 =
        ["fd00::4", "fd00::5", DRAWN, EUI64, BY_HAND, "fe80::1234:5678:9abc", "fe80::20d:3aff:fe12:3457"];
    let v4 = v4.map(|source| udp(&format!("{source}:9"), "192.0.2.1:53"));
    let v6 = v6.map(|source| tcp(&format!("[{source}]:9"), "[2001:db8::1]:80", "S"));
    let echo = icmp("fd00::5", "2001:db8::1", 128, IcmpBody::Query { id: 3 });
    let strange = icmp("fd00::5", "2001:db8::1", 5, IcmpBody::Other);
    let pieces =
        udp("10.0.0.5:9", "192.0.2.1:53").with_payload([0; 40]).fragments(24).expect("it can be cut");
    [v4.to_vec(), v6.to_vec(), vec![echo, strange], pieces].concat()
}

fn arps(mac: Mac) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for operation in [Arp::REQUEST, Arp::REPLY] {
        for sender in [mac, OTHER] {
            for (from, about) in [
                ("10.0.0.4", "10.0.0.1"),
                ("10.0.0.1", "10.0.0.4"),
                ("0.0.0.0", "10.0.0.4"),
                ("0.0.0.0", "10.0.0.1"),
            ] {
                let message =
                    Arp { operation, sender: (sender, parsed(from)), target: (OTHER, parsed(about)) };
                frames.push(packet::arp(mac, OTHER, &message));
            }
        }
    }
    frames
}

fn neighbours(mac: Mac) -> Vec<Packet> {
    let mut messages = vec![Discovery::probe(parsed("fd00::4")), Discovery::probe(parsed("fd00::1"))];
    messages.extend([DRAWN, BY_HAND].map(|target| Discovery::probe(parsed(target))));
    for source in ["fd00::4", "fd00::1", DRAWN, EUI64, BY_HAND] {
        for mac in [mac, OTHER] {
            let asked = Discovery::solicitation((mac, parsed(source)), parsed("fd00::1"));
            let told = Discovery::advertisement((mac, parsed(source)));
            messages.extend([
                Discovery { destination: parsed("fd00::1"), ..asked.clone() },
                Discovery { destination: parsed("fd00::1"), flags: 0x6000, ..told.clone() },
                Discovery { destination: parsed("fd00:0:0:1::1"), ..told.clone() },
                Discovery { options: vec![(25, [0; 6])], ..told.clone() },
                asked,
                told,
            ]);
        }
    }
    let mut packets: Vec<Packet> = messages.iter().map(Discovery::to_packet).collect();
    let far = packets.iter().step_by(5).map(|packet| Packet { hop_limit: 64, ..packet.clone() });
    let far: Vec<Packet> = far.collect();
    packets.extend(far);
    packets
}

fn routers(mac: Mac) -> Vec<Packet> {
    let mut packets = Vec::new();
    for kind in [133, 134, 137] {
        for source in [DRAWN, "fd00::4", "fd00::1", BY_HAND] {
            for destination in ["ff02::1", "ff02::2", "fd00::9"] {
                let asked = Discovery::solicitation((mac, parsed(source)), parsed("fd00::1"));
                packets.push(Discovery { kind, destination: parsed(destination), ..asked }.to_packet());
            }
        }
    }
    for source in [DRAWN, BY_HAND, "::"] {
        let report = icmp(source, "ff02::16", 143, IcmpBody::Other).with_payload([0; 20]);
        packets.push(Packet { hop_limit: 1, ..report });
    }
    packets
}

fn leases(mac: Mac) -> Vec<Packet> {
    let mut packets = Vec::new();
    for operation in [Dhcp::REQUEST, Dhcp::REPLY] {
        for client in [mac, OTHER] {
            for server in ["255.255.255.255", "168.63.129.16", "192.0.2.1", "10.0.0.4"] {
                let packet = Dhcp { operation, client }.to_packet(parsed(server));
                let to_one = Packet { destination: parsed("10.0.0.9"), ..packet.clone() };
                let bound = Packet { source: parsed("10.0.0.9"), ..packet.clone() };
                // Nobody sends from the address of everybody.
                let all = [packet, to_one, bound];
                packets.extend(all.into_iter().filter(|p| p.source != IpAddr::from([255; 4])));
            }
        }
    }
    for (source, destination) in
        [(DRAWN, "ff02::1:2"), (BY_HAND, "ff02::1:2"), (DRAWN, EUI64), ("fd00::4", EUI64)]
    {
        for ((from, to), kind) in [((546, 547), 1), ((546, 547), 7), ((547, 546), 7), ((1547, 546), 7)] {
            let packet = udp(&format!("[{source}]:{from}"), &format!("[{destination}]:{to}"));
            packets.push(packet.with_payload(packet::dhcpv6(kind)));
        }
    }
    packets
}

#[test]
fn every_guard_alone_and_missing_is_the_models() {
    for mut rig in Rig::each() {
        let mut reached = BTreeMap::new();
        let alone = EACH.map(|guard| Guards::NONE | guard);
        let missing = EACH.map(|guard| Guards::ALL - guard);
        for guards in [&[Guards::NONE, Guards::ALL][..], &alone, &missing].concat() {
            let station = station(guards);
            publish(&mut rig, &station);
            let frames = frames(station.mac).into_iter();
            let frames: Vec<_> = frames.flat_map(|frame| Way::ALL.map(|way| (frame.clone(), way))).collect();
            compare(&rig, &station, &frames, &mut reached);
        }
        let of_guards = reached.keys().filter(|reason| **reason >= Reason::VlanTagged).count();
        assert!(of_guards == 8 && reached.values().all(|count| *count >= 9), "{reached:?}");
    }
}

#[test]
fn each_guard_stops_what_the_others_let_pass() {
    let station = station(Guards::ALL);
    let from = |mac, packet: Packet| frame(&packet.between(mac, OTHER));
    let claim = Discovery::advertisement((station.mac, parsed("fd00::1"))).to_packet();
    let router = Discovery { kind: 134, ..Discovery::advertisement((station.mac, parsed(DRAWN))) };
    let mut other = from(station.mac, udp("10.0.0.4:9", "192.0.2.1:53"));
    other[12..14].copy_from_slice(&[0x88, 0xcc]);
    let tag = tagged(&from(station.mac, udp("10.0.0.4:9", "192.0.2.1:53")), 7, false);
    let source = from(station.mac, udp("10.0.0.5:9", "192.0.2.1:53"));
    let server = from(station.mac, udp("10.0.0.4:67", "10.0.0.9:68"));
    let platform = from(station.mac, udp("168.63.129.16:53", "192.0.2.1:53"));
    let cases = [
        (Guards::MAC, from(OTHER, udp("10.0.0.4:9", "192.0.2.1:53")), Reason::ForeignMac),
        (Guards::SOURCE, source, Reason::ForeignSource),
        (Guards::NEIGHBOUR, from(station.mac, claim), Reason::ForeignNeighbour),
        (Guards::DHCP_SERVER, server, Reason::DhcpServer),
        (Guards::ROUTER, from(station.mac, router.to_packet()), Reason::RouterMessage),
        (Guards::ETHER_TYPE, other, Reason::UnsupportedEtherType),
        (Guards::VLAN, tag, Reason::VlanTagged),
        (Guards::PLATFORM, platform, Reason::ForgedPlatform),
    ];
    for mut rig in Rig::each() {
        for (guard, frame, reason) in &cases {
            for guards in [*guard, Guards::ALL] {
                publish(&mut rig, &Station { guards, ..station.clone() });
                assert_eq!(rig.frame(Direction::Outbound, frame), *reason);
            }
            // A forged platform address is no address of the NIC either, nor one of a neighbour's.
            let others = Guards::ALL - *guard - Guards::SOURCE;
            publish(&mut rig, &Station { guards: others, ..station.clone() });
            assert!(!rig.frame(Direction::Outbound, frame).is_drop(), "{reason}");
        }
    }
}

#[test]
fn many_ranges_of_addresses_are_searched() {
    for count in [1_u32, 2, 3, 255, 256, 511, 512] {
        // Two addresses of every four, and two networks of every four.
        let prefixes = (0..count).map(|i| i * 4).flat_map(|i| {
            let v4 = Prefix::new(IpAddr::V4((0x0a01_0000 + i).into()), 31);
            let v6 = Prefix::new(IpAddr::V6(((0x2001_0db8_0000_0000 + u128::from(i)) << 64).into()), 63);
            [v4, v6].map(|prefix| prefix.expect("it ends with zeros"))
        });
        check_ranges(&Station { guards: Guards::SOURCE, mac: Mac([2; 6]), owned: prefixes.collect() });
    }
}

/// Sources at and beside every end of the ranges.
fn check_ranges(station: &Station) {
    let v4 =
        station.owned.v4().ranges().iter().flat_map(|(first, last)| [first - 1, *first, *last, last + 1]);
    let v6 =
        station.owned.v6().ranges().iter().flat_map(|(first, last)| [first - 1, *first, *last, last + 1]);
    let v4 = v4.map(|source| IpAddr::V4(source.into())).map(|source| (source, parsed("192.0.2.1")));
    let v6 = v6.map(|source| IpAddr::V6(source.into())).map(|source| (source, parsed("2001:db9::1")));
    // Messages that begin no flow: there are more of them than the table holds.
    let of = |(source, destination): (IpAddr, IpAddr)| {
        icmp(&source.to_string(), &destination.to_string(), 200, IcmpBody::Other)
    };
    let frames: Vec<_> = v4.chain(v6).map(of).map(|packet| (frame(&packet), Way::Outbound)).collect();
    for mut rig in Rig::each() {
        publish(&mut rig, station);
        let mut reached = BTreeMap::new();
        compare(&rig, station, &frames, &mut reached);
        let half = frames.len() / 2;
        assert_eq!(reached, [(Reason::Allowed, half), (Reason::ForeignSource, half)].into());
    }
}

#[test]
fn tags_are_found_beside_the_frame_too() {
    for mut rig in Rig::each() {
        let (host, vm) = veth();
        rig.datapath.attach(host, NicKind::Direct).expect("the interface is there");
        let plain = frame(&udp("10.0.0.4:9", "192.0.2.1:53"));
        let (once, twice) = (tagged(&plain, 7, false), tagged(&tagged(&plain, 8, false), 7, true));
        // The kernel takes the outer tag out of what it receives, and leaves it in what it is given to send.
        for (interface, way) in [(vm, Way::Outbound), (host, Way::Inbound)] {
            for (guards, frame, reason) in [
                (Guards::NONE, &once, Reason::Allowed),
                (Guards::NONE, &twice, Reason::VlanTagged),
                (Guards::VLAN, &once, Reason::VlanTagged),
                (Guards::VLAN, &plain, Reason::Allowed),
            ] {
                let mut policy = nic(host, SLOT);
                policy.guards = guards;
                policy.inbound[1] = Some(layer(OPEN));
                policy.outbound[2] = Some(layer(OPEN));
                rig.datapath.publish(&[policy]).expect("the policy is published");
                rig.datapath.clear_flows().expect("the flows are removed");
                let count = |rig: &Rig| match (way, counted(rig, reason)) {
                    (Way::Outbound, (outbound, _)) => outbound,
                    (Way::Inbound, (_, inbound)) => inbound,
                };
                let before = count(&rig);
                send(interface, frame);
                wait("the frame to be judged", || count(&rig) > before);
            }
        }
    }
}
