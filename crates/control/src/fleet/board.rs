//! What the hosts have in force, as they report it, and the operations that wait for it.
//!
//! The newest report of each host is kept in memory; nothing is fanned out to other hosts. Waiting for an operation polls
//! nothing. It knows no session and no protocol: a server that serves a host tells the board, and what other servers on
//! the same store know comes in as a mirror. Reference: docs/adr/0029-spans-and-operations.md.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_model::ResourceId;
use palisade_store::Revision;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::operation::{InForce, Operation, OperationState};
use super::{HostName, HostReport, Standing};
use crate::options::Clock;
use crate::time::unix_seconds;

/// How long an operation waits for hosts unless the operator says otherwise.
pub const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// Operations that are remembered; the oldest are forgotten first.
pub const OPERATIONS_MAX: usize = 10_000;

/// How long a host that is connected may not be heard of; whoever serves one hears of it three times as often.
pub const SILENCE_MAX: Duration = Duration::from_secs(90);

/// The board.
pub struct Board {
    state: Mutex<State>,
    clock: Clock,
    timeout: Duration,
    changed: Notify,
}

#[derive(Default)]
struct State {
    hosts: BTreeMap<HostName, Standing>,
    /// Hosts served here that stand differently since the mirror was last written.
    dirty: BTreeSet<HostName>,
    operations: HashMap<String, Operation>,
    /// The newest operation about each resource.
    newest: HashMap<ResourceId, String>,
    /// Operations in the order in which they began.
    order: VecDeque<String>,
    /// Operations that wait for a host.
    waiting: HashMap<HostName, BTreeSet<String>>,
}

impl Board {
    /// A board whose operations wait for hosts this long.
    pub fn new(clock: Clock, timeout: Duration) -> Self {
        Self { state: Mutex::default(), clock, timeout, changed: Notify::new() }
    }

    /// A host has connected to this server.
    pub fn connected(&self, host: &HostName, version: &str, address: &str) {
        let now = self.now();
        self.update(host, |standing| {
            standing.connected = Some(now);
            standing.seen = Some(now);
            version.clone_into(&mut standing.version);
            address.clone_into(&mut standing.address);
        });
    }

    /// A host served here is gone.
    pub fn lost(&self, host: &HostName) {
        let now = self.now();
        self.update(host, |standing| {
            if standing.connected.take().is_some() {
                standing.seen = Some(now);
            }
        });
    }

    /// A host served here was heard of.
    pub fn heard(&self, host: &HostName) {
        let now = self.now();
        self.update(host, |standing| standing.seen = Some(now));
    }

    /// A host served here reports.
    pub fn report(&self, host: &HostName, report: HostReport) {
        let (now, report) = (self.now(), report.bounded());
        self.update(host, |standing| {
            standing.seen = Some(now);
            standing.report = Some(report);
        });
        self.hear(host);
    }

    /// The state of a host cannot be sent to it, and why.
    pub fn refuse(&self, host: &HostName, revision: Revision, reason: &str) {
        let report = self.standing(host).and_then(|standing| standing.report).unwrap_or_default();
        self.report(host, HostReport { seen: revision.0, error: reason.to_owned(), ..report });
    }

    /// How a host stands that another server serves; `None` if that server has forgotten it.
    pub fn mirror(&self, host: &HostName, standing: Option<Standing>) {
        let mut state = self.lock();
        match standing {
            Some(standing) => state.hosts.insert(host.clone(), standing),
            None => state.hosts.remove(host),
        };
        drop(state);
        self.hear(host);
    }

    /// A host is no longer one of the fleet: nothing waits for it.
    pub fn forget(&self, host: &HostName) {
        let mut state = self.lock();
        state.hosts.remove(host);
        state.dirty.remove(host);
        for id in state.waiting.remove(host).unwrap_or_default() {
            if let Some(operation) = state.operations.get_mut(&id) {
                operation.release(host);
            }
        }
    }

    /// How a host stands; `None` if it was never heard of. One that was not heard of for [`SILENCE_MAX`] is not connected: the
    /// server that served it may have died without a word.
    pub fn standing(&self, host: &HostName) -> Option<Standing> {
        let mut standing = self.lock().hosts.get(host).cloned()?;
        if standing.seen.is_none_or(|seen| seen + SILENCE_MAX.as_secs() < self.now()) {
            standing.connected = None;
        }
        Some(standing)
    }

