//! The store in one SQLite file: what a single server uses.
//!
//! One thread writes. It takes all transactions that wait, gives each its revision, and makes them durable with one sync of the
//! disk. Readers have connections of their own and see one revision each; watches replay the log and then follow the
//! writer. A second process is refused. See ADR 0023.

mod faults;
mod lock;
mod readers;
mod schema;
mod watching;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{CommitError, Leadership, Op, Revision, Snapshot, Status, Store, StoreError, Transaction, Watch};
use readers::Readers;
use writer::{Job, Writer};

/// Name of the database file in the data folder.
pub const FILE_NAME: &str = "palisade.db";
/// Most transactions that wait for the writer; further ones wait for their turn to wait.
pub const QUEUE_MAX: usize = 4_096;
/// Most commits that a watch may be behind before it replays the log instead.
pub const LIVE_MAX: usize = 256;
/// How long a connection waits for another one of ours: only a checkpoint can make it wait.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The write-ahead log is cut back to this size when it was larger.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// How much of the past is kept for watches to replay. What is beyond either limit is forgotten, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Most commits.
    pub commits: usize,
    /// Most bytes of their keys and values.
    pub bytes: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { commits: 20_000, bytes: 256 << 20 }
    }
}

/// A store in a SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    readers: Arc<Readers>,
    live: broadcast::Sender<Arc<crate::Commit>>,
    /// None once it is closed.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens the store in a data folder; makes both if they are not there.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, LogLimits::default())
    }

    /// Like [`Sqlite::open`], with other limits of the log.
    pub fn open_with(folder: &Path, limits: LogLimits) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        prepare(folder, &path)?;
        let lock = lock::take(&folder.join(format!("{FILE_NAME}.lock")))?;
        let mut connection = connect(&path).map_err(faults::reading)?;
        schema::migrate(&mut connection, schema::STEPS)?;
        let (live, _) = broadcast::channel(LIVE_MAX);
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let writer = Writer::new(connection, live.clone(), limits, lock).map_err(faults::reading)?;
        let thread = std::thread::Builder::new()
            .name("palisade-store".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|error| StoreError::Unavailable(format!("no thread for the writer: {error}")))?;
        let readers = Arc::new(Readers::new(path.clone()));
        Ok(Self { path, readers, live, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Gives the writer a job and waits for its answer.
    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().expect("only dropping closes it");
        jobs.send(job(reply)).await.map_err(|_| faults::stopped())?;
        // The writer took the job and died of it.
        answer.await.map_err(|_| StoreError::Unknown("the writer stopped".to_owned()))
    }
}

impl Drop for Sqlite {
    /// Waits for the writer, so that the file is free for the next one when this returns.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has already said so, and there is nobody to tell.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn snapshot(&self, prefix: &str) -> Result<Snapshot, StoreError> {
        let prefix = prefix.to_owned();
        Readers::run(&self.readers, move |connection| readers::snapshot(connection, &prefix)).await
    }

    async fn written(&self, key: &str) -> Result<Option<Revision>, StoreError> {
        let key = key.to_owned();
        Readers::run(&self.readers, move |connection| readers::written(connection, &key)).await
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        transaction.check()?;
        self.ask(|reply| Job::Commit { transaction, reply }).await?
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        watching::watch(&self.readers, self.live.subscribe(), prefix, after).await
    }

    async fn compact(&self, through: Revision) -> Result<(), StoreError> {
        self.ask(|reply| Job::Compact { through, reply }).await?
    }

    async fn import(
        &self,
        entries: Vec<(String, Bytes)>,
        at_least: Revision,
    ) -> Result<Revision, StoreError> {
        let old = self.snapshot("").await?.entries;
        let new: BTreeSet<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        let gone = old.into_iter().filter(|entry| !new.contains(entry.key.as_str()));
        let mut ops: Vec<_> = gone.map(|entry| Op::Delete(entry.key)).collect();
        ops.extend(entries.into_iter().map(|(key, value)| Op::Put(key, value)));
        self.ask(|reply| Job::Import { ops, at_least, reply }).await?
    }

    async fn campaign(&self, _name: &str, _ttl: Duration) -> Result<Leadership, StoreError> {
        // The lock on the file makes this process the only one; it leads as long as it lives.
        Ok(Leadership::forever())
    }

    async fn status(&self) -> Result<Status, StoreError> {
        let refuses = self.ask(|reply| Job::Refusal { reply }).await?;
        let (revision, bytes) = Readers::run(&self.readers, readers::size).await?;
        Ok(Status { revision, bytes, refuses })
    }

    async fn close(&self) {
        // One that is closed already cannot be asked.
        let _ = self.ask(|reply| Job::Close { reply }).await;
    }

    fn describe(&self) -> String {
        format!("SQLite in {}", self.path.display())
    }
}

/// Makes the folder and the file if need be, for their owner alone; SQLite gives its other files the mode of the first.
fn prepare(folder: &Path, path: &Path) -> Result<(), StoreError> {
    let refuse = |path: &Path, error: std::io::Error| {
        StoreError::Unavailable(format!("{} cannot be made: {error}", path.display()))
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| refuse(folder, error))?;
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(drop).map_err(|error| refuse(path, error))
}

/// A connection as all of ours are. `FULL` syncs the log at every commit: an answer means that it is on the disk.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}
