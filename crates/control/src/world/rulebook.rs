//! What the limits and priorities of a whole NSG are about, so that one more rule need not be compared with all others.

use std::collections::{BTreeSet, HashMap};

use palisade_model::{ResourceId, limits};

use super::Document;
use crate::kinds;

/// What a rule takes of its NSG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    place: Place,
    sources: usize,
    destinations: usize,
}

/// The direction in lower case, and the priority, as far as they were given.
type Place = (Option<String>, Option<i64>);

impl Share {
    /// That of a rule; other documents have none.
    pub(super) fn of(document: &Document) -> Option<Self> {
        if document.kind().name != kinds::RULE {
            return None;
        }
        let properties = document.properties();
        // The member for a single address counts as one, given or not.
        let count = |side: &str| properties[side].as_array().map_or(0, Vec::len) + 1;
        Some(Self {
            place: (
                properties["direction"].as_str().map(str::to_ascii_lowercase),
                properties["priority"].as_i64(),
            ),
            sources: count("sourceAddressPrefixes"),
            destinations: count("destinationAddressPrefixes"),
        })
    }
}

/// The rules of one NSG, summed up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rulebook {
    places: HashMap<Place, BTreeSet<ResourceId>>,
    /// How many rules name each group.
    groups: HashMap<ResourceId, usize>,
    rules: usize,
    sources: usize,
    destinations: usize,
}

impl Rulebook {
    pub(super) fn insert(&mut self, rule: &Document, share: &Share) {
        self.places.entry(share.place.clone()).or_default().insert(rule.id().clone());
        for group in rule.references() {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
        self.rules += 1;
        self.sources += share.sources;
        self.destinations += share.destinations;
    }

    pub(super) fn remove(&mut self, rule: &Document, share: &Share) {
        super::index::drop_from(&mut self.places, &share.place, |rules| {
            rules.remove(rule.id());
            rules.is_empty()
        });
        for group in rule.references() {
            super::index::drop_from(&mut self.groups, group, |count| {
                *count -= 1;
                *count == 0
            });
        }
        self.rules -= 1;
        self.sources -= share.sources;
        self.destinations -= share.destinations;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rules == 0
    }

    /// Other rules with the direction and the priority of one.
    pub(crate) fn rivals<'a>(&'a self, rule: &Document) -> impl Iterator<Item = &'a ResourceId> {
        let place = rule.share().map(|share| &share.place);
        let id = rule.id().clone();
        place
            .and_then(|place| self.places.get(place))
            .into_iter()
            .flatten()
            .filter(move |other| **other != id)
    }

    /// Whether there may be more than an NSG can have; the model tells.
    pub(crate) fn is_beyond_limits(&self) -> bool {
        self.rules > limits::RULES_PER_NSG_MAX
            || self.sources > limits::ADDRESSES_PER_NSG_SIDE_MAX
            || self.destinations > limits::ADDRESSES_PER_NSG_SIDE_MAX
            || self.groups.len() > limits::ASGS_PER_NSG_MAX
    }
}
