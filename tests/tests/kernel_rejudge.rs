//! What becomes of flows when policy changes: the kernel program against the oracle, on either kind of memory.
//!
//! Flows begin under a generated policy. Twice the policy is changed, at another moment, and a packet of each flow goes one way
//! or the other. What it meets must be what `palisade_tests::fate` says of it. The test fails if one of the outcomes was not
//! reached by packets of both sides.

use std::collections::BTreeMap;

use palisade_abi::{flow::FlowState, verdict::Reason};
use palisade_classify::generate::{
    Random,
    estate::{self, MOMENTS},
};
use palisade_datapath::{FlowEntry, FlowId, Outcome};
use palisade_model::{EffectivePolicy, is_link_control};
use palisade_net::{
    Direction, Flow,
    packet::{IcmpBody, Packet, Transport},
};
use palisade_tests::{
    fate::{Fate, Stage, flow_of, has_ended, is_from_originator},
    judge::{Model, earlier, opposite},
    kernel::Kernel,
    mutate::{changed, varied},
    tally::Tally,
    wire,
};

const ESTATES: u64 = 220;
const FLOWS: usize = 420;
const FLOWS_MIN: u64 = 20_000;
/// Changes between one policy and the next, at most.
const CHANGES: usize = 12;
/// How often each outcome must be reached.
const LEAST: u64 = 20;

#[test]
fn flows_fare_as_the_oracle_says_when_policy_changes() {
    let parts = Kernel::on_each(|kernel, share| {
        let mut tally = Tally::default();
        let estates = (0..ESTATES).filter(|seed| share.has(*seed));
        estates.for_each(|seed| tally.add(Story::of(seed).tell(kernel)));
        tally
    });
    let Some(tally) = parts.into_iter().reduce(Tally::and) else { return };
    println!("flows of {ESTATES} estates after changes of policy:{tally}");
    tally.require("flows", ["began"], FLOWS_MIN);
    for side in ["packets of the originator", "packets of the responder"] {
        tally.require(side, OUTCOMES, LEAST);
    }
    tally.require("back in time", ["goes on", "goes on again", "is cut by time"], 5);
}

const OUTCOMES: [&str; 8] = [
    "goes on",
    "goes on by a list that keeps its flows",
    "is cut",
    "is cut by time",
    "is cut by a rule's end where a list keeps its flows",
    "stays cut",
    "goes on again",
    "begins anew",
];

/// Policies that follow each other, when, and flows that begin under the first.
struct Story {
    seed: u64,
    stages: [Stage; 3],
    moments: [u32; 3],
    firsts: BTreeMap<FlowId, First>,
}

/// What begins a flow.
struct First {
    flow: Flow,
    packet: Packet,
}

/// A packet of a flow that is there.
struct Next {
    id: FlowId,
    packet: Packet,
    direction: Direction,
    frame: Vec<u8>,
}

