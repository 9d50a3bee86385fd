//! Which logged flows count, and what became of the others.
//!
//! A flow is a witness if the rules of today let it pass and the log says that it is wanted. It must not know new rules.

use palisade_classify::{Verdict, oracle};
use palisade_model::{LoggedDecision, ResourceId};

use super::{Interfaces, Seen};

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
    pub(crate) const fn add(&mut self, seen: &Seen) {
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
