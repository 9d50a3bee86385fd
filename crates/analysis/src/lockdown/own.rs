//! Which rules are ours: those of an earlier run.
//!
//! Both the name and the description must say so, lest a rule of the user's is taken for one. It must not know exceptions.

use std::collections::{BTreeMap, HashMap};

use palisade_model::{
    ResourceId,
    spec::{EstateSpec, RuleSpec, Text},
};

/// What names of ours begin with.
pub(super) const PREFIX: &str = "lockdown";
/// The name of the deny rule.
pub(super) const DENY_NAME: &str = "lockdown-deny-internet";
/// What our descriptions begin with.
const OURS: &str = "Palisade lockdown:";
/// The description of the deny rule.
pub(super) const DENY_DESCRIPTION: &str =
    "Palisade lockdown: nothing leaves for the Internet but the exceptions";
/// The description of an exception.
pub(super) const ALLOW_DESCRIPTION: &str = "Palisade lockdown: observed flows need this";

/// Numbers of our rules of an earlier run, by name.
pub(super) type Former = HashMap<String, u16>;

/// Takes our rules out of NSGs.
pub(super) fn strip(spec: &mut EstateSpec, nsgs: &[ResourceId]) -> BTreeMap<ResourceId, Former> {
    let mut former = BTreeMap::new();
    for nsg in spec.nsgs.iter_mut().filter(|nsg| nsgs.contains(&nsg.id)) {
        let (ours, others): (Vec<_>, Vec<_>) = std::mem::take(&mut nsg.rules).into_iter().partition(is_ours);
        nsg.rules = others;
        let numbers = ours.iter().filter_map(|rule| Some((name_of(rule)?.to_owned(), number_of(rule)?)));
        former.insert(nsg.id.clone(), numbers.collect());
    }
    former
}

fn is_ours(rule: &RuleSpec) -> bool {
    let begins = |text: &Option<Text>, with: &str| known(text).is_some_and(|text| text.starts_with(with));
    begins(&rule.name, PREFIX) && begins(&rule.description, OURS)
}

fn known(text: &Option<Text>) -> Option<&str> {
    text.as_ref().and_then(|text| text.value.known()).map(String::as_str)
}

/// The name of a rule.
pub(super) fn name_of(rule: &RuleSpec) -> Option<&str> {
    known(&rule.name)
}

/// The number of a rule.
pub(super) fn number_of(rule: &RuleSpec) -> Option<u16> {
    known(&rule.priority).and_then(|number| number.trim().parse().ok())
}

/// Names and numbers of the outbound rules of an NSG.
pub(super) fn outbound<'s>(
    spec: &'s EstateSpec,
    nsg: &ResourceId,
) -> impl Iterator<Item = (&'s str, u16)> + use<'s> {
    let rules = spec.nsgs.iter().find(|found| found.id == *nsg).into_iter().flat_map(|nsg| &nsg.rules);
    let is_outbound =
        |rule: &&RuleSpec| known(&rule.direction).is_none_or(|way| way.eq_ignore_ascii_case("Outbound"));
    rules.filter(is_outbound).filter_map(|rule| Some((name_of(rule).unwrap_or_default(), number_of(rule)?)))
}
