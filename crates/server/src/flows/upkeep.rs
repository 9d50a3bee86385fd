//! The flow store's upkeep while the server runs: small files become larger ones, and what is too old or too much goes.
//!
//! One process at a time may do it. A folder is this server's; where several servers share one in a bucket, a lease says whose
//! turn it is. Nothing depends on its being done at a time. Reference: docs/flows.md.

use std::{
    num::NonZero,
    sync::Arc,
    time::{Duration, SystemTime},
};

use palisade_control::time::unix_millis;
use palisade_flowstore::{Retention, Store, StoreError, compact, retain};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{app::App, event::Event};

/// The name of the lease.
const LEASE: &str = "flow-upkeep";
/// How long after a server's death another one takes over.
const LEASE_TIME: Duration = Duration::from_secs(30);
/// An hour is left alone until it has been over for so long: hosts may still tell of it.
const SETTLED: Duration = Duration::from_secs(300);

/// What a server does for its flow store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowUpkeep {
    /// Time between two rounds.
    pub every: Duration,
    /// Hours that ended so long ago go; without it none goes for its age.
    pub keep: Option<Duration>,
    /// While the store has more bytes, its oldest hour goes.
    pub keep_bytes: Option<u64>,
}

impl Default for FlowUpkeep {
    fn default() -> Self {
        Self { every: Duration::from_secs(900), keep: None, keep_bytes: None }
    }
}

/// Looks after the store at an address. Never returns.
pub(crate) async fn keep(app: Arc<App>, address: String, upkeep: FlowUpkeep) {
    loop {
        if let Err(why) = turn(&app, &address, upkeep).await {
            app.events.tell(Event::FlowsNotTidied { why });
        }
        sleep(upkeep.every).await;
    }
}

/// One round, when it is this server's turn.
async fn turn(app: &App, address: &str, upkeep: FlowUpkeep) -> Result<(), String> {
    let lease = if address.contains("://") {
        let campaign = app.store.campaign(LEASE, LEASE_TIME);
        Some(campaign.await.map_err(|error| error.to_string())?)
    } else {
        None
    };
    let done = round(address.to_owned(), upkeep, app.now()).await;
    drop(lease);
    done.map_err(|error| error.to_string())
}

/// Works on a thread that may wait for the storage.
async fn round(address: String, upkeep: FlowUpkeep, now: SystemTime) -> Result<(), StoreError> {
    let before = |age: Duration| unix_millis(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
    let retention = Retention { from_ms: upkeep.keep.map(before), bytes: upkeep.keep_bytes };
    let settled = before(SETTLED);
    let work = move || {
        let store = Store::open(&address)?;
        retain(&store, retention)?;
        // One thread: the other processors have packets to judge.
        compact(&store, settled, NonZero::<usize>::MIN).map(drop)
    };
    spawn_blocking(work).await.expect("upkeep does not panic")
}
