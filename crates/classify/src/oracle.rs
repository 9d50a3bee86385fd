//! The truth: a naive first-match evaluator over the effective rules of an interface.
//!
//! Every faster engine, the kernel program among them, is compared with this one, so it is written to be read and not to be
//! fast. Where the estate does not tell enough, it asks for every possibility: the answer is `Unknown` only if they
//! differ. Semantics: `docs/semantics.md` (Azure NSG overview; security admin rules of Virtual Network Manager).

use palisade_model::{
    Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, PlatformService, Ports, Truth,
    is_link_control,
};
use palisade_net::{Direction, Flow, Protocol, ProtocolMatch};

use crate::{Decision, Hit, Verdict};

/// What happens to `flow`.
pub fn decide(policy: &EffectivePolicy, flow: &Flow) -> Decision {
    decide_among(policy, flow, |layer| 0..policy.layers(flow.direction())[layer].rules.len())
}

/// What happens to `flow`, where the caller vouches that no rule of a layer but its `candidates` can match. Candidates are
/// indexes of rules, in order.
pub(crate) fn decide_among<I: Iterator<Item = usize>>(
    policy: &EffectivePolicy,
    flow: &Flow,
    candidates: impl Fn(usize) -> I,
) -> Decision {
    if is_link_control(flow) {
        return Decision::LINK_CONTROL;
    }
    let service = platform_service(policy, flow);
    let layers = policy.layers(flow.direction()).iter().enumerate();
    let outcomes: Vec<Vec<Outcome>> = layers
        .map(|(index, layer)| {
            let rules = || candidates(index).map(|rule| (rule, &layer.rules[rule]));
            outcomes(index, layer, flow, service, rules)
        })
        .collect();
    if verdicts_differ(&outcomes) {
        return Decision::UNDETERMINED;
    }
    let surely = outcomes.iter().map(|outcomes| *outcomes.last().expect("a layer has an outcome"));
    let (verdict, hit) = walk(surely);
    Decision::of(verdict, hit, policy, flow.direction())
}

/// What one layer may say.
#[derive(Clone, Copy)]
enum Outcome {
    /// Nothing: no rule matched, or there is no such layer.
    Silent,
    Says(Access, Hit),
}

/// One outcome a layer, in order: the first layer that denies or always allows decides; otherwise every layer let the flow
/// pass, and the last one that said so is named.
fn walk(outcomes: impl Iterator<Item = Outcome>) -> (Verdict, Hit) {
    let mut allowed = Hit::Nothing;
    for outcome in outcomes {
        match outcome {
            Outcome::Silent => {}
            Outcome::Says(Access::Allow, hit) => allowed = hit,
            Outcome::Says(Access::AlwaysAllow, hit) => return (Verdict::Allow, hit),
            Outcome::Says(Access::Deny, hit) => return (Verdict::Deny, hit),
        }
    }
    (Verdict::Allow, allowed)
}

/// Whether one choice of outcomes lets the flow pass and another drops it.
fn verdicts_differ(layers: &[Vec<Outcome>]) -> bool {
    let (mut passes, mut drops) = (false, false);
    for outcomes in layers {
        let says = |access| outcomes.iter().any(|o| matches!(o, Outcome::Says(said, _) if *said == access));
        passes |= says(Access::AlwaysAllow);
        drops |= says(Access::Deny);
        let goes_on = says(Access::Allow) || outcomes.iter().any(|o| matches!(o, Outcome::Silent));
        if !goes_on {
            return passes && drops;
        }
    }
    drops
}

