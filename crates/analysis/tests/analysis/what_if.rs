//! Flows judged before and after a change, compared with the oracle asked flow by flow.

use std::collections::BTreeMap;

use palisade_analysis::{
    observed::{Observed, ObservedFlow, Observer},
    what_if::{Answer, Count, Decider, Effect, Peers, WhatIf},
};
use palisade_classify::{
    Decision, Verdict,
    generate::estate::{self, Generated, MOMENTS},
    oracle,
};
use palisade_model::{Estate, FlowLogFormat, FlowOrigin, FlowPhase, FlowRecord, FlowTraffic, LoggedDecision};
use palisade_net::{Flow, Protocol};

use crate::cases;

/// Records of the flows of some estates at the interface that they all have, most of them more than once.
fn observe(estates: &[&Generated], format: FlowLogFormat) -> Observed {
    let mut observer = Observer::new(&estates[0].estate);
    let origin = FlowOrigin { format, target: Some(estates[0].nic.clone()), ..FlowOrigin::default() };
    let mut time_ms = 1_000;
    for flow in estates.iter().flat_map(|generated| &generated.flows) {
        for (shift, phase) in [(0, FlowPhase::Begin), (0, FlowPhase::End), (7, FlowPhase::Begin)] {
            time_ms += 10;
            let from = flow.source_port().saturating_add(if flow.protocol().has_ports() { shift } else { 0 });
            let source = (flow.source(), from);
            let destination = (flow.destination(), flow.destination_port());
            let flow = Flow::new(flow.direction(), flow.protocol(), source, destination).expect("one family");
            let decision = if time_ms % 3 == 0 { LoggedDecision::Denied } else { LoggedDecision::Allowed };
            let traffic =
                Some(FlowTraffic { bytes_to_destination: 5, packets_to_source: 1, ..FlowTraffic::default() });
            let record = FlowRecord { time_ms, flow, phase, decision, traffic, tcp_flags: None, origin: 0 };
            observer.add(&record, &origin).expect("few flows");
        }
    }
    observer.finish()
}

/// What the oracle says, for every type of ICMP where the log does not tell it.
fn decide(generated: &Generated, observed: &Observed, flow: &ObservedFlow, now: u32) -> Decision {
    let asked = &flow.flow;
    let nic = generated.estate.nics().find(|nic| *nic.id() == generated.nic).expect("it has the interface");
    let policy = generated.estate.effective(nic);
    let tells = observed.sayings()[flow.saying].by.format.tells_types();
    if tells || !asked.protocol().is_icmp() {
        return oracle::decide(&policy, asked, now);
    }
    let types = (0..=255).map(|kind| {
        let ends = ((asked.source(), 0), (asked.destination(), kind));
        let flow = Flow::new(asked.direction(), asked.protocol(), ends.0, ends.1).expect("one family");
        oracle::decide(&policy, &flow, now)
    });
    let all: Vec<Decision> = types.collect();
    let agree = all.iter().all(|one| one.verdict == all[0].verdict);
    if agree { all[0] } else { Decision::UNDETERMINED }
}

/// Answers by chunks of the flows.
fn answer(observed: &Observed, before: &Estate, after: &Estate, now: u32, chunks: usize) -> Answer {
    let what_if = WhatIf::new(observed, before, after, now).expect("the rules are few");
    let step = observed.len().div_ceil(chunks).max(1);
    let parts =
        (0..observed.len()).step_by(step).map(|at| what_if.judge(at..(at + step).min(observed.len())));
    what_if.answer(parts, &Peers::of(before)).expect("the oracle confirms it")
}

fn effect(before: Verdict, after: Verdict) -> Option<Effect> {
    match (before, after) {
        (Verdict::Allow, Verdict::Deny) => Some(Effect::Breaks),
        (Verdict::Deny, Verdict::Allow) => Some(Effect::Opens),
        (Verdict::Allow, Verdict::Unknown) => Some(Effect::MayBreak),
        (Verdict::Deny, Verdict::Unknown) => Some(Effect::MayOpen),
        (Verdict::Unknown, Verdict::Deny) => Some(Effect::MayHaveBroken),
        (Verdict::Unknown, Verdict::Allow) => Some(Effect::MayHaveOpened),
        _ => None,
    }
}

/// Flows by effect, and by who decides before and after.
type Sums = BTreeMap<(Effect, Option<String>, Option<String>), (u64, u64, u64)>;

