//! What of the Internet stays open by rules that are not ours.
//!
//! A rule of the user's before the deny rule still decides first. It must not judge whether that is wanted.

use std::collections::BTreeSet;

use palisade_classify::{Hit, Verdict};
use palisade_model::{ComputedTag, Estate, ResourceId, TagAddresses};
use palisade_net::{AddressSet, Direction, Flow};

use super::{LockdownOptions, own};
use crate::{
    AnalysisError, PerFamily, Query, Volume,
    least::{Interfaces, addresses_of},
    reach,
};

/// What one rule lets pass to the Internet from some interfaces.
#[derive(Debug, Clone)]
pub struct Remaining {
    /// The interfaces.
    pub places: Vec<ResourceId>,
    /// The path of the rule, such as `securityRules/x`; `None` where no rule denies, or the platform delivers.
    pub rule: Option<String>,
    /// Its NSG.
    pub nsg: Option<String>,
    /// Whether the estate leaves open what happens.
    pub is_unknown: bool,
    /// Packets from any address.
    pub volume: PerFamily<Volume>,
    /// One of them.
    pub example: Flow,
}

/// What still passes from the machines behind NSGs to the Internet, but by our rules.
pub(super) fn remaining(
    after: &Estate,
    nsgs: &[ResourceId],
    options: &LockdownOptions,
) -> Result<Vec<Remaining>, AnalysisError> {
    let interfaces = Interfaces::of(after, &BTreeSet::new());
    let within = Query { destination: internet(after), ..Query::default() };
    let mut found: Vec<Remaining> = Vec::new();
    for (policy, members) in interfaces.classes() {
        let governed = members.iter().filter(|nic| nsgs.iter().any(|nsg| interfaces.governs(nsg, nic)));
        let places: Vec<ResourceId> = governed.cloned().collect();
        let Some(first) = places.first() else { continue };
        let machine = after.nics().find(|nic| nic.id() == first).map(addresses_of).unwrap_or_default();
        let reached = reach(policy, Direction::Outbound, &within, options.now, &machine, options.limits)?;
        for one in reached.into_iter().filter(|one| one.side.verdict != Verdict::Deny) {
            let explained = one.side.hit.explain(policy, Direction::Outbound);
            let rule = explained.rule.filter(|_| matches!(one.side.hit, Hit::Rule { .. }));
            if rule.is_some_and(|rule| rule.name.starts_with(own::PREFIX)) {
                continue;
            }
            found.push(Remaining {
                places: places.clone(),
                rule: rule.map(|rule| rule.path.clone()),
                nsg: explained.nsg.map(str::to_owned),
                is_unknown: one.side.verdict == Verdict::Unknown,
                volume: one.volume,
                example: one.example,
            });
        }
    }
    Ok(found)
}

/// The tag that is denied.
fn internet(estate: &Estate) -> AddressSet {
    let name = ComputedTag::Internet.name().parse().expect("computed tags have valid names");
    match estate.tags().addresses(&name) {
        TagAddresses::Known(set) => set,
        _ => AddressSet::full(),
    }
}
