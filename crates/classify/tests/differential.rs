//! On generated estates the oracle, the compiled engine and the kernel's blobs give one answer, and a sure answer holds
//! whatever the open parts turn out to be. The tests count what they reached, and fail if they missed an outcome.

use std::collections::{BTreeMap, BTreeSet};

use palisade_abi::verdict::Action;
use palisade_classify::{
    Decision, Engine, Hit, Reason, Verdict,
    blob::BlobView,
    enforce::{self, EnforceError, PolicyBlobs},
    generate::{
        Random,
        estate::{self, Generated},
    },
    oracle,
};
use palisade_model::{
    Access, Addresses, ComputedTag, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe,
    PlatformService, Ports, is_link_control,
};
use palisade_net::{AddressSet, Direction, Family, Flow, PortSet, Protocol, ProtocolMatch};

/// When flows are asked about where nothing depends on it.
const NOW: u32 = 1_800_000_000;

/// What the comparisons reached.
#[derive(Debug, Default)]
struct Reached {
    cases: usize,
    verdicts: BTreeMap<Verdict, usize>,
    reasons: BTreeMap<(Reason, Verdict), usize>,
    layers: BTreeMap<(Layer, Direction, Verdict), usize>,
    default_rules: BTreeMap<String, usize>,
    tags: BTreeMap<ComputedTag, usize>,
    services: BTreeSet<PlatformService>,
    always_allowed: usize,
    kinds: BTreeMap<(Family, &'static str, Verdict), usize>,
}

const fn kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TCP => "tcp",
        Protocol::UDP => "udp",
        Protocol::ICMP | Protocol::ICMPV6 => "icmp",
        _ => "other",
    }
}

impl Reached {
    fn note(&mut self, policy: &EffectivePolicy, flow: &Flow, decision: Decision) {
        let verdict = decision.verdict;
        self.cases += 1;
        *self.verdicts.entry(verdict).or_default() += 1;
        *self.reasons.entry((decision.reason, verdict)).or_default() += 1;
        *self.kinds.entry((flow.family(), kind(flow.protocol()), verdict)).or_default() += 1;
        let Hit::Rule { layer, rule } = decision.hit else { return };
        let layer = &policy.layers(flow.direction())[layer];
        *self.layers.entry((layer.layer, flow.direction(), verdict)).or_default() += 1;
        let rule = &layer.rules[rule];
        if rule.is_default() && layer.layer != Layer::PublicAddress {
            *self.default_rules.entry(rule.name.clone()).or_default() += 1;
        }
        self.always_allowed += usize::from(rule.access == Maybe::Known(Access::AlwaysAllow));
        self.services.extend(&rule.services);
        for tag in ComputedTag::ALL {
            let name = tag.name().parse().expect("a computed tag has a valid name");
            let sides = [&rule.source_field, &rule.destination_field];
            let names = sides.iter().any(|field| field.names_tag(&name));
            *self.tags.entry(tag).or_default() += usize::from(names);
        }
    }

    /// What estates with and without open parts both reach.
    fn assert_complete(&self) {
        for verdict in [Verdict::Allow, Verdict::Deny] {
            for family in Family::ALL {
                for kind in ["tcp", "udp", "icmp", "other"] {
                    let count = self.kinds.get(&(family, kind, verdict)).copied().unwrap_or_default();
                    assert!(count > 100, "{family:?} {kind} {verdict}: {self:#?}");
                }
            }
            for (layer, direction) in [
                (Layer::Admin, Direction::Inbound),
                (Layer::Admin, Direction::Outbound),
                (Layer::Subnet, Direction::Inbound),
                (Layer::Subnet, Direction::Outbound),
                (Layer::NetworkInterface, Direction::Inbound),
                (Layer::NetworkInterface, Direction::Outbound),
            ] {
                let count = self.layers.get(&(layer, direction, verdict)).copied().unwrap_or_default();
                assert!(count > 100, "{layer} {direction} {verdict}: {self:#?}");
            }
        }
        for (reason, verdict) in [
            (Reason::UserRule, Verdict::Allow),
            (Reason::UserRule, Verdict::Deny),
            (Reason::DefaultRule, Verdict::Allow),
            (Reason::DefaultRule, Verdict::Deny),
            (Reason::AdminRule, Verdict::Allow),
            (Reason::AdminRule, Verdict::Deny),
            (Reason::NoSecurityGroup, Verdict::Allow),
            (Reason::PlatformExempt, Verdict::Allow),
            (Reason::LinkControl, Verdict::Allow),
            (Reason::PublicAddressClosed, Verdict::Deny),
        ] {
            let count = self.reasons.get(&(reason, verdict)).copied().unwrap_or_default();
            assert!(count > 50, "{reason} {verdict}: {self:#?}");
        }
        assert_eq!(self.default_rules.len(), 6, "{self:#?}");
        assert!(self.default_rules.values().all(|count| *count > 50), "{self:#?}");
        assert!(
            ComputedTag::ALL.iter().all(|tag| self.tags.get(tag).is_some_and(|count| *count > 20)),
            "{self:#?}"
        );
        // The agent's channel has no tag that a rule could name.
        assert_eq!(self.services.len(), PlatformService::ALL.len() - 1, "{self:#?}");
        assert!(self.always_allowed > 100, "{self:#?}");
    }
}

