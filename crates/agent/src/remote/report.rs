//! What an agent tells its server of what is in force, from what it writes down anyway.
//!
//! It decides nothing: two reports are alike if and only if nothing changed that a server could act on, so the agent tells
//! one whenever it differs from the last.

use std::collections::BTreeMap;

use palisade_sync::limits::{NICS_MAX, TEXT_BYTES_MAX};
use palisade_sync::{Hash, NicReport, Report};

use super::Snapshot;
use crate::compile::Compiled;
use crate::identity::NicId;
use crate::interfaces::matching::MatchProblem;
use crate::plan::NicDigests;
use crate::state::State;

/// Hashes of policies by NIC. They do not depend on the host: interface and slot are not in them.
pub type Policies = BTreeMap<NicId, Hash>;

/// The hashes of an estate's policies.
pub fn policies(compiled: &Compiled) -> Policies {
    let mut digests = NicDigests::default();
    compiled.nics.iter().map(|(id, nic)| (id.clone(), digests.of(&nic.policy))).collect()
}

/// What is to be told of a host in this state.
///
/// `applied` is what the kernel enforces whole, `policies` are those of what was accepted last; `seen` was looked at last,
/// and `trouble` says what kept it from being in force, if neither a refusal nor a failure that is written down does.
pub fn of(
    state: &State,
    applied: Option<&Snapshot>,
    policies: &Policies,
    seen: u64,
    trouble: &str,
) -> Report {
    let refused = state.refused.as_ref().map(|refused| refused.message.as_str());
    let unpublished = state.unpublished.as_ref().map(|failure| failure.message.as_str());
    let error = refused.or(unpublished).unwrap_or(trouble);
    let mut nics: BTreeMap<&NicId, NicReport> =
        state.nics.keys().map(|id| (id, nic(state, id, policies))).collect();
    for (id, interface, error) in state.problems.iter().flat_map(closed) {
        nics.insert(id, NicReport { id: text(id.to_string()), interface, error, policy: Vec::new() });
    }
    Report {
        applied_revision: applied.map_or(0, |applied| applied.revision),
        applied_hash: applied.map(|applied| applied.hash.to_vec()).unwrap_or_default(),
        seen_revision: seen,
        error: text(error.to_owned()),
        nics: nics.into_values().take(NICS_MAX).collect(),
    }
}

/// A NIC that has an interface.
fn nic(state: &State, id: &NicId, policies: &Policies) -> NicReport {
    let interface = state.nics[id].interface.clone();
    let error = state.unenforced.get(&interface).cloned().unwrap_or_default();
    let policy = policies.get(id).filter(|_| error.is_empty()).map(|policy| policy.to_vec());
    NicReport { id: text(id.to_string()), interface, error: text(error), policy: policy.unwrap_or_default() }
}

/// The NICs at which a problem keeps policy from being enforced: id, interface, why.
fn closed(problem: &MatchProblem) -> Vec<(&NicId, String, String)> {
    let why = text(problem.to_string());
    match problem {
        MatchProblem::SeveralInterfaces { nic, interfaces } => vec![(nic, text(interfaces.join(", ")), why)],
        MatchProblem::SeveralNics { interface, nics } => {
            nics.iter().map(|nic| (nic, interface.clone(), why.clone())).collect()
        }
        MatchProblem::UnsupportedInterface { nic, interface, .. } => vec![(nic, interface.clone(), why)],
        MatchProblem::PassesBy { nic, device, .. } => vec![(nic, text(device.clone()), why)],
    }
}

/// A text within the protocol's limit.
pub(super) fn text(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    }
    text
}
