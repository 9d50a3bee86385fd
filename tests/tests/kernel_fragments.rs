//! Later fragments, which carry no ports: none is dropped that may belong to something allowed, on either kind of memory.
//!
//! On generated estates the truth is the oracle's, by trial of all ports that rules tell apart, for the fragment itself and for
//! what it may answer (`docs/adr/0020-later-fragments.md`). On large lists it is the software model of the blobs, and what that
//! allows at single ports. How often a fragment passes without need is told, and bounded.

use std::net::IpAddr;

use palisade_abi::verdict::Reason;
use palisade_classify::{
    Row, Verdict, blob,
    enforce::{self, DirectionBlobs, LayerBlob, PolicyBlobs},
    generate::{
        self, Random, Shape,
        estate::{self, MOMENTS},
    },
    oracle,
    table::Limits,
};
use palisade_model::EffectivePolicy;
use palisade_net::{
    Direction, Family, Flow, Protocol,
    packet::{Packet, Transport, parse},
};
use palisade_tests::{
    judge::{Model, opposite},
    kernel::Kernel,
    tally::Tally,
    wire,
};

const ESTATES: u64 = 400;
const FLOWS: usize = 32;
/// Lists that an operator may really have, and at the limit.
const LARGE: [usize; 4] = [100, 300, 600, 990];
const FLOWS_OF_LARGE: usize = 1_500;
const LEAST: u64 = 500;
/// Fragments that pass without need, in a hundred that pass.
const BEYOND_PERCENT_MAX: u64 = 10;

#[test]
fn no_fragment_is_dropped_that_may_belong_to_something_allowed() {
    let parts = Kernel::on_each(|kernel, share| {
        let mut tally = Tally::default();
        (0..ESTATES)
            .filter(|seed| share.has(*seed))
            .for_each(|seed| compare_estate(seed, kernel, &mut tally));
        tally
    });
    let Some(tally) = parts.into_iter().reduce(Tally::and) else { return };
    println!("later fragments beside the oracle:{tally}");
    tally.require("fragments", ["passes as some packet would", "drops as all packets would"], 5 * LEAST);
    tally.require("family", Family::ALL.map(|family| format!("{family:?}")), LEAST);
    tally.require("protocol", ["Tcp", "Udp", "Icmp", "Icmpv6", "other"], LEAST);
    tally.require("answers", ["passes only as an answer"], LEAST);
    let beyond = tally.of("fragments", "passes though no packet would");
    let needed = tally.of("fragments", "passes as some packet would");
    assert!(beyond * 100 <= needed * BEYOND_PERCENT_MAX, "{beyond} pass without need, {needed} with");
}

#[test]
fn fragments_under_large_lists_pass_as_the_model_says() {
    let parts = Kernel::on_each(|kernel, _| {
        let mut tally = Tally::default();
        LARGE.iter().for_each(|rules| compare_large(*rules, kernel, &mut tally));
        tally
    });
    let Some(tally) = parts.into_iter().reduce(Tally::and) else { return };
    println!("later fragments under large lists:{tally}");
    tally.require("fragments", [Reason::LaterFragment, Reason::Fragment], LEAST);
    tally.require("at its ports", ["allowed"], LEAST);
}

/// A later fragment as the kernel sees it.
struct Piece {
    direction: Direction,
    protocol: Protocol,
    ends: (IpAddr, IpAddr),
    frame: Vec<u8>,
}

impl Piece {
    /// A later fragment of a packet of `flow`, or of another protocol between its addresses; none if nobody sends such.
    fn of(flow: &Flow, random: &mut Random) -> Option<Self> {
        let protocol = if random.chance(25) { Protocol(random.port() as u8) } else { flow.protocol() };
        let ends = (flow.source(), flow.destination());
        let mut packet = Packet::new(ends.0, ends.1, Transport::Other(protocol));
        packet.payload = vec![7; random.below(64)];
        wire::make_fragment(&mut packet, *random.pick(&[2, 185, 370, 4_000]), random.chance(50));
        let frame = packet.build().expect("the packet can be written");
        parse(&frame).ok()?;
        Some(Self { direction: flow.direction(), protocol, ends, frame })
    }

    fn all<'f>(flows: impl IntoIterator<Item = &'f Flow>, random: &mut Random) -> Vec<Self> {
        flows.into_iter().filter_map(|flow| Self::of(flow, random)).collect()
    }

    /// Whether some packet between its ends would be allowed: there, and back for what it may answer.
    fn may_be_allowed(&self, policy: &EffectivePolicy, now: u32) -> [bool; 2] {
        let (source, destination) = self.ends;
        let asked = |direction, from, to| {
            let verdict = oracle::decide_fragment(policy, direction, self.protocol, from, to, now);
            assert_ne!(verdict, Verdict::Unknown, "everything is known");
            verdict == Verdict::Allow
        };
        [asked(self.direction, source, destination), asked(opposite(self.direction), destination, source)]
    }
}

