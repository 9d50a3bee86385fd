//! Lists of 1,000 rules, and of rules of random ranges, compared with what another engine says of them: OxiDD's binary decision
//! diagrams.

use std::collections::BTreeMap;

use palisade_analysis::{Diff, Limits, PerFamily, RuleList, Volume, diff};
use palisade_classify::{
    Hit, Verdict,
    generate::{self, Random, Shape},
};
use palisade_model::{
    Access, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Ports,
};
use palisade_net::{AddressSet, Direction, Family, RangeSet};

use crate::{
    diagrams::{Diagrams, Set, Walked, and, not},
    small::NOW,
};

const RULES: usize = 1_000;
/// Rules of random ranges.
const RANGES: usize = 150;
const EDITS: usize = 60;
const WAY: Direction = Direction::Inbound;

/// A policy of one list.
fn policy(rules: Vec<EffectiveRule>) -> EffectivePolicy {
    let layer = EffectiveLayer { layer: Layer::NetworkInterface, rules, ..generate::layer(&[]) };
    EffectivePolicy { inbound: vec![layer], outbound: Vec::new(), services: Vec::new() }
}

/// A list of the shape that NSGs have. One rule in ten repeats an earlier one, with the same or the other access and one of
/// its fields as another rule has it, so that rules hide one another.
fn rules(random: &mut Random) -> Vec<EffectiveRule> {
    let shape =
        Shape { rules: RULES, prefixes: 2 * RULES, tags: 5, tag_prefixes: 40, source_port_percent: 4 };
    let mut rules = generate::layer(&generate::policy(&shape, random.v4().into())).rules;
    for number in 1..RULES {
        // Many rules are about few services, and some about the same machines.
        rules[number].destination_ports = rules[random.below(40)].destination_ports.clone();
        rules[number].destination = match random.below(100) {
            0 => Addresses::any(),
            1..3 => rules[random.below(60)].destination.clone(),
            _ => rules[number].destination.clone(),
        };
        if random.chance(10) {
            let (earlier, other) = (random.below(number), random.below(RULES));
            let access = rules[*random.pick(&[earlier, other])].access;
            let other = rules[other].clone();
            let copy = EffectiveRule { access, ..rules[earlier].clone() };
            rules[number] = match random.below(4) {
                0 => EffectiveRule {
                    source: Addresses::exactly(copy.source.must().intersection(other.source.must())),
                    ..copy
                },
                1 => EffectiveRule { destination_ports: other.destination_ports, ..copy },
                2 => EffectiveRule { source: other.source, ..copy },
                _ => copy,
            };
        }
    }
    rules
}

/// Rules of random ranges that overlap hundreds of others each, and a rule for everything.
fn ranges(random: &mut Random) -> Vec<EffectiveRule> {
    let mut all = rules(random);
    let last = all.pop().expect("there are rules");
    all.truncate(RANGES);
    for rule in &mut all {
        let mut range = |last: u32| {
            let width = random.below(last as usize / 2) as u32;
            let first = random.below((last - width) as usize + 1) as u32;
            (first, first + width)
        };
        let mut addresses = || {
            Addresses::exactly(AddressSet::from_ranges(
                [range(u32::MAX)].into_iter().collect(),
                RangeSet::empty(),
            ))
        };
        (rule.source, rule.destination) = (addresses(), addresses());
        let mut ports = || {
            let (first, last) = range(u16::MAX.into());
            Ports::Known([(first as u16, last as u16)].into_iter().collect())
        };
        (rule.source_ports, rule.destination_ports) = (ports(), ports());
    }
    all.push(last);
    all
}

fn edited(before: &[EffectiveRule], random: &mut Random) -> Vec<EffectiveRule> {
    let mut rules = before.to_vec();
    for edit in 0..EDITS {
        let (place, other) = (random.below(before.len() / 10), random.below(before.len() / 10));
        match edit % 4 {
            0 => drop(rules.remove(place)),
            1 => rules.insert(place, before[before.len() - 1 - other].clone()),
            2 => rules.swap(place, other),
            _ => {
                let known = rules[place].access.known().expect("generated rules are known");
                rules[place].access = Maybe::Known(turned(known));
            }
        }
    }
    rules
}

fn turned(access: Access) -> Access {
    match access {
        Access::Deny => Access::Allow,
        _ => Access::Deny,
    }
}

/// The rules that either family needs.
fn in_both(of: [Vec<usize>; 2]) -> Vec<usize> {
    let [v4, v6] = of;
    v4.into_iter().filter(|rule| v6.contains(rule)).collect()
}

