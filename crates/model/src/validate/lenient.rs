//! An input in error, for questions about the rest of it.
//!
//! What is in error is made unknown and the input is checked again. So nothing is left out in silence and nothing is guessed:
//! an answer that depends on a rule, a network or an interface in error is unknown, and all others are what they would be
//! whatever the right value is. It must not be used for what is enforced.

use std::collections::BTreeSet;

use super::built;
use crate::{
    Estate, Place, Priority, Problem, ResourceId, TagCatalog,
    id::is_valid_name,
    problem::{Problems, Subject},
    spec::{
        AdminRuleSpec, At, EstateSpec, Given, IpConfigurationSpec, NatRuleSpec, NicSpec, NsgSpec,
        RouteTableSpec, RuleSpec, SideSpec, SubnetSpec, Text, VirtualNetworkSpec,
    },
};

/// An estate, and what of the input it takes as unknown because of an error.
#[derive(Debug, Clone)]
pub struct Salvaged {
    /// The estate.
    pub estate: Estate,
    /// Everything that is wrong, errors and warnings.
    pub problems: Vec<Problem>,
    /// What is taken as unknown, each with the first of its errors.
    pub left_out: Vec<LeftOut>,
}

/// Something that is taken as unknown because it is in error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The resource.
    pub resource: ResourceId,
    /// Its rule, if no more than that is in error; a number if it has no name.
    pub rule: Option<String>,
    /// The first error.
    pub problem: Problem,
}

/// Checks an input and takes what is in error as unknown.
pub(crate) fn leniently(spec: &EstateSpec, tags: TagCatalog) -> Salvaged {
    let mut problems = Problems::default();
    let estate = built(spec, tags.clone(), &mut problems);
    if problems.errors() == 0 {
        return Salvaged { estate, problems: problems.into_vec(), left_out: Vec::new() };
    }
    let mut blank = spec.clone();
    let mut left_out = Vec::new();
    for ((resource, rule), problem) in problems.broken() {
        let reason = format!("it is in error: {}", problem.code);
        make_unknown(&mut blank, &(resource.clone(), *rule), &reason);
        let rule = rule.map(|number| rule_name(spec, resource, number));
        left_out.push(LeftOut { resource: resource.clone(), rule, problem: problem.clone() });
    }
    // A second pass has no new errors but of what was unknown already; nothing else is taken from it.
    let estate = built(&blank, tags, &mut Problems::default());
    Salvaged { estate, problems: problems.into_vec(), left_out }
}

/// The name of a rule, or its number if it has none.
fn rule_name(spec: &EstateSpec, resource: &ResourceId, number: usize) -> String {
    let of_nsg = spec.nsgs.iter().filter(|nsg| nsg.id == *resource);
    let of_admin = spec.admin_collections.iter().filter(|collection| collection.id == *resource);
    let mut names = of_nsg
        .filter_map(|nsg| nsg.rules.get(number)?.name.as_ref())
        .chain(of_admin.filter_map(|collection| Some(&collection.rules.get(number)?.name)));
    let name = names.next().and_then(|name| name.value.known()).cloned();
    name.unwrap_or_else(|| format!("number {number}"))
}

/// Makes everything unknown that an error may be about. Two resources of one id are both.
fn make_unknown(spec: &mut EstateSpec, (id, rule): &Subject, reason: &str) {
    for nsg in spec.nsgs.iter_mut().filter(|nsg| nsg.id == *id) {
        match rule {
            Some(number) => nsg.rules.get_mut(*number).into_iter().for_each(|rule| blank_rule(rule, reason)),
            None => blank_nsg(nsg, reason),
        }
    }
    for collection in spec.admin_collections.iter_mut().filter(|collection| collection.id == *id) {
        let rules = collection.rules.iter_mut().enumerate();
        let broken = rules.filter(|(number, _)| rule.is_none_or(|rule| rule == *number));
        broken.for_each(|(_, rule)| blank_admin_rule(rule, reason));
    }
    for network in &mut spec.virtual_networks {
        if network.id == *id {
            blank_network(network, reason);
        }
        network.subnets.iter_mut().filter(|subnet| subnet.id == *id).for_each(|s| blank_subnet(s, reason));
    }
    for learned in &mut spec.learned_prefixes {
        if learned.virtual_network.value.known() == Some(id) {
            learned.address_prefixes.value = unknown(reason);
        }
    }
    let groups = spec.asgs.iter_mut().filter(|group| group.id == *id);
    groups.for_each(|group| group.address_prefixes = vec![unknown_text(reason, &group.place)]);
    spec.route_tables.iter_mut().filter(|table| table.id == *id).for_each(|t| blank_table(t, reason));
    spec.nics.iter_mut().filter(|nic| nic.id == *id).for_each(|nic| blank_nic(nic, reason));
    for address in spec.public_ips.iter_mut().filter(|address| address.id == *id) {
        address.sku = Some(unknown_text(reason, &address.place));
        address.address = None;
    }
    for balancer in spec.load_balancers.iter_mut().filter(|balancer| balancer.id == *id) {
        balancer.frontends.clear();
        balancer.nat_rules.iter_mut().for_each(|rule| blank_nat_rule(rule, reason));
    }
}

fn unknown<T>(reason: &str) -> Given<T> {
    Given::Unknown(reason.to_owned())
}

fn unknown_text(reason: &str, place: &Place) -> Text {
    At { value: unknown(reason), place: place.clone() }
}

