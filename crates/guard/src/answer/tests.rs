//! Random sequences of alerts, with allow-lists, grants and administrators: whatever is told, nobody who is to be spared is locked out,
//! no hour has more than its budget, everything ends, and the same is answered to the same.

use std::cell::Cell;
use std::net::IpAddr;

use palisade_model::{Pace, ResourceId};
use palisade_net::{AddressSet, Direction, Prefix, ProtocolMatch};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;

const START: u32 = 1_800_000_000;
const ADDRESSES: [&str; 8] = [
    "203.0.113.1",
    "203.0.113.2",
    "203.0.113.3",
    "198.51.100.7",
    "198.51.100.8",
    "192.0.2.9",
    "2001:db8::1",
    "2001:db8::2",
];
const NAMES: [&str; 5] =
    ["PortScanning_Incoming", "RDP_Incoming_BF_OneToOne", "RDP_Incoming_BF_Success", "Other", "PortScanning"];

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn machine(number: usize) -> ResourceId {
    ResourceId::new(&format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm{number}"
    ))
}

fn rule(alert: &str, step: Step) -> Rule {
    let alerts = vec![Pattern::new(alert).expect("a pattern")];
    Rule { alerts, severity: Severity::Informational, direction: None, step }
}

fn path() -> ForensicPath {
    ForensicPath { source: prefix("10.9.9.9/32"), port: 22, protocol: ProtocolMatch::TCP }
}

/// Scans outward are throttled, others blocked, guesses locked out, successes isolated; everything else is only seen.
fn draft(terms: Terms, budgets: Budgets, allowed: &[&str]) -> Draft {
    Draft {
        rules: vec![
            rule("*_BF_Success", Step::Quarantine),
            rule("RDP_*", Step::Lockout),
            rule("PortScanning", Step::Throttle),
            rule("PortScanning*", Step::Block),
        ],
        terms,
        slowing: Slowing::default(),
        budgets,
        allowed: allowed.iter().map(|text| prefix(text)).collect(),
        forensic: vec![path()],
    }
}

fn policy(draft: Draft) -> Policy {
    Policy::new(draft).expect("it keeps the limits")
}

fn seen(name: usize, address: usize, number: usize) -> Sighting {
    let remote: IpAddr = ADDRESSES[address].parse().expect("an address");
    Sighting {
        name: NAMES[name].to_owned(),
        severity: Severity::Medium,
        direction: Direction::Inbound,
        remote: Some(remote),
        machine: Some(machine(number)),
    }
}

/// Carries out what is answered, as the server does.
fn carry_out(past: &mut Past, act: &Act, now: u32) {
    match act.clone() {
        Act::Throttle { machine, .. } => past.throttled.push(machine),
        Act::Block { prefix, machine, until, .. } => {
            past.barred.push(Barred { prefix, machine: Some(machine), from: now, until });
        }
        Act::Lockout { prefix, until, .. } => {
            past.barred.push(Barred { prefix, machine: None, from: now, until });
        }
        Act::Quarantine { machine } => past.isolated.push(machine),
    }
    past.acts.push((act.step(), now));
}

fn terms() -> impl Strategy<Value = Terms> {
    let unit = prop_oneof![Just(Unit::Address), Just(Unit::Network)];
    let times = (60..2_000_u32, 0..100_000_u32, 1..=FACTOR_MAX, 0..200_000_u32);
    (unit, times, proptest::option::of(2..5_usize)).prop_map(
        |(unit, (first, more, factor, memory), neighbours)| Terms {
            unit,
            first,
            factor,
            longest: first + more,
            memory,
            neighbours,
        },
    )
}

type Told = (u32, usize, usize, usize);

