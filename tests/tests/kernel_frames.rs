//! Frames as an attacker may write them: the kernel program sees what the parser in `palisade-net` sees, and judges the rest
//! by the rules.
//!
//! Frames begin flows at the edges of generated rules and are then bent: impossible extension headers, source routes,
//! fragments, VLAN tags, lengths that lie, single bytes and ends that are missing. Rules are at random, so that a misread
//! address or port shows as a wrong verdict.

use std::net::{IpAddr, Ipv6Addr};

use palisade_abi::verdict::{LAYERS, Reason};
use palisade_classify::{
    blob,
    enforce::{LayerBlob, PolicyBlobs},
    generate::{self, Random},
    table::Limits,
};
use palisade_model::Window;
use palisade_net::{
    Direction, Family, Flow, Mac, Protocol,
    packet::{
        self, Discovery, Extension, Fragment as Part, Packet, ParseError, Passage, Refusal, Transport, tagged,
    },
};
use palisade_tests::{judge::Model, kernel::Kernel, tally::Tally, wire};

const ROUNDS: u64 = 70;
const FRAMES_PER_ROUND: usize = 600;
const RULES: usize = 40;
/// Bytes of the Ethernet header.
const ETHERNET: usize = 14;

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
    use Reason::{
        Allowed, Fragment, LaterFragment, LinkControl, Malformed, SourceRoute, SubnetDeny, VlanTagged,
    };
    let reasons =
        [Allowed, SubnetDeny, LinkControl, Malformed, SourceRoute, VlanTagged, Fragment, LaterFragment];
    tally.require("reasons", reasons, 20);
    tally.require("frames", KINDS, 500);
    tally.require("total", ["frames"], 30_000);
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
    match wire::unguarded().examine(frame, direction) {
        Ok(Passage::LinkControl) => Reason::LinkControl,
        Ok(Passage::Packet(parsed)) => match parsed.ip() {
            Some(ip) if ip.fragment == Part::Later => model.fragment(ip, direction),
            _ => model.walk(&parsed.to_flow(direction).expect("ARP is link control")).reason,
        },
        Err(Refusal::Unreadable(ParseError::Malformed(_))) => Reason::Malformed,
        Err(Refusal::Unreadable(ParseError::VlanTagged)) => Reason::VlanTagged,
        Err(Refusal::Unreadable(ParseError::SourceRoute)) => Reason::SourceRoute,
        Err(refusal) => panic!("nobody guards against it: {refusal}"),
    }
}

const KINDS: [&str; 10] = [
    "straight",
    "chain",
    "options",
    "later fragment",
    "hop limit",
    "protocol",
    "tagged",
    "tagged twice",
    "cut",
    "damaged",
];

/// A frame that once began `flow`, and how it was bent.
fn odd_frame(flow: &Flow, random: &mut Random) -> (&'static str, Vec<u8>) {
    let mut packet = wire::packet(flow, random);
    let kind = *random.pick(&KINDS);
    match kind {
        "chain" if flow.family() == Family::V6 => long_chain(&mut packet, random),
        "chain" => packet.fragment = Some((0, true)),
        "options" if flow.family() == Family::V4 => packet.options = options(random),
        "later fragment" => later(&mut packet, random),
        "hop limit" => neighbour(&mut packet, random),
        // ESP, AH, GRE, SCTP, no next header, IGMP.
        "protocol" => {
            packet.transport = Transport::Other(Protocol(*random.pick(&[50, 51, 47, 132, 59, 2])));
        }
        _ => {}
    }
    let mut frame = packet.build().expect("the packet can be written");
    match kind {
        "tagged" => frame = tagged(&frame, 7, random.chance(50)),
        "tagged twice" => frame = tagged(&tagged(&frame, 7, false), 7, random.chance(50)),
        "cut" => frame.truncate(ETHERNET + random.below(frame.len() - ETHERNET + 1)),
        "damaged" => (0..1 + random.below(3)).for_each(|_| damage(&mut frame, random)),
        _ => {}
    }
    (kind, frame)
}

/// A later fragment, mostly one that fits a packet.
fn later(packet: &mut Packet, random: &mut Random) {
    packet.fragment = Some((*random.pick(&[1, 2, 185, 8191]), random.chance(50)));
    if random.chance(80) {
        packet.payload.resize(8 * (1 + random.below(4)), 0);
    }
}

/// Options of IPv4: recorded routes, alerts, ways to take, and bytes that are none.
fn options(random: &mut Random) -> Vec<u8> {
    let one = |random: &mut Random| match random.below(6) {
        0 => vec![1; 1 + random.below(3)],
        1 => vec![7, 7, 4, 0, 0, 0, 0],
        2 => vec![148, 4, 0, 0],
        3 => vec![*random.pick(&[131, 137]), 3 + random.below(4) as u8, 4],
        4 => vec![0],
        _ => vec![random.port() as u8, random.below(12) as u8],
    };
    let mut options: Vec<u8> = (0..1 + random.below(4)).flat_map(|_| one(random)).collect();
    options.truncate(40);
    options
}

/// More headers than are walked, in an order that may be wrong, sometimes with a way to take.
fn long_chain(packet: &mut Packet, random: &mut Random) {
    packet.extensions = (0..random.below(11))
        .map(|place| match random.below(12) {
            0 => Extension::HopByHop(Vec::new()),
            1 => Extension::Routing {
                kind: *random.pick(&[0, 2, 4]),
                segments_left: random.below(2) as u8,
                data: vec![0; 20],
            },
            _ => wire::extension(place, random),
        })
        .collect();
}

/// Neighbour discovery and listener reports, near and from afar, and what only has their types.
fn neighbour(packet: &mut Packet, random: &mut Random) {
    if let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination)
        && random.chance(50)
    {
        *packet = discovery(source, destination, random).to_packet();
    } else if let Transport::Icmp { family, kind, body, .. } = &mut packet.transport {
        *kind = *random.pick(&[129, 130, 132, 133, 135, 137, 138, 143]);
        *body = packet::IcmpBody::blank(*family, *kind);
    }
    packet.hop_limit = *random.pick(&[1, 64, 254, 255, 255, 255]);
}

fn discovery(source: Ipv6Addr, destination: Ipv6Addr, random: &mut Random) -> Discovery {
    let near = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, random.port());
    let asked = Discovery::solicitation((Mac::default(), *random.pick(&[source, near])), destination);
    Discovery {
        kind: *random.pick(&[133, 134, 135, 136, 137]),
        flags: random.port(),
        destination: *random.pick(&[asked.destination, destination, near]),
        ..asked
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
