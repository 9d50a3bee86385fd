//! Time-limited access behind security admin rules, as one list.
//!
//! A security admin rule that allows leaves the decision to the NSGs, and so to what closes and opens doors before them. In one
//! list the first rule that matches decides; so before each rule that allows stands what the doors say of its packets. Invariant: the
//! list decides as both would one after the other.

use palisade_net::{PortSet, ProtocolMatch};

use super::EffectiveRule;
use crate::{Access, Addresses, Maybe, Ports, Window};

/// The rules of both lists, the doors behind the others.
pub(super) fn behind(rules: Vec<EffectiveRule>, doors: &[EffectiveRule]) -> Vec<EffectiveRule> {
    let mut all = Vec::with_capacity(rules.len() + doors.len());
    for rule in rules {
        if may_leave_open(&rule) {
            all.extend(doors.iter().filter_map(|door| within(door, &rule)));
        }
        all.push(rule);
    }
    all.extend(doors.iter().cloned());
    all
}

fn may_leave_open(rule: &EffectiveRule) -> bool {
    rule.access.known().is_none_or(|access| access == Access::Allow)
}

/// A door's rule for those packets that `outer` matches or may match; `None` if there are none.
fn within(door: &EffectiveRule, outer: &EffectiveRule) -> Option<EffectiveRule> {
    let rule = EffectiveRule {
        protocol: protocol(door, outer)?,
        source: addresses(&door.source, &outer.source)?,
        source_ports: ports(&door.source_ports, &outer.source_ports)?,
        destination: addresses(&door.destination, &outer.destination)?,
        destination_ports: ports(&door.destination_ports, &outer.destination_ports)?,
        window: window(door.window, outer.window)?,
        certain: door.certain && outer.certain && outer.access.known().is_some(),
        ..door.clone()
    };
    Some(rule)
}

/// The protocols that both match. Of all protocols a rule with ports matches those alone that have some.
fn protocol(one: &EffectiveRule, other: &EffectiveRule) -> Option<Maybe<ProtocolMatch>> {
    let (Maybe::Known(first), Maybe::Known(second)) = (one.protocol, other.protocol) else {
        return Some(Maybe::Unknown);
    };
    let both = match (first, second) {
        (ProtocolMatch::Any, second) => second,
        (first, ProtocolMatch::Any) => first,
        (ProtocolMatch::Icmp, ProtocolMatch::Number(number)) if number.is_icmp() => second,
        (ProtocolMatch::Number(number), ProtocolMatch::Icmp) if number.is_icmp() => first,
        (first, second) => (first == second).then_some(first)?,
    };
    let is_out_of_reach = |rule: &EffectiveRule| {
        rule.protocol == Maybe::Known(ProtocolMatch::Any) && names_ports(rule) && is_portless(both)
    };
    let meets = !is_out_of_reach(one) && !is_out_of_reach(other);
    meets.then_some(Maybe::Known(both))
}

fn names_ports(rule: &EffectiveRule) -> bool {
    let is_some = |ports: &Ports| matches!(ports, Ports::Known(set) if !set.is_full());
    is_some(&rule.source_ports) || is_some(&rule.destination_ports)
}

fn is_portless(protocol: ProtocolMatch) -> bool {
    match protocol {
        ProtocolMatch::Any => false,
        ProtocolMatch::Icmp => true,
        ProtocolMatch::Number(number) => !number.has_ports(),
    }
}

fn addresses(one: &Addresses, other: &Addresses) -> Option<Addresses> {
    let both = one.intersection(other);
    (!both.may().is_empty()).then_some(both)
}

fn ports(one: &Ports, other: &Ports) -> Option<Ports> {
    let (Ports::Known(one), Ports::Known(other)) = (one, other) else { return Some(Ports::Unknown) };
    let both: PortSet = one.intersection(other);
    (!both.is_empty()).then_some(Ports::Known(both))
}

fn window(one: Window, other: Window) -> Option<Window> {
    let first = one.not_before().max(other.not_before());
    let ends = [one.expires_at(), other.expires_at()];
    Window::new(first, ends.into_iter().flatten().min())
}