/// Everything that `layer` may say of `flow`. The last is what it says if nothing exists or matches that is not sure to.
fn outcomes<'a, I: Iterator<Item = Numbered<'a>>>(
    index: usize,
    layer: &EffectiveLayer,
    flow: &Flow,
    service: Option<PlatformService>,
    rules: impl Fn() -> I,
) -> Vec<Outcome> {
    let mut found = match (layer.layer, service) {
        (Layer::Subnet | Layer::NetworkInterface, Some(service)) => {
            let named = rules().filter(|(_, rule)| rule.services.contains(&service));
            replace_silence(first_matches(index, named, flow), exempt(index, rules(), flow))
        }
        _ => first_matches(index, rules(), flow),
    };
    if layer.layer != Layer::Admin {
        // Every NSG ends with a rule that matches everything; a list that does not is incomplete, and fails closed.
        found = replace_silence(found, Outcome::Says(Access::Deny, Hit::Nothing));
    }
    if layer.layer == Layer::PublicAddress {
        // Where it is not closed, it has no say.
        found.iter_mut().for_each(silence_allow);
    }
    if !layer.certain {
        found.push(Outcome::Silent);
    }
    found
}

const fn silence_allow(outcome: &mut Outcome) {
    if matches!(outcome, Outcome::Says(Access::Allow, _)) {
        *outcome = Outcome::Silent;
    }
}

/// A rule and its index in its layer.
type Numbered<'a> = (usize, &'a EffectiveRule);

/// The first rule that matches: all those that may be it, and then the one that surely matches, or silence.
fn first_matches<'a>(index: usize, rules: impl Iterator<Item = Numbered<'a>>, flow: &Flow) -> Vec<Outcome> {
    let mut found = Vec::new();
    for (number, rule) in rules {
        let truth = matches(rule, flow);
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

fn replace_silence(mut outcomes: Vec<Outcome>, with: Outcome) -> Vec<Outcome> {
    for outcome in &mut outcomes {
        if matches!(outcome, Outcome::Silent) {
            *outcome = with;
        }
    }
    outcomes
}

/// Traffic of the platform passes. Where the rules would have let it pass anyway, the rule is named.
fn exempt<'a>(index: usize, rules: impl Iterator<Item = Numbered<'a>>, flow: &Flow) -> Outcome {
    match first_matches(index, rules, flow).as_slice() {
        [Outcome::Says(Access::Allow, hit)] => Outcome::Says(Access::Allow, *hit),
        _ => Outcome::Says(Access::Allow, Hit::Exempt { layer: index }),
    }
}

/// The platform's service that a machine is calling.
fn platform_service(policy: &EffectivePolicy, flow: &Flow) -> Option<PlatformService> {
    let mut services = policy.services.iter().filter(|(service, addresses)| {
        flow.direction() == Direction::Outbound
            && addresses.contains(flow.destination())
            && service.protocols().contains(&flow.protocol())
            && service.ports().contains(flow.destination_port())
    });
    services.next().map(|(service, _)| *service)
}

/// Whether a rule matches a flow: every field must.
pub(crate) fn matches(rule: &EffectiveRule, flow: &Flow) -> Truth {
    let exists = if rule.certain { Truth::Yes } else { Truth::Maybe };
    exists
        .and(protocol_matches(rule, flow.protocol()))
        .and(rule.source.contains(flow.source()))
        .and(rule.destination.contains(flow.destination()))
        .and(port_matches(rule, &rule.source_ports, flow.protocol(), flow.source_port(), false))
        .and(port_matches(rule, &rule.destination_ports, flow.protocol(), flow.destination_port(), true))
}

fn protocol_matches(rule: &EffectiveRule, protocol: Protocol) -> Truth {
    match rule.protocol {
        Maybe::Unknown => Truth::Maybe,
        Maybe::Known(field) if field.matches(protocol) => Truth::Yes,
        Maybe::Known(_) => Truth::No,
    }
}

/// A port field that is not `*` matches TCP and UDP by port; as a destination it matches ICMP by type in a rule that names
/// ICMP; and it matches nothing else (`docs/semantics.md`, Decisions).
fn port_matches(
    rule: &EffectiveRule,
    ports: &Ports,
    protocol: Protocol,
    port: u16,
    destination: bool,
) -> Truth {
    let names_icmp = destination && protocol.is_icmp() && rule.protocol != Maybe::Known(ProtocolMatch::Any);
    let set = match ports {
        Ports::Unknown => return Truth::Maybe,
        Ports::Known(set) => set,
    };
    match set.is_full() || ((protocol.has_ports() || names_icmp) && set.contains(port)) {
        true => Truth::Yes,
        false => Truth::No,
    }
}
