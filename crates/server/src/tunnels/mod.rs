//! Tunnels from a client through a host to a port of a machine.
//!
//! The [`Desk`] brings together who asks and the host that answers; [`open`] goes from the request to a connection, one step after the
//! other; `carry` moves the bytes and `watch` says when it must end. What is open in the kernel is the control plane's document
//! and nothing else. Invariant: every tunnel that began ends in the audit log, and its document is gone then, or has an end that the
//! kernel keeps. Reference: docs/connect.md.

mod carry;
mod desk;
mod ending;
mod open;
mod watch;

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use palisade_control::{
    Action,
    access::{self, Actor, Summary, TUNNELS_MAX, TunnelVerb},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch as signal};

use crate::app::{App, system_caller};

pub(crate) use desk::{Desk, Line};
use ending::Ending;
pub(crate) use open::{Request, check, open};

/// The permission to have a tunnel, at the machine or the interface.
pub(crate) const CONNECT: &str = "Palisade.Access/tunnels/connect/action";
/// Seconds without a byte after which a tunnel ends, unless who asks says otherwise.
pub(crate) const IDLE_SECONDS: u32 = 15 * 60;
/// How long tunnels may take to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// The tunnels of one server.
#[derive(Debug)]
pub struct Tunnels {
    desk: Arc<Desk>,
    places: Arc<Semaphore>,
    stop: signal::Sender<bool>,
}

impl Default for Tunnels {
    fn default() -> Self {
        let (desk, places) = (Arc::default(), Arc::new(Semaphore::new(TUNNELS_MAX)));
        Self { desk, places, stop: signal::Sender::new(false) }
    }
}

impl Tunnels {
    /// Where hosts are found.
    pub(crate) const fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// A place for one more, if there is one.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Waits until the server stops.
    async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // That nobody can say so any more means the same.
        let _gone = stop.wait_for(|stop| *stop).await;
    }

    /// Ends all, and waits until that is written down.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let all = u32::try_from(TUNNELS_MAX).unwrap_or(u32::MAX);
        let _late = tokio::time::timeout(STOP_TIMEOUT, self.places.acquire_many(all)).await;
    }
}

/// Takes away what a server on this store has left that was killed. Only if no other server has tunnels in it.
pub(crate) async fn end_left(app: &App) {
    let summary = Summary { why: Ending::ServerGone.name(), to_machine: 0, from_machine: 0 };
    let actor = Actor { id: String::new(), name: String::new(), address: String::new() };
    for id in app.control.read(access::tunnels) {
        let verb = TunnelVerb::End(summary.clone());
        // It ends by itself in the kernel.
        let _unwritten =
            app.control.act(&system_caller(), Action::Tunnel { id, verb, actor: actor.clone() }).await;
    }
}

/// A lock whose holder cannot leave half of something behind.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