impl Story {
    fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let world = estate::known(seed, FLOWS);
        let other = estate::known(seed + ESTATES, 0).policy;
        let first = varied(changed(&world.policy, &other, CHANGES, &mut random), &mut random);
        let next = |policy: &EffectivePolicy, random: &mut Random| {
            // Sometimes nothing but time passes.
            let changes = if random.chance(40) { 0 } else { CHANGES };
            changed(policy, &other, changes, random)
        };
        let second = next(&first, &mut random);
        // Often a change is taken back.
        let third = next(if random.chance(40) { &first } else { &second }, &mut random);
        let mut moments = [0..3, 1..5, 2..6].map(|some| *random.pick(&MOMENTS[some]));
        moments.sort_unstable();
        // Sometimes the clock is set back.
        if random.chance(30) {
            moments.reverse();
        }
        let flows = world.flows.into_iter().filter(|flow| wire::exists(flow) && !is_link_control(flow));
        let firsts = flows.filter_map(|flow| {
            let packet = with_id(Packet::first_of(&flow), random.port());
            let id = wire::flow_of(&packet, flow.direction()).filter(|_| wire::begins(&packet))?;
            Some((id, First { flow, packet }))
        });
        let firsts = firsts.collect();
        Self { seed, stages: [first, second, third].map(Stage::of), moments, firsts }
    }

    /// Lets all of it happen; what was reached.
    fn tell(&self, kernel: &mut Kernel) -> Tally {
        loop {
            // On a busy machine the second may pass meanwhile; then it is told again.
            if let Some(tally) = self.try_tell(kernel) {
                return tally;
            }
        }
    }

    fn try_tell(&self, kernel: &mut Kernel) -> Option<Tally> {
        let (mut tally, mut random) = (Tally::default(), Random::new(self.seed));
        kernel.publish(&self.stages[0].blobs);
        let frames: Vec<_> =
            self.firsts.values().map(|first| (first.flow.direction(), build(&first.packet))).collect();
        let frames = frames.iter().map(|(direction, frame)| (*direction, &frame[..]));
        kernel.judge_afresh(self.moments[0], &frames);
        kernel.flows().values().for_each(|_| tally.count("flows", "began"));
        for step in 1..self.stages.len() {
            let generation = kernel.publish(&self.stages[step].blobs);
            let before = kernel.flows();
            let packets: Vec<Next> = before.keys().map(|id| self.next(*id, &mut random)).collect();
            kernel.set_time(self.moments[step]);
            let observed = kernel.judge(packets.iter().map(|next| (next.direction, &next.frame[..])));
            if !kernel.is_time(self.moments[step]) {
                return None;
            }
            let after = kernel.flows();
            for (next, observed) in packets.iter().zip(observed) {
                let pair = (&before[&next.id], &after[&next.id]);
                self.compare((step, generation), next, pair, observed, &mut tally);
            }
        }
        Some(tally)
    }

    /// A packet of the flow, from either side.
    fn next(&self, id: FlowId, random: &mut Random) -> Next {
        let First { flow, packet: first } = &self.firsts[&id];
        let answer = if random.chance(50) { wire::answer(first, random) } else { None };
        let direction = flow.direction();
        let (packet, direction) = match answer {
            Some(answer) => (answer, opposite(direction)),
            None => (wire::again(first, random), direction),
        };
        Next { id, frame: build(&packet), packet, direction }
    }

    fn compare(
        &self,
        (step, generation): (usize, u64),
        next: &Next,
        (before, after): (&FlowEntry, &FlowEntry),
        observed: Outcome,
        tally: &mut Tally,
    ) {
        let (stage, earlier, now) = (&self.stages[step], &self.stages[step - 1], self.moments[step]);
        let fates = stage.fates(earlier, before, &next.packet, next.direction, now);
        let about = || {
            let at = format!("estate {}, step {step} at {now}, generation {generation}", self.seed);
            format!(
                "{at}: {:?} {}, {before:?} -> {after:?}, {fates:?} {observed:?}",
                next.packet, next.direction
            )
        };
        let fate = match observed.reason {
            Reason::Established => Fate::GoesOn,
            Reason::Audited if !matches!(fates[..], [Fate::Anew(_)]) => Fate::GoesOn,
            Reason::PolicyCut => Fate::Cut,
            Reason::Audited => Fate::Anew(Reason::Allowed),
            reason => Fate::Anew(reason),
        };
        assert!(fates.contains(&fate), "{}", about());
        if let Fate::Anew(_) = fate {
            assert!(observed.reason.is_drop() || is_from_originator(after, next.direction), "{}", about());
        } else {
            assert_eq!(after.state == FlowState::Cut, fate == Fate::Cut, "{}", about());
            self.compare_cause(step, before, after, &about);
            assert!(!stage.flushes(earlier) || after.generation == generation, "{}", about());
        }
        if fate == Fate::GoesOn {
            assert_eq!(after.audited, observed.reason == Reason::Audited, "{}", about());
            self.compare_memory(step, before, after, &about);
        }
        let side = match is_from_originator(before, next.direction) {
            true => "packets of the originator",
            false => "packets of the responder",
        };
        tally.count(side, self.outcome(step, before, fate));
        if now < self.moments[step - 1] {
            tally.count("back in time", self.outcome(step, before, fate));
        }
    }

    /// A flow that was cut now says whether policy or time did it. A clock that went back judges flows again as a change of policy
    /// does, and then either may be said.
    fn compare_cause(&self, step: usize, before: &FlowEntry, after: &FlowEntry, about: &dyn Fn() -> String) {
        let now = self.moments[step];
        if before.state == FlowState::Cut || after.state != FlowState::Cut || now < self.moments[step - 1] {
            return;
        }
        let is_by_time = has_ended(before, now) || !self.stages[step].flushes(&self.stages[step - 1]);
        assert_eq!(after.ended_by_time, is_by_time, "{}", about());
    }

    /// What a flow that was judged again remembers: what every list said that had a say. A list without one prolongs nothing.
    fn compare_memory(&self, step: usize, before: &FlowEntry, after: &FlowEntry, about: &dyn Fn() -> String) {
        let (stage, now) = (&self.stages[step], self.moments[step]);
        let went_back = now < self.moments[step - 1];
        if !(stage.flushes(&self.stages[step - 1]) || has_ended(before, now) || went_back) {
            return;
        }
        let (model, flow) = (Model::of(&stage.blobs), flow_of(after));
        let walk = if has_ended(before, now) { model.walk(&flow, now) } else { model.walk_again(&flow, now) };
        let until = if walk.kept { earlier(walk.until, before.until) } else { walk.until };
        let rules: Vec<_> = walk.rows.iter().zip(before.rules).map(|(row, rule)| row.or(rule)).collect();
        let remembered = (after.audited, after.until, after.rules.as_slice());
        assert_eq!(remembered, (walk.would.is_some(), until, &rules[..]), "{} {walk:?}", about());
    }

    fn outcome(&self, step: usize, before: &FlowEntry, fate: Fate) -> &'static str {
        let (stage, now) = (&self.stages[step], self.moments[step]);
        let flow = flow_of(before);
        let is_kept = || !stage.admits(&flow, now);
        match (fate, before.state == FlowState::Cut) {
            (Fate::Anew(_), _) => "begins anew",
            (Fate::Cut, true) => "stays cut",
            (Fate::GoesOn, true) => "goes on again",
            (Fate::GoesOn, false) if is_kept() => "goes on by a list that keeps its flows",
            (Fate::GoesOn, false) => "goes on",
            (Fate::Cut, false) if has_ended(before, now) && stage.keeps(flow.direction()) => {
                "is cut by a rule's end where a list keeps its flows"
            }
            (Fate::Cut, false) if !stage.flushes(&self.stages[step - 1]) => "is cut by time",
            (Fate::Cut, false) => "is cut",
        }
    }
}

fn build(packet: &Packet) -> Vec<u8> {
    packet.build().expect("the packet can be written")
}

/// The same packet with an identifier, if it is a query.
fn with_id(mut packet: Packet, number: u16) -> Packet {
    if let Transport::Icmp { body: IcmpBody::Query { id }, .. } = &mut packet.transport {
        *id = number;
    }
    packet
}
