//! Answers to alerts as resources: quarantines, lock-outs with blocked pairs, throttles, and the policies that make them by themselves.
//!
//! What a policy answers is `palisade_guard::answer`'s to say. Here are the documents, what was done before as they tell it, and what
//! becomes of them at an interface. Invariant: an interface's lists are a function of the world, so that spans, proofs and questions see
//! the same. Reference: docs/answers.md.

mod past;
mod read;
mod rules;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;

use palisade_guard::answer::{Policy, Sighting};
use palisade_model::ResourceId;

use crate::kinds::{self, ANSWER_POLICY};
use crate::world::{Document, World};
pub(crate) use past::{past, spared};
pub(crate) use read::{
    acts, lockout, paths_written, policy, policy_end, policy_target, quarantine_paths, refused, scope_of,
    shown, until, wrong,
};
pub(crate) use rules::{interfaces_of, own_lists};
pub(crate) use throttle::{throttle, throttles_of};

/// Lock-outs and blocked pairs of one scope that are in force. With the other limits this bounds the rules of an interface, of which the
/// kernel takes 1,024.
pub const LOCKOUTS_MAX: usize = 200;
/// Lock-outs and blocked pairs of one scope that are remembered; the oldest that have ended go first.
pub const REMEMBERED_MAX: usize = 1_000;
/// Machines of one group that are isolated.
pub const QUARANTINES_MAX: usize = 100;
/// Throttles in force in one group.
pub const THROTTLES_MAX: usize = 100;
/// Longest reason, in characters.
pub const REASON_MAX: usize = 500;

/// An alert that is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerCall {
    /// Its name among the server's alerts.
    pub alert: String,
    /// What it tells.
    pub seen: Sighting,
    /// Addresses from which administrators talk to the server.
    pub administrators: Vec<IpAddr>,
}

/// The policies that an alert about a machine or an interface falls under at a time, in the order in which they are asked: those about it
/// alone, those of its group by their names, then those of the subscription.
pub fn policies(
    world: &World,
    target: Option<&ResourceId>,
    subscription: &ResourceId,
    now: u32,
) -> Vec<(ResourceId, Policy)> {
    let group = target.and_then(kinds::group_of);
    let scopes = group.iter().chain([subscription]);
    let all = scopes.flat_map(|scope| of_scope(world, scope, ANSWER_POLICY));
    let holds = |document: &&Arc<Document>| {
        // What was stored could be read when it was.
        policy_end(document.properties()).ok().flatten().is_none_or(|end| now < end)
    };
    let (own, others): (Vec<_>, Vec<_>) = all
        .filter(holds)
        .map(|document| (policy_target(document.properties()), document))
        .filter(|(own, _)| own.as_ref().is_none_or(|own| target == Some(own)))
        .partition(|(own, _)| own.is_some());
    let read = |(_, document): (_, &Arc<Document>)| {
        Some((document.id().clone(), policy(document.properties()).ok()?))
    };
    own.into_iter().chain(others).filter_map(read).collect()
}

/// The documents of a kind that stand at a subscription or in a group.
pub(crate) fn of_scope<'w>(
    world: &'w World,
    scope: &ResourceId,
    kind: &str,
) -> impl Iterator<Item = &'w Arc<Document>> + use<'w> {
    world.under(&ResourceId::new(&format!("{scope}/providers/{kind}")))
}
