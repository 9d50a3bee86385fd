//! On generated estates the oracle, the compiled engine and the kernel's blobs give one answer at every moment, and a sure
//! answer holds whatever the open parts turn out to be. The tests count what they reached, and fail if they missed an outcome.

mod judge;
mod reached;

use std::collections::BTreeSet;

use palisade_classify::{
    Decision, Engine, Hit, Reason, Shadow, Verdict,
    enforce::{self, EnforceError},
    generate::{
        Random,
        estate::{self, Generated, MOMENTS},
    },
    oracle,
};
use palisade_model::{
    Access, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Ports, is_link_control,
};
use palisade_net::{AddressSet, Direction, Flow, PortSet, ProtocolMatch};

use self::{
    judge::{Lists, judge, judge_with_audit, passes_fragment},
    reached::Reached,
};

/// The flows of an estate, each at one of the moments.
fn asked(generated: &Generated) -> impl Iterator<Item = (&Flow, u32)> {
    generated.flows.iter().zip(MOMENTS.into_iter().cycle())
}

/// The engine answers like the oracle.
fn compare_engine(generated: &Generated, reached: &mut Reached) {
    let engine = Engine::new(generated.policy.clone()).expect("generated policies are within the limits");
    for (flow, now) in asked(generated) {
        let decision = oracle::decide(&generated.policy, flow, now);
        assert_eq!(engine.decide(flow, now), decision, "at {now}, {flow:?}\n{:#?}", generated.policy);
        reached.note(&generated.policy, flow, decision);
    }
}

/// Where the oracle's decision ends the evaluation; `None` if every layer let the flow pass.
fn end(decision: &Decision, policy: &EffectivePolicy, direction: Direction) -> Option<usize> {
    let Hit::Rule { layer, rule } = decision.hit else { return None };
    let layer = &policy.layers(direction)[layer];
    let ends =
        decision.verdict == Verdict::Deny || layer.rules[rule].access == Maybe::Known(Access::AlwaysAllow);
    let place = match (layer.layer, direction) {
        (Layer::Admin, _) => 0,
        (Layer::Subnet, Direction::Inbound) | (Layer::NetworkInterface, Direction::Outbound) => 1,
        _ => 2,
    };
    ends.then_some(place)
}

#[test]
fn oracle_engine_and_blobs_agree_where_everything_is_known() {
    let mut reached = Reached::default();
    for seed in 0..500 {
        let generated = estate::known(seed, 200);
        compare_engine(&generated, &mut reached);
        let blobs = enforce::compile(&generated.policy).expect("everything is known");
        let lists = Lists::of(&blobs);
        for (flow, now) in asked(&generated) {
            let decision = oracle::decide(&generated.policy, flow, now);
            let expected = (decision.verdict, end(&decision, &generated.policy, flow.direction()));
            assert_eq!(
                judge(&lists, flow, now),
                expected,
                "seed {seed} at {now}, {flow:?}\n{:#?}",
                generated.policy
            );
            if decision.verdict == Verdict::Allow {
                // What is denied is not asked further, so that the kernel has nothing to tell of it.
                let would = decision.shadow.map_or(Verdict::Allow, |Shadow { verdict, .. }| verdict);
                let (found, _) = judge_with_audit(&lists, flow, now);
                assert_eq!(found, would, "seed {seed} at {now}, {flow:?}\n{:#?}", generated.policy);
            }
        }
    }
    assert!(reached.cases >= 100_000);
    assert_eq!(reached.verdicts.get(&Verdict::Unknown), None, "nothing is open");
    reached.assert_complete();
}

#[test]
fn oracle_and_engine_agree_where_parts_are_open() {
    let mut reached = Reached::default();
    let mut refused = 0;
    for seed in 0..500 {
        let generated = estate::any(seed, 100);
        compare_engine(&generated, &mut reached);
        refused += usize::from(matches!(
            enforce::compile(&generated.policy),
            Err(EnforceError::Unknown { .. } | EnforceError::Uncertain { .. })
        ));
    }
    assert!(reached.cases >= 50_000);
    reached.assert_complete();
    let unknown = reached.reasons.get(&(Reason::Undetermined, Verdict::Unknown)).copied().unwrap_or_default();
    assert!(unknown > 1_000, "{reached:#?}");
    assert!((50..450).contains(&refused), "{refused} of 500 could not be enforced");
}

/// One way in which the open parts may turn out.
fn completed(policy: &EffectivePolicy, random: &mut Random) -> EffectivePolicy {
    let mut complete = |layers: &[EffectiveLayer]| -> Vec<EffectiveLayer> {
        let exist =
            layers.iter().filter(|layer| layer.certain || random.chance(50)).cloned().collect::<Vec<_>>();
        let complete_layer = |mut layer: EffectiveLayer| {
            layer.certain = true;
            layer.rules.retain(|rule| rule.certain || random.chance(50));
            layer.rules.iter_mut().for_each(|rule| complete_rule(rule, random));
            layer
        };
        exist.into_iter().map(complete_layer).collect()
    };
    EffectivePolicy {
        inbound: complete(&policy.inbound),
        outbound: complete(&policy.outbound),
        services: policy.services.clone(),
    }
}

