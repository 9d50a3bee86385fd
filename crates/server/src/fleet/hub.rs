//! All sessions of this server: who is connected, who must be told of a commit, and what each was sent last.
//!
//! A commit wakes the sessions of the hosts that it concerns and no other. Spans are made by few at a time and outside of the
//! world's lock, so that a thousand hosts that come back at once do not keep anybody from being answered. Invariant: a
//! host has one session; a second ends the first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use palisade_control::fleet::{self, Board, HostName, Renderer, Span};
use palisade_control::{Committed, Control};
use palisade_sync::Documents;
use palisade_sync::documents::DocumentsError;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::FleetOptions;
use super::event::FleetEvent;
use super::flows::Keepers;
use super::peer::Peer;
use crate::tls::Authority;

/// Where events go.
pub(super) type Teller = Arc<dyn Fn(FleetEvent) + Send + Sync>;

/// The hub.
pub(super) struct Hub {
    control: Control,
    options: FleetOptions,
    renderer: Arc<Renderer>,
    /// Who may make a span.
    permits: Semaphore,
    sessions: Mutex<Sessions>,
    keepers: Keepers,
}

#[derive(Default)]
struct Sessions {
    live: HashMap<HostName, Live>,
    /// What hosts that are gone have, for when they come back.
    kept: HashMap<HostName, Documents>,
    /// Number of the next session.
    next: u64,
    is_stopping: bool,
}

struct Live {
    number: u64,
    peer: Peer,
    signals: Arc<Signals>,
}

/// What a session waits for besides its host.
#[derive(Debug)]
pub(super) struct Signals {
    /// Something that concerns the host has changed.
    pub(super) wake: Notify,
    /// Why the session must end, once it must.
    pub(super) end: watch::Sender<Option<End>>,
}

/// Why a session ends that its host would have gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The host has connected again.
    Replaced,
    /// The host may not speak any more.
    Revoked,
    /// The server stops.
    Stopping,
}

/// A session that was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) number: u64,
    pub(super) signals: Arc<Signals>,
    /// What the host had when its last session ended.
    pub(super) kept: Option<Documents>,
}

impl Hub {
    pub(super) fn new(control: Control, options: FleetOptions) -> Self {
        // Half of the processors make spans, and the others keep answering.
        let makers = available_parallelism().map_or(1, |all| (all.get() / 2).max(1));
        Self {
            control,
            options,
            renderer: Arc::default(),
            permits: Semaphore::new(makers),
            sessions: Mutex::default(),
            keepers: Keepers::default(),
        }
    }

    /// Starts what follows commits and keeps the mirror; it ends when the answer is dropped.
    pub(super) fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(self).follow());
        if let Some(store) = &self.options.shared {
            let (hub, control) = (Arc::clone(self), self.control.clone());
            tasks.spawn(fleet::keep_mirror(Arc::clone(store), control.clone()));
            tasks.spawn(fleet::watch_mirror(Arc::clone(store), control, move |host| hub.serves(host)));
        }
        tasks
    }

    /// Ends all sessions, and lets nobody in any more.
    pub(super) fn stop(&self) {
        let mut sessions = self.lock();
        sessions.is_stopping = true;
        for live in sessions.live.values() {
            live.signals.end.send_replace(Some(End::Stopping));
        }
    }

    pub(super) const fn control(&self) -> &Control {
        &self.control
    }

    pub(super) fn board(&self) -> &Board {
        self.control.fleet()
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.options.authority
    }

    pub(super) const fn options(&self) -> &FleetOptions {
        &self.options
    }

    pub(super) const fn keepers(&self) -> &Keepers {
        &self.keepers
    }

    pub(super) fn teller(&self) -> Teller {
        Arc::clone(&self.options.tell)
    }

    pub(super) fn tell(&self, event: FleetEvent) {
        (self.options.tell)(event);
    }

    /// Lets a session in; the host's other session, if it has one, ends.
    pub(super) fn admit(&self, peer: &Peer) -> Admitted {
        let mut sessions = self.lock();
        let number = sessions.next;
        sessions.next += 1;
        let end = if sessions.is_stopping { Some(End::Stopping) } else { None };
        let signals = Arc::new(Signals { wake: Notify::new(), end: watch::Sender::new(end) });
        let live = Live { number, peer: peer.clone(), signals: Arc::clone(&signals) };
        let replaced = sessions.live.insert(peer.host.clone(), live);
        let kept = sessions.kept.remove(&peer.host);
        drop(sessions);
        if let Some(replaced) = replaced {
            replaced.signals.end.send_replace(Some(End::Replaced));
            self.tell(FleetEvent::Replaced { host: peer.host.clone() });
        }
        Admitted { number, signals, kept }
    }

    /// A session has ended; `has` is what its host was sent. True if the host has no other.
    pub(super) fn leave(&self, host: &HostName, number: u64, has: Documents) -> bool {
        let mut sessions = self.lock();
        if sessions.live.get(host).is_none_or(|live| live.number != number) {
            return false;
        }
        sessions.live.remove(host);
        sessions.kept.insert(host.clone(), has);
        true
    }

    /// What a host is to have now.
    pub(super) async fn span(&self, host: &HostName) -> Result<Span, DocumentsError> {
        let _permit = self.permits.acquire().await;
        let (control, renderer, host) = (self.control.clone(), Arc::clone(&self.renderer), host.clone());
        let made = tokio::task::spawn_blocking(move || {
            let gathered = control.read(|world| fleet::gather(world, &host));
            renderer.span(gathered)
        });
        made.await.expect("making a span neither panics nor is cancelled")
    }

    /// Wakes the sessions that commits concern, and ends those of hosts that may not speak any more.
    async fn follow(self: Arc<Self>) {
        let mut commits = self.control.changes();
        loop {
            match commits.recv().await {
                Ok(commit) => self.committed(&commit),
                Err(RecvError::Lagged(_)) => self.committed_unseen(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn committed(&self, commit: &Committed) {
        self.renderer.forget(&commit.changed);
        let records = commit.records.iter().filter_map(|key| HostName::of_key(key));
        let mut sessions = self.lock();
        for host in records {
            match sessions.live.get(&host) {
                Some(live) => self.look_at(live),
                None => drop(sessions.kept.remove(&host)),
            }
        }
        for live in commit.hosts.iter().filter_map(|host| sessions.live.get(host)) {
            live.signals.wake.notify_one();
        }
    }

    /// Commits were too many to be followed one by one: everybody looks.
    fn committed_unseen(&self) {
        self.lock().live.values().for_each(|live| self.look_at(live));
    }

    /// The record of a connected host may have changed: what is on it, or whether it may speak.
    fn look_at(&self, live: &Live) {
        if live.peer.is_admitted(&self.control) {
            live.signals.wake.notify_one();
        } else {
            live.signals.end.send_replace(Some(End::Revoked));
        }
    }

    fn serves(&self, host: &HostName) -> bool {
        self.lock().live.contains_key(host)
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // What is under the lock is changed by assignments that cannot panic half way.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
