//! Comparisons of whole policies, compared with every packet.

use std::collections::BTreeMap;

use palisade_analysis::{Block, Diff, Limits, PerFamily, Volume, diff};
use palisade_classify::{Hit, Verdict, generate::Random, oracle};
use palisade_model::{EffectivePolicy, Mode};
use palisade_net::{Direction, Protocol};

use crate::{
    answers::{alike, contains, side},
    cases,
    small::{Maker, NOW, Weighted, family, packets},
};

/// A policy with one edit.
fn edited(policy: &EffectivePolicy, direction: Direction, maker: &mut Maker) -> EffectivePolicy {
    let mut after = policy.clone();
    let layers = match direction {
        Direction::Inbound => &mut after.inbound,
        Direction::Outbound => &mut after.outbound,
    };
    if layers.is_empty() {
        return maker.chain(direction, 5);
    }
    let place = maker.random.below(layers.len());
    let layer = &mut layers[place];
    let rule = maker.random.below(layer.rules.len());
    match maker.random.below(6) {
        0 if layer.rules.len() > 1 => drop(layer.rules.remove(rule)),
        1 => layer.rules.insert(rule, maker.rule(99, layer.layer)),
        2 => layer.rules[rule] = maker.rule(99, layer.layer),
        3 => layer.rules.rotate_left(1),
        4 => layer.mode = if layer.mode == Mode::Audit { Mode::Enforce } else { Mode::Audit },
        _ => drop(layers.remove(place)),
    }
    after
}

#[derive(Debug, Default)]
struct Reached {
    same: usize,
    changed: usize,
    verdicts: BTreeMap<(Verdict, Verdict), usize>,
    open: usize,
    all_protocols: usize,
    exempt: usize,
    /// Comparisons of one list with another in which something changed.
    of_one_list: usize,
}

/// Every packet that differs is in one block of the right change, and no other packet is in any.
fn compare(
    before: &EffectivePolicy,
    after: &EffectivePolicy,
    packets: &[Weighted],
    found: &Diff,
    reached: &mut Reached,
) {
    let mut volumes = vec![PerFamily::<Volume>::default(); found.changes.len()];
    let mut open = PerFamily::<Volume>::default();
    for packet in packets {
        let [old, new] =
            [before, after].map(|policy| side(&oracle::decide_by_rules(policy, &packet.flow, NOW)));
        let hits: Vec<usize> = found
            .changes
            .iter()
            .enumerate()
            .flat_map(|(number, change)| change.region.blocks.iter().map(move |block| (number, block)))
            .filter(|(_, block)| contains(block, &packet.flow))
            .map(|(number, _)| number)
            .collect();
        if old.verdict == new.verdict {
            assert!(hits.is_empty(), "{packet:?} does not differ\n{before:#?}\n{after:#?}");
            if old.verdict == Verdict::Unknown {
                *open.of_mut(family(packet)) += packet.weight;
            }
            continue;
        }
        let [number] = hits.as_slice() else { panic!("{packet:?} is in {hits:?}\n{before:#?}\n{after:#?}") };
        let change = &found.changes[*number];
        assert!(alike(change.before, old) && alike(change.after, new), "{change:?} is {old:?}, {new:?}");
        *volumes[*number].of_mut(family(packet)) += packet.weight;
        *reached.verdicts.entry((old.verdict, new.verdict)).or_default() += 1;
    }
    for (change, volume) in found.changes.iter().zip(volumes) {
        assert_eq!(change.volume, volume);
        assert!(change.region.rest.is_zero());
        let all = |block: &Block| block.protocols.len() == 256 && block.protocols.contains(&Protocol::AH);
        reached.all_protocols += usize::from(change.region.blocks.iter().any(all));
        let exempt =
            [change.before.hit, change.after.hit].iter().any(|hit| matches!(hit, Hit::Exempt { .. }));
        reached.exempt += usize::from(exempt);
    }
    assert!(found.open.v4 <= open.v4 && found.open.v6 <= open.v6);
    reached.open += usize::from(!found.open.is_zero());
    let is_one_list = |policy: &EffectivePolicy| policy.inbound.len() + policy.outbound.len() == 1;
    let is_of_one_list = [before, after].into_iter().all(is_one_list) && !found.changes.is_empty();
    reached.of_one_list += usize::from(is_of_one_list);
    *(if found.changes.is_empty() { &mut reached.same } else { &mut reached.changed }) += 1;
}