#[test]
fn whoever_is_to_be_spared_is_and_no_hour_has_more_than_its_budget() {
    let reached: [Cell<usize>; 7] = Default::default();
    let reach = |what: usize| reached[what].set(reached[what].get() + 1);
    let told = proptest::collection::vec((0..2_000_u32, 0..5_usize, 0..8_usize, 0..3_usize), 1..60);
    let budgets = (0..3_usize, 0..4_usize, 0..6_usize, 0..3_usize);
    let lists = (0..4_usize, 0..4_usize, 0..4_usize);
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let input = (terms(), budgets, lists, told);
    let checked =
        runner.run(&input, |(terms, (throttle, block, lockout, quarantine), (allow, grant, admin), told)| {
            let allowed =
                [&[][..], &["203.0.113.1"], &["198.51.100.0/24"], &["203.0.113.2", "2001:db8::/32"]][allow];
            let grants = [
                vec![],
                vec![prefix("203.0.113.3")],
                vec![prefix("198.51.100.8")],
                vec![prefix("0.0.0.0/0")],
            ];
            let spared = Spared {
                grants: grants[grant].clone(),
                administrators: [None, Some("192.0.2.9"), Some("203.0.113.2"), Some("2001:db8::1")][admin]
                    .map(|text| text.parse().expect("an address"))
                    .into_iter()
                    .collect(),
            };
            let budgets = Budgets { throttle, block, lockout, quarantine };
            let policy = policy(draft(terms, budgets, allowed));
            let (mut past, mut now) = (Past::default(), START);
            for (wait, name, address, number) in told as Vec<Told> {
                now += wait;
                let seen = seen(name, address, number);
                let answer = policy.answer(&seen, &past, &spared, now);
                prop_assert_eq!(&answer, &policy.answer(&seen, &past, &spared, now), "the same to the same");
                match answer {
                    None => {
                        prop_assert_eq!(name, 3);
                        reach(0);
                    }
                    Some(Err(why)) => reach(if matches!(why, Withheld::Budget { .. }) { 1 } else { 2 }),
                    Some(Ok(act)) => {
                        check(&act, allowed, &spared, &terms, now)?;
                        reach(match &act {
                            Act::Throttle { until, .. } => {
                                prop_assert_eq!(*until, now + Slowing::default().seconds);
                                6
                            }
                            Act::Lockout { prefix, .. } if prefix.length() < prefix.family().width() => 4,
                            Act::Block { repetition, .. } | Act::Lockout { repetition, .. }
                                if *repetition > 0 =>
                            {
                                5
                            }
                            _ => 3,
                        });
                        carry_out(&mut past, &act, now);
                    }
                }
            }
            for (step, budget) in Step::ALL.map(|step| (step, budgets.of(step))) {
                for (_, begin) in &past.acts {
                    let of_hour =
                        |(own, at): &&(Step, u32)| *own == step && (*begin..begin + HOUR).contains(at);
                    prop_assert!(past.acts.iter().filter(of_hour).count() <= budget);
                }
            }
            Ok(())
        });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(reached.iter().all(|count| count.get() > 100), "reached too little: {reached:?}");
}

/// Who must be spared is, and everything ends.
fn check(act: &Act, allowed: &[&str], spared: &Spared, terms: &Terms, now: u32) -> Result<(), TestCaseError> {
    let (Act::Block { prefix: who, until, .. } | Act::Lockout { prefix: who, until, .. }) = act else {
        return Ok(());
    };
    let all: AddressSet = [*who].into_iter().collect();
    let allowed: AddressSet = allowed.iter().map(|text| prefix(text)).collect();
    prop_assert!(!all.intersects(&allowed), "{who} is allowed");
    prop_assert!(!spared.administrators.iter().any(|address| who.contains(*address)), "{who}");
    for grant in &spared.grants {
        let grantee: AddressSet = [*grant].into_iter().collect();
        prop_assert!(!grantee.difference(&all).is_empty(), "{grant} holds a grant and is locked out whole");
    }
    prop_assert!((now + terms.first..=now + terms.longest).contains(until));
    Ok(())
}

#[test]
fn lock_outs_grow_with_repetition_and_are_forgotten() {
    let terms = Terms { neighbours: None, ..Terms::default() };
    let policy = policy(draft(terms, Budgets { lockout: BUDGET_MAX, ..Budgets::default() }, &[]));
    let (mut past, mut now, mut lasted) = (Past::default(), START, Vec::new());
    for _ in 0..9 {
        let act = policy.answer(&seen(1, 0, 0), &past, &Spared::default(), now);
        let Some(Ok(act @ Act::Lockout { until, .. })) = act else { panic!("{act:?}") };
        lasted.push(until - now);
        carry_out(&mut past, &act, now);
        let again = policy.answer(&seen(1, 0, 1), &past, &Spared::default(), until - 1);
        assert!(matches!(again, Some(Err(Withheld::Done(_)))), "{again:?}");
        now = until;
    }
    assert_eq!(lasted, [600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400]);
    // The first ends of all are forgotten first, and in the end all are.
    let first_end = START + 600;
    let again = |at: u32| match policy.answer(&seen(1, 0, 0), &past, &Spared::default(), at) {
        Some(Ok(Act::Lockout { repetition, .. })) => repetition,
        other => panic!("{other:?}"),
    };
    assert_eq!(again(first_end + terms.memory - 1), 9);
    assert_eq!(again(first_end + terms.memory), 8);
    assert_eq!(again(now + terms.memory), 0);
}