/// The text, if it passes a check, and otherwise unknown.
fn sound(text: Option<&Text>, reason: &str, place: &Place, check: impl Fn(&str) -> bool) -> Text {
    match text {
        Some(text) if text.value.known().is_some_and(|value| check(value)) => text.clone(),
        _ => unknown_text(reason, place),
    }
}

/// Any rules may be in it.
fn blank_nsg(nsg: &mut NsgSpec, reason: &str) {
    nsg.name = sound(Some(&nsg.name), reason, &nsg.place, is_valid_name);
    nsg.rules.clear();
    nsg.rules_unknown = Some(reason.to_owned());
    nsg.tags = nsg.tags.take().map(|tags| At { value: unknown(reason), place: tags.place });
}

/// It may be anything, and nothing, but for its place in the order where that is sound.
fn blank_rule(rule: &mut RuleSpec, reason: &str) {
    let place = &rule.place;
    let text = || Some(unknown_text(reason, place));
    let side = || SideSpec { address_prefix: text(), port_range: text(), ..SideSpec::default() };
    let is_priority = |value: &str| value.trim().parse().ok().and_then(Priority::of_user).is_some();
    *rule = RuleSpec {
        name: Some(sound(rule.name.as_ref(), reason, place, is_valid_name)),
        description: None,
        protocol: text(),
        source: side(),
        destination: side(),
        access: text(),
        priority: Some(sound(rule.priority.as_ref(), reason, place, is_priority)),
        direction: Some(sound(rule.direction.as_ref(), reason, place, is_direction)),
        not_before: None,
        expires_at: None,
        mode: text(),
        certain: false,
        place: place.clone(),
    };
}

fn is_direction(value: &str) -> bool {
    value.parse::<palisade_net::Direction>().is_ok()
}

fn blank_admin_rule(rule: &mut AdminRuleSpec, reason: &str) {
    let place = &rule.place;
    let text = || Some(unknown_text(reason, place));
    let list = || vec![unknown_text(reason, place)];
    let is_priority = |value: &str| value.trim().parse().ok().and_then(Priority::of_admin).is_some();
    *rule = AdminRuleSpec {
        name: rule.name.clone(),
        protocol: text(),
        sources: list(),
        destinations: list(),
        source_port_ranges: list(),
        destination_port_ranges: list(),
        access: text(),
        priority: Some(sound(rule.priority.as_ref(), reason, place, is_priority)),
        direction: Some(sound(rule.direction.as_ref(), reason, place, is_direction)),
        expires_at: text(),
        place: place.clone(),
    };
}

/// Its space, and with it what its `VirtualNetwork` tag means; its subnets stay what they are.
fn blank_network(network: &mut VirtualNetworkSpec, reason: &str) {
    network.address_prefixes = Some(At { value: unknown(reason), place: network.place.clone() });
    network.peerings.clear();
    network.flow_timeout_minutes = Some(At { value: unknown(reason), place: network.place.clone() });
}

fn blank_subnet(subnet: &mut SubnetSpec, reason: &str) {
    subnet.address_prefixes = Some(At { value: unknown(reason), place: subnet.place.clone() });
    subnet.private_endpoint_policies = Some(unknown_text(reason, &subnet.place));
}

fn blank_table(table: &mut RouteTableSpec, reason: &str) {
    let place = &table.place;
    table.routes.iter_mut().for_each(|route| route.address_prefix = Some(unknown_text(reason, place)));
}

/// Its addresses, and its subnet and groups where its configurations disagree; NSGs are what they are.
fn blank_nic(nic: &mut NicSpec, reason: &str) {
    let agree = |part: fn(&IpConfigurationSpec) -> BTreeSet<ResourceId>| {
        nic.ip_configurations.windows(2).all(|pair| part(&pair[0]) == part(&pair[1]))
    };
    let (one_subnet, same_groups) = (agree(subnet_of), agree(groups_of));
    let place = &nic.place;
    for configuration in &mut nic.ip_configurations {
        configuration.private_address = Some(unknown_text(reason, place));
        if !one_subnet {
            configuration.subnet = Some(At { value: unknown(reason), place: place.clone() });
        }
        if !same_groups {
            configuration.asgs.push(At { value: unknown(reason), place: place.clone() });
        }
    }
    nic.mac = None;
    nic.tags = nic.tags.take().map(|tags| At { value: unknown(reason), place: tags.place });
}

/// It may lead from any port to any.
fn blank_nat_rule(rule: &mut NatRuleSpec, reason: &str) {
    let place = || rule.place.clone();
    let port = || Some(At { value: unknown(reason), place: place() });
    *rule = NatRuleSpec {
        protocol: Some(unknown_text(reason, &rule.place)),
        frontend_port: port(),
        backend_port: port(),
        sources: Some(At { value: unknown(reason), place: place() }),
        target: None,
        certain: false,
        place: place(),
        ..NatRuleSpec::new(rule.id.clone())
    };
}

fn subnet_of(configuration: &IpConfigurationSpec) -> BTreeSet<ResourceId> {
    configuration.subnet.iter().filter_map(|subnet| subnet.value.known()).cloned().collect()
}

fn groups_of(configuration: &IpConfigurationSpec) -> BTreeSet<ResourceId> {
    configuration.asgs.iter().filter_map(|group| group.value.known()).cloned().collect()
}
