//! Frames as an attacker may write them: the kernel program sees what the parser in `palisade-net` sees, and judges the rest
//! by the rules.
//!
//! Frames begin flows at the edges of generated rules and are then bent: impossible extension headers, fragments, VLAN tags,
//! lengths that lie, single bytes and ends that are missing. Rules are at random, so that a misread address or port shows as a
//! wrong verdict.

use palisade_abi::verdict::{LAYERS, Reason};
use palisade_classify::{
    blob,
    enforce::{LayerBlob, PolicyBlobs},
    generate::{self, Random},
    table::Limits,
};
use palisade_model::Window;
use palisade_net::{
    Direction, Family, Flow,
    packet::{self, Extension, Packet, ParseError, Transport},
};
use palisade_tests::{judge::Model, kernel::Kernel, tally::Tally, wire};

const ROUNDS: u64 = 50;
const FRAMES_PER_ROUND: usize = 600;
const RULES: usize = 40;
/// Bytes of the Ethernet header.
const ETHERNET: usize = 14;
const VLAN_TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];

#[test]
fn kernel_and_parser_see_the_same_in_odd_frames() {
    let Some(mut kernel) = Kernel::open() else { return };
    let mut tally = Tally::default();
    for round in 0..ROUNDS {
        let mut random = Random::new(round);
        let (rows, blobs) = policy(round);
        kernel.publish(&blobs);
        let model = Model::of(&blobs);
        let flows = generate::flows(&rows, FRAMES_PER_ROUND, round);
        let odd =
            flows.iter().filter(|flow| wire::exists(flow)).map(|flow| (flow, odd_frame(flow, &mut random)));
        for (flow, (kind, frame)) in odd.filter(|(_, (_, frame))| is_runnable(frame)) {
            let direction = flow.direction();
            // Nothing may be explained by an earlier frame.
            kernel.forget_flows();
            let observed = kernel.judge([(direction, &frame[..])])[0];
            let expected = expected(&model, &frame, direction);
            assert_eq!(observed.reason, expected, "{kind} {direction} {flow:?} {frame:02x?}");
            assert_eq!(observed.passes, !expected.is_drop(), "{kind} {frame:02x?}");
            tally.count("frames", kind);
            tally.count("reasons", expected);
            tally.count("total", "frames");
        }
    }
    println!("odd frames compared with the kernel program:{tally}");
    use Reason::{Allowed, Fragment, LinkControl, Malformed, SubnetDeny, UnsupportedEtherType};
    let reasons = [Allowed, SubnetDeny, LinkControl, Malformed, UnsupportedEtherType, Fragment];
    tally.require("reasons", reasons, 20);
    tally.require("frames", KINDS, 500);
    tally.require("total", ["frames"], 20_000);
}

/// Rules for both directions, as the only list of each.
fn policy(seed: u64) -> (Vec<palisade_classify::Row>, PolicyBlobs) {
    let mut rows = generate::edge_rows(RULES, seed);
    // Frames are judged at whatever time it is.
    rows.iter_mut().for_each(|row| row.window = Window::ALWAYS);
    let bytes = blob::compile(&rows, &Limits::default()).expect("the rules are few");
    let layer = LayerBlob::unnamed(bytes.into());
    let mut blobs = PolicyBlobs { inbound: [const { None }; LAYERS], outbound: [const { None }; LAYERS] };
    blobs.inbound[1] = Some(layer.clone());
    blobs.outbound[2] = Some(layer);
    (rows, blobs)
}

/// What the kernel program must count for the frame.
fn expected(model: &Model<'_>, frame: &[u8], direction: Direction) -> Reason {
    match packet::parse(frame) {
        Err(ParseError::Malformed(_)) => Reason::Malformed,
        Err(ParseError::UnsupportedEtherType(_)) => Reason::UnsupportedEtherType,
        Err(ParseError::Fragment) => Reason::Fragment,
        Ok(parsed) if parsed.is_link_control(direction) => Reason::LinkControl,
        Ok(parsed) => {
            let flow = parsed.to_flow(direction).expect("ARP is link control");
            model.walk(&flow).reason
        }
    }
}

const KINDS: [&str; 7] = ["straight", "chain", "later fragment", "hop limit", "tagged", "cut", "damaged"];

/// A frame that once began `flow`, and how it was bent.
fn odd_frame(flow: &Flow, random: &mut Random) -> (&'static str, Vec<u8>) {
    let mut packet = wire::packet(flow, random);
    let kind = *random.pick(&KINDS);
    match kind {
        "chain" if flow.family() == Family::V6 => long_chain(&mut packet, random),
        "chain" => packet.fragment = Some((0, true)),
        "later fragment" => {
            packet.fragment = Some((*random.pick(&[1, 2, 185, 8191]), random.chance(50)));
        }
        "hop limit" => neighbour(&mut packet, random),
        _ => {}
    }
    let mut frame = packet.build().expect("the packet can be written");
    match kind {
        "tagged" => {
            let tag = *random.pick(&VLAN_TAGS);
            frame.splice(12..12, [tag[0], tag[1], 0, 7]);
        }
        "cut" => frame.truncate(ETHERNET + random.below(frame.len() - ETHERNET + 1)),
        "damaged" => (0..1 + random.below(3)).for_each(|_| damage(&mut frame, random)),
        _ => {}
    }
    (kind, frame)
}

/// More headers than are walked, in an order that may be wrong, sometimes with a routing header of type 0.
fn long_chain(packet: &mut Packet, random: &mut Random) {
    packet.extensions = (0..random.below(11))
        .map(|place| match random.below(12) {
            0 => Extension::HopByHop(Vec::new()),
            1 => Extension::Routing { kind: 0, data: vec![0; 20] },
            _ => wire::extension(place, random),
        })
        .collect();
}

/// Neighbour discovery and listener reports, near and from afar.
fn neighbour(packet: &mut Packet, random: &mut Random) {
    packet.hop_limit = *random.pick(&[1, 64, 254, 255]);
    if let Transport::Icmp { family, kind, body, .. } = &mut packet.transport {
        *kind = *random.pick(&[129, 130, 132, 133, 135, 137, 138, 143]);
        *body = packet::IcmpBody::blank(*family, *kind);
    }
}

/// A test run takes no frame that ends before the fixed part of the IP header that its type announces.
fn is_runnable(frame: &[u8]) -> bool {
    let header = match frame[12..ETHERNET] {
        [0x08, 0x00] => 20,
        [0x86, 0xdd] => 40,
        _ => 1,
    };
    frame.len() >= ETHERNET + header
}

/// Changes one byte of the headers.
fn damage(frame: &mut [u8], random: &mut Random) {
    let at = 12 + random.below((frame.len() - 12).min(80));
    frame[at] = match random.below(4) {
        0 => random.port() as u8,
        1 => *random.pick(&[0, 1, 4, 5, 6, 17, 43, 44, 58, 60, 255]),
        2 => frame[at].wrapping_add(1),
        _ => frame[at] ^ (1 << random.below(8)),
    };
}
