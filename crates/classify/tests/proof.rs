//! A blob that decides otherwise than its rules is disproved, whatever went wrong on the way to it.
//!
//! Faults are planted where a compiler could make them: in the lowered rows, and in every part of the encoded bytes. A planted fault
//! that changes any verdict must be found; the search for changed verdicts does not know the proof.

use std::collections::BTreeMap;

use palisade_abi::{policy::PolicyHeader, verdict::Action};
use palisade_classify::{
    Row,
    blob::{self, BlobView},
    generate::{
        Random, edge_rows,
        estate::{self, MOMENTS},
        flows, layer,
    },
    lower,
    proof::{Disproof, Field, Proof, Rules, prove},
    table::Limits,
};
use palisade_model::{EffectiveLayer, EffectivePolicy, Window};
use palisade_net::{AddressSet, Direction, Flow, PortSet, ProtocolMatch, RangeSet};

fn compiled(rows: &[Row]) -> Vec<u8> {
    blob::compile(rows, &Limits::default()).expect("generated rows are within the limits")
}

/// One rule list, alone at its place.
struct List {
    policy: EffectivePolicy,
    direction: Direction,
    index: usize,
    rows: Vec<Row>,
    flows: Vec<Flow>,
}

impl List {
    fn layer(&self) -> &EffectiveLayer {
        &self.policy.layers(self.direction)[self.index]
    }

    fn prove(&self, blob: &[u8]) -> Result<Proof, Disproof> {
        let layers = [self.layer()];
        prove(&Rules { layers: &layers, services: &self.policy.services, direction: self.direction }, blob)
    }

    /// Whether a blob answers any flow that is tried otherwise than the rows do.
    fn differs(&self, blob: &[u8]) -> bool {
        let view = BlobView::parse(blob).expect("only sound blobs are asked");
        self.flows.iter().zip(MOMENTS.into_iter().cycle()).any(|(flow, now)| {
            let asked = |audit| self.rows.iter().position(|row| row.audit == audit && row.matches(flow, now));
            let rule = asked(false);
            let shadow = asked(true).filter(|shadow| rule.is_none_or(|rule| *shadow < rule));
            let found = view.lookup(flow, now);
            let expected = |row: usize| (row, self.rows[row].action);
            found.rule != rule.map(expected) || found.shadow != shadow.map(expected)
        })
    }
}

/// A list of more rules than a word has bits, with windows and audit.
fn long_list(rules: usize, seed: u64, count: usize) -> List {
    let layer = layer(&edge_rows(rules, seed));
    let policy = EffectivePolicy { inbound: vec![layer], outbound: Vec::new(), services: Vec::new() };
    let rows = lower::layers(&policy, Direction::Inbound).remove(0).rows;
    let flows = flows(&rows, count, seed);
    List { policy, direction: Direction::Inbound, index: 0, rows, flows }
}

/// The lists of generated estates that have rules, and flows at the edges of their rules.
fn lists(seeds: std::ops::Range<u64>, count: usize) -> Vec<List> {
    let mut lists = Vec::new();
    for seed in seeds {
        let policy = estate::known(seed, 0).policy;
        for direction in Direction::ALL {
            let layers = lower::layers(&policy, direction).into_iter().enumerate();
            for (index, lowered) in layers.filter(|(_, lowered)| !lowered.rows.is_empty()) {
                let flows = flows(&lowered.rows, count, seed);
                lists.push(List { policy: policy.clone(), direction, index, rows: lowered.rows, flows });
            }
        }
    }
    lists
}

#[test]
fn what_is_compiled_is_proved() {
    let mut intervals = 0;
    let long = [64, 65, 200, 1_023, 1_024].map(|rules| long_list(rules, 7, 0));
    for list in lists(0..120, 0).into_iter().chain(long) {
        let proof = list.prove(&compiled(&list.rows)).unwrap_or_else(|disproof| panic!("{disproof}"));
        assert_eq!(proof.rules, list.rows.len());
        assert!(proof.records > 0 && proof.intervals >= 10, "{proof:?}");
        intervals += proof.intervals;
    }
    assert!(intervals > 10_000, "{intervals} intervals");
}

/// Changes rows as a fault in lowering would; `None` if the change does not apply to the row.
type Fault = fn(&mut Vec<Row>, usize, &mut Random) -> Option<()>;

