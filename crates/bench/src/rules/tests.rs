//! Generated rule sets keep what the comparison rests on.

use super::*;

fn sets() -> Vec<RuleSet> {
    let mut sets = Vec::new();
    for family in Family::ALL {
        for (lines, place) in
            [(1, Place::Last), (10, Place::Last), (100, Place::Random), (1_000, Place::Last)]
        {
            sets.push(generate(family, lines, place, 3));
        }
        sets.push(generate(family, 4_000, Place::Random, 3));
    }
    sets
}

#[test]
fn a_set_has_as_many_lines_as_asked_for_and_no_more_rules_than_an_nsg() {
    let counts = sets().iter().map(|set| (set.lines().count(), set.rules.len())).collect::<Vec<_>>();
    let expected = [(1, 1), (10, 10), (100, 100), (1_000, 1_000), (4_000, 1_000)];
    assert_eq!(counts, [expected, expected].concat());
}

#[test]
fn no_packet_matches_two_lines() {
    for set in sets() {
        let lines: Vec<Line> = set.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let overlaps = |other: &Line| {
                line.protocol == other.protocol
                    && line.source.overlaps(other.source)
                    && line.ports.first() <= other.ports.last()
                    && other.ports.first() <= line.ports.last()
            };
            // Prefixes of one rule may not overlap either; a handful of neighbours is where sharing happens.
            let near = &lines[index + 1..lines.len().min(index + 12)];
            assert_eq!(near.iter().find(|other| overlaps(other)), None, "{line:?}");
        }
    }
}

#[test]
fn the_measured_rule_stands_where_it_is_asked_to() {
    let position = |set: &RuleSet| {
        set.lines().position(|line| line.source == clients(set.family) && line.allows).expect("it is there")
    };
    for lines in [10, 1_000, 4_000] {
        let set = generate(Family::V4, lines, Place::Last, 5);
        assert_eq!(position(&set), lines - 1);
    }
    let places: Vec<usize> =
        (0..4).map(|seed| position(&generate(Family::V4, 1_000, Place::Random, seed))).collect();
    assert!(places.iter().any(|place| *place < 900), "{places:?}");
}

#[test]
fn probes_reach_allowed_and_denied() {
    let set = generate(Family::V6, 100, Place::Last, 7);
    let allows = |flow: &Flow| {
        set.lines().find(|line| {
            line.protocol == flow.protocol()
                && line.source.contains(flow.source())
                && (line.ports.first()..=line.ports.last()).contains(&flow.destination_port())
        })
    };
    let probes = set.probes(200, 11);
    let allowed = probes.iter().filter(|flow| allows(flow).is_some_and(|line| line.allows)).count();
    assert!((20..180).contains(&allowed), "{allowed} of {} probes are allowed", probes.len());
}
