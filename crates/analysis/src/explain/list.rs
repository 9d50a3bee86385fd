//! What each rule list says of one packet, and because of which rules.
//!
//! It must not decide anything itself: what a list says is the oracle's answer for that list alone.

use palisade_classify::{
    Decision, Verdict,
    oracle::{self, Comparison},
};
use palisade_model::{
    Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode, PlatformService, Truth,
};
use palisade_net::Flow;

/// One rule list, asked about one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consulted {
    /// Index in [`EffectivePolicy::layers`].
    pub layer: usize,
    /// Whether the list has a say.
    pub standing: Standing,
    /// What it says by itself.
    pub verdict: Verdict,
    /// The rule by which it says so, by index; `None` where no rule does, or it is not known which.
    pub rule: Option<usize>,
    /// The service of the platform that the packet is meant for; only rules that name its tag are asked.
    pub service: Option<PlatformService>,
    /// The rules that were asked, in their order, up to the one that surely matched.
    pub rules: Vec<Asked>,
}

/// Whether a list has a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It has.
    Asked,
    /// It is in audit: what it says is only counted.
    InAudit,
    /// A list before it has decided for all.
    Settled,
    /// It may not be there.
    Perhaps,
}

/// One rule that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Its index in the list.
    pub rule: usize,
    /// Field by field.
    pub fields: Comparison,
    /// Whether it is in its window.
    pub in_window: bool,
    /// Whether it is only counted.
    pub in_audit: bool,
    /// Whether it surely exists.
    pub certain: bool,
}

impl Asked {
    /// Whether the rule applies: all of it matches, and it is in force.
    pub fn applies(&self) -> Truth {
        let in_force = Truth::from(self.in_window && !self.in_audit);
        let exists = if self.certain { Truth::Yes } else { Truth::Maybe };
        self.fields.all().and(in_force).and(exists)
    }
}

/// Every list of a policy about a packet at `now`, in their order.
pub(super) fn consulted(policy: &EffectivePolicy, flow: &Flow, now: u32) -> Vec<Consulted> {
    let service = oracle::platform_service(policy, flow);
    let mut settled = false;
    let mut all = Vec::new();
    for (index, layer) in policy.layers(flow.direction()).iter().enumerate() {
        let decision = alone(policy, layer, flow, now);
        let standing = match layer.mode {
            _ if settled => Standing::Settled,
            Mode::Audit => Standing::InAudit,
            Mode::Enforce if !layer.certain => Standing::Perhaps,
            Mode::Enforce => Standing::Asked,
        };
        let rule = rule_of(&decision);
        let service = service.filter(|_| matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface));
        let rules = asked(layer, service, flow, now);
        settled |= standing == Standing::Asked && settles(layer, &decision);
        all.push(Consulted { layer: index, standing, verdict: decision.verdict, rule, service, rules });
    }
    all
}

/// Whether nothing after a list is asked: it denies, or always allows.
fn settles(layer: &EffectiveLayer, decision: &Decision) -> bool {
    let always = rule_of(decision).map(|rule| layer.rules[rule].access);
    decision.verdict == Verdict::Deny || always == Some(Maybe::Known(Access::AlwaysAllow))
}

/// The rule that decides, by index.
pub(super) const fn rule_of(decision: &Decision) -> Option<usize> {
    match decision.hit {
        palisade_classify::Hit::Rule { rule, .. } => Some(rule),
        _ => None,
    }
}

/// The answer of a list as if it stood alone and were enforced.
pub(super) fn alone(policy: &EffectivePolicy, layer: &EffectiveLayer, flow: &Flow, now: u32) -> Decision {
    let layer = EffectiveLayer { mode: Mode::Enforce, certain: true, ..layer.clone() };
    let (mut inbound, mut outbound) = (Vec::new(), Vec::new());
    match flow.direction() {
        palisade_net::Direction::Inbound => inbound.push(layer),
        palisade_net::Direction::Outbound => outbound.push(layer),
    }
    let policy = EffectivePolicy { inbound, outbound, services: policy.services.clone() };
    oracle::decide_by_rules(&policy, flow, now)
}

/// The rules that are asked, up to one that surely applies.
fn asked(layer: &EffectiveLayer, service: Option<PlatformService>, flow: &Flow, now: u32) -> Vec<Asked> {
    let is_asked = |rule: &EffectiveRule| service.is_none_or(|service| rule.services.contains(&service));
    let mut found = Vec::new();
    for (index, rule) in layer.rules.iter().enumerate().filter(|(_, rule)| is_asked(rule)) {
        let asked = Asked {
            rule: index,
            fields: Comparison::of(rule, flow),
            in_window: rule.window.contains(now),
            in_audit: rule.mode == Mode::Audit,
            certain: rule.certain,
        };
        found.push(asked);
        if asked.applies() == Truth::Yes {
            break;
        }
    }
    found
}
