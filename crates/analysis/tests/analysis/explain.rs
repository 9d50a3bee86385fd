//! Explanations of generated estates: they say what the oracle says, and what they propose works and cannot be less.

use palisade_analysis::explain::{Asked, Journey, Remedy, Standing, Step, explain, remedies};
use palisade_classify::{
    Hit, Verdict,
    generate::estate::{self, MOMENTS},
    oracle,
};
use palisade_model::{Truth, is_link_control};

use crate::cases;

#[derive(Debug, Default)]
struct Reached {
    denied: usize,
    allowed: usize,
    unknown: usize,
    both_ends: usize,
    audited: usize,
    exempt: usize,
    several_steps: usize,
    added: usize,
    removed: usize,
    attached: usize,
}

/// Every list says what the oracle finds, by a rule that was asked last and surely applies.
fn check_lists(journey: &Journey, now: u32, reached: &mut Reached) {
    for hop in &journey.hops {
        let found = oracle::decide_by_rules(&hop.policy, &hop.flow, now);
        if !journey.link_control {
            assert_eq!(hop.verdict, found.verdict);
        }
        for list in &hop.lists {
            let sure: Vec<&Asked> = list.rules.iter().filter(|asked| asked.applies() == Truth::Yes).collect();
            assert!(sure.len() <= 1 && sure.first().is_none_or(|asked| list.rules.last() == Some(*asked)));
            reached.audited += usize::from(list.standing == Standing::InAudit);
            reached.exempt += usize::from(list.service.is_some());
        }
        if let (Hit::Rule { layer, rule }, true) = (found.hit, found.verdict != Verdict::Unknown) {
            let list = &hop.lists[layer];
            let was_asked = list.rules.iter().any(|asked| asked.rule == rule) || list.service.is_some();
            assert!(was_asked, "{:?} does not name rule {rule}", list);
        }
    }
}

/// A remedy turns the answer round, and none of its steps can be left out.
fn check_remedy(journey: &Journey, remedy: &Remedy, now: u32, reached: &mut Reached) {
    assert_ne!(remedy.verdict(journey, now), journey.verdict);
    for left_out in 0..remedy.steps.len() {
        let mut fewer = remedy.clone();
        fewer.steps.remove(left_out);
        // Without it nothing is sure, if it is not as before.
        let step = &remedy.steps[left_out];
        assert_ne!(fewer.verdict(journey, now), remedy.verdict(journey, now), "{step:?} is not needed");
    }
    reached.several_steps += usize::from(remedy.steps.len() > 1);
    for (hop, step) in &remedy.steps {
        match step {
            Step::Add { layer, priority, .. } => {
                let (at, hop) = (*hop, &journey.hops[*hop]);
                let rules = &hop.policy.layers(hop.flow.direction())[*layer].rules;
                // Another step of the same remedy may have freed the number.
                let stays = |rule: usize| !remedy.steps.contains(&(at, Step::Remove { layer: *layer, rule }));
                let has = |rule: usize| rules[rule].priority.known().is_some_and(|p| p.get() == *priority);
                assert!(!(0..rules.len()).any(|rule| has(rule) && stays(rule)));
                reached.added += 1;
            }
            Step::Remove { .. } => reached.removed += 1,
            Step::Attach { .. } => reached.attached += 1,
        }
    }
}

#[test]
fn explanations_are_true_and_remedies_work() {
    let mut reached = Reached::default();
    for seed in 0..cases(120) {
        let is_known = seed % 3 != 0;
        let generated = if is_known { estate::known(seed, 40) } else { estate::any(seed, 40) };
        let now = MOMENTS[seed as usize % MOMENTS.len()];
        let estate = &generated.estate;
        let nic = estate.nics().find(|nic| *nic.id() == generated.nic).expect("it is there");
        for flow in &generated.flows {
            let journey = explain(estate, nic, flow, now);
            check_lists(&journey, now, &mut reached);
            let found = remedies(&journey, now);
            for remedy in &found {
                check_remedy(&journey, remedy, now, &mut reached);
            }
            reached.both_ends += usize::from(journey.hops.len() == 2);
            match journey.verdict {
                Verdict::Allow => reached.allowed += 1,
                Verdict::Unknown => reached.unknown += 1,
                Verdict::Deny => reached.denied += 1,
            }
            let is_governed = !is_link_control(flow);
            if is_known && is_governed && journey.verdict == Verdict::Deny {
                let lists: Vec<_> = journey.hops.iter().map(|hop| (&hop.lists, hop.verdict)).collect();
                assert!(!found.is_empty(), "seed {seed}: nothing is proposed for {flow:?}: {lists:#?}");
            }
        }
    }
    println!("{reached:?}");
    assert!(reached.denied > 200 && reached.allowed > 200 && reached.unknown > 50, "{reached:?}");
    assert!(reached.both_ends > 50 && reached.audited > 20 && reached.exempt > 5, "{reached:?}");
    assert!(reached.several_steps > 20 && reached.removed > 20 && reached.added > 200, "{reached:?}");
    assert!(reached.attached > 5, "{reached:?}");
}
