//! What a machine says that is not its to say: it does not leave the host, and is counted under its own reason.

use std::{collections::BTreeMap, net::Ipv4Addr};

use palisade_abi::{event::EventKind, flow::Direction, verdict::Reason};
use palisade_datapath::{Guards, Plane as _};
use palisade_net::{
    Mac,
    packet::{Arp, Dhcp, Discovery, IcmpBody, Packet, arp, dhcpv6, tagged},
};

use crate::{
    scene::{Host, OPEN, PEER, Scene, VM},
    shared::packets::{icmp, tcp, udp},
    wire::{Wire, keep_order, marker},
};

/// Nobody in the scene.
const STRANGER: Mac = Mac([0x52, 0x54, 0, 0, 0, 0x66]);
const STRANGE_V4: &str = "10.0.0.66";
const STRANGE_V6: &str = "fd00::66";

type Frames = Vec<(Reason, Vec<u8>)>;

fn from_vm(packet: Packet) -> Vec<u8> {
    packet.between(VM.mac, PEER.mac).build().expect("it can be written")
}

/// Frames with another's addresses.
fn sources() -> Frames {
    use Reason::{ForeignMac, ForeignSource, ForgedPlatform};
    let to_peer = |from: &str, to: &str| udp(from, to).with_payload(*b"from whom");
    let [v4, v6] = [format!("{}:53", PEER.v4), format!("[{}]:53", PEER.v6)];
    let own = to_peer(&format!("{}:9", VM.v4), &v4);
    let later =
        to_peer(&format!("{STRANGE_V4}:9"), &v4).with_payload([7; 60]).fragments(24).expect("it can be cut");
    let mut frames = vec![(ForeignMac, own.between(STRANGER, PEER.mac).build().expect("it can be written"))];
    for (reason, packet) in [
        (ForeignSource, to_peer(&format!("{STRANGE_V4}:9"), &v4)),
        (ForeignSource, to_peer(&format!("[{STRANGE_V6}]:9"), &v6)),
        (ForeignSource, tcp(&format!("{STRANGE_V4}:9"), &v4, "S")),
        (ForeignSource, icmp(STRANGE_V6, PEER.v6, 128, IcmpBody::Query { id: 1 })),
        (ForeignSource, icmp(STRANGE_V4, PEER.v4, 3, IcmpBody::Error(None))),
        (ForeignSource, later[1].clone()),
        (ForgedPlatform, to_peer("168.63.129.16:53", &v4)),
        (ForgedPlatform, to_peer("169.254.169.254:80", &v4)),
        (ForgedPlatform, to_peer("[fe80::1234:5678:9abc]:53", &v6)),
    ] {
        frames.push((reason, from_vm(packet)));
    }
    frames
}

/// ARP messages that take another's address.
fn arps() -> Frames {
    let [own, peer, stranger] =
        [VM.v4, PEER.v4, STRANGE_V4].map(|text| text.parse::<Ipv4Addr>().expect("an address"));
    let everybody = Mac([0xff; 6]);
    let say = |operation, sender, target| arp(VM.mac, everybody, &Arp { operation, sender, target });
    let messages = [
        say(Arp::REPLY, (VM.mac, peer), (STRANGER, stranger)),
        say(Arp::REQUEST, (VM.mac, peer), (Mac::default(), peer)),
        say(Arp::REQUEST, (VM.mac, stranger), (Mac::default(), peer)),
        say(Arp::REQUEST, (VM.mac, Ipv4Addr::UNSPECIFIED), (Mac::default(), peer)),
        say(Arp::REPLY, (STRANGER, own), (PEER.mac, peer)),
    ];
    messages.map(|message| (Reason::ForeignArp, message)).into()
}

/// Neighbour discovery that takes another's address, and messages of routers and servers.
fn discoveries() -> Frames {
    use Reason::{DhcpServer, ForeignNeighbour, RouterMessage};
    let [own, peer] = [VM.v6, PEER.v6].map(|text| text.parse().expect("an address"));
    let router = Discovery {
        source: "fe80::5054:ff:fe00:4".parse().expect("it is"),
        ..Discovery::advertisement((VM.mac, own))
    };
    let of_server =
        |destination: &str, bytes: Vec<u8>| udp(&format!("[{}]:547", VM.v6), destination).with_payload(bytes);
    let neighbour = [
        Discovery::advertisement((VM.mac, peer)),
        Discovery { target: peer, ..Discovery::advertisement((VM.mac, own)) },
        Discovery::advertisement((STRANGER, own)),
        Discovery::solicitation((VM.mac, peer), own),
        Discovery::probe(peer),
    ];
    let mut frames: Frames = neighbour.map(|message| (ForeignNeighbour, from_vm(message.to_packet()))).into();
    for (reason, packet) in [
        (RouterMessage, Discovery { kind: 134, options: vec![], ..router.clone() }.to_packet()),
        (RouterMessage, Discovery { kind: 137, options: vec![], destination: peer, ..router }.to_packet()),
        (
            DhcpServer,
            Dhcp { operation: Dhcp::REPLY, client: PEER.mac }.to_packet(VM.v4.parse().expect("an address")),
        ),
        (DhcpServer, of_server(&format!("[{}]:546", PEER.v6), dhcpv6(2))),
    ] {
        frames.push((reason, from_vm(packet)));
    }
    frames
}

