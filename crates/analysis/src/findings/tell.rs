//! Rules, regions and amounts in words.

use palisade_model::{EffectiveLayer, EffectivePolicy, EffectiveRule, ResourceId};
use palisade_net::{AddressSet, Direction, Family, PortSet, Protocol, RangeSet};

use super::Subject;
use crate::{Block, Names, Region, Words};

/// How many addresses a set has; of IPv6, how many networks of 64 bits, of which a site has one or a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount {
    pub(super) v4: u64,
    pub(super) v6: u128,
}

impl Amount {
    pub(super) fn of(set: &AddressSet) -> Self {
        let v4 = set.v4().ranges().iter().map(|&(first, last)| u64::from(last - first) + 1).sum();
        let networks = set.v6().ranges().iter().map(|&(first, last)| (last >> 64) - (first >> 64) + 1);
        Self { v4, v6: networks.sum() }
    }
}

/// An amount in words: `8 addresses of IPv4 and 2 networks of IPv6`.
pub(super) fn amount(set: &AddressSet) -> String {
    let Amount { v4, v6 } = Amount::of(set);
    let several = |number: u128, what: &str| {
        format!(
            "{number} {what}{}",
            if number == 1 {
                ""
            } else if what.ends_with('s') {
                "es"
            } else {
                "s"
            }
        )
    };
    let of_v4 = (v4 > 0).then(|| several(v4.into(), "IPv4 address"));
    let of_v6 = (v6 > 0).then(|| several(v6, "IPv6 /64 network"));
    [of_v4, of_v6].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// Whether a rule is a user's.
pub(super) fn is_user_rule(rule: &EffectiveRule) -> bool {
    rule.path.starts_with("securityRules/")
}

/// The rule at a place of a policy: the NSG, or the admin collection, and the path.
pub(super) fn blame(
    policy: &EffectivePolicy,
    direction: Direction,
    rule: Option<(usize, usize)>,
) -> (Option<ResourceId>, Option<String>) {
    let Some((layer, rule)) = rule else { return (None, None) };
    let layer = &policy.layers(direction)[layer];
    (owner(layer, &layer.rules[rule]), Some(layer.rules[rule].path.clone()))
}

/// The NSG of a rule, or its admin collection: a layer merges several of those.
fn owner(layer: &EffectiveLayer, rule: &EffectiveRule) -> Option<ResourceId> {
    let source = layer.source.as_ref()?;
    Some(match (&rule.collection, source.parent()) {
        (Some(collection), Some(parent)) => parent.child("ruleCollections", collection),
        _ => source.clone(),
    })
}

/// The subject with a rule in place.
pub(super) fn by_rule(
    subject: Subject,
    policy: &EffectivePolicy,
    direction: Direction,
    rule: Option<(usize, usize)>,
) -> Subject {
    let (nsg, path) = blame(policy, direction, rule);
    Subject { nsg: nsg.or(subject.nsg), rule: path, ..subject }
}

/// A rule in words: `securityRules/allow-rdp of web-nsg`.
pub(super) fn named(subject: &Subject) -> String {
    match (&subject.rule, &subject.nsg) {
        (Some(rule), Some(nsg)) => format!("{rule} of {}", nsg.name()),
        (Some(rule), None) => rule.clone(),
        (None, _) => "no rule".to_owned(),
    }
}

/// What a rule may match, in words.
pub(super) fn matched(rule: &EffectiveRule, names: &Names) -> Vec<Words> {
    let protocols: Vec<Protocol> = match rule.protocol.known() {
        Some(protocol) => (0..=u8::MAX).map(Protocol).filter(|number| protocol.matches(*number)).collect(),
        None => (0..=u8::MAX).map(Protocol).collect(),
    };
    let blocks = Family::ALL.into_iter().filter_map(|family| {
        let (sources, destinations) = (half(rule.source.may(), family), half(rule.destination.may(), family));
        let is_there = !sources.is_empty() && !destinations.is_empty();
        is_there.then(|| Block {
            family,
            protocols: protocols.clone(),
            sources,
            source_ports: rule.source_ports.may(),
            destinations,
            destination_ports: rule.destination_ports.may(),
        })
    });
    names.words(&Region { blocks: blocks.collect(), ..Region::default() })
}

/// The half of a set that is of a family.
pub(super) fn half(set: &AddressSet, family: Family) -> AddressSet {
    match family {
        Family::V4 => AddressSet::from_ranges(set.v4().clone(), RangeSet::empty()),
        Family::V6 => AddressSet::from_ranges(RangeSet::empty(), set.v6().clone()),
    }
}

/// Ports in words: `22, 80-443`.
pub(super) fn ports(set: &PortSet) -> String {
    let range = |&(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    set.ranges().iter().map(range).collect::<Vec<_>>().join(", ")
}

/// A part of a whole in percent, as exactly as three digits say it, and never rounded to nothing or to all.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        tiny if tiny < 0.001 => "less than 0.001 %".to_owned(),
        most if most > 99.999 => "more than 99.999 %".to_owned(),
        small if small < 1.0 => format!("{small:.3} %"),
        _ => format!("{percent:.1} %"),
    }
}
