//! Every answer about one list, compared with every packet.

use std::collections::{BTreeMap, BTreeSet};

use palisade_analysis::{Contrast, Fate, Limits, Need, Overlap, RuleList, universe};
use palisade_classify::generate::Random;
use palisade_model::{Addresses, EffectivePolicy, Layer, Truth};
use palisade_net::{Direction, Family};

use crate::{
    cases,
    reference::{Decider, Reference},
    small::{Maker, NOW},
};

const LAYERS: [Layer; 4] = [Layer::Admin, Layer::Subnet, Layer::NetworkInterface, Layer::PublicAddress];

/// What was reached, by name.
#[derive(Debug, Default)]
struct Reached(BTreeMap<String, usize>);

impl Reached {
    fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    fn assert(&self, all: &[&str]) {
        for what in all {
            assert!(self.0.get(*what).is_some_and(|count| *count >= 5), "{what} was not reached: {self:#?}");
        }
    }
}

/// One random list and what it is compared with.
fn compare(policy: &EffectivePolicy, direction: Direction, reached: &mut Reached) {
    let list = RuleList::new(policy, direction, 0, NOW, Limits::default());
    let reference = Reference::of(policy, direction, 0);
    let deciders: Vec<Vec<Decider>> =
        (0..reference.packets.len()).map(|packet| reference.deciders(packet, None)).collect();
    shares(&list, &reference, &deciders, reached);
    for rule in 0..reference.rules.len() {
        fate(&list, &reference, &deciders, rule, reached);
        need(&list, &reference, &deciders, rule, reached);
    }
    order(&list, &reference, &deciders, reached);
}

fn shares(list: &RuleList<'_>, reference: &Reference<'_>, deciders: &[Vec<Decider>], reached: &mut Reached) {
    let shares = list.shares().expect("small lists are simple");
    let decided = |decider: Decider| {
        reference.bounds(|packet| deciders[packet] == [decider], |packet| deciders[packet].contains(&decider))
    };
    for (rule, share) in shares.rules.iter().enumerate() {
        assert_eq!(share.decided, decided(Decider::Rule(rule)), "rule {rule} of {:#?}", reference.rules);
        let says = |packet: usize| reference.truth[rule][packet];
        let matched =
            reference.bounds(|packet| says(packet) == Truth::Yes, |packet| says(packet) != Truth::No);
        assert_eq!(share.matched, matched, "rule {rule} of {:#?}", reference.rules);
        if share.is_partly_hidden() {
            reached.note("partly hidden");
        }
        for family in Family::ALL.into_iter().filter(|family| !share.decided.of(*family).least.is_zero()) {
            reached.note(format!("decides {family}"));
        }
    }
    if !shares.exempt.v4.least.is_zero() {
        reached.note("exempt");
    }
    assert_eq!(shares.exempt, decided(Decider::Exempt));
    assert_eq!(shares.silent, decided(Decider::Silence));
    let all = || shares.rules.iter().map(|share| share.decided).chain([shares.exempt, shares.silent]);
    for family in Family::ALL {
        let least = all().map(|found| found.of(family).least).sum();
        let most = all().map(|found| found.of(family).most).sum();
        assert!(universe(family) >= least && universe(family) <= most);
        if all().all(|found| found.of(family).is_exact()) {
            assert_eq!(universe(family), least);
            reached.note("exact shares");
        } else {
            reached.note("open shares");
        }
    }
}