#[test]
fn several_neighbours_close_their_network_unless_somebody_there_is_spared() {
    for (allowed, expected) in [(&[][..], "203.0.113.0/24"), (&["203.0.113.200"], "203.0.113.3/32")] {
        let terms = Terms { neighbours: Some(3), ..Terms::default() };
        let policy = policy(draft(terms, Budgets::default(), allowed));
        let mut past = Past::default();
        for address in 0..3 {
            let Some(Ok(act)) = policy.answer(&seen(1, address, 0), &past, &Spared::default(), START) else {
                panic!("{address} is not locked out")
            };
            carry_out(&mut past, &act, START);
        }
        assert_eq!(past.barred.last().expect("it is locked out").prefix, prefix(expected));
    }
}

#[test]
fn what_comes_out_of_a_machine_locks_nobody_out() {
    let policy = policy(draft(Terms::default(), Budgets::default(), &[]));
    let out = Sighting { direction: Direction::Outbound, ..seen(1, 0, 0) };
    let answer = policy.answer(&out, &Past::default(), &Spared::default(), START);
    assert!(matches!(answer, Some(Err(Withheld::Nobody { step: Step::Lockout, .. }))), "{answer:?}");
    let nobody = Sighting { machine: None, ..seen(2, 0, 0) };
    let answer = policy.answer(&nobody, &Past::default(), &Spared::default(), START);
    assert!(matches!(answer, Some(Err(Withheld::Nobody { step: Step::Quarantine, .. }))), "{answer:?}");
}

#[test]
fn patterns_match_names_and_nothing_else() {
    let is = |pattern: &str, name: &str| Pattern::new(pattern).expect("a pattern").matches(name);
    assert!(
        is("RDP_*", "RDP_Incoming_BF_OneToOne") && is("*", "x") && is("rdp", "RDP") && is("*_BF_*", "a_BF_b")
    );
    assert!(is("*Success", "SSH_Incoming_BF_Success") && is("a*a*a", "aaa"));
    assert!(!is("RDP", "RDP_x") && !is("a*a", "a") && !is("*_BF_Success", "x_BF_Success_y"));
    for wrong in ["", "a b", "a?", "é"] {
        assert!(Pattern::new(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_policy_that_breaks_a_limit_is_refused() {
    let good = || draft(Terms::default(), Budgets::default(), &[]);
    let refused = |change: &dyn Fn(&mut Draft)| {
        let mut draft = good();
        change(&mut draft);
        Policy::new(draft).expect_err("it breaks a limit")
    };
    assert!(Policy::new(good()).is_ok());
    assert_eq!(refused(&|draft| draft.forensic.clear()), PolicyError::NoForensicPath);
    assert!(matches!(refused(&|draft| draft.rules.clear()), PolicyError::Count { .. }));
    assert!(matches!(
        refused(&|draft| draft.forensic = vec![path(); PATHS_MAX + 1]),
        PolicyError::Count { .. }
    ));
    assert!(matches!(refused(&|draft| draft.forensic[0].port = 0), PolicyError::PortZero(_)));
    assert!(matches!(refused(&|draft| draft.terms.first = LOCKOUT_MIN - 1), PolicyError::Times { .. }));
    assert!(matches!(refused(&|draft| draft.terms.longest = LOCKOUT_MAX + 1), PolicyError::Times { .. }));
    assert!(matches!(
        refused(&|draft| draft.terms.longest = draft.terms.first - 1),
        PolicyError::Times { .. }
    ));
    let slowing = |pace, seconds| refused(&|draft| draft.slowing = Slowing { pace, seconds });
    for pace in [Pace { per_second: 0, working_set: 5 }, Pace { per_second: 1, working_set: 33 }] {
        assert!(matches!(slowing(pace, 600), PolicyError::Slowing(_)));
    }
    assert!(matches!(slowing(Pace::default(), LOCKOUT_MAX + 1), PolicyError::Slowing(_)));
    assert_eq!(refused(&|draft| draft.terms.factor = 0), PolicyError::Factor(0));
    assert!(matches!(refused(&|draft| draft.terms.memory = MEMORY_MAX + 1), PolicyError::Memory(_)));
    assert_eq!(refused(&|draft| draft.terms.neighbours = Some(1)), PolicyError::Neighbours(1));
    assert!(matches!(
        refused(&|draft| draft.budgets.quarantine = BUDGET_MAX + 1),
        PolicyError::Budget { .. }
    ));
    assert!(matches!(
        refused(&|draft| draft.allowed = vec![prefix("10.0.0.0/8"); ALLOWED_MAX + 1]),
        PolicyError::Allowed(_)
    ));
}
