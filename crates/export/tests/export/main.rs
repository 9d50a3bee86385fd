//! What is exported for Windows against the oracle: a flow is in what is allowed if and only if the rules allow it.

use std::collections::BTreeMap;

use palisade_classify::{Verdict, generate::estate, oracle};
use palisade_export::{Plain, windows};
use palisade_net::{Direction, packet::is_link_control};

const SEEDS: u64 = 40;
const FLOWS: usize = 300;

#[test]
fn what_windows_allows_is_what_the_rules_allow() {
    let mut reached: BTreeMap<(Direction, bool), usize> = BTreeMap::new();
    for seed in 0..SEEDS {
        let made = estate::known(seed, FLOWS);
        for now in [estate::MOMENTS[0], estate::MOMENTS[3]] {
            let plain = Plain::of(&made.policy, now).expect("everything is known");
            let rules = windows::allowed(&plain).expect("they are few");
            for flow in made.flows.iter().filter(|flow| !is_link_control(flow)) {
                let is_allowed = oracle::decide(&made.policy, flow, now).verdict == Verdict::Allow;
                let holds = rules.iter().any(|rule| rule.holds(flow));
                assert_eq!(holds, is_allowed, "seed {seed} at {now}: {flow:?}");
                *reached.entry((flow.direction(), is_allowed)).or_default() += 1;
            }
        }
    }
    println!("{reached:?}");
    assert_eq!(reached.len(), 4);
}

#[test]
fn the_script_makes_each_rule_and_blocks_the_rest() {
    let made = estate::known(1, 0);
    let plain = Plain::of(&made.policy, estate::MOMENTS[0]).expect("everything is known");
    let script = windows::script(&plain).expect("they are few");
    let rules = windows::allowed(&plain).expect("they are few");
    assert!(script.matches("Allow '").count() + script.matches("Allow \"").count() >= rules.len());
    assert!(script.ends_with("-DefaultInboundAction Block -DefaultOutboundAction Block\n"));
    assert!(!script.contains("/0'"), "Windows takes no prefix of length zero");
}
