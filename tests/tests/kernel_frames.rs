//! Odd frames under rules: the kernel program reads from each the addresses, protocol and ports that the parser in
//! `palisade-net` reads, on either kind of memory.
//!
//! Frames begin flows at the edges of generated rules and are then bent: chains of extension headers, fragments, VLAN tags,
//! damaged bytes. Rules are at random, so that a misread address or port shows as a wrong verdict. For what reason a frame
//! never reaches the rules is compared in `palisade-datapath`, under every guard.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_abi::{policy::TIME_NEVER, verdict::Reason};
use palisade_classify::{
    Row, blob,
    enforce::{DirectionBlobs, LayerBlob, PolicyBlobs},
    generate::{self, Random},
    table::Limits,
};
use palisade_net::{
    Direction, Family, Flow,
    packet::{self, Extension, Fragment, Packet, Passage, tagged},
};
use palisade_tests::{judge::Model, kernel::Kernel, tally::Tally, wire};

const ROUNDS: u64 = 60;
const FRAMES_PER_ROUND: usize = 500;
/// Rules of the only NSG of each direction, and of the security admin list before it.
const RULES: usize = 40;
const ADMIN_RULES: usize = 6;

#[test]
fn kernel_and_parser_read_the_same_from_odd_frames() {
    let tallies = Kernel::on_each(|kernel, _| {
        let mut tally = Tally::default();
        (0..ROUNDS).for_each(|round| compare_round(kernel, round, &mut tally));
        tally
    });
    for tally in tallies {
        println!("odd frames compared with the kernel program:{tally}");
        use Reason::{
            AdminDeny, Allowed, Audited, Fragment, LaterFragment, NetworkInterfaceDeny, SubnetDeny,
        };
        let reasons =
            [Allowed, Audited, AdminDeny, SubnetDeny, NetworkInterfaceDeny, LaterFragment, Fragment];
        tally.require("reasons", reasons, 20);
        tally.require("reasons", ["none"], 500);
        tally.require("frames", KINDS, 2_000);
        tally.require("total", ["frames"], 20_000);
    }
}

fn compare_round(kernel: &mut Kernel, round: u64, tally: &mut Tally) {
    let mut random = Random::new(round);
    let (rows, blobs) = policy(round);
    kernel.publish(&blobs);
    let model = Model::of(&blobs);
    let moments: Vec<u32> = generate::moments(&rows).into_iter().filter(|time| *time < TIME_NEVER).collect();
    let now = *random.pick(&moments);
    let flows = generate::flows(&rows, FRAMES_PER_ROUND, round);
    let frames = flows.iter().filter(|flow| wire::exists(flow)).map(|flow| Odd::of(flow, &mut random));
    let mut left: Vec<Odd> = frames.filter(|odd| is_runnable(&odd.frame)).collect();
    while !left.is_empty() {
        let (batch, later) = strangers(left);
        let frames = batch.iter().map(|odd| (odd.direction, &odd.frame[..]));
        let observed = kernel.judge_afresh(now, &frames);
        for (odd, observed) in batch.iter().zip(observed) {
            let expected = odd.expected(&model, now);
            let reason = Some(observed.reason).filter(is_of_rules);
            assert_eq!(reason, expected, "round {round} at {now}: {observed:?} {odd:?}");
            assert_eq!(observed.passes, !observed.reason.is_drop(), "{odd:?}");
            tally.count("frames", odd.kind);
            tally.count("reasons", expected.map_or("none".to_owned(), |reason| reason.to_string()));
            tally.count("total", "frames");
        }
        left = later;
    }
}

/// Rules for both directions: one NSG, and security admin rules before it.
fn policy(seed: u64) -> (Vec<Row>, PolicyBlobs) {
    let [admin, rows] =
        [(ADMIN_RULES, seed + ROUNDS), (RULES, seed)].map(|(rules, seed)| generate::edge_rows(rules, seed));
    let [first, second] = [&admin, &rows].map(|rows| {
        let bytes = blob::compile(rows, &Limits::default()).expect("the rules are few");
        Some(LayerBlob::unnamed(bytes.into()))
    });
    let mut blobs = PolicyBlobs { inbound: DirectionBlobs::default(), outbound: DirectionBlobs::default() };
    (blobs.inbound[0], blobs.inbound[1]) = (first.clone(), second.clone());
    (blobs.outbound[0], blobs.outbound[1]) = (first, second);
    (rows, blobs)
}

const KINDS: [&str; 5] = ["straight", "chain", "later fragment", "tagged", "damaged"];

