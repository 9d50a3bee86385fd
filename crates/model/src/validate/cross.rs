//! What can only be checked between resources: references, and application security groups across networks.
//!
//! A reference that leads nowhere is a warning: a template may well refer to what was deployed before it. What depends on
//! it is answered as unknown.

use std::collections::{BTreeMap, BTreeSet};

use super::count_limit;
use crate::{
    AddressField, Code, Estate, Place, ResourceId, Rule, limits,
    problem::Problems,
    spec::{EstateSpec, Given, NsgSpec, Reference},
};

/// For each application security group: the networks of its members, and how many members it has.
type Membership = BTreeMap<ResourceId, (BTreeSet<ResourceId>, usize)>;

pub(super) fn check(estate: &Estate, spec: &EstateSpec, p: &mut Problems) {
    references(estate, spec, p);
    let members = membership(estate);
    for nic in &spec.nics {
        for group in nic.ip_configurations.iter().flat_map(|c| &c.asgs).filter_map(|asg| asg.value.known()) {
            one_network(group, &members, &nic.place, p);
        }
    }
    for (group, (_, count)) in &members {
        let max = limits::IP_CONFIGURATIONS_PER_ASG_MAX;
        let what = format!("IP configurations in {group}");
        count_limit(p, Code::PalApplicationSecurityGroupLimitReached, &Place::default(), *count, max, &what);
    }
    for nsg in &spec.nsgs {
        groups_of_rules(estate, nsg, &members, p);
    }
}

fn membership(estate: &Estate) -> Membership {
    let mut members = Membership::new();
    for configuration in estate.nics.values().flat_map(|nic| &nic.ip_configurations) {
        let network = match &configuration.subnet {
            Some(Given::Known(subnet)) => subnet.parent(),
            _ => None,
        };
        for group in &configuration.groups {
            let (networks, count) = members.entry(group.clone()).or_default();
            networks.extend(network.clone());
            *count += 1;
        }
    }
    members
}

fn one_network(group: &ResourceId, members: &Membership, place: &Place, p: &mut Problems) {
    if let Some((networks, _)) = members.get(group)
        && networks.len() > 1
    {
        let message = format!("members of {group} are in different virtual networks: {}", joined(networks));
        p.error(Code::PalGroupMembersInDifferentNetworks, place, message);
    }
}

fn groups_of_rules(estate: &Estate, spec: &NsgSpec, members: &Membership, p: &mut Problems) {
    let Some(nsg) = estate.nsgs.get(&spec.id) else { return };
    let mut all = BTreeSet::new();
    let mut checked = BTreeSet::new();
    for rule in nsg.inbound.iter().chain(&nsg.outbound) {
        let groups: Vec<&ResourceId> = groups_of(rule).collect();
        all.extend(groups.iter().copied().cloned());
        let networks: BTreeSet<ResourceId> = groups
            .iter()
            .filter_map(|group| members.get(*group))
            .flat_map(|(networks, _)| networks.clone())
            .collect();
        if networks.len() > 1 && checked.insert(rule.name().to_owned()) {
            let message = format!(
                "Security Rule {} has Application Security Groups (ASGs) from multiple virtual networks ({}). All ASGs on \
                 the Security Rule must be from the same virtual network.",
                spec.id.child("securityRules", rule.name()),
                joined(&networks)
            );
            let code = Code::AllApplicationSecurityGroupsInSecurityRuleMustBeFromSameVnet;
            p.error(code, &spec.place, message);
        }
    }
    let max = limits::ASGS_PER_NSG_MAX;
    let what = "distinct application security groups in the rules of one NSG";
    count_limit(p, Code::PalApplicationSecurityGroupLimitReached, &spec.place, all.len(), max, what);
}

fn groups_of(rule: &Rule) -> impl Iterator<Item = &ResourceId> {
    [rule.source(), rule.destination()].into_iter().flat_map(|side| match &side.addresses {
        AddressField::Groups(groups) => groups.as_slice(),
        _ => &[],
    })
}

fn joined(ids: &BTreeSet<ResourceId>) -> String {
    ids.iter().map(ResourceId::as_str).collect::<Vec<_>>().join(", ")
}

fn references(estate: &Estate, spec: &EstateSpec, p: &mut Problems) {
    let mut check = |reference: &Reference, exists: bool| {
        if let (Given::Known(id), false) = (&reference.value, exists) {
            let message =
                format!("Resource {id} not found in the input; what depends on it is unknown (add its file)");
            p.warning(Code::InvalidResourceReference, &reference.place, message);
        }
    };
    let has =
        |reference: &Reference, find: &dyn Fn(&ResourceId) -> bool| reference.value.known().is_some_and(find);
    for subnet in spec.virtual_networks.iter().flat_map(|network| &network.subnets) {
        subnet.nsg.iter().for_each(|r| check(r, has(r, &|id| estate.nsgs.contains_key(id))));
        subnet.route_table.iter().for_each(|r| check(r, has(r, &|id| estate.route_tables.contains_key(id))));
    }
    for nic in &spec.nics {
        nic.nsg.iter().for_each(|r| check(r, has(r, &|id| estate.nsgs.contains_key(id))));
        for configuration in &nic.ip_configurations {
            configuration.subnet.iter().for_each(|r| check(r, has(r, &|id| estate.subnet(id).is_some())));
            configuration
                .public_ip
                .iter()
                .for_each(|r| check(r, has(r, &|id| estate.public_ips.contains_key(id))));
            configuration.asgs.iter().for_each(|r| check(r, has(r, &|id| estate.groups.contains_key(id))));
        }
    }
    for rule in spec.nsgs.iter().flat_map(|nsg| &nsg.rules) {
        for groups in [&rule.source.groups, &rule.destination.groups].into_iter().flatten() {
            let known = groups.value.known().into_iter().flatten();
            known.for_each(|r| check(r, has(r, &|id| estate.groups.contains_key(id))));
        }
    }
}