/// What the kernel makes of each fragment at `now`, which is what the model says.
fn judge(kernel: &mut Kernel, model: &Model<'_>, pieces: &[Piece], now: u32) -> Vec<Reason> {
    let frames = pieces.iter().map(|piece| (piece.direction, &piece.frame[..]));
    let observed = kernel.judge_afresh(now, &frames);
    assert!(kernel.flows().is_empty(), "a later fragment begins nothing");
    let reasons = observed.iter().map(|outcome| outcome.reason);
    for (piece, reason) in pieces.iter().zip(reasons.clone()) {
        let expected = model.fragment(piece.direction, piece.protocol, piece.ends, now);
        assert_eq!(reason, expected, "at {now}: {} {} {:?}", piece.direction, piece.protocol, piece.ends);
    }
    reasons.collect()
}

fn compare_estate(seed: u64, kernel: &mut Kernel, tally: &mut Tally) {
    let world = estate::known(seed, FLOWS);
    let blobs = enforce::compile(&world.policy).expect("known policies can be enforced");
    kernel.publish(&blobs);
    let mut random = Random::new(seed);
    // One moment after the other: to set the clock back costs a wait.
    let now = MOMENTS[seed as usize * MOMENTS.len() / ESTATES as usize];
    let pieces = Piece::all(&world.flows, &mut random);
    let observed = judge(kernel, &Model::of(&blobs), &pieces, now);
    for (piece, reason) in pieces.iter().zip(observed) {
        let [there, back] = piece.may_be_allowed(&world.policy, now);
        let passes = reason == Reason::LaterFragment;
        assert!(
            passes || !(there || back),
            "estate {seed} at {now}: dropped {} {} {:?}",
            piece.direction,
            piece.protocol,
            piece.ends
        );
        let outcome = match (passes, there || back) {
            (true, true) => "passes as some packet would",
            (true, false) => "passes though no packet would",
            (false, _) => "drops as all packets would",
        };
        tally.count("fragments", outcome);
        if passes && back && !there {
            tally.count("answers", "passes only as an answer");
        }
        tally.count("family", format!("{:?}", Family::of(piece.ends.0)));
        let protocol = piece.protocol.to_string();
        let is_named = ["Tcp", "Udp", "Icmp", "Icmpv6"].contains(&protocol.as_str());
        tally.count("protocol", if is_named { &protocol } else { "other" });
    }
}

/// Two NSGs of so many rules in each direction.
fn large(rules: usize) -> (Vec<Row>, PolicyBlobs) {
    let lists: [Vec<Row>; 4] = [1, 2, 3, 4].map(|seed| generate::policy(&Shape::nsg(rules), seed));
    let [a, b, c, d] = lists.each_ref().map(|rows| {
        let bytes = blob::compile(rows, &Limits::default()).expect("the list is within the limits");
        Some(LayerBlob::unnamed(bytes.into()))
    });
    let blobs = PolicyBlobs { inbound: [None, a, b], outbound: [None, c, d] as DirectionBlobs };
    (lists.concat(), blobs)
}

fn compare_large(rules: usize, kernel: &mut Kernel, tally: &mut Tally) {
    let (rows, blobs) = large(rules);
    kernel.publish(&blobs);
    let model = Model::of(&blobs);
    let mut random = Random::new(rules as u64);
    let flows = generate::flows(&rows, FLOWS_OF_LARGE, rules as u64);
    let pieces = Piece::all(&flows, &mut random);
    let observed = judge(kernel, &model, &pieces, 0);
    observed.iter().for_each(|reason| tally.count("fragments", reason));
    // Where a packet is allowed, so are its later fragments, and those of its answers.
    for flow in flows.iter().filter(|flow| model.walk(flow, 0).reason == Reason::Allowed) {
        let (there, back) = ((flow.source(), flow.destination()), (flow.destination(), flow.source()));
        for (direction, ends) in [(flow.direction(), there), (opposite(flow.direction()), back)] {
            let reason = model.fragment(direction, flow.protocol(), ends, 0);
            assert_eq!(reason, Reason::LaterFragment, "{rules} rules: {flow:?}");
        }
        tally.count("at its ports", "allowed");
    }
}