fn fate(
    list: &RuleList<'_>,
    reference: &Reference<'_>,
    deciders: &[Vec<Decider>],
    rule: usize,
    reached: &mut Reached,
) {
    let own = Decider::Rule(rule);
    let matches = reference.any(|packet| reference.truth[rule][packet] != Truth::No);
    let sole = reference.any(|packet| deciders[packet] == [own]);
    let perhaps = reference.any(|packet| deciders[packet].contains(&own));
    let context = || format!("rule {rule} of {:#?}", reference.rules);
    match list.fate(rule).expect("small lists are simple") {
        Fate::NotAsked => {
            assert!(!matches, "{}", context());
            reached.note("not asked");
        }
        Fate::Empty => {
            assert!(!matches, "{}", context());
            reached.note("empty");
        }
        Fate::Never(hidden) => {
            assert!(matches && !perhaps, "{}", context());
            let covered = hidden.covers.iter().map(|cover| cover.rule.map_or(Decider::Exempt, Decider::Rule));
            for (cover, decider) in hidden.covers.iter().zip(covered.clone()) {
                let closes = |packet: usize| {
                    reference.truth[rule][packet] != Truth::No && deciders[packet].last() == Some(&decider)
                };
                assert_eq!(cover.volume, reference.count(closes), "{decider:?}, {}", context());
            }
            assert_hidden(reference, rule, &hidden.by, &context());
            let accesses: BTreeSet<_> = covered.map(|decider| reference.access(decider)).collect();
            let own = reference.access(own);
            let contrast =
                match (accesses.contains(&None) || own.is_none(), accesses.len(), accesses.contains(&own)) {
                    (true, ..) => Contrast::Unknown,
                    (false, 1, true) => Contrast::Same,
                    (false, _, false) => Contrast::Other,
                    (false, _, true) => Contrast::Mixed,
                };
            assert_eq!(hidden.contrast, contrast, "{}", context());
            reached.note(format!("never, {contrast:?}"));
            reached.note(if hidden.by.len() > 1 { "never, by several" } else { "never, by one" });
        }
        Fate::Perhaps => {
            assert!(!sole && perhaps, "{}", context());
            reached.note("perhaps");
        }
        Fate::Decides(_) => {
            assert!(sole, "{}", context());
            reached.note("decides");
        }
    }
}

/// The rules named hide the rule, and none of them can be left out.
fn assert_hidden(reference: &Reference<'_>, rule: usize, by: &[Option<usize>], context: &str) {
    let covers = |by: Option<usize>, packet: usize| match by {
        None => reference.exempt[packet],
        Some(other) => {
            let named = reference.exempt[packet] && !reference.rules[other].services.is_empty();
            reference.truth[other][packet] == Truth::Yes && (other < rule || named)
        }
    };
    let open = |by: &[Option<usize>]| {
        reference.any(|packet| {
            reference.truth[rule][packet] != Truth::No && !by.iter().any(|by| covers(*by, packet))
        })
    };
    assert!(!open(by), "{by:?} hides {context}");
    for left_out in 0..by.len() {
        let mut fewer = by.to_vec();
        fewer.remove(left_out);
        assert!(open(&fewer), "{fewer:?} hides {context}");
    }
}

fn need(
    list: &RuleList<'_>,
    reference: &Reference<'_>,
    deciders: &[Vec<Decider>],
    rule: usize,
    reached: &mut Reached,
) {
    let own = Decider::Rule(rule);
    let access = reference.access(own);
    let surely = reference.any(|packet| {
        deciders[packet] == [own]
            && match reference.deciders(packet, Some(rule)).as_slice() {
                [next] => {
                    let next = reference.access(*next);
                    access.is_some() && next.is_some() && next != access
                }
                _ => false,
            }
    });
    let perhaps = reference.any(|packet| {
        let after = |next: &Decider| *next > own;
        deciders[packet].contains(&own)
            && (reference.deciders(packet, Some(rule)).into_iter().filter(after))
                .any(|next| access.is_none() || reference.access(next) != access)
    });
    let context = || format!("rule {rule} of {:#?}", reference.rules);
    match list.need(rule).expect("small lists are simple") {
        Need::Redundant => {
            assert!(!surely && !perhaps, "{}", context());
            reached.note("redundant");
        }
        Need::Perhaps => {
            assert!(!surely && perhaps, "{}", context());
            reached.note("perhaps needed");
        }
        Need::Needed(example) => {
            assert!(surely, "{}", context());
            assert_ne!(Some(example.instead), access);
            reached.note("needed");
        }
    }
}

