//! Work that one server does for all that share a store: forgetting what nobody needs any more.
//!
//! Whoever holds the lease drops records that have ended and operations that nobody asks about, and compacts the store's
//! history. If it dies, another server takes over when its lease ends. Nothing depends on its being done at a time: what has
//! ended is refused by whoever reads it. Reference: docs/adr/0023-one-trait-two-stores.md.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use palisade_control::{
    Action, ControlError, Expect, RecordChange, World, alerts, deploy, drop_operations,
    fleet::{TOKEN_PREFIX, TokenRecord},
    time,
};
use palisade_identity::Refresh;
use palisade_store::{Leadership, Revision, StoreError};
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    access::directory,
    app::{App, system_caller},
    event::Event,
    login,
};

/// The name of the lease.
const LEASE: &str = "housekeeping";
/// Records that are dropped in one commit.
const RECORDS_PER_COMMIT: usize = 50;
/// Commits in one round: what is left over waits for the next.
const COMMITS_PER_ROUND: usize = 20;

/// How often house is kept, and what is kept in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Housekeeping {
    /// How long after a server's death another one takes over.
    pub lease: Duration,
    /// Time between two rounds.
    pub every: Duration,
    /// How long a commit can be watched and an operation be asked about after a restart.
    pub keep: Duration,
    /// Most commits that can be watched, however young.
    pub keep_commits: u64,
}

impl Default for Housekeeping {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            every: Duration::from_secs(60),
            keep: Duration::from_secs(3_600),
            keep_commits: 100_000,
        }
    }
}

/// Keeps house whenever nobody else does. Never returns.
pub(crate) async fn keep(app: Arc<App>, rhythm: Housekeeping) {
    let mut failing = false;
    loop {
        match app.store.campaign(LEASE, rhythm.lease).await {
            Ok(leadership) => {
                failing = false;
                app.events.tell(Event::HousekeepingBegun);
                lead(&app, &rhythm, leadership).await;
            }
            // A store that is away is told once; whoever writes is told anyway.
            Err(error) if !failing => {
                failing = true;
                tell(&app, &error);
            }
            Err(_) => {}
        }
        sleep(rhythm.every.min(rhythm.lease)).await;
    }
}

fn tell(app: &App, why: &impl ToString) {
    app.events.tell(Event::HousekeepingFailed { why: why.to_string() });
}

/// Keeps house as long as the lease is held.
async fn lead(app: &App, rhythm: &Housekeeping, mut leadership: Leadership) {
    let mut marks = Marks::default();
    loop {
        let round = async {
            match round(app, rhythm, &mut marks).await {
                Ok(()) => {}
                Err(error) => tell(app, &error),
            }
            sleep(rhythm.every).await;
        };
        tokio::select! {
            biased;
            () = leadership.lost() => return,
            () = round => {}
        }
    }
}

/// One round.
async fn round(app: &App, rhythm: &Housekeeping, marks: &mut Marks) -> Result<(), ControlError> {
    drop_records(app).await?;
    deploy::end_silent(&app.control, &system_caller()).await?;
    let newest = app.store.status().await?.revision;
    let Some(old) = marks.old(newest, rhythm) else { return Ok(()) };
    drop_operations(&*app.store, old).await?;
    Ok(compact(app, old).await?)
}

async fn compact(app: &App, through: Revision) -> Result<(), StoreError> {
    app.store.compact(through).await
}

/// Takes records away that have ended, each only if it is still what it was.
async fn drop_records(app: &App) -> Result<(), ControlError> {
    for _ in 0..COMMITS_PER_ROUND {
        let now = time::unix_seconds(app.now());
        let changes = app.control.read(|world| ended(world, now));
        if changes.is_empty() {
            break;
        }
        let action = Action::Records { changes, verb: "drop ended records" };
        match app.control.act(&system_caller(), action).await {
            // Somebody has used one of them meanwhile.
            Err(error) if error.status == 409 => break,
            done => done.map(drop)?,
        }
    }
    Ok(())
}

fn ended(world: &World, now: u64) -> Vec<RecordChange> {
    let prefixes = [TOKEN_PREFIX, directory::REFRESH, directory::DEVICE, alerts::PREFIX];
    let records = prefixes.into_iter().flat_map(|prefix| world.records(prefix));
    let old = records.filter(|(key, value)| end(key, value).is_some_and(|end| end <= now));
    let drop = |(key, value): (&str, &Value)| RecordChange {
        key: key.to_owned(),
        value: None,
        expect: Expect::Equals(value.clone()),
    };
    old.take(RECORDS_PER_COMMIT).map(drop).collect()
}

/// When a record ends. One that cannot be read stays: it counts for nobody, and somebody may want to look at it.
fn end(key: &str, value: &Value) -> Option<u64> {
    if key.starts_with(alerts::PREFIX) {
        alerts::end(value)
    } else if key.starts_with(TOKEN_PREFIX) {
        TokenRecord::read(value).map(|token| token.expires)
    } else if key.starts_with(directory::REFRESH) {
        directory::read::<Refresh>(value).map(|refresh| refresh.expires())
    } else {
        login::approval_end(value)
    }
}

/// Which revision was the newest when.
#[derive(Debug, Default)]
struct Marks(VecDeque<(Instant, Revision)>);

impl Marks {
    /// The newest revision that nobody needs any more: it is old enough, or there are too many after it.
    fn old(&mut self, newest: Revision, rhythm: &Housekeeping) -> Option<Revision> {
        self.0.push_back((Instant::now(), newest));
        let mut old = newest.0.checked_sub(rhythm.keep_commits).filter(|old| *old > 0).map(Revision);
        while let Some((_, revision)) = self.0.pop_front_if(|(at, _)| at.elapsed() >= rhythm.keep) {
            old = old.max(Some(revision));
        }
        old
    }
}