/// The engine answers like the oracle.
fn compare_engine(generated: &Generated, reached: &mut Reached) {
    let engine = Engine::new(generated.policy.clone()).expect("generated policies are within the limits");
    for flow in &generated.flows {
        let decision = oracle::decide(&generated.policy, flow, NOW);
        assert_eq!(engine.decide(flow, NOW), decision, "{flow:?}\n{:#?}", generated.policy);
        reached.note(&generated.policy, flow, decision);
    }
}

/// What the kernel program does with the blobs of one direction, as `judge` in `bpf/policy.h` does it.
fn judge(blobs: &PolicyBlobs, flow: &Flow) -> (Verdict, Option<usize>) {
    if is_link_control(flow) {
        return (Verdict::Allow, None);
    }
    let layers = match flow.direction() {
        Direction::Inbound => &blobs.inbound,
        Direction::Outbound => &blobs.outbound,
    };
    for (place, blob) in layers.iter().enumerate() {
        let Some(blob) = blob else { continue };
        let view = BlobView::parse(&blob.blob).expect("compiled blobs are sound");
        match view.lookup(flow, NOW).rule.map(|(_, action)| action) {
            None if place == 0 => {}
            Some(Action::Allow) => {}
            Some(Action::AlwaysAllow) => return (Verdict::Allow, Some(place)),
            None | Some(Action::Deny | Action::Closed) => return (Verdict::Deny, Some(place)),
        }
    }
    (Verdict::Allow, None)
}

/// Where the oracle's decision ends the evaluation; `None` if every layer let the flow pass.
fn end(decision: &Decision, policy: &EffectivePolicy, direction: Direction) -> Option<usize> {
    let Hit::Rule { layer, rule } = decision.hit else { return None };
    let layer = &policy.layers(direction)[layer];
    let ends =
        decision.verdict == Verdict::Deny || layer.rules[rule].access == Maybe::Known(Access::AlwaysAllow);
    let place = match (layer.layer, direction) {
        (Layer::Admin, _) => 0,
        (Layer::Subnet, Direction::Inbound) | (Layer::NetworkInterface, Direction::Outbound) => 1,
        _ => 2,
    };
    ends.then_some(place)
}

#[test]
fn oracle_engine_and_blobs_agree_where_everything_is_known() {
    let mut reached = Reached::default();
    for seed in 0..500 {
        let generated = estate::known(seed, 200);
        compare_engine(&generated, &mut reached);
        let blobs = enforce::compile(&generated.policy).expect("everything is known");
        for flow in &generated.flows {
            let decision = oracle::decide(&generated.policy, flow, NOW);
            let expected = (decision.verdict, end(&decision, &generated.policy, flow.direction()));
            assert_eq!(judge(&blobs, flow), expected, "seed {seed}, {flow:?}\n{:#?}", generated.policy);
        }
    }
    assert!(reached.cases >= 100_000);
    assert_eq!(reached.verdicts.get(&Verdict::Unknown), None, "nothing is open");
    reached.assert_complete();
}

#[test]
fn oracle_and_engine_agree_where_parts_are_open() {
    let mut reached = Reached::default();
    let mut refused = 0;
    for seed in 0..500 {
        let generated = estate::any(seed, 100);
        compare_engine(&generated, &mut reached);
        refused += usize::from(matches!(
            enforce::compile(&generated.policy),
            Err(EnforceError::Unknown { .. } | EnforceError::Uncertain { .. })
        ));
    }
    assert!(reached.cases >= 50_000);
    reached.assert_complete();
    let unknown = reached.reasons.get(&(Reason::Undetermined, Verdict::Unknown)).copied().unwrap_or_default();
    assert!(unknown > 1_000, "{reached:#?}");
    assert!((50..450).contains(&refused), "{refused} of 500 could not be enforced");
}