    /// Begins an operation: it succeeds when all `hosts` have `revision` in force. `about` is the resource that was written.
    pub fn track(
        &self,
        id: impl Into<String>,
        about: Option<ResourceId>,
        revision: Revision,
        hosts: BTreeSet<HostName>,
    ) {
        let id = id.into();
        let deadline = Instant::now() + self.timeout;
        let mut operation = Operation::new(about.clone(), revision, hosts.clone(), deadline);
        let mut guard = self.lock();
        let state = &mut *guard;
        for host in hosts {
            // A fast host may have confirmed before anyone could ask it to be waited for.
            let report = state.hosts.get(&host).and_then(|standing| standing.report.as_ref());
            if !report.is_some_and(|report| operation.hear(&host, report)) {
                state.waiting.entry(host).or_default().insert(id.clone());
            }
        }
        if let Some(about) = about {
            state.newest.insert(about, id.clone());
        }
        state.order.push_back(id.clone());
        state.operations.insert(id, operation);
        state.forget_operations();
    }

    /// How an operation stands; `None` if there is none of that id, or no longer.
    pub fn operation(&self, id: &str) -> Option<OperationState> {
        let mut guard = self.lock();
        let State { hosts, operations, .. } = &mut *guard;
        let operation = operations.get_mut(id)?;
        operation.expire(Instant::now(), |host| hosts.get(host).cloned());
        Some(operation.state())
    }

    /// Whether what was written last to a resource is in force. Unlike the operation, which failed for good, this changes when
    /// the hosts that it failed for have caught up.
    pub fn in_force(&self, resource: &ResourceId) -> InForce {
        let mut guard = self.lock();
        let State { hosts, operations, newest, .. } = &mut *guard;
        let operation = newest.get(resource).and_then(|id| operations.get_mut(id));
        let Some(operation) = operation else { return InForce::Yes };
        operation.expire(Instant::now(), |host| hosts.get(host).cloned());
        let report = |host: &HostName| hosts.get(host).and_then(|standing| standing.report.as_ref());
        operation.in_force(report)
    }

    /// Waits until an operation has ended, but not beyond `until`; how it stands then.
    pub async fn wait(&self, id: &str, until: Instant) -> Option<OperationState> {
        let (mut state, deadline) = {
            let guard = self.lock();
            let operation = guard.operations.get(id)?;
            (operation.subscribe(), operation.deadline)
        };
        let ended = state.wait_for(|state| *state != OperationState::InProgress);
        // An elapsed time and an operation that was forgotten are told by what is asked next.
        drop(timeout_at(until.min(deadline), ended).await);
        self.operation(id)
    }

    /// Hosts served here that stand differently since it was last asked, once there are some.
    pub async fn changed(&self) -> Vec<(HostName, Standing)> {
        loop {
            let told = self.changed.notified();
            let changed = self.take_changed();
            if !changed.is_empty() {
                return changed;
            }
            told.await;
        }
    }

    fn take_changed(&self) -> Vec<(HostName, Standing)> {
        let mut state = self.lock();
        let dirty = std::mem::take(&mut state.dirty);
        dirty.into_iter().filter_map(|host| state.hosts.get(&host).cloned().map(|own| (host, own))).collect()
    }

    fn update(&self, host: &HostName, change: impl FnOnce(&mut Standing)) {
        let mut state = self.lock();
        change(state.hosts.entry(host.clone()).or_default());
        state.dirty.insert(host.clone());
        drop(state);
        self.changed.notify_one();
    }

    /// Tells the operations that wait for a host what it reported.
    fn hear(&self, host: &HostName) {
        let mut guard = self.lock();
        let State { hosts, operations, waiting, .. } = &mut *guard;
        let Some(report) = hosts.get(host).and_then(|standing| standing.report.as_ref()) else { return };
        let Some(ids) = waiting.get_mut(host) else { return };
        ids.retain(|id| operations.get_mut(id).is_some_and(|operation| !operation.hear(host, report)));
        if ids.is_empty() {
            waiting.remove(host);
        }
    }

    fn now(&self) -> u64 {
        unix_seconds((self.clock)())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is under the lock is changed by assignments that cannot panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets the oldest operations beyond the limit.
    fn forget_operations(&mut self) {
        while self.order.len() > OPERATIONS_MAX {
            let Some(id) = self.order.pop_front() else { return };
            let Some(operation) = self.operations.remove(&id) else { continue };
            if let Some(about) = operation.about()
                && self.newest.get(about) == Some(&id)
            {
                self.newest.remove(about);
            }
            for host in operation.waiting() {
                if let Some(ids) = self.waiting.get_mut(host) {
                    ids.remove(&id);
                }
            }
        }
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
