//! Answers to alerts beside everything else that decides: the kernel program against the oracle, on either kind of memory.
//!
//! Connections begin while no answer is in force at an interface. Then answers are: quarantine, lock-outs, blocked pairs, a throttle, among
//! grants, doors, security admin rules and NSGs. Packets of those connections and first packets of others come in one order. Each must meet
//! what the oracle says, and the test fails if one that decides was not reached in each direction and family in which it can be.

use std::collections::{BTreeMap, BTreeSet};

use palisade_abi::{arena::NEVER, flow::Direction as Way, verdict::Reason};
use palisade_classify::{
    Hit,
    generate::{
        Random,
        estate::{self, MOMENTS},
    },
    oracle::Pace,
};
use palisade_datapath::{FlowEntry, FlowId, NicPolicy, Outcome};
use palisade_model::{EffectivePolicy, Estate, Layer, Throttle, Window, is_link_control};
use palisade_net::{Direction, Flow, packet::Packet};
use palisade_tests::{
    fate::{Fate, Stage, flow_of},
    judge::{Judgment, Model, Truth, opposite},
    kernel::Kernel,
    tally::Tally,
    wire,
};

const ESTATES: u64 = 400;
const FLOWS: usize = 400;
/// Before any window of a rule ends.
const EARLY: u32 = MOMENTS[1];
/// How often each outcome must be reached.
const LEAST: u64 = 5;
const SECOND: u64 = 1_000_000_000;

#[test]
fn answers_decide_in_their_order() {
    let parts = Kernel::on_each(|kernel, share| {
        let mut tally = Tally::default();
        let estates = (0..ESTATES).filter(|seed| share.has(*seed));
        estates.for_each(|seed| tally.add(Scene::of(seed).play(kernel)));
        tally
    });
    let Some(tally) = parts.into_iter().reduce(Tally::and) else { return };
    println!("what decided in {ESTATES} estates with answers:{tally}");
    let each = |name: &str, ways: &[Direction]| -> Vec<String> {
        let families = ["IPv4", "IPv6"];
        ways.iter().flat_map(|way| families.map(|family| format!("{name} {way} {family}"))).collect()
    };
    let (both, inbound, outbound) =
        (&Direction::ALL[..], &[Direction::Inbound][..], &[Direction::Outbound][..]);
    let denying = [("quarantine", both), ("lockout", inbound), ("block", both), ("door", inbound)];
    let opening = [("forensic", inbound), ("grant", inbound)];
    let lasting = [("admin", both), ("nsg", both)];
    for (name, ways) in denying.into_iter().chain(opening).chain(lasting).chain([("throttle", outbound)]) {
        tally.require("first packets", each(name, ways), LEAST);
    }
    for (name, ways) in opening.into_iter().chain(lasting) {
        tally.require("connections that go on by", each(name, ways), LEAST);
    }
    for (name, ways) in denying {
        tally.require("connections that are cut by", each(name, ways), LEAST);
    }
    tally.require("has ended", ["lockout", "block", "grant", "throttle"], LEAST);
    tally.require("throttled", ["connections that go on", "known destinations"], LEAST);
}

/// An interface before and after answers, and the packets that it meets.
struct Scene {
    seed: u64,
    before: Stage,
    after: Stage,
    truth: Truth,
    /// The same with all that has an end gone on.
    endless: Truth,
    throttle: Option<Throttle>,
    now: u32,
    old: BTreeMap<FlowId, (Flow, Packet)>,
    new: Vec<(Flow, Packet)>,
}

/// A packet, and whose.
struct Coming {
    direction: Direction,
    packet: Packet,
    of: Of,
}

enum Of {
    /// It belongs to a connection that was there before.
    Old(FlowId),
    /// It would begin something.
    New(Flow),
}

