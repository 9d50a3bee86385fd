//! Reading beside the writer: each read takes a connection, sees one revision, and gives the connection back.
//!
//! Reads run on threads that may block, never on those of the runtime.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{connect, faults};
use crate::{Commit, Entry, Revision, Snapshot, StoreError, prefix};

/// Connections that are kept open while nobody reads.
const IDLE_MAX: usize = 4;
/// Most commits that are read from the log at once.
const REPLAY_COMMITS: i64 = 512;

/// The connections.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// Reads at one revision.
    pub(super) async fn run<T: Send + 'static>(
        readers: &Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(readers);
        let done = tokio::task::spawn_blocking(move || readers.with(read)).await;
        done.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("a read was aborted: {error}"))))
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.map_or_else(|| self.connect(), Ok).map_err(faults::reading)?;
        let value = at_one_revision(&mut connection, read).map_err(faults::reading)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(value)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = connect(&self.path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

fn at_one_revision<T>(
    connection: &mut Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction()?;
    read(&transaction)
}

/// The entries under a prefix.
pub(super) fn snapshot(connection: &Connection, under: &str) -> rusqlite::Result<Snapshot> {
    let revision = newest(connection)?;
    let mut statement = connection.prepare_cached(
        "SELECT k, v, modified FROM kv WHERE k >= ?1 AND (?2 IS NULL OR k < ?2) ORDER BY k",
    )?;
    let entries =
        statement.query_map(params![under, prefix::end(under)], entry)?.collect::<Result<_, _>>()?;
    Ok(Snapshot { revision, entries })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        key: row.get(0)?,
        value: Bytes::from(row.get::<_, Vec<u8>>(1)?),
        modified: Revision(row.get(2)?),
    })
}

/// The commit that wrote an entry last.
pub(super) fn written(connection: &Connection, key: &str) -> rusqlite::Result<Option<Revision>> {
    let mut statement = connection.prepare_cached("SELECT modified FROM kv WHERE k = ?1")?;
    statement.query_row([key], |row| row.get(0).map(Revision)).optional()
}

/// The newest revision, and the bytes that the file takes.
pub(super) fn size(connection: &Connection) -> rusqlite::Result<(Revision, u64)> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    Ok((newest(connection)?, pragma("page_count")? * pragma("page_size")?))
}

fn newest(connection: &Connection) -> rusqlite::Result<Revision> {
    connection.query_row("SELECT revision FROM state", [], |row| row.get(0).map(Revision))
}

/// A part of the log.
#[derive(Debug)]
pub(super) struct Part {
    /// What was forgotten: whoever wants less cannot be served.
    pub(super) compacted: Revision,
    /// The log was read up to here.
    pub(super) through: Revision,
    /// Whether that is the newest revision.
    pub(super) whole: bool,
    /// The commits that wrote under the prefix.
    pub(super) commits: Vec<Commit>,
}

/// Reads the log after a revision.
pub(super) fn replay(connection: &Connection, under: &str, after: Revision) -> rusqlite::Result<Part> {
    let (newest, compacted): (u64, u64) =
        connection
            .query_row("SELECT revision, compacted FROM state", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let through = newest.min(after.0.saturating_add(REPLAY_COMMITS.unsigned_abs()));
    let mut statement = connection.prepare_cached(
        "SELECT revision, k, v FROM log WHERE revision > ?1 AND revision <= ?2 ORDER BY id",
    )?;
    let mut rows = statement.query(params![after.0.min(newest), through])?;
    let mut commits: Vec<Commit> = Vec::new();
    while let Some(row) = rows.next()? {
        let (revision, key) = (Revision(row.get(0)?), row.get::<_, String>(1)?);
        if !key.starts_with(under) {
            continue;
        }
        let change = (key, row.get::<_, Option<Vec<u8>>>(2)?.map(Bytes::from));
        match commits.last_mut() {
            Some(last) if last.revision == revision => last.changes.push(change),
            _ => commits.push(Commit { revision, changes: vec![change] }),
        }
    }
    Ok(Part { compacted: Revision(compacted), through: Revision(through), whole: through == newest, commits })
}
