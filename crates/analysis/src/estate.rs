//! Two estates compared, interface by interface.
//!
//! Interfaces at which the same rules hold before, and the same after, are one class and are compared once. An NSG that stands
//! at no interface of either estate is compared alone. It must not know where estates come from.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use palisade_model::{EffectivePolicy, Estate, IpConfiguration, Nic, ResourceId};
use palisade_net::{Direction, Prefix};

use crate::{AnalysisError, Diff, Limits, diff};

/// Two estates compared.
#[derive(Debug, Clone, Default)]
pub struct EstateDiff {
    /// Classes whose rules differ, by their first member. Packets may fare alike all the same: then there are no changes.
    pub classes: Vec<Class>,
    /// Interfaces and NSGs without one that only the first estate has.
    pub removed: Vec<ResourceId>,
    /// Interfaces and NSGs without one that only the second estate has.
    pub added: Vec<ResourceId>,
}

/// Places at which the same rules hold.
#[derive(Debug, Clone)]
pub struct Class {
    /// Network interfaces, or NSGs that stand at none.
    pub members: Vec<ResourceId>,
    /// The rules before.
    pub before: EffectivePolicy,
    /// The rules after.
    pub after: EffectivePolicy,
    /// What changes for packets to the machine.
    pub inbound: Diff,
    /// What changes for packets from the machine.
    pub outbound: Diff,
}

impl Class {
    /// What changes in a direction.
    pub const fn diff(&self, direction: Direction) -> &Diff {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

impl EstateDiff {
    /// Whether every packet fares alike at every interface, as far as that is known, and none came or went.
    pub fn is_identical(&self) -> bool {
        let unchanged = |class: &Class| class.inbound.changes.is_empty() && class.outbound.changes.is_empty();
        self.classes.iter().all(unchanged) && self.removed.is_empty() && self.added.is_empty()
    }
}

/// Everything at which two estates judge packets differently at `now`, in seconds since 1970.
///
/// # Errors
/// [`AnalysisError`].
pub fn diff_estates(
    before: &Estate,
    after: &Estate,
    now: u32,
    limits: Limits,
) -> Result<EstateDiff, AnalysisError> {
    let estates = [before, after];
    let [mut old, mut new] = estates.map(interfaces);
    let mut governing: BTreeSet<ResourceId> = BTreeSet::new();
    for policy in old.values().chain(new.values()) {
        let layers = policy.inbound.iter().chain(&policy.outbound);
        governing.extend(layers.filter_map(|layer| layer.source.clone()));
    }
    for (estate, places) in [(before, &mut old), (after, &mut new)] {
        let idle = estate.nsgs().filter(|nsg| !governing.contains(nsg.id()));
        places.extend(idle.map(|nsg| (nsg.id().clone(), estate.effective_alone(nsg, None))));
    }
    let only = |one: &BTreeMap<ResourceId, EffectivePolicy>,
                other: &BTreeMap<ResourceId, EffectivePolicy>| {
        one.keys().filter(|id| !other.contains_key(*id)).cloned().collect()
    };
    let (removed, added) = (only(&old, &new), only(&new, &old));
    let mut classes: Vec<Class> = Vec::new();
    for (id, before) in old {
        let Some(after) = new.remove(&id).filter(|after| *after != before) else { continue };
        match classes.iter_mut().find(|class| class.before == before && class.after == after) {
            Some(class) => class.members.push(id),
            None => {
                let machine = estates.map(|estate| own_addresses(estate, &id)).concat();
                let [inbound, outbound] =
                    Direction::ALL.map(|way| diff(&before, &after, way, now, &machine, limits));
                let (inbound, outbound) = (inbound?, outbound?);
                classes.push(Class { members: vec![id], before, after, inbound, outbound });
            }
        }
    }
    Ok(EstateDiff { classes, removed, added })
}

/// The rules of every interface.
fn interfaces(estate: &Estate) -> BTreeMap<ResourceId, EffectivePolicy> {
    estate.nics().map(|nic| (nic.id().clone(), estate.effective(nic))).collect()
}

/// The addresses of an interface that the estate tells.
fn own_addresses(estate: &Estate, id: &ResourceId) -> Vec<IpAddr> {
    let configurations = estate.nics().filter(|nic| nic.id() == id).flat_map(Nic::ip_configurations);
    configurations.filter_map(IpConfiguration::address).map(Prefix::address).collect()
}
