//! A change against flows that were seen: what breaks, what opens, and whether the rules of today say what the log says.
//!
//! Every different flow is judged by the rules before and by those after, at its place. What changes is grouped by the rules that
//! decide, by service and by peer; the log's own decisions are compared with the rules before (drift). Verdicts are three-valued:
//! where either is unknown, that is told apart from what surely changes. A flow is judged as it begins; replies belong to it, and
//! rules are not asked about them. This page starts no thread: parts are judged apart ([`WhatIf::judge`]) and put together
//! ([`WhatIf::answer`]).

mod answer;
mod asking;
mod cuts;
mod decider;
mod drift;
mod judge;
mod lists;
mod meet;
mod peers;

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use palisade_classify::table::CompileError;
use palisade_model::{EffectivePolicy, Estate, LoggedDecision, ResourceId};
use palisade_net::{Direction, Protocol};

use crate::{
    alike::Alike,
    observed::{Observed, ObservedFlow, Place, Saying, Sum, Tally},
};

pub use decider::Decider;
pub use drift::{Drift, Said};
pub use judge::Judged;
pub use peers::Peers;

use judge::Class;

/// Why flows cannot be judged.
#[derive(Debug, thiserror::Error)]
#[error("the rules of {place} are too many to be compiled")]
pub struct TooManyRules {
    /// Where they hold.
    place: ResourceId,
    source: CompileError,
}

/// How many flows, and what they moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Different flows.
    pub flows: u64,
    /// Those of them that their log says were denied: attempts.
    pub attempts: u64,
    /// Those of them that were there when a record told of them: existing connections.
    pub established: u64,
    /// Their records, packets, bytes, and when they were seen.
    pub tally: Tally,
    /// Index of one of them.
    pub witness: usize,
}

impl Count {
    /// Adds other flows. A count without flows has no witness of its own.
    fn join(&mut self, other: &Self) {
        if self.flows == 0 { *self = *other } else { self.add(other) }
    }

    /// No flow yet.
    const fn none(witness: usize) -> Self {
        let tally =
            Tally { records: 0, packets: 0, bytes: 0, first_ms: 0, last_ms: 0, is_established: false };
        Self { flows: 0, attempts: 0, established: 0, tally, witness }
    }
}

impl Count {
    /// Some flows, of which the first has an index, and the others follow it.
    fn of_all(index: usize, tallies: &[Tally], is_attempt: bool) -> Self {
        let mut all = Self::none(index);
        for tally in tallies {
            all.tally.add(tally);
            all.established += u64::from(tally.is_established);
        }
        all.flows = tallies.len() as u64;
        let attempts = if is_attempt { all.flows } else { 0 };
        Self { attempts, established: if is_attempt { 0 } else { all.established }, ..all }
    }
}

impl Sum for Count {
    fn add(&mut self, other: &Self) {
        self.witness = self.witness.min(other.witness);
        self.flows += other.flows;
        self.attempts += other.attempts;
        self.established += other.established;
        self.tally.add(&other.tally);
    }
}

/// Flows, and the rules before and after at each of their places.
#[derive(Debug)]
pub struct WhatIf<'a> {
    observed: &'a Observed,
    now: u32,
    classes: Vec<Class>,
    /// For each place, its class.
    class_of: Vec<usize>,
    /// For each saying, whether it denied.
    is_denied: Vec<bool>,
}

impl<'a> WhatIf<'a> {
    /// Prepares to judge flows that were placed in the estate `before`. `now` is the moment to judge at, in seconds since 1970.
    ///
    /// # Errors
    /// [`TooManyRules`].
    pub fn new(
        observed: &'a Observed,
        before: &Estate,
        after: &Estate,
        now: u32,
    ) -> Result<Self, TooManyRules> {
        let policies = |place: &Place| {
            let before = place.policy(before).expect("flows were placed in this estate");
            (Cow::Owned(before), place.policy(after).map(Cow::Owned))
        };
        Self::with(observed, policies, now)
    }