fn sums_of(answer: &Answer) -> Sums {
    let mut sums = Sums::new();
    for change in &answer.changes {
        let rule = |decider: &Decider| decider.rule.clone();
        let sum = sums.entry((change.effect, rule(&change.before), rule(&change.after))).or_default();
        let Count { flows, attempts, tally, .. } = change.count;
        *sum = (sum.0 + flows, sum.1 + attempts, sum.2 + tally.bytes);
        let served: u64 = change.services.iter().map(|service| service.count.flows).sum();
        let met = change.services.iter().flat_map(|service| &service.peers);
        assert_eq!((served, met.map(|peer| peer.count.flows).sum::<u64>()), (flows, flows));
    }
    sums
}

#[test]
fn every_flow_is_judged_as_the_oracle_does() {
    let mut reached: BTreeMap<Option<Effect>, usize> = BTreeMap::new();
    let (mut unknown, mut drifted, mut agreeing) = (0, 0, 0);
    for seed in 0..cases(24) {
        let now = MOMENTS[seed as usize % MOMENTS.len()];
        let open = seed % 3 != 0;
        let make = |seed| if open { estate::any(seed, 120) } else { estate::known(seed, 120) };
        let (before, after) = (make(2 * seed), make(2 * seed + 1));
        let format = if seed % 2 == 0 { FlowLogFormat::Palisade } else { FlowLogFormat::VirtualNetwork };
        let observed = observe(&[&before, &after], format);
        let found = answer(&observed, &before.estate, &after.estate, now, 1);
        let mut expect = Sums::new();
        let (mut unchanged, mut drift) = (0, 0);
        for flow in observed.flows() {
            let sides = [&before, &after].map(|side| decide(side, &observed, &flow, now));
            let kind = effect(sides[0].verdict, sides[1].verdict);
            *reached.entry(kind).or_default() += 1;
            let denied = observed.sayings()[flow.saying].decision == LoggedDecision::Denied;
            drift += u64::from(match sides[0].verdict {
                Verdict::Allow => denied,
                Verdict::Deny => !denied,
                Verdict::Unknown => false,
            });
            let Some(kind) = kind else {
                if sides[0].verdict == Verdict::Unknown {
                    unknown += 1;
                } else {
                    unchanged += 1;
                }
                continue;
            };
            let rule = |at: usize| {
                let side = [&before, &after][at];
                let explained = sides[at].explain(&side.policy, flow.flow.direction());
                explained.rule.map(|rule| rule.path.clone())
            };
            let sum = expect.entry((kind, rule(0), rule(1))).or_default();
            *sum = (sum.0 + 1, sum.1 + u64::from(denied), sum.2 + flow.tally.bytes);
        }
        assert_eq!(sums_of(&found), expect, "seed {seed}");
        assert_eq!(found.unchanged.flows, unchanged, "seed {seed}");
        assert_eq!(found.judged.flows, observed.len() as u64);
        let verdicts = found.drift.disagreements.iter().filter(|said| said.is_verdict);
        assert_eq!(verdicts.map(|said| said.count.flows).sum::<u64>(), drift, "seed {seed}");
        assert_eq!(answer(&observed, &before.estate, &after.estate, now, 7), found, "seed {seed}");
        drifted += drift;
        agreeing += found.drift.agreeing.flows;
    }
    println!("{reached:?}, {unknown} unknown, {drifted} drifted, {agreeing} agree");
    assert!(unknown > 20 && drifted > 100 && agreeing > 100);
    for effect in [Effect::Breaks, Effect::Opens, Effect::MayBreak, Effect::MayOpen] {
        assert!(reached.get(&Some(effect)).is_some_and(|count| *count > 20), "{effect:?}: {reached:?}");
    }
    for effect in [Effect::MayHaveBroken, Effect::MayHaveOpened] {
        assert!(reached.contains_key(&Some(effect)), "{effect:?}: {reached:?}");
    }
}

#[test]
fn a_change_of_nothing_changes_nothing() {
    for seed in 0..cases(10) {
        let generated = estate::any(seed, 100);
        let observed = observe(&[&generated], FlowLogFormat::Nsg2);
        let found = answer(&observed, &generated.estate, &generated.estate, MOMENTS[2], 2);
        assert_eq!((found.changes.len(), found.gone.flows), (0, 0));
        assert_eq!(found.judged.flows, found.unchanged.flows + found.unknown.flows);
    }
}

#[test]
fn flows_at_a_place_that_goes_are_told_apart() {
    let generated = estate::known(3, 50);
    let observed = observe(&[&generated], FlowLogFormat::Palisade);
    let found = answer(&observed, &generated.estate, &Estate::default(), MOMENTS[2], 1);
    assert_eq!((found.gone.flows, found.changes.len()), (observed.len() as u64, 0));
    assert!(observed.flows().any(|flow| flow.flow.protocol() == Protocol::TCP));
}