/// A datagram that nothing is wrong with.
fn plain() -> Vec<u8> {
    from_vm(udp(&format!("{}:9", VM.v4), &format!("{}:53", PEER.v4)).with_payload(*b"plain"))
}

/// Frames that no machine of a cloud needs.
fn types() -> Frames {
    let typed = |kind: u16, content: &[u8]| {
        let group = [1, 0, 0x0c, 0xcc, 0xcc, 0xcd];
        [&group[..], &VM.mac.0, &kind.to_be_bytes(), content, &[0; 46]].concat()
    };
    vec![
        (Reason::VlanTagged, tagged(&plain(), 5, false)),
        (Reason::VlanTagged, tagged(&plain(), 6, true)),
        // LLDP, PPPoE discovery, wake on LAN, and a length in the type's place: spanning tree.
        (Reason::UnsupportedEtherType, typed(0x88cc, b"lldp")),
        (Reason::UnsupportedEtherType, typed(0x8863, b"pppoe")),
        (Reason::UnsupportedEtherType, typed(0x0842, b"wake")),
        (Reason::UnsupportedEtherType, typed(38, &[0x42, 0x42, 3, 0, 0])),
    ]
}

/// The frame as a socket shows it: without its outermost tag.
fn untagged(frame: &[u8]) -> Vec<u8> {
    match frame[12..14] {
        [0x81, 0] | [0x88, 0xa8] => [&frame[..12], &frame[16..]].concat(),
        _ => frame.to_vec(),
    }
}

/// Sends frames from the machine; which of them the peer saw.
fn cross(inside: &Wire, outside: &Wire, frames: &Frames) -> Vec<bool> {
    frames.iter().for_each(|(_, frame)| inside.send(frame));
    let last = marker(VM, PEER);
    inside.send(&last);
    let seen = outside.until(|seen| seen == last);
    frames.iter().map(|(_, frame)| seen.contains(&untagged(frame))).collect()
}

#[test]
fn a_machine_speaks_for_itself_alone() {
    let Some(mut scene) = Scene::open(Host::Bridge) else { return };
    scene.publish(OPEN, OPEN);
    scene.datapath.set_events(&[EventKind::Deny]);
    let [inside, outside] = [Wire::open(&scene.vm), Wire::open(&scene.peer)];
    keep_order();
    let frames: Frames = [sources(), arps(), discoveries(), types()].concat();
    let twice = (Reason::VlanTagged, tagged(&tagged(&plain(), 5, false), 6, true));
    let before = scene.counters().outbound;
    let all: Frames = frames.iter().chain([&twice]).cloned().collect();
    assert!(cross(&inside, &outside, &all).iter().all(|arrived| !arrived));

    let mut expected = BTreeMap::<Reason, u64>::new();
    all.iter().for_each(|(reason, _)| *expected.entry(*reason).or_default() += 1);
    let dropped = |reasons: &BTreeMap<Reason, u64>| -> BTreeMap<Reason, u64> {
        let of = |(reason, packets): (&Reason, &u64)| {
            (*reason, packets - before.reasons.get(reason).unwrap_or(&0))
        };
        reasons.iter().map(of).filter(|(reason, packets)| reason.is_drop() && *packets > 0).collect()
    };
    let counters = scene.counters().outbound;
    assert_eq!(dropped(&counters.reasons), expected);
    let told: BTreeMap<Reason, u64> = scene.events().iter().fold(BTreeMap::new(), |mut told, event| {
        assert_eq!(event.direction, Direction::Outbound);
        *told.entry(event.reason).or_default() += event.packets[0];
        told
    });
    assert_eq!(told, expected);

    // Without guards all of it goes out, but for a second tag that nobody looks behind: nothing else had stopped it.
    scene.publish_with(OPEN, OPEN, |nic| nic.guards = Guards::NONE);
    let arrived = cross(&inside, &outside, &frames);
    let missing: Vec<_> = frames.iter().zip(arrived).filter(|(_, arrived)| !arrived).collect();
    assert!(missing.is_empty(), "{missing:02x?}");
}