fn complete_rule(rule: &mut EffectiveRule, random: &mut Random) {
    rule.certain = true;
    let access = *random.pick(&[Access::Allow, Access::Deny]);
    rule.access = Maybe::Known(rule.access.known().unwrap_or(access));
    let protocol =
        *random.pick(&[ProtocolMatch::Any, ProtocolMatch::TCP, ProtocolMatch::UDP, ProtocolMatch::Icmp]);
    rule.protocol = Maybe::Known(rule.protocol.known().unwrap_or(protocol));
    for set in [&mut rule.source, &mut rule.destination] {
        let open = set.may().difference(set.must());
        let half: AddressSet = ["0.0.0.0/1", "2000::/3"]
            .map(|p| p.parse::<palisade_net::Prefix>().expect("a prefix"))
            .into_iter()
            .collect();
        let found = match random.below(4) {
            0 => AddressSet::empty(),
            1 => open.intersection(&half),
            2 => open.difference(&half),
            _ => open,
        };
        *set = Addresses::exactly(set.must().union(&found));
    }
    for ports in [&mut rule.source_ports, &mut rule.destination_ports] {
        if *ports == Ports::Unknown {
            let some: PortSet = [(0, 1023)].into_iter().collect();
            *ports = Ports::Known(if random.chance(50) { PortSet::full() } else { some });
        }
    }
}

/// `Unknown` is the only answer that may change.
#[test]
fn a_sure_answer_holds_whatever_is_found_out() {
    let mut random = Random::new(7);
    let (mut held, mut open, mut differed) = (0, 0, 0);
    for seed in 0..300 {
        let generated = estate::any(seed, 40);
        let sure: Vec<Verdict> = asked(&generated)
            .map(|(flow, now)| oracle::decide(&generated.policy, flow, now).verdict)
            .collect();
        let mut seen: Vec<BTreeSet<Verdict>> = vec![BTreeSet::new(); sure.len()];
        for _ in 0..12 {
            let completed = completed(&generated.policy, &mut random);
            for (((flow, now), sure), seen) in asked(&generated).zip(&sure).zip(&mut seen) {
                let found = oracle::decide(&completed, flow, now).verdict;
                assert_ne!(found, Verdict::Unknown, "everything is known now: {flow:?}\n{completed:#?}");
                assert!(
                    *sure == Verdict::Unknown || found == *sure,
                    "seed {seed}: {sure} turned to {found}, {flow:?}\n{:#?}\n{completed:#?}",
                    generated.policy
                );
                seen.insert(found);
            }
        }
        held += sure.iter().filter(|verdict| **verdict != Verdict::Unknown).count();
        open += sure.iter().filter(|verdict| **verdict == Verdict::Unknown).count();
        differed += seen.iter().filter(|verdicts| verdicts.len() > 1).count();
    }
    assert!(held > 5_000 && open > 500, "{held} sure, {open} open");
    // Not every possibility is tried, but most open answers are open for a reason.
    assert!(differed * 2 > open, "{differed} of {open} open answers came out both ways");
}

#[test]
fn generated_estates_repeat() {
    for seed in 0..20 {
        let (once, again) = (estate::any(seed, 50), estate::any(seed, 50));
        assert_eq!((&once.policy, &once.flows), (&again.policy, &again.flows));
        assert_eq!(once.flows.len(), 50);
        assert!(once.estate.nics_named("n").iter().any(|nic| *nic.id() == once.nic));
    }
}

/// A fragment that carries no ports passes wherever some packet between its addresses would, and hardly anywhere else.
#[test]
fn fragments_pass_where_some_packet_would() {
    let (mut passed, mut dropped, mut beyond) = (0, 0, 0);
    for seed in 0..500 {
        let generated = estate::known(seed, 24);
        let blobs = enforce::compile(&generated.policy).expect("everything is known");
        let lists = Lists::of(&blobs);
        for (flow, now) in asked(&generated) {
            let (direction, protocol) = (flow.direction(), flow.protocol());
            let ends = (flow.source(), flow.destination());
            let some = oracle::decide_fragment(&generated.policy, direction, protocol, ends.0, ends.1, now);
            let passes = passes_fragment(&lists, direction, protocol, ends, now);
            assert_ne!(some, Verdict::Unknown, "everything is known");
            if oracle::decide(&generated.policy, flow, now).verdict == Verdict::Allow
                && !is_link_control(flow)
            {
                assert_eq!(some, Verdict::Allow, "seed {seed} at {now}, {flow:?}\n{:#?}", generated.policy);
            }
            match (some, passes) {
                (Verdict::Allow, true) => passed += 1,
                (_, false) if some == Verdict::Deny => dropped += 1,
                (_, true) => beyond += 1,
                _ => panic!("seed {seed} at {now}, {flow:?}: dropped\n{:#?}", generated.policy),
            }
        }
    }
    assert!(passed > 1_000 && dropped > 1_000, "{passed} passed, {dropped} dropped");
    // Each layer may let other ports pass, and rules may hide what stands behind them.
    assert!(beyond > 5 && beyond * 20 < passed, "{beyond} passed though no packet would, {passed} rightly");
}