const FAULTS: [(&str, Fault); 13] = [
    ("a prefix is dropped", |rows, at, random| {
        let row = &mut rows[at];
        let side = if random.chance(50) { &mut row.sources } else { &mut row.destinations };
        *side = without_range(side, random)?;
        Some(())
    }),
    ("an address is added", |rows, at, random| {
        let row = &mut rows[at];
        let side = if random.chance(50) { &mut row.sources } else { &mut row.destinations };
        *side = grown(side)?;
        Some(())
    }),
    ("a port range ends one late", |rows, at, _| {
        rows[at].destination_ports = shifted(&rows[at].destination_ports, 0, 1)?;
        Some(())
    }),
    ("a port range begins one late", |rows, at, _| {
        rows[at].destination_ports = shifted(&rows[at].destination_ports, 1, 0)?;
        Some(())
    }),
    ("a source port range ends one late", |rows, at, _| {
        rows[at].source_ports = shifted(&rows[at].source_ports, 0, 1)?;
        Some(())
    }),
    ("source ports are forgotten", |rows, at, _| {
        (!rows[at].source_ports.is_full()).then(|| rows[at].source_ports = PortSet::full())
    }),
    ("the protocol is widened", |rows, at, _| {
        (rows[at].protocol != ProtocolMatch::Any).then(|| rows[at].protocol = ProtocolMatch::Any)
    }),
    ("the action is turned", |rows, at, _| {
        let turned = if rows[at].action == Action::Allow { Action::Deny } else { Action::Allow };
        rows[at].action = turned;
        Some(())
    }),
    ("two rules change places", |rows, at, _| {
        let next = rows.get(at + 1).filter(|next| **next != rows[at])?;
        let _ = next;
        rows.swap(at, at + 1);
        Some(())
    }),
    ("a rule is left out", |rows, at, _| {
        rows.remove(at);
        Some(())
    }),
    ("a window is forgotten", |rows, at, _| {
        (!rows[at].window.is_always()).then(|| rows[at].window = Window::ALWAYS)
    }),
    ("a window ends one second late", |rows, at, _| {
        let window = rows[at].window;
        rows[at].window = Window::new(window.not_before(), Some(window.expires_at()? + 1))?;
        Some(())
    }),
    ("audit is forgotten", |rows, at, _| {
        rows[at].audit = !rows[at].audit;
        Some(())
    }),
];

fn without_range(set: &AddressSet, random: &mut Random) -> Option<AddressSet> {
    let ranges = set.v4().ranges();
    let drop = *(!ranges.is_empty()).then(|| random.pick(ranges))?;
    let left: RangeSet<u32> = ranges.iter().copied().filter(|range| *range != drop).collect();
    Some(AddressSet::from_ranges(left, set.v6().clone()))
}

fn grown(set: &AddressSet) -> Option<AddressSet> {
    let &(first, last) = set.v6().ranges().last()?;
    let more: RangeSet<u128> = [(first, last.checked_add(1)?)].into_iter().collect();
    Some(AddressSet::from_ranges(set.v4().clone(), set.v6().union(&more)))
}

/// The first range with its ends moved.
fn shifted(ports: &PortSet, first: u16, last: u16) -> Option<PortSet> {
    let (&(from, to), rest) = ports.ranges().split_first()?;
    let moved = (from.checked_add(first)?, to.checked_add(last)?);
    let moved = (moved.0 <= moved.1).then_some(moved);
    Some(moved.into_iter().chain(rest.iter().copied()).collect())
}

#[test]
fn faults_of_lowering_are_found_by_name() {
    let mut random = Random::new(3);
    let mut planted: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut witnessed, mut harmless) = (0, 0);
    for list in lists(200..320, 200) {
        for (what, fault) in FAULTS {
            let mut rows = list.rows.clone();
            let at = random.below(rows.len());
            if fault(&mut rows, at, &mut random).is_none() {
                continue;
            }
            let blob = compiled(&rows);
            let Err(disproof) = list.prove(&blob) else {
                // A rule about ports of a protocol that has none matches nothing, whatever the ports.
                assert!(!list.differs(&blob), "{what}, and the proof accepts it");
                harmless += 1;
                continue;
            };
            assert!(
                !matches!(disproof, Disproof::Unsound(_) | Disproof::Unknown { .. }),
                "{what}: {disproof}"
            );
            if let Disproof::Field { witness, .. } = disproof {
                witnessed += usize::from(witness.is_some());
            }
            *planted.entry(what).or_default() += 1;
        }
    }
    assert_eq!(planted.len(), FAULTS.len(), "{planted:?}");
    assert!(planted.values().all(|count| *count >= 10), "{planted:?}");
    let found = planted.values().sum::<usize>();
    println!("{found} found, {witnessed} with a witness, {harmless} harmless");
    assert!(witnessed * 4 > found && harmless * 20 < found, "{witnessed}, {harmless} of {found}");
}

#[test]
fn a_disproof_names_rule_field_value_and_witness() {
    let list = lists(0..40, 0)
        .into_iter()
        .find(|list| list.layer().rules.iter().any(|rule| rule.path == "securityRules/r0"))
        .expect("some NSG has a rule of the user's");
    let at =
        list.layer().rules.iter().position(|rule| rule.path == "securityRules/r0").expect("it was found");
    let at = at + list.rows.len() - list.layer().rules.len();
    let mut rows = list.rows.clone();
    rows[at].protocol = ProtocolMatch::Number(palisade_net::Protocol(200));
    let disproof = list.prove(&compiled(&rows)).expect_err("the protocol is wrong");
    let Disproof::Field { rule, field, .. } = &disproof else { panic!("{disproof}") };
    assert!(rule.ends_with("/securityRules/r0"), "{rule}");
    assert!(matches!(field, Field::Protocol(_)), "{field}");
    let text = disproof.to_string();
    assert!(
        text.contains("securityRules/r0: the blob ") && text.contains(" with destination port "),
        "{text}"
    );
}

