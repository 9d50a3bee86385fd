//! Generated estates with fields of their real width: what must hold of every answer, and flows on the edges of the rules.

use palisade_analysis::{
    Block, Diff, Fate, Limits, Need, RuleList, Side, Volume, diff, diff_estates, universe,
};
use palisade_classify::{
    Hit, Verdict,
    generate::estate::{self, Generated, MOMENTS},
    oracle,
};
use palisade_model::{EffectivePolicy, ResourceId, Truth};
use palisade_net::{Direction, Family, Flow};

use crate::cases;

fn limits() -> Limits {
    Limits::default()
}

/// The lists of both directions, each with the moment at which to ask.
fn lists(generated: &Generated, seed: u64) -> impl Iterator<Item = (Direction, usize, u32)> {
    let now = MOMENTS[seed as usize % MOMENTS.len()];
    let layers = |direction| 0..generated.policy.layers(direction).len();
    let lists = Direction::ALL.map(|direction| layers(direction).map(move |layer| (direction, layer, now)));
    lists.into_iter().flatten()
}

/// The policy without a rule.
fn without(policy: &EffectivePolicy, direction: Direction, layer: usize, rule: usize) -> EffectivePolicy {
    let mut changed = policy.clone();
    let layers = match direction {
        Direction::Inbound => &mut changed.inbound,
        Direction::Outbound => &mut changed.outbound,
    };
    layers[layer].rules.remove(rule);
    changed
}

/// Shares add up to the universe, and removing what is redundant changes no packet.
#[test]
fn invariants_hold_of_generated_lists() {
    let (mut exact, mut open, mut redundant, mut needed, mut never) = (0, 0, 0, 0, 0);
    for seed in 0..cases(60) {
        let generated = if seed % 2 == 0 { estate::known(seed, 0) } else { estate::any(seed, 0) };
        for (direction, layer, now) in lists(&generated, seed) {
            let list = RuleList::new(&generated.policy, direction, layer, now, limits());
            let shares = list.shares().expect("generated lists are simple");
            for family in Family::ALL {
                let all =
                    shares.rules.iter().map(|share| share.decided).chain([shares.exempt, shares.silent]);
                let all: Vec<_> = all.map(|share| *share.of(family)).collect();
                let least: Volume = all.iter().map(|bounds| bounds.least).sum();
                assert!(least <= universe(family));
                if all.iter().all(palisade_analysis::Bounds::is_exact) {
                    assert_eq!(least, universe(family), "seed {seed}");
                    exact += 1;
                } else {
                    open += 1;
                }
            }
            for rule in 0..list.rules().len() {
                never += usize::from(matches!(list.fate(rule), Ok(Fate::Never(_))));
                match list.need(rule).expect("generated lists are simple") {
                    Need::Redundant => {
                        let fewer = without(&generated.policy, direction, layer, rule);
                        let found = diff(&generated.policy, &fewer, direction, now, &[], limits());
                        let found = found.expect("generated lists are simple");
                        assert_eq!(found.changes, [], "seed {seed}, rule {rule} of {layer} {direction}");
                        redundant += 1;
                    }
                    Need::Needed(_) => needed += 1,
                    Need::Perhaps => {}
                }
            }
        }
    }
    println!("{exact} exact, {open} open, {redundant} redundant, {needed} needed, {never} never");
    assert!(exact > 100 && open > 20 && redundant > 50 && needed > 50 && never > 20);
}

fn contains(block: &Block, flow: &Flow) -> Truth {
    let counts = flow.protocol().has_ports() || flow.protocol().is_icmp();
    let port = |ports: &palisade_net::PortSet, port| ports.is_full() || (counts && ports.contains(port));
    let holds = block.protocols.contains(&flow.protocol())
        && block.sources.contains(flow.source())
        && block.destinations.contains(flow.destination())
        && port(&block.source_ports, flow.source_port())
        && port(&block.destination_ports, flow.destination_port());
    holds.into()
}

