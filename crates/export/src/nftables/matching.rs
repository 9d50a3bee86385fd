//! What one rule matches, as nftables says it: one text a family and protocol that must be told apart; none if nothing matches.

use std::{fmt::Display, net::IpAddr};

use palisade_net::{AddressSet, Family, PortSet, Protocol, ProtocolMatch};

use crate::plain::PlainRule;

/// The texts of a rule; an empty one matches everything.
pub(super) fn matches(rule: &PlainRule) -> Vec<String> {
    if rule.source.is_empty() || rule.destination.is_empty() {
        return Vec::new();
    }
    let is_any_address = rule.source.is_full() && rule.destination.is_full();
    let families: &[Option<Family>] = match is_any_address && rule.protocol != ProtocolMatch::Icmp {
        true => &[None],
        false => &[Some(Family::V4), Some(Family::V6)],
    };
    families.iter().filter_map(|family| of_family(rule, *family)).collect()
}

fn of_family(rule: &PlainRule, family: Option<Family>) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(family) = family {
        let (keyword, nfproto) = match family {
            Family::V4 => ("ip", "ipv4"),
            Family::V6 => ("ip6", "ipv6"),
        };
        let ends = [("saddr", &rule.source), ("daddr", &rule.destination)];
        let ends = ends.map(|(end, set)| {
            addresses(set, family).map(|set| set.map(|set| format!("{keyword} {end} {set}")))
        });
        let [source, destination] = ends;
        let told: Vec<String> = [source?, destination?].into_iter().flatten().collect();
        if told.is_empty() {
            parts.push(format!("meta nfproto {nfproto}"));
        }
        parts.extend(told);
    }
    parts.extend(transport(rule, family)?);
    Some(parts.join(" "))
}

/// The set of a family; `Some(None)` if it is all of it, `None` if it is empty.
fn addresses(set: &AddressSet, family: Family) -> Option<Option<String>> {
    let ranges: Vec<String> = match family {
        Family::V4 if set.v4().is_full() => return Some(None),
        Family::V6 if set.v6().is_full() => return Some(None),
        Family::V4 => set.v4().ranges().iter().map(|(from, to)| range(&ipv4(*from), &ipv4(*to))).collect(),
        Family::V6 => set.v6().ranges().iter().map(|(from, to)| range(&ipv6(*from), &ipv6(*to))).collect(),
    };
    (!ranges.is_empty()).then(|| Some(braced(&ranges)))
}

fn ipv4(number: u32) -> IpAddr {
    IpAddr::V4(number.into())
}

fn ipv6(number: u128) -> IpAddr {
    IpAddr::V6(number.into())
}

/// Protocol and ports; `None` if no packet matches.
fn transport(rule: &PlainRule, family: Option<Family>) -> Option<Vec<String>> {
    let (source, destination) = (&rule.source_ports, &rule.destination_ports);
    let is_any_port = source.is_full() && destination.is_full();
    let protocol = match (rule.protocol, family) {
        (ProtocolMatch::Any, _) if is_any_port => return Some(Vec::new()),
        (ProtocolMatch::Any, _) => None,
        (ProtocolMatch::Icmp, family) => Some(Protocol::icmp_of(family?)),
        (ProtocolMatch::Number(protocol), _) => Some(protocol),
    };
    let mut parts = vec![match protocol {
        Some(protocol) => format!("meta l4proto {}", protocol.0),
        None => format!("meta l4proto {{ {}, {} }}", Protocol::TCP.0, Protocol::UDP.0),
    }];
    match protocol {
        _ if is_any_port => {}
        Some(protocol) if protocol.is_icmp() && source.is_full() => parts.push(types(protocol, destination)?),
        Some(protocol) if !protocol.has_ports() => return None,
        _ => {
            parts.extend(ports("sport", source)?);
            parts.extend(ports("dport", destination)?);
        }
    }
    Some(parts)
}

/// Ports of an end; `Some(None)` if all, `None` if there are none.
fn ports(end: &str, set: &PortSet) -> Option<Option<String>> {
    if set.is_full() {
        return Some(None);
    }
    let ranges: Vec<String> = set.ranges().iter().map(|(from, to)| range(from, to)).collect();
    (!ranges.is_empty()).then(|| Some(format!("th {end} {}", braced(&ranges))))
}

/// Types of control messages: what of the ports is one.
fn types(protocol: Protocol, set: &PortSet) -> Option<String> {
    let name = if protocol == Protocol::ICMP { "icmp" } else { "icmpv6" };
    let types = set.ranges().iter().filter(|(from, _)| *from <= u16::from(u8::MAX));
    let ranges: Vec<String> = types.map(|(from, to)| range(from, &(*to).min(u8::MAX.into()))).collect();
    (!ranges.is_empty()).then(|| format!("{name} type {}", braced(&ranges)))
}

fn range<T: Display + PartialEq>(from: &T, to: &T) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}

fn braced(ranges: &[String]) -> String {
    match ranges {
        [one] => one.clone(),
        several => format!("{{ {} }}", several.join(", ")),
    }
}