/// Offsets of the records: their heads carry a mark.
fn records(blob: &[u8]) -> Vec<u32> {
    let marked = blob.chunks_exact(8).enumerate().skip(1).filter(|(_, word)| word[2..4] == [0x43, 0x52]);
    marked.map(|(index, _)| (index as u32 - 1) * 8).collect()
}

fn word_at(blob: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(blob[at..at + 4].try_into().expect("four bytes"))
}

/// Changes one word of a blob as a fault in the encoder or the memory would; half of the changes leave it well formed.
fn damage(blob: &mut [u8], random: &mut Random) {
    let records = records(blob);
    if random.chance(25) {
        // A bit of a vector.
        let at = *random.pick(&records) as usize + 16 + random.below(8);
        blob[at] ^= 1 << random.below(8);
        return;
    }
    let words = blob.len() / 4;
    let header = size_of::<PolicyHeader>() / 4;
    let mut at = if random.chance(10) { random.below(header) } else { random.below(words) } * 4;
    let leads = |at: usize| records.contains(&word_at(blob, at));
    let redirected = random.chance(40);
    if redirected {
        // Some entry that leads to a record.
        at = (0..words).map(|step| (at / 4 + step) % words * 4).find(|at| leads(*at)).unwrap_or(at);
    }
    let word = word_at(blob, at);
    let word = match random.below(6) {
        _ if redirected => *random.pick(&records),
        0 => word.wrapping_add(1),
        1 => word.wrapping_sub(1),
        2 => word.wrapping_add(8),
        3 | 4 => word ^ 1 << random.below(32),
        _ => word_at(blob, random.below(words) * 4),
    };
    blob[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

/// Thousands of changes anywhere: what the check lets through and the proof accepts answers every flow alike.
#[test]
fn no_damage_that_changes_an_answer_is_proved() {
    let mut random = Random::new(17);
    let (mut unsound, mut disproved, mut harmless, mut changed) = (0, 0, 0, 0);
    let long = (0..8).map(|seed| long_list(70 + 10 * seed as usize, seed, 1_000));
    for list in lists(400..440, 400).into_iter().chain(long) {
        let sound = compiled(&list.rows);
        assert!(!list.differs(&sound));
        for _ in 0..150 {
            let mut blob = sound.clone();
            damage(&mut blob, &mut random);
            if blob == sound {
                continue;
            }
            match list.prove(&blob) {
                Err(Disproof::Unsound(_)) => unsound += 1,
                Err(_) => {
                    disproved += 1;
                    changed += usize::from(list.differs(&blob));
                }
                Ok(_) => {
                    harmless += 1;
                    assert!(!list.differs(&blob), "the proof accepts a blob that answers otherwise");
                }
            }
        }
    }
    println!("{unsound} unsound, {disproved} disproved ({changed} seen in flows), {harmless} harmless");
    assert!(unsound > 1_000 && disproved > 3_000 && changed > 1_000, "{unsound} {disproved} {changed}");
    assert!(harmless > 10, "some changes are of words that no lookup reads");
}

/// Every bit of every record, also of those of fragments, which no flow shows.
#[test]
fn every_bit_of_every_record_counts() {
    let (mut found, mut dead) = (0, 0);
    for list in lists(500..506, 0) {
        let sound = compiled(&list.rows);
        for record in records(&sound).into_iter().map(|record| record as usize) {
            let count = word_at(&sound, record + 12) as usize;
            for bit in 0..count * 64 {
                let mut blob = sound.clone();
                blob[record + 16 + bit / 8] ^= 1 << (bit % 8);
                match list.prove(&blob) {
                    Err(_) => found += 1,
                    // A rule that names no address of the family on the other side.
                    Ok(_) => dead += 1,
                }
            }
        }
    }
    assert!(found > 5_000 && dead * 10 < found, "{found} found, {dead} about rules that cannot match");
}

/// Rows that no estate makes are not proved, but what is unsound or too short is refused in words.
#[test]
fn a_blob_of_other_rules_is_disproved() {
    let list = lists(0..1, 0).remove(0);
    let rows = edge_rows(list.rows.len() + 1, 1);
    let expected = list.rows.len();
    assert_eq!(list.prove(&compiled(&rows)), Err(Disproof::Count { found: expected + 1, expected }));
    assert!(matches!(list.prove(&[]), Err(Disproof::Unsound(_))));
}
