//! What can only be checked between resources: references, and application security groups across networks.
//!
//! A reference that leads nowhere is a warning: a template may well refer to what was deployed before it. What depends on
//! it is answered as unknown.

use std::collections::{BTreeMap, BTreeSet};

use super::count_limit;
use crate::{
    Code, Estate, Place, ResourceId, limits,
    problem::Problems,
    spec::{EstateSpec, Given, NsgSpec, Reference, RuleSpec},
};

pub(super) fn check(estate: &Estate, spec: &EstateSpec, p: &mut Problems) {
    references(estate, spec, p);
    let memberships = memberships(spec);
    for (group, membership) in &memberships {
        check_membership(group, membership, p);
    }
    for nsg in &spec.nsgs {
        groups_of_rules(nsg, &memberships, p);
    }
}

/// Who is in an application security group.
struct Membership<'a> {
    networks: BTreeSet<ResourceId>,
    ip_configurations: usize,
    /// Where its first member stands.
    place: &'a Place,
}

fn memberships(spec: &EstateSpec) -> BTreeMap<&ResourceId, Membership<'_>> {
    let mut memberships = BTreeMap::new();
    for nic in &spec.nics {
        for configuration in &nic.ip_configurations {
            let subnet = configuration.subnet.as_ref().and_then(|subnet| subnet.value.known());
            let network = subnet.and_then(ResourceId::parent);
            for group in configuration.asgs.iter().filter_map(|asg| asg.value.known()) {
                let first = Membership { networks: BTreeSet::new(), ip_configurations: 0, place: &nic.place };
                let membership = memberships.entry(group).or_insert(first);
                membership.networks.extend(network.clone());
                membership.ip_configurations += 1;
            }
        }
    }
    memberships
}

fn check_membership(group: &ResourceId, membership: &Membership<'_>, p: &mut Problems) {
    let Membership { networks, ip_configurations, place } = membership;
    p.about(group);
    if networks.len() > 1 {
        let message = format!("members of {group} are in different virtual networks: {}", joined(networks));
        p.error(Code::PalGroupMembersInDifferentNetworks, place, message);
    }
    let (max, what) = (limits::IP_CONFIGURATIONS_PER_ASG_MAX, format!("IP configurations in {group}"));
    count_limit(p, Code::PalApplicationSecurityGroupLimitReached, place, *ip_configurations, max, &what);
}

fn groups_of_rules(nsg: &NsgSpec, memberships: &BTreeMap<&ResourceId, Membership<'_>>, p: &mut Problems) {
    for (number, rule) in nsg.rules.iter().enumerate() {
        p.about_rule(&nsg.id, number);
        let members = groups_of(rule).filter_map(|group| memberships.get(group));
        let networks: BTreeSet<ResourceId> = members.flat_map(|members| members.networks.clone()).collect();
        if networks.len() > 1 {
            let name = rule.name.as_ref().map(super::shown).unwrap_or_default();
            let message = format!(
                "Security Rule {} has Application Security Groups (ASGs) from multiple virtual networks ({}). All ASGs on \
                 the Security Rule must be from the same virtual network.",
                nsg.id.child("securityRules", &name),
                joined(&networks)
            );
            let code = Code::AllApplicationSecurityGroupsInSecurityRuleMustBeFromSameVnet;
            p.error(code, &rule.place, message);
        }
    }
    p.about(&nsg.id);
    let (count, max) =
        (nsg.rules.iter().flat_map(groups_of).collect::<BTreeSet<_>>().len(), limits::ASGS_PER_NSG_MAX);
    let what = format!("distinct application security groups in the rules of {}", nsg.id);
    count_limit(p, Code::PalApplicationSecurityGroupLimitReached, &nsg.place, count, max, &what);
}

/// The known application security groups of both sides of a rule.
fn groups_of(rule: &RuleSpec) -> impl Iterator<Item = &ResourceId> {
    references_of(rule).filter_map(|group| group.value.known())
}

fn references_of(rule: &RuleSpec) -> impl Iterator<Item = &Reference> {
    let sides = [&rule.source.groups, &rule.destination.groups].into_iter().flatten();
    sides.filter_map(|groups| groups.value.known()).flatten()
}

fn joined(ids: &BTreeSet<ResourceId>) -> String {
    ids.iter().map(ResourceId::as_str).collect::<Vec<_>>().join(", ")
}

/// Tells which references lead nowhere.
struct References<'a>(&'a mut Problems);

impl References<'_> {
    fn check<'r>(
        &mut self,
        references: impl IntoIterator<Item = &'r Reference>,
        exists: impl Fn(&ResourceId) -> bool,
    ) {
        for reference in references {
            if let Given::Known(id) = &reference.value
                && !exists(id)
            {
                let message = format!(
                    "Resource {id} not found in the input; what depends on it is unknown (add its file)"
                );
                self.0.warning(Code::InvalidResourceReference, &reference.place, message);
            }
        }
    }
}

fn references(estate: &Estate, spec: &EstateSpec, p: &mut Problems) {
    let mut references = References(p);
    let nsg = |id: &ResourceId| estate.nsgs.contains_key(id);
    let group = |id: &ResourceId| estate.groups.contains_key(id);
    let network = |id: &ResourceId| estate.virtual_networks.contains_key(id);
    for subnet in spec.virtual_networks.iter().flat_map(|network| &network.subnets) {
        references.check(&subnet.nsg, nsg);
        references.check(&subnet.route_table, |id| estate.route_tables.contains_key(id));
    }
    for peering in spec.virtual_networks.iter().flat_map(|network| &network.peerings) {
        // The peering itself may tell the other network's prefixes.
        references.check(&peering.remote, |id| peering.remote_prefixes.is_some() || network(id));
    }
    for nic in &spec.nics {
        references.check(&nic.nsg, nsg);
        for configuration in &nic.ip_configurations {
            references.check(&configuration.subnet, |id| estate.subnet(id).is_some());
            references.check(&configuration.public_ip, |id| estate.public_ips.contains_key(id));
            references.check(&configuration.asgs, group);
        }
    }
    for rule in spec.nsgs.iter().flat_map(|nsg| &nsg.rules) {
        references.check(references_of(rule), group);
    }
    for learned in &spec.learned_prefixes {
        references.check([&learned.virtual_network], network);
    }
}
