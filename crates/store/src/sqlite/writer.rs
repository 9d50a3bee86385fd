//! The one thread that writes: everything that waits becomes one SQLite transaction, with a revision for each of ours.
//!
//! Guards of a transaction are looked at after those before it have been applied, and before it writes; so one of ours fails
//! whole, and an error of SQLite fails the SQLite transaction. Then each is tried alone, so that one that is too large
//! for the disk does not fail its neighbours. Nobody is answered or told before the disk has been synced.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::lock::Lock;
use super::{LogLimits, faults};
use crate::{Commit, CommitError, Guard, Op, Revision, StoreError, Transaction};

/// Most transactions that are made durable at once.
const BATCH_MAX: usize = 512;
/// No further transaction joins a batch that has this many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// What the writer is asked for.
pub(super) enum Job {
    Commit { transaction: Transaction, reply: oneshot::Sender<Result<Revision, CommitError>> },
    Compact { through: Revision, reply: oneshot::Sender<Result<(), StoreError>> },
    Import { ops: Vec<Op>, at_least: Revision, reply: oneshot::Sender<Result<Revision, StoreError>> },
    Refusal { reply: oneshot::Sender<Option<String>> },
    Close { reply: oneshot::Sender<()> },
}

type Answer = Result<Revision, CommitError>;

