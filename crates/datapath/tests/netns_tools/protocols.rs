//! Packets that are neither TCP nor UDP, or hide that they are: each passes by its protocol's rule or not at all.

use palisade_abi::{flow::Direction, verdict::Reason};
use palisade_net::packet::{Extension, Packet};

use crate::{
    scene::{CLOSED, Host, PEER, Scene, VM},
    shared::packets::{other, udp},
    wire::{Wire, keep_order, marker},
};

const GRE: u8 = 47;
const ESP: u8 = 50;
const AH: u8 = 51;
const SCTP: u8 = 132;
const TRANSPORTS: [u8; 4] = [GRE, ESP, AH, SCTP];

/// A scene, a wire at the peer and one at the machine.
fn scene() -> Option<(Scene, Wire, Wire)> {
    let scene = Scene::open(Host::Bridge)?;
    let wires = [Wire::open(&scene.peer), Wire::open(&scene.vm)];
    keep_order();
    let [outside, inside] = wires;
    Some((scene, outside, inside))
}

/// Sends packets to the machine; which of them arrived.
fn arrive(outside: &Wire, inside: &Wire, packets: &[Packet]) -> Vec<bool> {
    let frame =
        |packet: &Packet| packet.clone().between(PEER.mac, VM.mac).build().expect("it can be written");
    let frames: Vec<Vec<u8>> = packets.iter().map(frame).collect();
    frames.iter().for_each(|frame| outside.send(frame));
    let last = marker(PEER, VM);
    outside.send(&last);
    let seen = inside.until(|seen| seen == last);
    frames.iter().map(|frame| seen.contains(frame)).collect()
}

#[test]
fn protocols_without_ports_pass_by_their_number() {
    let Some((mut scene, outside, inside)) = scene() else { return };
    for allowed in TRANSPORTS {
        let rule = format!("allow {allowed} * * *");
        scene.publish(&[&rule, "allow udp * * 53", "deny * * * *"], CLOSED);
        for (from, to) in [(PEER.v4, VM.v4), (PEER.v6, VM.v6)] {
            let packets = TRANSPORTS.map(|protocol| other(from, to, protocol).with_payload([protocol; 40]));
            let expected = TRANSPORTS.map(|protocol| protocol == allowed);
            assert_eq!(arrive(&outside, &inside, &packets), expected, "{rule} {to}");
            // Pieces of them go the same way: later ones by their protocol, like first ones.
            let pieces = packets.map(|packet| packet.fragments(16).expect("it can be cut"));
            for (pieces, expected) in pieces.iter().zip(expected) {
                assert_eq!(arrive(&outside, &inside, pieces), [expected; 3], "{rule} {to}");
            }
        }
        // What was allowed is a flow; the answer passes though nothing may leave by itself.
        let answer = other(VM.v4, PEER.v4, allowed).with_payload([9; 40]).between(VM.mac, PEER.mac);
        let before = scene.counted(Direction::Outbound, Reason::Established);
        inside.send(&answer.build().expect("it can be written"));
        scene.wait_for(Direction::Outbound, Reason::Established, before + 1);
    }
}

#[test]
fn headers_in_front_of_a_transport_hide_nothing() {
    let Some((mut scene, outside, inside)) = scene() else { return };
    scene.publish(&["allow udp * * 53", "deny * * * *"], CLOSED);
    let door =
        |port: u16| udp(&format!("[{}]:9", PEER.v6), &format!("[{}]:{port}", VM.v6)).with_payload(*b"hidden");
    let hops = || Extension::HopByHop(vec![0; 6]);
    let options = || Extension::Destination(vec![0; 6]);
    let routing = |kind, segments_left| Extension::Routing { kind, segments_left, data: vec![0; 4] };
    let mut eight = vec![hops()];
    eight.resize_with(8, options);
    let nine: Vec<Extension> = (0..9).map(|_| options()).collect();
    let chains = [
        (vec![options()], true),
        (vec![hops(), options(), routing(4, 0), options()], true),
        (eight, true),
        (nine, false),
        (vec![options(), hops()], false),
        (vec![routing(4, 1)], false),
        (vec![routing(0, 0)], false),
    ];
    for (extensions, is_sound) in chains {
        let packets = [53, 54].map(|port| Packet { extensions: extensions.clone(), ..door(port) });
        assert_eq!(arrive(&outside, &inside, &packets), [is_sound, false], "{extensions:?}");
    }
    let counters = scene.counters().inbound;
    assert_eq!(counters.reasons[&Reason::SubnetDeny], 3, "{counters:?}");
    assert_eq!(
        (counters.reasons[&Reason::Malformed], counters.reasons[&Reason::SourceRoute]),
        (4, 4),
        "{counters:?}"
    );
}

#[test]
fn options_of_ipv4_name_no_way() {
    let Some((mut scene, outside, inside)) = scene() else { return };
    scene.publish(&["allow udp * * 53", "deny * * * *"], CLOSED);
    let door =
        |port: u16| udp(&format!("{}:9", PEER.v4), &format!("{}:{port}", VM.v4)).with_payload(*b"options");
    for (options, is_sound) in [
        // Router alert; record route, which the bridge of the host must be able to read; nothing, and the end.
        (vec![148, 4, 0, 0], true),
        (vec![1, 1, 1, 0], true),
        // Loose and strict source routes; one that begins behind others; one that is longer than the header.
        (vec![131, 7, 4, 10, 0, 0, 4, 0], false),
        (vec![137, 7, 4, 10, 0, 0, 4, 0], false),
        (vec![1, 131, 7, 4, 10, 0, 0, 4], false),
        (vec![148, 200, 0, 0], false),
    ] {
        let packets = [53, 54].map(|port| Packet { options: options.clone(), ..door(port) });
        assert_eq!(arrive(&outside, &inside, &packets), [is_sound, false], "{options:?}");
    }
    let counters = scene.counters().inbound;
    assert_eq!(
        (counters.reasons[&Reason::SourceRoute], counters.reasons[&Reason::Malformed]),
        (6, 2),
        "{counters:?}"
    );
}