impl Scene {
    fn of(seed: u64) -> Self {
        let world = estate::answered(seed, FLOWS);
        let mut random = Random::new(seed);
        let lasting = world.estate.without_answers();
        let nic = |estate: &Estate| {
            estate.nics().find(|nic| *nic.id() == world.nic).cloned().expect("it is in the estate")
        };
        let before = lasting.effective(&nic(&lasting));
        let flows = world.flows.iter().filter(|flow| wire::exists(flow) && !is_link_control(flow));
        let (mut old, mut new, mut known) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for flow in flows {
            let packet = Packet::first_of(flow);
            let id = wire::flow_of(&packet, flow.direction()).filter(|_| wire::begins(&packet));
            let Some(id) = id.filter(|id| known.insert(*id)) else { continue };
            match random.chance(50) {
                true => drop(old.insert(id, (*flow, packet))),
                false => new.push((*flow, packet)),
            }
        }
        Self {
            seed,
            before: Stage::of(before),
            after: Stage::of(world.policy.clone()),
            endless: Truth::of(endless(&world.policy)),
            truth: Truth::of(world.policy),
            throttle: nic(&world.estate).throttle().cloned(),
            now: *random.pick(&MOMENTS[1..6]),
            old,
            new,
        }
    }

    fn play(&self, kernel: &mut Kernel) -> Tally {
        loop {
            // On a busy machine the second may pass meanwhile, and a token be earned; then it is played again.
            if let Some(tally) = self.try_play(kernel) {
                return tally;
            }
        }
    }

    fn try_play(&self, kernel: &mut Kernel) -> Option<Tally> {
        kernel.publish(&self.before.blobs);
        let frames: Vec<_> =
            self.old.values().map(|(flow, packet)| (flow.direction(), build(packet))).collect();
        let frames = frames.iter().map(|(direction, frame)| (*direction, &frame[..]));
        kernel.judge_afresh(EARLY, &frames);
        let live = kernel.flows();
        kernel.publish_with(&self.after.blobs, |nic| self.slow(nic));
        let packets = self.packets(&live);
        let frames: Vec<_> = packets.iter().map(|coming| (coming.direction, build(&coming.packet))).collect();
        kernel.set_time(self.now);
        let observed = kernel.judge(frames.iter().map(|(direction, frame)| (*direction, &frame[..])));
        if !kernel.is_time(self.now) {
            return None;
        }
        let mut tally = Tally::default();
        let mut pace = self.pace();
        for (coming, observed) in packets.iter().zip(observed) {
            match &coming.of {
                Of::Old(id) => self.compare_old(coming, &live[id], observed, pace.as_ref(), &mut tally),
                Of::New(flow) => self.compare_new(flow, observed, pace.as_mut(), &mut tally),
            }
        }
        Some(tally)
    }

    fn slow(&self, nic: &mut NicPolicy) {
        nic.throttle = self.throttle.as_ref().map(|throttle| palisade_datapath::Throttle {
            per_second: throttle.pace().per_second,
            working_set: throttle.pace().working_set,
            until: throttle.until().unwrap_or(NEVER),
        });
    }

    /// The throttle, if it is in force.
    fn pace(&self) -> Option<Pace> {
        let throttle = self.throttle.as_ref().filter(|throttle| throttle.holds_at(self.now))?;
        let numbers = throttle.pace();
        Some(Pace::new(SECOND / u64::from(numbers.per_second), numbers.working_set as usize))
    }

    /// Packets of live connections, from either side, among those that begin others.
    fn packets(&self, live: &BTreeMap<FlowId, FlowEntry>) -> Vec<Coming> {
        let mut random = Random::new(self.seed + 1);
        let old = live.keys().map(|id| {
            let (flow, first) = &self.old[id];
            let answer = if random.chance(50) { wire::answer(first, &mut random) } else { None };
            let (packet, direction) = match answer {
                Some(answer) => (answer, opposite(flow.direction())),
                None => (wire::again(first, &mut random), flow.direction()),
            };
            Coming { direction, packet, of: Of::Old(*id) }
        });
        let mut all: Vec<Coming> = old.collect();
        all.extend(self.new.iter().map(|(flow, packet)| Coming {
            direction: flow.direction(),
            packet: packet.clone(),
            of: Of::New(*flow),
        }));
        for place in (1..all.len()).rev() {
            all.swap(place, random.below(place + 1));
        }
        all
    }

    fn compare_old(
        &self,
        coming: &Coming,
        entry: &FlowEntry,
        observed: Outcome,
        pace: Option<&Pace>,
        tally: &mut Tally,
    ) {
        let fates = self.after.fates(&self.before, entry, &coming.packet, coming.direction, self.now);
        let fate = match observed.reason {
            Reason::Established | Reason::Audited => Fate::GoesOn,
            Reason::PolicyCut => Fate::Cut,
            reason => Fate::Anew(reason),
        };
        let flow = flow_of(entry);
        assert!(fates.contains(&fate), "{} {entry:?} {fates:?} {observed:?}", self.about(&flow));
        let Some(name) = self.decider(&flow, tally) else { return };
        let topic = match fate {
            Fate::GoesOn => "connections that go on by",
            _ => "connections that are cut by",
        };
        tally.count(topic, named(name, &flow));
        if fate == Fate::GoesOn && entry.direction == Way::Outbound && pace.is_some() {
            tally.count("throttled", "connections that go on");
        }
    }