/// A flow is in one block of the change that the oracle sees, and in none if it sees none.
fn compare(found: &Diff, before: &EffectivePolicy, after: &EffectivePolicy, flow: &Flow, now: u32) -> bool {
    let [old, new] = [before, after].map(|policy| oracle::decide_by_rules(policy, flow, now));
    let inside = |blocks: &[Block]| blocks.iter().filter(|block| contains(block, flow) == Truth::Yes).count();
    let changes: Vec<_> = found.changes.iter().filter(|change| inside(&change.region.blocks) > 0).collect();
    if old.verdict == new.verdict {
        assert!(changes.is_empty(), "{flow:?} does not differ");
        return false;
    }
    let expected = |side: Side, verdict: Verdict, hit: Hit| {
        side.verdict == verdict && (matches!(side.hit, Hit::Exempt { .. }) || side.hit == hit)
    };
    let is_whole = found.changes.iter().all(|change| change.region.rest.is_zero());
    match changes.as_slice() {
        [change] => {
            assert_eq!(inside(&change.region.blocks), 1, "{flow:?}");
            assert!(expected(change.before, old.verdict, old.hit), "{flow:?}: {old:?}");
            assert!(expected(change.after, new.verdict, new.hit), "{flow:?}: {new:?}");
        }
        changes => assert!(!is_whole && changes.is_empty(), "{flow:?} differs, and is in {changes:?}"),
    }
    true
}

/// The policies of two estates, with all their lists, differ where the oracle says so.
#[test]
fn comparisons_agree_with_flows_on_the_edges() {
    let (mut differed, mut alike) = (0, 0);
    for seed in 0..cases(40) {
        let make = |seed| if seed % 4 == 0 { estate::known(seed, 150) } else { estate::any(seed, 150) };
        let (before, after) = (make(seed), make(seed + 4));
        let now = MOMENTS[seed as usize % MOMENTS.len()];
        for direction in Direction::ALL {
            let limits = Limits { blocks: 1 << 14, ..limits() };
            let found =
                diff(&before.policy, &after.policy, direction, now, &[], limits).expect("it is simple");
            let flows = before.flows.iter().chain(&after.flows);
            for flow in flows.filter(|flow| flow.direction() == direction) {
                let differs = compare(&found, &before.policy, &after.policy, flow, now);
                *(if differs { &mut differed } else { &mut alike }) += 1;
            }
        }
    }
    println!("{differed} flows differed, {alike} did not");
    assert!(differed > 500 && alike > 500, "{differed}, {alike}");
}

/// Every interface whose rules changed is in one class, with the answer that it would get alone.
#[test]
fn classes_hold_every_interface_that_changed() {
    let (mut members, mut shared, mut alone) = (0, 0, 0);
    for seed in 0..cases(30) {
        let (before, after) = (estate::known(seed, 0).estate, estate::known(seed + 1, 0).estate);
        let found = diff_estates(&before, &after, 0, limits()).expect("generated estates are simple");
        assert!(found.added.is_empty() && found.removed.is_empty());
        let classes =
            |id: &ResourceId| found.classes.iter().filter(|class| class.members.contains(id)).count();
        for nic in before.nics() {
            let other = after.nics().find(|other| other.id() == nic.id()).expect("names do not change");
            let [old, new] = [before.effective(nic), after.effective(other)];
            assert_eq!(classes(nic.id()), usize::from(old != new), "seed {seed}, {}", nic.id());
            let class = found.classes.iter().find(|class| class.members.contains(nic.id()));
            for direction in Direction::ALL {
                let single = diff(&old, &new, direction, 0, &[], limits()).expect("it is simple");
                let volumes = |found: &Diff| -> Vec<_> {
                    found.changes.iter().map(|change| (change.before, change.after, change.volume)).collect()
                };
                let of_class = class.map_or_else(Vec::new, |class| volumes(class.diff(direction)));
                assert_eq!(of_class, volumes(&single), "seed {seed}, {}", nic.id());
            }
        }
        for class in &found.classes {
            members += class.members.len();
            shared += usize::from(class.members.len() > 1);
            alone += usize::from(class.members.iter().any(|id| before.nsg(id).is_some()));
        }
        let itself = diff_estates(&before, &before, 0, limits()).expect("generated estates are simple");
        assert!(itself.is_identical() && itself.classes.is_empty());
    }
    println!("{members} members, {shared} classes of several, {alone} NSGs alone");
    assert!(members > 60 && shared > 10 && alone > 5);
}

#[test]
fn a_limit_is_named_when_it_is_reached() {
    let generated = estate::known(1, 0);
    let few = Limits { states: 1, ..limits() };
    let list = RuleList::new(&generated.policy, Direction::Inbound, 0, 0, few);
    let error = list.shares().expect_err("one state is too few").to_string();
    assert!(error.contains("more than 1 states"), "{error}");
}