/// The writer's side of the file.
pub(super) struct Writer {
    connection: Connection,
    revision: u64,
    log: Log,
    live: broadcast::Sender<Arc<Commit>>,
    /// Why it takes no more writes.
    broken: Option<String>,
    /// Why the last write was refused for want of room.
    full: Option<String>,
    /// Last: the file is closed before it is given to others.
    _lock: Lock,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        live: broadcast::Sender<Arc<Commit>>,
        limits: LogLimits,
        lock: Lock,
    ) -> rusqlite::Result<Self> {
        let revision = connection.query_row("SELECT revision FROM state", [], |row| row.get(0))?;
        let log = Log::read(&connection, limits)?;
        Ok(Self { connection, revision, log, live, broken: None, full: None, _lock: lock })
    }

    /// Works until it is closed, or nobody can ask any more.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut next = queue.blocking_recv();
        while let Some(job) = next.take() {
            match job {
                Job::Commit { transaction, reply } => next = self.commit_all(transaction, reply, &mut queue),
                Job::Compact { through, reply } => {
                    // Whoever asked may have gone; that changes nothing here or below.
                    let _ = reply.send(self.compact(through));
                }
                Job::Import { ops, at_least, reply } => {
                    let _ = reply.send(self.import(ops, at_least));
                }
                Job::Refusal { reply } => {
                    let _ = reply.send(self.broken.clone().or_else(|| self.full.clone()));
                }
                Job::Close { reply } => {
                    drop(queue);
                    drop(self);
                    let _ = reply.send(());
                    return;
                }
            }
            next = next.or_else(|| queue.blocking_recv());
        }
    }

    /// Commits a transaction with all that wait behind it; returns a job of another kind that stood in the way.
    fn commit_all(
        &mut self,
        first: Transaction,
        reply: oneshot::Sender<Answer>,
        queue: &mut mpsc::Receiver<Job>,
    ) -> Option<Job> {
        let mut bytes = first.bytes();
        let (mut batch, mut replies) = (vec![first], vec![reply]);
        let mut other = None;
        while batch.len() < BATCH_MAX && bytes < BATCH_BYTES {
            match queue.try_recv() {
                Ok(Job::Commit { transaction, reply }) => {
                    bytes += transaction.bytes();
                    batch.push(transaction);
                    replies.push(reply);
                }
                Ok(job) => {
                    other = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        for (reply, answer) in replies.into_iter().zip(self.answers(&batch)) {
            let _ = reply.send(answer);
        }
        other
    }

    fn answers(&mut self, batch: &[Transaction]) -> Vec<Answer> {
        match self.write(batch) {
            Ok(answers) => answers,
            Err(StoreError::Full(_)) if batch.len() > 1 => batch
                .chunks(1)
                .map(|one| self.write(one).map_or_else(|error| Err(error.into()), only))
                .collect(),
            Err(error) => batch.iter().map(|_| Err(error.clone().into())).collect(),
        }
    }

    /// Writes transactions, durably and all at once, but for those whose guards do not hold.
    fn write(&mut self, batch: &[Transaction]) -> Result<Vec<Answer>, StoreError> {
        if let Some(reason) = &self.broken {
            return Err(StoreError::Unavailable(reason.clone()));
        }
        let written = self.try_write(batch);
        self.full = match &written {
            Err(StoreError::Full(reason)) => Some(reason.clone()),
            _ => None,
        };
        if let Err(StoreError::Unknown(reason)) = &written {
            // After a failed sync the kernel may have dropped what it could not write and still call it clean. Only
            // opening the file again tells what is on the disk.
            self.broken = Some(format!("the disk failed ({reason}): restart the server"));
        }
        written
    }

    fn try_write(&mut self, batch: &[Transaction]) -> Result<Vec<Answer>, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(faults::reading)?;
        let (answers, commits) = apply_all(&transaction, self.revision, batch).map_err(faults::reading)?;
        let Some(newest) = commits.last().map(|commit| commit.revision.0) else {
            return Ok(answers);
        };
        let trim = self.log.plan(&commits);
        mark(&transaction, newest, trim.through).map_err(faults::reading)?;
        transaction.commit().map_err(faults::committing)?;
        self.revision = newest;
        self.log.accept(trim);
        for commit in commits {
            // No receiver: nobody watches.
            let _ = self.live.send(Arc::new(commit));
        }
        Ok(answers)
    }

    /// Writes without the limits of a transaction, at a revision after another. What was before cannot be watched.
    fn import(&mut self, ops: Vec<Op>, at_least: Revision) -> Result<Revision, StoreError> {
        let before = self.revision;
        let base = before.max(at_least.0);
        self.revision = base;
        let written = self.write(&[Transaction { guards: Vec::new(), ops }]);
        if self.revision == base {
            // Nothing to write, or not written.
            self.revision = before;
        }
        written?;
        self.compact(Revision(self.revision))?;
        Ok(Revision(self.revision))
    }

    fn compact(&mut self, through: Revision) -> Result<(), StoreError> {
        let through = through.0.min(self.revision);
        let transaction = self.connection.transaction().map_err(faults::reading)?;
        mark(&transaction, self.revision, Some(through)).map_err(faults::reading)?;
        transaction.commit().map_err(faults::committing)?;
        self.log.forget(through);
        Ok(())
    }
}

/// The answer to a batch of one.
fn only(mut answers: Vec<Answer>) -> Answer {
    answers.pop().expect("one transaction has one answer")
}

/// Applies transactions in order, each that may be.
fn apply_all(
    connection: &Connection,
    mut revision: u64,
    batch: &[Transaction],
) -> rusqlite::Result<(Vec<Answer>, Vec<Commit>)> {
    let (mut answers, mut commits) = (Vec::with_capacity(batch.len()), Vec::new());
    for transaction in batch {
        if !hold(connection, &transaction.guards)? {
            answers.push(Err(CommitError::Conflict));
            continue;
        }
        let changes = apply(connection, revision + 1, &transaction.ops)?;
        if !changes.is_empty() {
            revision += 1;
            commits.push(Commit { revision: Revision(revision), changes });
        }
        answers.push(Ok(Revision(revision)));
    }
    Ok((answers, commits))
}

fn hold(connection: &Connection, guards: &[Guard]) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT modified FROM kv WHERE k = ?1")?;
    for guard in guards {
        let found: Option<u64> = statement.query_row([guard.key()], |row| row.get(0)).optional()?;
        let wanted = match guard {
            Guard::Absent(_) => None,
            Guard::Unchanged(_, revision) => Some(revision.0),
        };
        if found != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes, and tells what changed: a delete of what is not there does not.
fn apply(
    connection: &Connection,
    revision: u64,
    ops: &[Op],
) -> rusqlite::Result<Vec<(String, Option<bytes::Bytes>)>> {
    let mut put = connection.prepare_cached(
        "INSERT INTO kv (k, v, modified) VALUES (?1, ?2, ?3)
         ON CONFLICT (k) DO UPDATE SET v = excluded.v, modified = excluded.modified",
    )?;
    let mut delete = connection.prepare_cached("DELETE FROM kv WHERE k = ?1")?;
    let mut log = connection.prepare_cached("INSERT INTO log (revision, k, v) VALUES (?1, ?2, ?3)")?;
    let mut changes = Vec::with_capacity(ops.len());
    for op in ops {
        let value = match op {
            Op::Put(key, value) => {
                put.execute(params![key, value.as_ref(), revision])?;
                Some(value.clone())
            }
            Op::Delete(key) if delete.execute([key])? == 0 => continue,
            Op::Delete(_) => None,
        };
        log.execute(params![revision, op.key(), value.as_deref()])?;
        changes.push((op.key().to_owned(), value));
    }
    Ok(changes)
}

/// Notes the newest revision, and forgets the log up to another.
fn mark(connection: &Connection, newest: u64, forgotten: Option<u64>) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE state SET revision = ?1")?.execute([newest])?;
    if let Some(through) = forgotten {
        connection.prepare_cached("DELETE FROM log WHERE revision <= ?1")?.execute([through])?;
        connection.prepare_cached("UPDATE state SET compacted = max(compacted, ?1)")?.execute([through])?;
    }
    Ok(())
}

/// What the table `log` holds: revisions and their bytes, oldest first.
struct Log {
    limits: LogLimits,
    commits: VecDeque<(u64, u64)>,
    bytes: u64,
}

/// What a batch adds to the log, and up to where the log is forgotten in exchange.
struct Trim {
    added: Vec<(u64, u64)>,
    through: Option<u64>,
}

impl Log {
    fn read(connection: &Connection, limits: LogLimits) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare(
            "SELECT revision, sum(octet_length(k) + ifnull(length(v), 0)) FROM log GROUP BY revision ORDER BY revision",
        )?;
        let commits = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let commits = commits.collect::<Result<VecDeque<(u64, u64)>, _>>()?;
        let bytes = commits.iter().map(|(_, bytes)| bytes).sum();
        Ok(Self { limits, commits, bytes })
    }

    fn plan(&self, commits: &[Commit]) -> Trim {
        let added: Vec<_> = commits.iter().map(|commit| (commit.revision.0, bytes_of(commit))).collect();
        let mut bytes = self.bytes + added.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let mut count = self.commits.len() + added.len();
        let mut through = None;
        for (revision, size) in self.commits.iter().chain(&added) {
            if count <= self.limits.commits && bytes <= self.limits.bytes {
                break;
            }
            through = Some(*revision);
            count -= 1;
            bytes -= size;
        }
        Trim { added, through }
    }

    fn accept(&mut self, trim: Trim) {
        self.bytes += trim.added.iter().map(|(_, bytes)| bytes).sum::<u64>();
        self.commits.extend(trim.added);
        if let Some(through) = trim.through {
            self.forget(through);
        }
    }

    fn forget(&mut self, through: u64) {
        while let Some((_, bytes)) = self.commits.pop_front_if(|(revision, _)| *revision <= through) {
            self.bytes -= bytes;
        }
    }
}

fn bytes_of(commit: &Commit) -> u64 {
    let bytes = |(key, value): &(String, Option<bytes::Bytes>)| {
        key.len() + value.as_ref().map_or(0, bytes::Bytes::len)
    };
    commit.changes.iter().map(bytes).sum::<usize>() as u64
}