    /// The same with the rules that `policies` gives for each place, before and after; no rules after if the place is gone.
    ///
    /// # Errors
    /// [`TooManyRules`].
    pub fn with<'p>(
        observed: &'a Observed,
        policies: impl Fn(&Place) -> (Cow<'p, EffectivePolicy>, Option<Cow<'p, EffectivePolicy>>),
        now: u32,
    ) -> Result<Self, TooManyRules> {
        let (mut classes, mut numbers, mut class_of) = (Vec::new(), HashMap::new(), Vec::new());
        let mut alike = Alike::default();
        for place in observed.places() {
            let (before, after) = policies(place);
            let key = (alike.number(before), after.map(|after| alike.number(after)));
            let class = match numbers.get(&key) {
                Some(known) => *known,
                None => {
                    let policy = |number: usize| (**alike.policy(number)).clone();
                    let failed = |source| TooManyRules { place: place.id().clone(), source };
                    classes.push(Class::new(policy(key.0), key.1.map(policy)).map_err(failed)?);
                    *numbers.entry(key).or_insert(classes.len() - 1)
                }
            };
            class_of.push(class);
        }
        let denied = |saying: &Saying| saying.decision == LoggedDecision::Denied;
        let is_denied = observed.sayings().iter().map(denied).collect();
        Ok(Self { observed, now, classes, class_of, is_denied })
    }

    /// The flows.
    pub const fn observed(&self) -> &'a Observed {
        self.observed
    }
}

/// What a change means for flows that were seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// All flows that have a place.
    pub judged: Count,
    /// Those whose verdict stays, and is known.
    pub unchanged: Count,
    /// Those of which neither verdict is known.
    pub unknown: Count,
    /// Those at places that the estate after does not have.
    pub gone: Count,
    /// What changes, by the rules that decide: first what breaks, then what opens, then what is known on one side only.
    pub changes: Vec<Change>,
    /// The log's own decisions beside the rules before.
    pub drift: Drift,
}

impl Answer {
    /// All changes of an effect together.
    pub fn sum(&self, effect: Effect) -> Count {
        let mut sum = Count::none(usize::MAX);
        self.changes
            .iter()
            .filter(|change| change.effect == effect)
            .for_each(|change| sum.add(&change.count));
        sum
    }
}

/// What a change of a verdict means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Allowed before, denied after.
    Breaks,
    /// Denied before, allowed after.
    Opens,
    /// Allowed before, unknown after.
    MayBreak,
    /// Denied before, unknown after.
    MayOpen,
    /// Unknown before, denied after.
    MayHaveBroken,
    /// Unknown before, allowed after.
    MayHaveOpened,
}

/// Flows whose verdict changes for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it means.
    pub effect: Effect,
    /// Their direction.
    pub direction: Direction,
    /// What decided before.
    pub before: Decider,
    /// What decides after.
    pub after: Decider,
    /// Whether existing connections are judged again by what decides after, or live on (`flushConnection` of an NSG).
    pub flushes: bool,
    /// Where: indexes of [`Observed::places`].
    pub places: BTreeSet<usize>,
    /// How many, and one of them.
    pub count: Count,
    /// By service, those with most flows first.
    pub services: Vec<Service>,
}

/// A protocol and the port that receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Protocol.
    pub protocol: Protocol,
    /// Port, or 0 where there is none.
    pub port: u16,
    /// How many, and one of them.
    pub count: Count,
    /// By the other side, those with most flows first.
    pub peers: Vec<Peer>,
}

/// The other side of flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What it is called: a subnet, a group, a tag, or a prefix.
    pub name: String,
    /// Different addresses.
    pub addresses: u64,
    /// How many, and one of them.
    pub count: Count,
}

impl WhatIf<'_> {
    /// A flow that was counted.
    pub fn witness(&self, count: &Count) -> ObservedFlow {
        self.observed.flow(count.witness)
    }
}