/// A frame that once began a flow, and how it was bent.
#[derive(Debug)]
struct Odd {
    kind: &'static str,
    direction: Direction,
    frame: Vec<u8>,
}

impl Odd {
    fn of(flow: &Flow, random: &mut Random) -> Self {
        let mut packet = wire::packet(flow, random);
        let kind = *random.pick(&KINDS);
        match kind {
            "chain" if flow.family() == Family::V6 => long_chain(&mut packet, random),
            "chain" => packet.options = options(random),
            "later fragment" => {
                wire::make_fragment(&mut packet, *random.pick(&[1, 2, 185, 8_000]), random.chance(50));
            }
            _ => {}
        }
        let mut frame = packet.build().expect("the packet can be written");
        match kind {
            "tagged" => frame = tagged(&frame, 7, random.chance(50)),
            "damaged" => (0..1 + random.below(3)).for_each(|_| damage(&mut frame, random)),
            _ => {}
        }
        Self { kind, direction: flow.direction(), frame }
    }

    /// What the kernel program must count; nothing if the frame does not reach the rules.
    fn expected(&self, model: &Model<'_>, now: u32) -> Option<Reason> {
        let Ok(Passage::Packet(parsed)) = wire::examine(&self.frame, self.direction) else { return None };
        let ip = parsed.ip().expect("ARP is link control");
        if ip.fragment == Fragment::Later {
            let ends = (ip.source, ip.destination);
            return Some(model.fragment(self.direction, ip.protocol(), ends, now));
        }
        let flow = parsed.to_flow(self.direction).expect("it is an IP packet");
        Some(model.walk(&flow, now).reason)
    }

    /// The addresses that it is between: behind the interface, and the other one.
    fn ends(&self) -> Option<(IpAddr, IpAddr)> {
        let parsed = packet::parse(&self.frame).ok()?;
        let flow = parsed.to_flow(self.direction)?;
        Some((flow.local(), flow.remote()))
    }
}

/// Takes frames of which none can belong to a flow that another one began: no two are between the same addresses.
fn strangers(frames: Vec<Odd>) -> (Vec<Odd>, Vec<Odd>) {
    let mut pairs = BTreeSet::new();
    frames.into_iter().partition(|odd| odd.ends().is_none_or(|ends| pairs.insert(ends)))
}

const fn is_of_rules(reason: &Reason) -> bool {
    use Reason::{
        AdminDeny, Allowed, Audited, Fragment, LaterFragment, NetworkInterfaceDeny, PublicAddressClosed,
        SubnetDeny,
    };
    matches!(
        reason,
        Allowed
            | Audited
            | AdminDeny
            | SubnetDeny
            | NetworkInterfaceDeny
            | PublicAddressClosed
            | LaterFragment
            | Fragment
    )
}

/// More headers than are walked, in an order that may be wrong, sometimes with a source route.
fn long_chain(packet: &mut Packet, random: &mut Random) {
    packet.extensions = (0..random.below(11))
        .map(|place| match random.below(12) {
            0 => Extension::HopByHop(Vec::new()),
            1 => Extension::Routing { kind: 0, segments_left: 0, data: vec![0; 20] },
            _ => wire::extension(place, random),
        })
        .collect();
}

/// Options of IPv4 that are walked, of all lengths that a header has room for.
fn options(random: &mut Random) -> Vec<u8> {
    let (record_route, router_alert) = (vec![7, 7, 4, 0, 0, 0, 0], vec![148, 4, 0, 0]);
    let some = (0..random.below(5)).map(|_| random.pick(&[&record_route, &router_alert]).as_slice());
    some.collect::<Vec<_>>().concat()
}

/// A test run takes no frame that ends before the fixed part of the IP header that its type announces.
fn is_runnable(frame: &[u8]) -> bool {
    let header = match frame[wire::ETHERNET - 2..wire::ETHERNET] {
        [0x08, 0x00] => 20,
        [0x86, 0xdd] => 40,
        _ => 1,
    };
    frame.len() >= wire::ETHERNET + header
}

/// Changes one byte of the headers.
fn damage(frame: &mut [u8], random: &mut Random) {
    let at = wire::ETHERNET - 2 + random.below((frame.len() - wire::ETHERNET + 2).min(80));
    frame[at] = match random.below(4) {
        0 => random.port() as u8,
        1 => *random.pick(&[0, 1, 4, 5, 6, 17, 43, 44, 58, 60, 255]),
        2 => frame[at].wrapping_add(1),
        _ => frame[at] ^ (1 << random.below(8)),
    };
}
