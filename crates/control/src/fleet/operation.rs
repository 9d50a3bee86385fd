//! Operations: changes that hosts must put in force before they have succeeded.
//!
//! An operation waits for the hosts concerned, each of which confirms its revision or a later one, refuses, or says
//! nothing in time. Invariant: once it has succeeded or failed it stays so, whatever hosts report later.
//! Reference: docs/adr/0029-spans-and-operations.md.

use std::borrow::Cow;
use std::collections::BTreeSet;

use palisade_model::ResourceId;
use palisade_store::Revision;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{HostName, HostReport, Standing};
use crate::time::rfc3339;

/// Hosts that a message names; of further ones it tells how many.
const HOSTS_NAMED_MAX: usize = 5;

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationState {
    /// Hosts are still to confirm.
    InProgress,
    /// All hosts concerned have it in force.
    Succeeded,
    /// It is stored, and not in force everywhere.
    Failed {
        /// Code that clients match on.
        code: Cow<'static, str>,
        /// Which hosts, and why.
        message: String,
    },
}

/// Whether the newest write to a resource is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InForce {
    /// At all hosts concerned, or there are none.
    Yes,
    /// Hosts are still to confirm.
    NotYet,
    /// A host refused it, or did not confirm in time and has not since.
    No,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    about: Option<ResourceId>,
    revision: Revision,
    /// How many hosts are concerned.
    total: usize,
    waiting: BTreeSet<HostName>,
    pub(super) deadline: Instant,
    state: watch::Sender<OperationState>,
}

impl Operation {
    /// An operation that hosts are to confirm until the deadline.
    pub(super) fn new(
        about: Option<ResourceId>,
        revision: Revision,
        hosts: BTreeSet<HostName>,
        deadline: Instant,
    ) -> Self {
        let state = if hosts.is_empty() { OperationState::Succeeded } else { OperationState::InProgress };
        let (total, state) = (hosts.len(), watch::Sender::new(state));
        Self { about, revision, total, waiting: hosts, deadline, state }
    }

    /// How it stands.
    pub(super) fn state(&self) -> OperationState {
        self.state.borrow().clone()
    }

    /// Tells every change of how it stands.
    pub(super) fn subscribe(&self) -> watch::Receiver<OperationState> {
        self.state.subscribe()
    }

    /// Whether it has ended.
    pub(super) fn is_settled(&self) -> bool {
        *self.state.borrow() != OperationState::InProgress
    }

    /// The resource that was written.
    pub(super) const fn about(&self) -> Option<&ResourceId> {
        self.about.as_ref()
    }

    /// Whether what was written is in force, by what hosts report now.
    pub(super) fn in_force<'a>(&self, report: impl Fn(&HostName) -> Option<&'a HostReport>) -> InForce {
        let has_confirmed = |host| report(host).is_some_and(|report| report.confirms(self.revision));
        match &*self.state.borrow() {
            OperationState::Succeeded => InForce::Yes,
            OperationState::InProgress => InForce::NotYet,
            OperationState::Failed { .. } if self.waiting.iter().all(has_confirmed) => InForce::Yes,
            OperationState::Failed { .. } => InForce::No,
        }
    }

    /// Hosts that it has not heard the confirmation of.
    pub(super) const fn waiting(&self) -> &BTreeSet<HostName> {
        &self.waiting
    }

    /// Takes a host's report into account; true if it waits for the host no more.
    pub(super) fn hear(&mut self, host: &HostName, report: &HostReport) -> bool {
        if report.confirms(self.revision) {
            self.release(host);
            return true;
        }
        let Some(reason) = report.refusal(self.revision) else { return self.is_settled() };
        let message = format!("host {host} refused generation {}: {reason}", self.revision.0);
        self.settle(OperationState::Failed { code: "PolicyRefused".into(), message });
        true
    }

    /// Waits for a host no more: it has confirmed, or is no longer one of the fleet.
    pub(super) fn release(&mut self, host: &HostName) {
        self.waiting.remove(host);
        if self.waiting.is_empty() {
            self.settle(OperationState::Succeeded);
        }
    }

    /// Fails if the deadline has passed. `standing` tells when a host was last heard of.
    pub(super) fn expire(&mut self, now: Instant, standing: impl Fn(&HostName) -> Option<Standing>) {
        if now < self.deadline || self.is_settled() {
            return;
        }
        let named = self.waiting.iter().take(HOSTS_NAMED_MAX).map(|host| {
            let seen = standing(host).and_then(|standing| standing.seen);
            seen.map_or_else(
                || format!("{host} (never seen)"),
                |at| format!("{host} (last seen {})", rfc3339(at)),
            )
        });
        let mut names = named.collect::<Vec<_>>().join(", ");
        let more = self.waiting.len().saturating_sub(HOSTS_NAMED_MAX);
        if more > 0 {
            names += &format!(" and {more} more");
        }
        let (missing, hosts) = (self.waiting.len(), if self.total == 1 { "host" } else { "hosts" });
        let message = format!(
            "{missing} of {} {hosts} did not confirm generation {}: {names}",
            self.total, self.revision.0
        );
        self.settle(OperationState::Failed { code: "AgentsUnreachable".into(), message });
    }

    fn settle(&self, state: OperationState) {
        if !self.is_settled() {
            self.state.send_replace(state);
        }
    }
}