    fn compare_new(&self, flow: &Flow, observed: Outcome, pace: Option<&mut Pace>, tally: &mut Tally) {
        let by_rules = self.by_rules(flow);
        let passes = matches!(by_rules, Reason::Allowed | Reason::Audited);
        let asked = pace.filter(|_| passes && flow.direction() == Direction::Outbound);
        let mut expected = by_rules;
        if let Some(pace) = asked {
            let known = pace.knows(flow.destination());
            if !pace.admits(0, flow.destination()) {
                expected = Reason::Throttled;
            } else if known {
                tally.count("throttled", "known destinations");
            }
        }
        assert_eq!(observed.reason, expected, "{}", self.about(flow));
        assert_eq!(observed.passes, !expected.is_drop(), "{}", self.about(flow));
        let name = match expected {
            Reason::Throttled => Some("throttle"),
            _ => self.decider(flow, tally),
        };
        if let Some(name) = name {
            tally.count("first packets", named(name, flow));
        }
        let has_ended = self.throttle.as_ref().is_some_and(|throttle| !throttle.holds_at(self.now));
        if passes && has_ended && flow.direction() == Direction::Outbound {
            tally.count("has ended", "throttle");
        }
    }

    /// What the oracle says of a first packet, audit included. Where a rule in audit would allow what its list, in audit too, denies,
    /// the oracle tells what would be without any audit, and the kernel program what would be if the list were enforced.
    fn by_rules(&self, flow: &Flow) -> Reason {
        let judgment = self.truth.judge(flow, self.now);
        let walk = Model::of(&self.after.blobs).walk(flow, self.now);
        if !walk.overruled || judgment.reason.is_drop() {
            assert_eq!(walk.reason, judgment.counted(), "{}", self.about(flow));
        }
        walk.reason
    }

    /// What decides about a first packet, if it is a rule; and what would if nothing had an end.
    fn decider(&self, flow: &Flow, tally: &mut Tally) -> Option<&str> {
        let now = name_of(&self.truth, &self.truth.judge(flow, self.now), flow);
        let endless = name_of(&self.endless, &self.endless.judge(flow, self.now), flow);
        if let Some(ended) = endless.filter(|name| now != Some(name)) {
            tally.count("has ended", ended);
        }
        now
    }

    fn about(&self, flow: &Flow) -> String {
        let judgment = self.truth.judge(flow, self.now);
        format!("estate {} at {}: {flow:?} {judgment:?} {:?}", self.seed, self.now, self.throttle)
    }
}

/// The same rules of the interface's own, as if they had no end.
fn endless(policy: &EffectivePolicy) -> EffectivePolicy {
    let mut policy = policy.clone();
    let layers = policy.inbound.iter_mut().chain(&mut policy.outbound);
    let own = layers.flat_map(|layer| &mut layer.rules).filter(|rule| rule.own_list.is_some());
    own.for_each(|rule| rule.window = Window::ALWAYS);
    policy
}

/// What a deciding rule is of.
fn name_of<'t>(truth: &'t Truth, judgment: &Judgment, flow: &Flow) -> Option<&'t str> {
    let Hit::Rule { layer, rule } = judgment.decision.hit else { return None };
    let layer = &truth.policy().layers(flow.direction())[layer];
    let rule = &layer.rules[rule];
    Some(match (rule.own_list, layer.layer) {
        (Some(_), _) => rule.name.split('-').next().unwrap_or(&rule.name),
        (None, Layer::Admin) => "admin",
        (None, Layer::PublicAddress) => "public address",
        (None, _) => "nsg",
    })
}

fn named(name: &str, flow: &Flow) -> String {
    let family = if flow.source().is_ipv4() { "IPv4" } else { "IPv6" };
    format!("{name} {} {family}", flow.direction())
}

fn build(packet: &Packet) -> Vec<u8> {
    packet.build().expect("the packet can be written")
}
