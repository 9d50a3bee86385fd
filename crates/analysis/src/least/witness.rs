//! Which logged flows count, and what became of the others.
//!
//! A flow is a witness if the rules of today let it pass and the log says that it is wanted. It must not know new rules.

use std::collections::{BTreeSet, HashMap};

use palisade_classify::{Verdict, oracle};
use palisade_model::{LoggedDecision, ResourceId};
use palisade_net::{AddressSet, Direction, Flow};

use super::{Interfaces, Seen, alone, list_of};

/// What becomes of a logged flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowFate {
    /// It stays allowed.
    Kept,
    /// It is about a peer that the user forbids, and is cut.
    Forbidden,
    /// No tag may stand for its peer, and only tags were to be used; it is cut.
    NoTag,
    /// It is cut by what cannot be told apart otherwise.
    Cut,
}

/// Why a logged flow does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Left {
    /// Its interface is not in the estate, or not behind an NSG that is asked about.
    Elsewhere,
    /// It goes the other way.
    OtherDirection,
    /// Something other than an NSG decided it.
    NotByRules,
    /// It was an attempt that was denied when it was logged, and those are not wanted.
    DeniedThen,
    /// The rules of today deny it.
    DeniedNow,
    /// The estate does not tell whether the rules of today deny it.
    Unknown,
}

/// How many flows, and records of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Distinct flows.
    pub flows: u64,
    /// Records in the log.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Counts {
    /// Adds a flow.
    pub const fn add(&mut self, seen: &Seen) {
        self.flows += 1;
        self.records += seen.records;
        self.bytes += seen.bytes;
    }
}

/// The flows that count, and why others do not: indexes into what was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witnesses {
    pub(crate) wanted: Vec<usize>,
    pub(crate) left: Vec<(usize, Left)>,
}

/// Tells which flows count at `now`. `concerns` says of which interfaces and in which direction; `denied` whether attempts count
/// that were denied when they were logged.
pub(crate) fn witnesses(
    seen: &[Seen],
    interfaces: &Interfaces,
    concerns: impl Fn(&ResourceId) -> bool,
    is_way: impl Fn(&Seen) -> bool,
    denied: bool,
    now: u32,
) -> Witnesses {
    let mut found = Witnesses::default();
    for (index, one) in seen.iter().enumerate() {
        let left = match (interfaces.policy(&one.place).filter(|_| concerns(&one.place)), one.decision) {
            (None, _) => Some(Left::Elsewhere),
            (Some(_), _) if !is_way(one) => Some(Left::OtherDirection),
            (Some(_), LoggedDecision::Elsewhere) => Some(Left::NotByRules),
            (Some(policy), decision) => match oracle::decide(policy, &one.flow, now).verdict {
                Verdict::Deny => Some(Left::DeniedNow),
                Verdict::Unknown => Some(Left::Unknown),
                Verdict::Allow if decision == LoggedDecision::Denied && !denied => Some(Left::DeniedThen),
                Verdict::Allow => None,
            },
        };
        match left {
            None => found.wanted.push(index),
            Some(left) => found.left.push((index, left)),
        }
    }
    found
}

/// Distinct flows that one NSG alone would cut, whatever the others say, but for those whose peer is forbidden.
pub(crate) fn cut_by<'w>(
    (nsg, direction): (&ResourceId, Direction),
    interfaces: &Interfaces,
    wanted: impl Iterator<Item = &'w Seen>,
    forbidden: &AddressSet,
    now: u32,
) -> Vec<Flow> {
    let mut lists = HashMap::new();
    let mut cut = BTreeSet::new();
    for one in wanted.filter(|one| one.flow.direction() == direction) {
        let Some(policy) = interfaces.policy(&one.place) else { continue };
        let Some(layer) = list_of(policy, nsg, direction) else { continue };
        // Interfaces of one class share one policy, and so the list.
        let key: *const _ = layer;
        let list = lists.entry(key).or_insert_with(|| alone(policy, layer, direction));
        let is_cut = oracle::decide(list, &one.flow, now).verdict != Verdict::Allow;
        if is_cut && !forbidden.contains(one.flow.remote()) {
            cut.insert(one.flow);
        }
    }
    cut.into_iter().collect()
}

/// What becomes of each wanted flow, as the oracle says; `reason` tells why one is cut.
pub(crate) fn fates(
    seen: &[Seen],
    wanted: &[usize],
    after: &Interfaces,
    now: u32,
    reason: impl Fn(&Flow) -> FlowFate,
) -> Vec<(usize, FlowFate)> {
    let fate = |index: &usize| {
        let Seen { place, flow, .. } = &seen[*index];
        let policy = after.policy(place).expect("the same places are there");
        let is_kept = oracle::decide(policy, flow, now).verdict == Verdict::Allow;
        (*index, if is_kept { FlowFate::Kept } else { reason(flow) })
    };
    wanted.iter().map(fate).collect()
}