fn order(list: &RuleList<'_>, reference: &Reference<'_>, deciders: &[Vec<Decider>], reached: &mut Reached) {
    let pairs = list.order_sensitive().expect("small lists are simple");
    let found: BTreeMap<(usize, usize), bool> =
        pairs.iter().map(|pair| ((pair.earlier, pair.later), pair.example.is_some())).collect();
    assert_eq!(found.len(), pairs.len());
    for later in 0..reference.rules.len() {
        let named = !reference.rules[later].services.is_empty();
        for earlier in 0..later {
            let (first, second) =
                (reference.access(Decider::Rule(earlier)), reference.access(Decider::Rule(later)));
            let known = first.is_some() && second.is_some();
            let may_differ = !known || first != second;
            let comes = |packet: usize| !reference.exempt[packet] || named;
            let surely = known
                && may_differ
                && reference.any(|packet| {
                    deciders[packet] == [Decider::Rule(earlier)]
                        && reference.truth[later][packet] == Truth::Yes
                        && comes(packet)
                });
            let perhaps = may_differ
                && reference.any(|packet| {
                    deciders[packet].contains(&Decider::Rule(earlier))
                        && reference.truth[later][packet] != Truth::No
                        && comes(packet)
                });
            let expected = if surely { Some(true) } else { perhaps.then_some(false) };
            let context = || format!("rules {earlier} and {later} of {:#?}", reference.rules);
            assert_eq!(found.get(&(earlier, later)).copied(), expected, "{}", context());
        }
    }
    for pair in pairs {
        let inside = |inner: usize, outer: usize| {
            !reference.any(|packet| {
                reference.truth[inner][packet] != Truth::No && reference.truth[outer][packet] == Truth::No
            })
        };
        let expected = match (inside(pair.later, pair.earlier), inside(pair.earlier, pair.later)) {
            (true, _) => Overlap::Hidden,
            (false, true) => Overlap::Exception,
            (false, false) => Overlap::Partial,
        };
        assert_eq!(pair.overlap, expected);
        reached.note(format!("order, {:?}", pair.overlap));
        reached.note(if pair.example.is_some() { "order surely" } else { "order perhaps" });
    }
}

fn run(open: usize, usual: u64, seed: u64) -> Reached {
    let mut maker = Maker { random: Random::new(seed), open };
    let mut reached = Reached::default();
    for number in 0..cases(usual) {
        let direction = Direction::ALL[usize::from(number % 3 == 0)];
        let layers = if direction == Direction::Inbound { &LAYERS[..] } else { &LAYERS[..3] };
        let layer = *maker.random.pick(layers);
        let policy = maker.list(direction, layer, 8);
        compare(&policy, direction, &mut reached);
    }
    reached
}

const ALWAYS: [&str; 16] = [
    "decides IPv4",
    "decides IPv6",
    "exempt",
    "partly hidden",
    "exact shares",
    "not asked",
    "empty",
    "never, Same",
    "never, Other",
    "never, by one",
    "decides",
    "redundant",
    "needed",
    "order, Exception",
    "order, Partial",
    "order surely",
];

#[test]
fn every_answer_about_a_known_list_is_that_of_every_packet() {
    let reached = run(0, 500, 1);
    reached.assert(&ALWAYS);
    reached.assert(&["never, Mixed", "never, by several"]);
    assert!(!reached.0.contains_key("perhaps") && !reached.0.contains_key("open shares"), "{reached:#?}");
}

#[test]
fn every_answer_about_a_list_with_open_parts_is_that_of_every_packet() {
    let reached = run(8, 250, 2);
    reached.assert(&ALWAYS);
    reached.assert(&["open shares", "perhaps", "perhaps needed", "order perhaps", "never, Unknown"]);
}

#[test]
fn answers_are_the_same_where_entries_fill_more_than_a_word() {
    let mut reached = Reached::default();
    for open in [0, 2] {
        let mut maker = Maker { random: Random::new(6), open };
        for _ in 0..cases(4) {
            // Rules that take much are rare among so many, or nothing would be left to the last.
            let mut policy = maker.list(Direction::Outbound, Layer::Subnet, 8);
            let few = policy.outbound[0].rules.clone();
            let more = (0..130).map(|number| {
                let mut rule = maker.rule(1_000 + number, Layer::Subnet);
                let narrow = &few[number % few.len()];
                let both = rule.source.must().intersection(narrow.source.must());
                rule.source = Addresses::exactly(both);
                rule.certain = true;
                rule
            });
            policy.outbound[0].rules = more.chain(few.iter().cloned()).collect();
            compare(&policy, Direction::Outbound, &mut reached);
        }
    }
    reached.assert(&["exact shares", "decides", "redundant", "needed", "order surely"]);
}