/// What a change moves between two rules.
fn moved(change: (Hit, Hit), walked: [&Walked; 2]) -> Set {
    let decided = |hit: Hit, walked: &Walked| match hit {
        Hit::Rule { rule, .. } => walked.decided[rule].clone(),
        hit => panic!("no {hit:?} in lists that end with a rule for everything"),
    };
    and(&decided(change.0, walked[0]), &decided(change.1, walked[1]))
}

/// Every volume of a comparison, and that nothing else differs.
fn compare(found: &Diff, engines: &PerFamily<Diagrams>, walked: [&PerFamily<Walked>; 2]) {
    assert!(found.open.is_zero());
    for family in Family::ALL {
        let (diagrams, [before, after]) = (engines.of(family), walked.map(|walked| walked.of(family)));
        let mut sums: BTreeMap<Verdict, Volume> = BTreeMap::new();
        for change in &found.changes {
            let set = moved((change.before.hit, change.after.hit), [before, after]);
            let volume = *change.volume.of(family);
            assert_eq!(volume.to_string(), diagrams.volume(&set), "{change:?}");
            *sums.entry(change.before.verdict).or_default() += volume;
        }
        let closed = and(&before.allowed, &not(&after.allowed));
        let opened = and(&after.allowed, &not(&before.allowed));
        for (verdict, set) in [(Verdict::Allow, closed), (Verdict::Deny, opened)] {
            let sum = sums.get(&verdict).copied().unwrap_or_default();
            assert_eq!(sum.to_string(), diagrams.volume(&set), "{family}, {verdict} before");
        }
    }
}

/// Asks both engines about a list, and about what edits change; how many dead and redundant rules and pairs there are.
fn ask_both(before: &[EffectiveRule], after: Vec<EffectiveRule>) -> [usize; 3] {
    let engines = PerFamily { v4: Diagrams::new(Family::V4), v6: Diagrams::new(Family::V6) };
    let walk = |rules: &[EffectiveRule]| PerFamily {
        v4: Walked::of(&engines.v4, rules),
        v6: Walked::of(&engines.v6, rules),
    };
    let walked = [walk(before), walk(&after)];
    let policies = [policy(before.to_vec()), policy(after)];
    let list = RuleList::new(&policies[0], WAY, 0, NOW, Limits::default());
    let shares = list.shares().expect("the list is simple");
    for family in Family::ALL {
        let mut allowed = Volume::ZERO;
        for (rule, share) in shares.rules.iter().enumerate() {
            let decided = share.decided.of(family);
            assert!(decided.is_exact());
            let set = &walked[0].of(family).decided[rule];
            assert_eq!(decided.least.to_string(), engines.of(family).volume(set), "rule {rule}, {family}");
            if before[rule].access == Maybe::Known(Access::Allow) {
                allowed += decided.least;
            }
        }
        assert_eq!(allowed.to_string(), engines.of(family).volume(&walked[0].of(family).allowed));
    }
    let idle = in_both(Family::ALL.map(|family| walked[0].of(family).idle()));
    let matched = |rule: &usize| Family::ALL.iter().any(|family| walked[0].of(*family).is_matched(*rule));
    let dead: Vec<usize> =
        list.dead().expect("the list is simple").into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(dead, idle.into_iter().filter(matched).collect::<Vec<_>>());
    assert_eq!(list.idle().expect("the list is simple"), dead);
    let redundant =
        in_both(Family::ALL.map(|family| walked[0].of(family).redundant(engines.of(family), before)));
    assert_eq!(list.redundant().expect("the list is simple"), redundant);
    let found = diff(&policies[0], &policies[1], WAY, NOW, &[], Limits::default()).expect("it is simple");
    compare(&found, &engines, [&walked[0], &walked[1]]);
    [dead.len(), redundant.len(), found.changes.len()]
}

#[test]
fn decision_diagrams_of_a_thousand_rules_say_the_same() {
    let mut random = Random::new(11);
    let before = rules(&mut random);
    let after = edited(&before, &mut random);
    let [dead, redundant, pairs] = ask_both(&before, after);
    println!("{dead} dead, {redundant} redundant, {pairs} pairs");
    assert!(dead > 20 && redundant > dead && pairs > 10);
}

#[test]
fn decision_diagrams_of_random_ranges_say_the_same() {
    let mut random = Random::new(12);
    let before = ranges(&mut random);
    let after = edited(&before, &mut random);
    let [dead, redundant, pairs] = ask_both(&before, after);
    println!("{dead} dead, {redundant} redundant, {pairs} pairs");
    assert!(dead > 0 && redundant > dead && pairs > 20);
}
