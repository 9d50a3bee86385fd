//! The truth: a naive first-match evaluator over the effective rules of an interface.
//!
//! Every faster engine, the kernel program among them, is compared with this one, so it is written to be read and not to be
//! fast. Where the estate does not tell enough, it asks for every possibility: the answer is `Unknown` only if they
//! differ. The time is an argument. Semantics: `docs/semantics.md` (Azure NSG overview; security admin rules of Virtual
//! Network Manager).

mod fragment;
mod outcome;
mod pace;
mod rule;
mod view;

use palisade_model::{
    Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, PlatformService, Truth,
    is_link_control,
};
use palisade_net::{Direction, Flow};

pub use fragment::decide_fragment;
pub use outcome::{Outcome, conclude, settle};
pub use pace::Pace;
pub use rule::Comparison;
pub(crate) use rule::matches;
pub(crate) use view::{Asked, View, has_audit};

use crate::{Decision, Hit};

/// What happens to `flow` at `now`, in seconds since 1970.
pub fn decide(policy: &EffectivePolicy, flow: &Flow, now: u32) -> Decision {
    decide_among(policy, flow, now, |layer| 0..policy.layers(flow.direction())[layer].rules.len())
}

/// What the rules say to `flow` at `now`, also where they are not asked because the link needs it.
pub fn decide_by_rules(policy: &EffectivePolicy, flow: &Flow, now: u32) -> Decision {
    let rules = |layer: usize| 0..policy.layers(flow.direction())[layer].rules.len();
    Question { policy, flow, now, view: View::InForce }.decide(rules)
}

/// What happens to `flow`, where the caller vouches that no rule of a layer but its `candidates` can match. Candidates are
/// indexes of rules, in order.
pub(crate) fn decide_among<I: Iterator<Item = usize>>(
    policy: &EffectivePolicy,
    flow: &Flow,
    now: u32,
    candidates: impl Fn(usize) -> I,
) -> Decision {
    if is_link_control(flow) {
        return Decision::LINK_CONTROL;
    }
    let in_force = Question { policy, flow, now, view: View::InForce };
    let decision = in_force.decide(&candidates);
    if !has_audit(policy.layers(flow.direction())) {
        return decision;
    }
    decision.beside(Question { view: View::WithAudit, ..in_force }.decide(&candidates))
}

/// A rule and its index in its layer.
type Numbered<'a> = (usize, &'a EffectiveRule);

#[derive(Clone, Copy)]
struct Question<'a> {
    policy: &'a EffectivePolicy,
    flow: &'a Flow,
    now: u32,
    view: View,
}

impl<'a> Question<'a> {
    /// The answer of the rules.
    fn decide<I: Iterator<Item = usize>>(self, candidates: impl Fn(usize) -> I) -> Decision {
        let direction = self.flow.direction();
        let service = platform_service(self.policy, self.flow);
        let layers = self.policy.layers(direction);
        let outcomes: Vec<Vec<Outcome>> = (0..layers.len())
            .map(|index| {
                let rules = || candidates(index).map(|rule| (rule, &layers[index].rules[rule]));
                match self.view.asks(layers, index) {
                    Asked::No => vec![Outcome::Silent],
                    Asked::Yes => self.outcomes(index, &layers[index], service, rules),
                    Asked::Perhaps => {
                        let mut outcomes = self.outcomes(index, &layers[index], service, rules);
                        outcomes.push(Outcome::Silent);
                        outcomes
                    }
                }
            })
            .collect();
        match conclude(&outcomes) {
            Some((verdict, hit)) => Decision::of(verdict, hit, self.policy, direction),
            None => Decision::UNDETERMINED,
        }
    }

    /// Everything that `layer` may say. The last is what it says if nothing exists or matches that is not sure to.
    fn outcomes<I: Iterator<Item = Numbered<'a>>>(
        self,
        index: usize,
        layer: &EffectiveLayer,
        service: Option<PlatformService>,
        rules: impl Fn() -> I,
    ) -> Vec<Outcome> {
        let found = match (layer.layer, service) {
            (Layer::Subnet | Layer::NetworkInterface, Some(service)) => {
                let named = rules().filter(|(_, rule)| rule.services.contains(&service));
                outcome::replace_silence(self.first_matches(index, named), self.exempt(index, rules()))
            }
            _ => self.first_matches(index, rules()),
        };
        settle(layer, found)
    }

    /// The first rule that matches: all those that may be it, and then the one that surely matches, or silence.
    fn first_matches(self, index: usize, rules: impl Iterator<Item = Numbered<'a>>) -> Vec<Outcome> {
        let mut found = Vec::new();
        for (number, rule) in rules.filter(|(_, rule)| self.view.asks_rule(rule)) {
            let truth = matches(rule, self.flow, self.now);
            if truth == Truth::No {
                continue;
            }
            let hit = Hit::Rule { layer: index, rule: number };
            match rule.access {
                Maybe::Known(access) => found.push(Outcome::Says(access, hit)),
                Maybe::Unknown => {
                    found.extend([Access::Deny, Access::Allow].map(|access| Outcome::Says(access, hit)));
                }
            }
            if truth == Truth::Yes {
                return found;
            }
        }
        found.push(Outcome::Silent);
        found
    }

    /// Traffic of the platform passes. Where the rules would have let it pass anyway, the rule is named.
    fn exempt(self, index: usize, rules: impl Iterator<Item = Numbered<'a>>) -> Outcome {
        match self.first_matches(index, rules).as_slice() {
            [Outcome::Says(Access::Allow, hit)] => Outcome::Says(Access::Allow, *hit),
            _ => Outcome::Says(Access::Allow, Hit::Exempt { layer: index }),
        }
    }
}

/// The platform's service that a machine is calling: its tag's rules are asked, and no others can stop it.
pub fn platform_service(policy: &EffectivePolicy, flow: &Flow) -> Option<PlatformService> {
    let mut services = policy.services.iter().filter(|(service, addresses)| {
        flow.direction() == Direction::Outbound
            && addresses.contains(flow.destination())
            && service.protocols().contains(&flow.protocol())
            && service.ports().contains(flow.destination_port())
    });
    services.next().map(|(service, _)| *service)
}