/// One way in which the open parts may turn out.
fn completed(policy: &EffectivePolicy, random: &mut Random) -> EffectivePolicy {
    let mut complete = |layers: &[EffectiveLayer]| -> Vec<EffectiveLayer> {
        let exist =
            layers.iter().filter(|layer| layer.certain || random.chance(50)).cloned().collect::<Vec<_>>();
        let complete_layer = |mut layer: EffectiveLayer| {
            layer.certain = true;
            layer.rules.retain(|rule| rule.certain || random.chance(50));
            layer.rules.iter_mut().for_each(|rule| complete_rule(rule, random));
            layer
        };
        exist.into_iter().map(complete_layer).collect()
    };
    EffectivePolicy {
        inbound: complete(&policy.inbound),
        outbound: complete(&policy.outbound),
        services: policy.services.clone(),
    }
}

fn complete_rule(rule: &mut EffectiveRule, random: &mut Random) {
    rule.certain = true;
    let access = *random.pick(&[Access::Allow, Access::Deny]);
    rule.access = Maybe::Known(rule.access.known().unwrap_or(access));
    let protocol =
        *random.pick(&[ProtocolMatch::Any, ProtocolMatch::TCP, ProtocolMatch::UDP, ProtocolMatch::Icmp]);
    rule.protocol = Maybe::Known(rule.protocol.known().unwrap_or(protocol));
    for set in [&mut rule.source, &mut rule.destination] {
        let open = set.may().difference(set.must());
        let half: AddressSet = ["0.0.0.0/1", "2000::/3"]
            .map(|p| p.parse::<palisade_net::Prefix>().expect("a prefix"))
            .into_iter()
            .collect();
        let found = match random.below(4) {
            0 => AddressSet::empty(),
            1 => open.intersection(&half),
            2 => open.difference(&half),
            _ => open,
        };
        *set = Addresses::exactly(set.must().union(&found));
    }
    for ports in [&mut rule.source_ports, &mut rule.destination_ports] {
        if *ports == Ports::Unknown {
            let some: PortSet = [(0, 1023)].into_iter().collect();
            *ports = Ports::Known(if random.chance(50) { PortSet::full() } else { some });
        }
    }
}

/// `Unknown` is the only answer that may change.
#[test]
fn a_sure_answer_holds_whatever_is_found_out() {
    let mut random = Random::new(7);
    let (mut held, mut open, mut differed) = (0, 0, 0);
    for seed in 0..300 {
        let generated = estate::any(seed, 40);
        let sure: Vec<Verdict> =
            generated.flows.iter().map(|flow| oracle::decide(&generated.policy, flow, NOW).verdict).collect();
        let mut seen: Vec<BTreeSet<Verdict>> = vec![BTreeSet::new(); sure.len()];
        for _ in 0..12 {
            let completed = completed(&generated.policy, &mut random);
            for ((flow, sure), seen) in generated.flows.iter().zip(&sure).zip(&mut seen) {
                let found = oracle::decide(&completed, flow, NOW).verdict;
                assert_ne!(found, Verdict::Unknown, "everything is known now: {flow:?}\n{completed:#?}");
                assert!(
                    *sure == Verdict::Unknown || found == *sure,
                    "seed {seed}: {sure} turned to {found}, {flow:?}\n{:#?}\n{completed:#?}",
                    generated.policy
                );
                seen.insert(found);
            }
        }
        held += sure.iter().filter(|verdict| **verdict != Verdict::Unknown).count();
        open += sure.iter().filter(|verdict| **verdict == Verdict::Unknown).count();
        differed += seen.iter().filter(|verdicts| verdicts.len() > 1).count();
    }
    assert!(held > 5_000 && open > 500, "{held} sure, {open} open");
    // Not every possibility is tried, but most open answers are open for a reason.
    assert!(differed * 2 > open, "{differed} of {open} open answers came out both ways");
}

#[test]
fn generated_estates_repeat() {
    for seed in 0..20 {
        let (once, again) = (estate::any(seed, 50), estate::any(seed, 50));
        assert_eq!((&once.policy, &once.flows), (&again.policy, &again.flows));
        assert_eq!(once.flows.len(), 50);
        assert!(once.estate.nics_named("n").iter().any(|nic| *nic.id() == once.nic));
    }
}
