//! Places at one end of an intent, those with the same rules together.
//!
//! Where all addresses are known, interfaces with the same rules are one class, and their addresses are asked about together.
//! One whose address is not known is together only with those of which the same is not known. Invariant: at all members of a
//! class the same rules hold, and the words of both sides mean the same.

use std::{collections::HashMap, sync::Arc};

use palisade_model::{Addresses, EffectivePolicy};
use palisade_net::AddressSet;

use super::{
    party::{Near, Party},
    place::{Places, between, united},
};

/// Places with the same rules.
#[derive(Debug)]
pub(super) struct Class {
    /// Each with what of its addresses is meant.
    pub(super) members: Vec<(usize, Near)>,
    pub(super) policy: Arc<EffectivePolicy>,
    /// What of their addresses is meant, together.
    pub(super) near: Near,
    pub(super) is_loose: bool,
}

/// What tells classes apart: the rules, whether it is loose or meant by its network only, what is not known of its addresses,
/// and what `VirtualNetwork` means there.
type Key = (usize, bool, bool, Option<Near>, Option<Addresses>);

/// The classes of those of some places that a side means. Of an intent that is relative, places are told apart by what
/// `VirtualNetwork` means there.
pub(super) fn classes(
    places: &Places<'_>,
    side: &Party<'_>,
    is_relative: bool,
    among: impl Iterator<Item = usize>,
) -> Vec<Class> {
    let mut known: HashMap<Key, usize> = HashMap::new();
    let mut classes: Vec<Class> = Vec::new();
    for number in among {
        let place = &places.all[number];
        for near in side.nears(place, places.estate) {
            let policy = places.policy(number);
            let key = (
                Arc::as_ptr(&policy) as usize,
                place.is_loose(),
                near.is_by_network,
                (!near.addresses.is_certain()).then(|| near.clone()),
                is_relative.then(|| places.virtual_network(number)),
            );
            let at = *known.entry(key).or_insert_with(|| {
                let (members, near) = (Vec::new(), near.clone());
                classes.push(Class { members, policy, near, is_loose: place.is_loose() });
                classes.len() - 1
            });
            classes[at].members.push((number, near));
        }
    }
    for class in &mut classes {
        let addresses = |of: fn(&Addresses) -> &AddressSet| {
            united(class.members.iter().map(|(_, near)| of(&near.addresses)))
        };
        class.near.addresses = between(&addresses(Addresses::must), &addresses(Addresses::may));
    }
    classes
}

impl Class {
    /// A place that stands for all.
    pub(super) fn first(&self) -> usize {
        self.members[0].0
    }

    /// What a side means by name of the members' addresses, together.
    pub(super) fn part(&self, side: &Party<'_>, places: &Places<'_>) -> Addresses {
        let near = self.members.iter().filter_map(|(place, _)| side.near(&places.all[*place], places.estate));
        let near: Vec<Near> = near.collect();
        between(
            &united(near.iter().map(|near| near.addresses.must())),
            &united(near.iter().map(|near| near.addresses.may())),
        )
    }
}
