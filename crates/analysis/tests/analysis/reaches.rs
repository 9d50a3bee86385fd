//! Answers to queries, compared with every packet.

use std::collections::BTreeMap;

use palisade_analysis::{Limits, PerFamily, Query, Volume, reach};
use palisade_classify::{Hit, Verdict, generate::Random, oracle};
use palisade_model::{EffectivePolicy, EffectiveRule, Layer, Maybe, Mode, Ports, Truth, Window};
use palisade_net::Direction;

use crate::{
    answers::{alike, contains, side},
    cases,
    reference::truth,
    small::{Maker, NOW, family, packets},
};

/// A rule of which everything is known, and the query in its words.
fn query(maker: &mut Maker) -> (EffectiveRule, Query) {
    let known = &mut Maker { random: maker.random.clone(), open: 0 };
    let rule = known.rule(0, Layer::Admin);
    maker.random = known.random.clone();
    let rule = EffectiveRule { mode: Mode::Enforce, window: Window::ALWAYS, ..rule };
    let ports = |ports: &Ports| match ports {
        Ports::Known(set) => set.clone(),
        Ports::Unknown => panic!("everything is known"),
    };
    let Maybe::Known(protocol) = rule.protocol else { panic!("everything is known") };
    let query = Query {
        protocol,
        source: rule.source.must().clone(),
        source_ports: ports(&rule.source_ports),
        destination: rule.destination.must().clone(),
        destination_ports: ports(&rule.destination_ports),
    };
    (rule, query)
}

/// Every packet of the query is in the answer of what decides it, and no other packet is in any.
fn compare(
    policy: &EffectivePolicy,
    direction: Direction,
    (rule, query): &(EffectiveRule, Query),
    seen: &mut BTreeMap<(Verdict, &'static str), usize>,
) {
    let found = reach(policy, direction, query, NOW, &[], Limits::default()).expect("small lists are simple");
    let mut volumes = vec![PerFamily::<Volume>::default(); found.len()];
    for packet in packets(direction) {
        let expected = side(&oracle::decide_by_rules(policy, &packet.flow, NOW));
        let holds = |number: &usize| {
            found[*number].region.blocks.iter().filter(|block| contains(block, &packet.flow)).count()
        };
        let places: Vec<usize> = (0..found.len()).filter(|number| holds(number) > 0).collect();
        if truth(rule, &packet.flow) != Truth::Yes {
            assert!(places.is_empty(), "{packet:?} was not asked about\n{query:?}\n{found:#?}");
            continue;
        }
        let [place] = places.as_slice() else {
            panic!("{packet:?} is in {places:?}\n{policy:#?}\n{query:?}")
        };
        assert_eq!(holds(place), 1, "blocks share {packet:?}");
        assert!(alike(found[*place].side, expected), "{:?} is {expected:?}", found[*place]);
        *volumes[*place].of_mut(family(&packet)) += packet.weight;
        let decider = match found[*place].side.hit {
            Hit::Rule { .. } => "rule",
            Hit::Exempt { .. } => "exemption",
            Hit::Nothing => "nothing",
        };
        *seen.entry((expected.verdict, decider)).or_default() += 1;
    }
    for (answer, volume) in found.iter().zip(volumes) {
        assert_eq!((answer.volume, answer.region.rest), (volume, Volume::ZERO));
    }
}

#[test]
fn a_query_is_answered_for_each_of_its_packets_and_no_other() {
    use Verdict::{Allow, Deny, Unknown};
    let mut seen = BTreeMap::new();
    for (open, seed) in [(0, 11), (8, 12)] {
        let mut maker = Maker { random: Random::new(seed), open };
        for number in 0..cases(300) {
            let direction = Direction::ALL[usize::from(number % 2 == 0)];
            let policy = maker.chain(direction, 5);
            let query = query(&mut maker);
            compare(&policy, direction, &query, &mut seen);
        }
    }
    let expected = [
        (Allow, "rule"),
        (Allow, "exemption"),
        (Allow, "nothing"),
        (Deny, "rule"),
        (Deny, "nothing"),
        (Unknown, "nothing"),
    ];
    expected.iter().for_each(|outcome| assert!(seen.contains_key(outcome), "{outcome:?} in {seen:?}"));
}
