//! The truth: a naive first-match evaluator over the effective rules of an interface.
//!
//! Every faster engine, the kernel program among them, is compared with this one, so it is written to be read and not to be
//! fast. Where the estate does not tell enough, it follows every possibility: the answer is `Unknown` only if the
//! possibilities differ. Semantics: `docs/semantics.md` (Azure NSG overview; security admin rules of Virtual Network Manager).

use palisade_model::{
    Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, PlatformService, Ports, Truth,
    is_link_control,
};
use palisade_net::{Flow, Protocol, ProtocolMatch};

use crate::{Decision, Hit, Verdict};

/// What happens to `flow`.
pub fn decide(policy: &EffectivePolicy, flow: &Flow) -> Decision {
    if is_link_control(flow) {
        return Decision::LINK_CONTROL;
    }
    let service = platform_service(policy, flow);
    let mut ends: Vec<(Verdict, Hit)> = Vec::new();
    // What may have allowed the flow so far. Layers are asked in turn as long as one of these is left.
    let mut allowed = vec![Hit::Nothing];
    for (index, layer) in policy.layers(flow.direction()).iter().enumerate() {
        let before = std::mem::take(&mut allowed);
        if before.is_empty() {
            break;
        }
        for outcome in outcomes(index, layer, flow, service) {
            match outcome {
                Outcome::Silent => allowed.extend(&before),
                Outcome::Says(Access::Allow, hit) => allowed.push(hit),
                Outcome::Says(Access::AlwaysAllow, hit) => ends.push((Verdict::Allow, hit)),
                Outcome::Says(Access::Deny, hit) => ends.push((Verdict::Deny, hit)),
            }
        }
    }
    ends.extend(allowed.into_iter().map(|hit| (Verdict::Allow, hit)));
    let (verdict, hit) = *ends.last().expect("a flow ends denied or allowed");
    if ends.iter().all(|(other, _)| *other == verdict) {
        Decision::of(verdict, hit, policy, flow.direction())
    } else {
        Decision::UNDETERMINED
    }
}

/// What one layer may say.
#[derive(Clone, Copy)]
enum Outcome {
    /// No rule matched, or there is no such layer.
    Silent,
    Says(Access, Hit),
}

/// Everything that `layer` may say of `flow`. The possibility in which only sure rules match comes last.
fn outcomes(
    index: usize,
    layer: &EffectiveLayer,
    flow: &Flow,
    service: Option<PlatformService>,
) -> Vec<Outcome> {
    let mut found = match service {
        Some(service) if matches!(layer.layer, Layer::Subnet | Layer::NetworkInterface) => {
            let named = first_matches(index, layer, flow, |rule| rule.services.contains(&service));
            replace_silence(named, || exempt(index, layer, flow))
        }
        _ => first_matches(index, layer, flow, |_| true),
    };
    if layer.layer != Layer::Admin {
        // Every NSG ends with a rule that matches everything; a list that does not is incomplete, and fails closed.
        let closed = Outcome::Says(Access::Deny, Hit::Nothing);
        found = replace_silence(found, || closed);
    }
    if !layer.certain {
        found.insert(0, Outcome::Silent);
    }
    found
}

/// The first rule that matches: all those that may be it, and then the one that surely matches, or silence.
fn first_matches(
    index: usize,
    layer: &EffectiveLayer,
    flow: &Flow,
    asked: impl Fn(&EffectiveRule) -> bool,
) -> Vec<Outcome> {
    let mut found = Vec::new();
    for (number, rule) in layer.rules.iter().enumerate().filter(|(_, rule)| asked(rule)) {
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

fn replace_silence(mut outcomes: Vec<Outcome>, with: impl Fn() -> Outcome) -> Vec<Outcome> {
    for outcome in &mut outcomes {
        if matches!(outcome, Outcome::Silent) {
            *outcome = with();
        }
    }
    outcomes
}

/// Traffic of the platform passes. Where the rules would have let it pass anyway, the rule is named.
fn exempt(index: usize, layer: &EffectiveLayer, flow: &Flow) -> Outcome {
    match first_matches(index, layer, flow, |_| true).as_slice() {
        [Outcome::Says(Access::Allow, hit)] => Outcome::Says(Access::Allow, *hit),
        _ => Outcome::Says(Access::Allow, Hit::Exempt { layer: index }),
    }
}

fn platform_service(policy: &EffectivePolicy, flow: &Flow) -> Option<PlatformService> {
    let outbound = flow.direction() == palisade_net::Direction::Outbound;
    let used = |(service, addresses): &&(PlatformService, palisade_net::AddressSet)| {
        addresses.contains(flow.destination())
            && service.protocols().contains(&flow.protocol())
            && service.ports().contains(flow.destination_port())
    };
    policy.services.iter().find(used).map(|(service, _)| *service).filter(|_| outbound)
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
/// ICMP; and it matches nothing else (spec section 3.5).
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
