//! The lists of an interface's own and the security admin rules, as one list.
//!
//! They are asked one after the other: what isolates the machine; who is locked out, but for packets that a grant lets through; the
//! security admin rules; the doors. A rule that allows without more leaves the decision to what stands behind its list. In one list
//! the first rule that matches decides; so before each such rule stands what the lists behind say of its packets. Invariant: the one
//! list decides as all would one after the other. Reference: docs/answers.md, docs/semantics.md.

use palisade_net::{PortSet, ProtocolMatch};

use super::EffectiveRule;
use crate::{Access, Addresses, Maybe, Ports, Window};

/// All lists as one.
pub(super) fn together(
    quarantine: Vec<EffectiveRule>,
    lockouts: Vec<EffectiveRule>,
    network: Vec<EffectiveRule>,
    doors: &[EffectiveRule],
) -> Vec<EffectiveRule> {
    let rest = behind(network, doors);
    let mut barred = if lockouts.is_empty() { Vec::new() } else { spared(&rest, doors) };
    barred.extend(behind(lockouts, &rest));
    behind(quarantine, &barred)
}

/// What decides about packets that a grant lets through: what would if nobody were locked out.
fn spared(rest: &[EffectiveRule], doors: &[EffectiveRule]) -> Vec<EffectiveRule> {
    let may_open =
        |rule: &&EffectiveRule| rule.access.known().is_none_or(|access| access == Access::AlwaysAllow);
    let mut all = Vec::new();
    for grant in doors.iter().filter(may_open) {
        // The grant is among the rules, and nothing behind it is asked about its packets.
        let last = rest.iter().position(|rule| rule == grant).filter(|_| grant.certain);
        let asked = last.map_or(rest, |last| &rest[..=last]);
        all.extend(asked.iter().filter_map(|rule| within(rule, grant)));
    }
    all
}

/// The rules of a list and of what stands behind it.
fn behind(rules: Vec<EffectiveRule>, next: &[EffectiveRule]) -> Vec<EffectiveRule> {
    let mut all = Vec::with_capacity(rules.len() + next.len());
    for rule in rules {
        if may_leave_open(&rule) {
            all.extend(next.iter().filter_map(|inner| within(inner, &rule)));
        }
        all.push(rule);
    }
    all.extend(next.iter().cloned());
    all
}

fn may_leave_open(rule: &EffectiveRule) -> bool {
    rule.access.known().is_none_or(|access| access == Access::Allow)
}

/// A rule for those packets that `outer` matches or may match, too; `None` if there are none.
fn within(inner: &EffectiveRule, outer: &EffectiveRule) -> Option<EffectiveRule> {
    let rule = EffectiveRule {
        protocol: protocol(inner, outer)?,
        source: addresses(&inner.source, &outer.source)?,
        source_ports: ports(&inner.source_ports, &outer.source_ports)?,
        destination: addresses(&inner.destination, &outer.destination)?,
        destination_ports: ports(&inner.destination_ports, &outer.destination_ports)?,
        window: window(inner.window, outer.window)?,
        certain: inner.certain && outer.certain && outer.access.known().is_some(),
        ..inner.clone()
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
