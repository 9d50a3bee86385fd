//! What the comparisons reached, and what they must reach.

use std::collections::{BTreeMap, BTreeSet};

use palisade_classify::{Decision, Hit, Reason, Verdict};
use palisade_model::{
    Access, ComputedTag, EffectiveLayer, EffectivePolicy, Layer, Maybe, Mode, PlatformService, Window,
};
use palisade_net::{Direction, Family, Flow, Protocol};

/// What the comparisons reached.
#[derive(Debug, Default)]
pub struct Reached {
    pub cases: usize,
    pub verdicts: BTreeMap<Verdict, usize>,
    pub reasons: BTreeMap<(Reason, Verdict), usize>,
    layers: BTreeMap<(Layer, Direction, Verdict), usize>,
    default_rules: BTreeMap<String, usize>,
    tags: BTreeMap<ComputedTag, usize>,
    services: BTreeSet<PlatformService>,
    always_allowed: usize,
    /// Verdicts, and what they would be if nothing were in audit.
    pub shadows: BTreeMap<(Verdict, Verdict), usize>,
    /// What decided in the shadow.
    shadow_reasons: BTreeMap<Reason, usize>,
    /// Flows at interfaces where something is in audit.
    beside_audit: usize,
    /// Rules with a window that decided.
    in_windows: usize,
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
    pub fn note(&mut self, policy: &EffectivePolicy, flow: &Flow, decision: Decision) {
        let verdict = decision.verdict;
        if let Some(shadow) = decision.shadow {
            *self.shadows.entry((verdict, shadow.verdict)).or_default() += 1;
            *self.shadow_reasons.entry(shadow.reason).or_default() += 1;
        }
        let is_audit = |layer: &EffectiveLayer| {
            layer.mode == Mode::Audit || layer.rules.iter().any(|rule| rule.mode == Mode::Audit)
        };
        self.beside_audit += usize::from(policy.layers(flow.direction()).iter().any(is_audit));
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
        self.in_windows += usize::from(rule.window != Window::ALWAYS);
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
    pub fn assert_complete(&self) {
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
        for shadow in [(Verdict::Allow, Verdict::Deny), (Verdict::Deny, Verdict::Allow)] {
            assert!(self.shadows.get(&shadow).is_some_and(|count| *count > 100), "{shadow:?}: {self:#?}");
        }
        for reason in [Reason::UserRule, Reason::DefaultRule] {
            assert!(self.shadow_reasons.get(&reason).is_some_and(|count| *count > 20), "{reason}: {self:#?}");
        }
        assert!(self.beside_audit > 1_000 && self.in_windows > 100, "{self:#?}");
    }
}
