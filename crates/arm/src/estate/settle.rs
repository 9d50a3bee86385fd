//! What can be said only when every file is read: which references meet, and how much is known.

use std::collections::{BTreeMap, HashMap, HashSet};

use palisade_model::spec::{EstateSpec, Given, NsgSpec, RuleSpec};
use palisade_model::{Place, ResourceId, rule_of_tag};

use super::walk::{Reasons, Visit, Walk};

/// A rule that only a deployment could tell in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedRule {
    /// The group it is in.
    pub nsg: ResourceId,
    /// Its name, if that is known.
    pub rule: Option<String>,
    /// Why, each reason once.
    pub reasons: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// How much was read, and how much of it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files given.
    pub files: usize,
    /// Templates evaluated, linked ones not counted.
    pub templates: usize,
    /// Resources of all types.
    pub resources: usize,
    /// Resources of types that say nothing about who may reach whom, by type in lower case.
    pub ignored: BTreeMap<String, usize>,
    /// Network security groups.
    pub nsgs: usize,
    /// Groups that may have further rules, and why.
    pub open_nsgs: Vec<(ResourceId, String)>,
    /// Rules of all groups.
    pub rules: usize,
    /// Rules of which nothing is unknown.
    pub rules_resolved: usize,
    /// The other rules.
    pub unresolved: Vec<UnresolvedRule>,
    /// Everything that is unknown, by its reason, and how often.
    pub reasons: BTreeMap<String, usize>,
}

/// Why the tags of an NSG leave open what holds for a rule of it.
fn open_tags(nsg: &NsgSpec, rule: &RuleSpec) -> Vec<String> {
    let tags = match nsg.tags.as_ref().map(|tags| &tags.value) {
        None => return Vec::new(),
        Some(Given::Unknown(reason)) => return vec![reason.clone()],
        Some(Given::Known(tags)) => tags,
    };
    let name = rule.name.as_ref().and_then(|name| name.value.known());
    let concerns = |tag: &str| match (rule_of_tag(tag), name) {
        (Some(of), Some(name)) => of.eq_ignore_ascii_case(name),
        _ => true,
    };
    let open = tags.iter().filter(|(tag, _)| concerns(tag)).filter_map(|(_, text)| match &text.value {
        Given::Known(_) => None,
        Given::Unknown(reason) => Some(reason.clone()),
    });
    open.collect()
}

/// Turns references whose ids have holes into unknowns, unless they meet a resource whose id has the same.
struct Settle<'a> {
    symbols: &'a HashMap<ResourceId, String>,
    present: HashSet<ResourceId>,
}

impl Visit for Settle<'_> {
    fn reference(&mut self, id: &ResourceId) -> Option<String> {
        if self.present.contains(id) { None } else { self.symbols.get(id).cloned() }
    }
}

/// Settles references with holes.
pub(super) fn references(spec: &mut EstateSpec, symbols: &HashMap<ResourceId, String>) {
    if symbols.is_empty() {
        return;
    }
    let present = ids(spec);
    spec.walk(&mut Settle { symbols, present });
}

/// The ids of everything that can be referred to.
fn ids(spec: &EstateSpec) -> HashSet<ResourceId> {
    let networks = spec.virtual_networks.iter();
    let subnets = spec.virtual_networks.iter().flat_map(|network| &network.subnets).map(|subnet| &subnet.id);
    networks
        .map(|network| &network.id)
        .chain(subnets)
        .chain(spec.nsgs.iter().map(|nsg| &nsg.id))
        .chain(spec.asgs.iter().map(|asg| &asg.id))
        .chain(spec.route_tables.iter().map(|table| &table.id))
        .chain(spec.public_ips.iter().map(|ip| &ip.id))
        .chain(spec.load_balancers.iter().flat_map(|balancer| &balancer.frontends).map(|one| &one.id))
        .chain(spec.load_balancers.iter().flat_map(|balancer| &balancer.nat_rules).map(|rule| &rule.id))
        .cloned()
        .collect()
}

impl Summary {
    /// Counts the rules and what is unknown.
    pub(super) fn count(&mut self, spec: &EstateSpec) {
        self.nsgs = spec.nsgs.len();
        for nsg in &spec.nsgs {
            if let Some(reason) = &nsg.rules_unknown {
                self.open_nsgs.push((nsg.id.clone(), reason.clone()));
            }
            for rule in &nsg.rules {
                self.count_rule(nsg, rule);
            }
        }
        let mut reasons = Reasons::default();
        spec.clone().walk(&mut reasons);
        let open = self.open_nsgs.iter().map(|(_, reason)| reason.clone());
        let noted = spec.unknowns.iter().map(|unknown| unknown.reason.clone());
        for reason in reasons.0.into_iter().chain(open).chain(noted) {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    fn count_rule(&mut self, nsg: &NsgSpec, rule: &RuleSpec) {
        self.rules += 1;
        let mut reasons = Reasons::default();
        rule.clone().walk(&mut reasons);
        if !rule.certain {
            reasons.0.push("whether the rule exists is not known".to_owned());
        }
        if !nsg.certain {
            reasons.0.push("whether its group exists is not known".to_owned());
        }
        reasons.0.extend(open_tags(nsg, rule));
        reasons.0.sort();
        reasons.0.dedup();
        if reasons.0.is_empty() {
            self.rules_resolved += 1;
            return;
        }
        self.unresolved.push(UnresolvedRule {
            nsg: nsg.id.clone(),
            rule: rule.name.as_ref().and_then(|name| name.value.known()).cloned(),
            reasons: reasons.0,
            place: rule.place.clone(),
        });
    }
}