/// What is left when both policies change places.
fn mirrored(found: &Diff) -> Diff {
    let mut changes = found.changes.clone();
    changes.iter_mut().for_each(|change| std::mem::swap(&mut change.before, &mut change.after));
    changes.sort_by_key(|change| (change.before, change.after));
    Diff { changes, open: found.open }
}

fn run((open, rules): (usize, usize), usual: u64, seed: u64) -> Reached {
    let mut maker = Maker { random: Random::new(seed), open };
    let mut reached = Reached::default();
    for number in 0..cases(usual) {
        let direction = Direction::ALL[usize::from(number % 2 == 0)];
        let before = maker.chain(direction, rules);
        let edits = 1 + maker.random.below(3);
        let after = (0..edits).fold(before.clone(), |policy, _| edited(&policy, direction, &mut maker));
        let ask = |before, after| diff(before, after, direction, NOW, &[], Limits::default());
        let found = ask(&before, &after).expect("small lists are simple");
        compare(&before, &after, &packets(direction), &found, &mut reached);
        assert_eq!(ask(&before, &before), Ok(Diff::default()));
        let back = ask(&after, &before).expect("small lists are simple");
        let sizes = |found: &Diff| -> Vec<_> {
            found.changes.iter().map(|change| (change.before, change.after, change.volume)).collect()
        };
        assert_eq!(sizes(&back), sizes(&mirrored(&found)));
        assert_eq!(back.open, found.open);
    }
    reached
}

#[test]
fn a_comparison_of_known_policies_finds_every_packet_that_differs() {
    use Verdict::{Allow, Deny};
    let reached = run((0, 5), 300, 3);
    assert!(reached.same > 20 && reached.changed > 50, "{reached:#?}");
    assert!(reached.all_protocols > 5 && reached.exempt > 0, "{reached:#?}");
    assert!(reached.of_one_list > 5 && reached.changed - reached.of_one_list > 20, "{reached:#?}");
    assert_eq!(reached.open, 0);
    assert_eq!(reached.verdicts.keys().copied().collect::<Vec<_>>(), [(Allow, Deny), (Deny, Allow)]);
}

#[test]
fn a_comparison_of_policies_with_open_parts_finds_every_packet_that_differs() {
    let reached = run((8, 5), 300, 4);
    assert!(reached.same > 20 && reached.changed > 100 && reached.open > 5, "{reached:#?}");
    assert_eq!(reached.verdicts.len(), 6, "{reached:#?}");
}

#[test]
fn a_comparison_finds_the_same_where_entries_fill_more_than_a_word() {
    for open in [0, 1] {
        let reached = run((open, 90), 16, 12 + open as u64);
        assert!(reached.same > 1 && reached.changed > 1, "{reached:#?}");
    }
}

#[test]
fn blocks_beyond_the_limit_are_counted() {
    let mut maker = Maker { random: Random::new(5), open: 0 };
    let limits = Limits { blocks: 2, ..Limits::default() };
    let none = Limits { blocks: 0, ..Limits::default() };
    let mut cut = 0;
    for _ in 0..200 {
        let (before, after) = (maker.chain(Direction::Inbound, 5), maker.chain(Direction::Inbound, 5));
        let whole =
            diff(&before, &after, Direction::Inbound, NOW, &[], Limits::default()).expect("it is small");
        let few = diff(&before, &after, Direction::Inbound, NOW, &[], limits).expect("it is small");
        let bare = diff(&before, &after, Direction::Inbound, NOW, &[], none).expect("it is small");
        assert_eq!(bare.changes.len(), whole.changes.len());
        for (bare, whole) in bare.changes.iter().zip(&whole.changes) {
            assert_eq!((bare.before, bare.after, bare.volume), (whole.before, whole.after, whole.volume));
            assert!(bare.region.blocks.is_empty() && bare.region.rest == bare.volume.v4 + bare.volume.v6);
        }
        for (few, whole) in few.changes.iter().zip(&whole.changes) {
            assert_eq!((few.before, few.after, few.volume), (whole.before, whole.after, whole.volume));
            cut += usize::from(!few.region.rest.is_zero());
        }
    }
    assert!(cut > 10, "{cut}");
}
