//! Rules that name no machine behind their NSG.
//!
//! Packets that come to an NSG are for the machines behind it, by private addresses: a public address has been translated before an
//! inbound list is asked, and is put in after an outbound one. So has the address at which a load balancer listens, unless it passes
//! packets on as they are ("floating IP"). Nothing is claimed where a router may be behind the NSG, or where it governs nothing in
//! the input.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::{
    Addresses, EffectiveRule, Estate, IpConfiguration, Layer, LoadBalancer, Nic, ResourceId, Truth,
};
use palisade_net::{AddressSet, Direction, Prefix};

use super::{
    Asking, Finding, Findings, Subject,
    checks::{Check, FRONTEND, IRRELEVANT, PUBLIC_SIDE},
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
    let frontends = Frontends::of_estate(asking.estate);
    for (nsg, behind) in behind(asking) {
        for direction in Direction::ALL {
            let Some((site, layer)) = behind.places.first() else { continue };
            let lists = site.policy.layers(direction).iter();
            let list = lists.filter(|list| list.layer == *layer && list.source.as_ref() == Some(&nsg));
            let rules = list.flat_map(|list| &list.rules).filter(|rule| is_user_rule(rule));
            for rule in rules {
                let why = match names_nobody(&nsg, rule, direction, &behind) {
                    true => Some(nobody(&nsg, rule, direction, &foreign)),
                    false if behind.machines.is_full() => None,
                    false => frontends.of(rule, direction),
                };
                found.findings.extend(why.map(|why| finding(&nsg, rule, (site, direction), why)));
            }
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

/// Why a rule that names nobody does so.
fn nobody(nsg: &ResourceId, rule: &EffectiveRule, direction: Direction, foreign: &AddressSet) -> Why {
    let side = side(direction);
    match local(rule, direction).may().difference(foreign).is_empty() {
        true => {
            let message =
                format!("the {side} of {} is a public address, which no packet has here", rule.name);
            (&PUBLIC_SIDE, message)
        }
        false => (&IRRELEVANT, format!("the {side} of {} is no machine behind {}", rule.name, nsg.name())),
    }
}

/// A check, and what it says.
type Why = (&'static Check, String);

const fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "destination",
        Direction::Outbound => "source",
    }
}

/// Addresses at which load balancers listen, and that no packet to or from a machine has.
struct Frontends<'e> {
    all: AddressSet,
    balancers: Vec<(&'e LoadBalancer, AddressSet)>,
}

impl<'e> Frontends<'e> {
    /// Those that are surely no machine's, and that are surely replaced before a machine sees them.
    fn of_estate(estate: &'e Estate) -> Self {
        let configurations = estate.nics().flat_map(Nic::ip_configurations);
        let known = configurations.filter_map(IpConfiguration::address);
        let machines: Vec<IpAddr> = known.map(Prefix::address).collect();
        let each = estate.load_balancers().map(|balancer| {
            let replaced = balancer.frontends().iter().filter(|one| one.is_floating == Truth::No);
            let addresses = replaced.map(|one| one.address).filter(|address| !machines.contains(address));
            (balancer, addresses.collect())
        });
        let balancers: Vec<(&LoadBalancer, AddressSet)> = each.collect();
        let all = balancers.iter().fold(AddressSet::empty(), |all, (_, own)| all.union(own));
        Self { all, balancers }
    }

    /// Whether a rule names nothing else for its own machine.
    fn of(&self, rule: &EffectiveRule, direction: Direction) -> Option<Why> {
        let named = local(rule, direction).may();
        if named.is_empty() || !named.difference(&self.all).is_empty() {
            return None;
        }
        let mut balancers = self.balancers.iter().filter(|(_, own)| own.intersects(named));
        let name = balancers.next()?.0.id().name();
        let side = side(direction);
        let message = format!(
            "the {side} of {} is where load balancer {name} listens, which no packet has here",
            rule.name
        );
        Some((&FRONTEND, message))
    }
}

fn finding(
    nsg: &ResourceId,
    rule: &EffectiveRule,
    (site, direction): (&Site<'_>, Direction),
    (check, message): Why,
) -> Finding {
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
