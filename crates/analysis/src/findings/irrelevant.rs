//! Rules that name no machine behind their NSG.
//!
//! Packets that come to an NSG are for the machines behind it, by private addresses: a public address has been translated before an
//! inbound list is asked, and is put in after an outbound one. Nothing is claimed where a router may be behind the NSG, or
//! where it governs nothing in the input.

use std::collections::BTreeMap;

use palisade_model::{Addresses, EffectiveRule, Layer, ResourceId};
use palisade_net::{AddressSet, Direction};

use super::{
    Asking, Finding, Findings, Subject,
    checks::{IRRELEVANT, PUBLIC_SIDE},
    exposure::foreign,
    sites::{Site, is_nsg, own, subnets_of},
    tell::{is_user_rule, matched},
};

/// What stands behind one NSG.
#[derive(Default)]
struct Behind<'s, 'e> {
    machines: AddressSet,
    /// Places whose lists are the NSG's.
    places: Vec<(&'s Site<'e>, Layer)>,
}

/// Looks at every rule of every NSG that governs something.
pub(super) fn check(asking: &Asking<'_>, found: &mut Findings) {
    let foreign = foreign(asking.estate);
    for (nsg, behind) in behind(asking) {
        for direction in Direction::ALL {
            let Some((site, layer)) = behind.places.first() else { continue };
            let lists = site.policy.layers(direction).iter();
            let list = lists.filter(|list| list.layer == *layer && list.source.as_ref() == Some(&nsg));
            let rules = list.flat_map(|list| &list.rules).filter(|rule| is_user_rule(rule));
            let idle = rules.filter(|rule| names_nobody(&nsg, rule, direction, &behind));
            found.findings.extend(idle.map(|rule| finding(&nsg, rule, (site, direction), &foreign)));
        }
    }
}

/// What stands behind each NSG. Subnets count as a whole: there may be machines that the input does not hold.
fn behind<'s, 'e>(asking: &'s Asking<'e>) -> BTreeMap<ResourceId, Behind<'s, 'e>> {
    let mut all: BTreeMap<ResourceId, Behind<'s, 'e>> = BTreeMap::new();
    for site in &asking.sites {
        for layer in site.policy.inbound.iter().filter(|layer| is_nsg(layer)) {
            let Some(nsg) = &layer.source else { continue };
            let machines = site.nics.iter().map(|nic| own(asking.estate, nic));
            let machines = machines.fold(AddressSet::empty(), |all, own| all.union(&own));
            let behind = all.entry(nsg.clone()).or_default();
            behind.machines = behind.machines.union(&machines);
            behind.places.push((site, layer.layer));
        }
    }
    for (nsg, behind) in &mut all {
        for (_, subnet) in subnets_of(asking.estate, nsg) {
            behind.machines = behind.machines.union(subnet.addresses().may());
        }
    }
    all.retain(|_, behind| !behind.machines.is_empty());
    all
}

/// The side of a rule that is about the machines behind the NSG.
const fn local(rule: &EffectiveRule, direction: Direction) -> &Addresses {
    match direction {
        Direction::Inbound => &rule.destination,
        Direction::Outbound => &rule.source,
    }
}

/// Whether a rule names none of the machines, wherever its NSG stands. A rule that names nobody at all is another finding.
fn names_nobody(
    nsg: &ResourceId,
    rule: &EffectiveRule,
    direction: Direction,
    behind: &Behind<'_, '_>,
) -> bool {
    let lists = behind.places.iter().flat_map(|(site, _)| site.policy.layers(direction));
    let here = lists.filter(|list| list.source.as_ref() == Some(nsg)).flat_map(|list| &list.rules);
    let mut meanings =
        here.filter(|other| other.path == rule.path).map(|other| local(other, direction).may());
    meanings.all(|meaning| !meaning.is_empty() && !meaning.intersects(&behind.machines))
}

fn finding(
    nsg: &ResourceId,
    rule: &EffectiveRule,
    (site, direction): (&Site<'_>, Direction),
    foreign: &AddressSet,
) -> Finding {
    let is_public = local(rule, direction).may().difference(foreign).is_empty();
    let side = match direction {
        Direction::Inbound => "destination",
        Direction::Outbound => "source",
    };
    let (check, message) = match is_public {
        true => (
            &PUBLIC_SIDE,
            format!("the {side} of {} is a public address, which no packet has here", rule.name),
        ),
        false => (&IRRELEVANT, format!("the {side} of {} is no machine behind {}", rule.name, nsg.name())),
    };
    Finding {
        check,
        severity: check.severity,
        subject: Subject {
            nsg: Some(nsg.clone()),
            rule: Some(rule.path.clone()),
            direction: Some(direction),
            ..Subject::default()
        },
        message,
        region: matched(rule, site.names()),
        witness: None,
        covered_by: Vec::new(),
    }
}
