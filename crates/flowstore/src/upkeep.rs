//! Upkeep: small files become larger ones, and old ones go.
//!
//! Compaction writes the new file first; it names those in whose place it stands, and then they are removed. A crash between leaves both, and
//! readers of ours pass over what is named so; the next compaction removes it. One process at a time may compact a store.

use std::{
    fs::{File, TryLockError},
    num::NonZero,
};

use crate::{
    StoreError, file,
    limits::FILE_RECORDS,
    query::{Filter, OpenFile, Scanned, open_all, read_whole},
    record::Record,
    staging::{self, ABANDONED_MS},
    store::{Store, StoredFile},
};

/// The file that a compaction of a local store holds.
const LOCK: &str = "compaction.lock";

/// What upkeep has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upkeep {
    /// Files that are gone.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Files that were made of others.
    pub made: u64,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Hours that ended before this moment go.
    pub from_ms: Option<u64>,
    /// While the store has more bytes, the oldest hour goes.
    pub bytes: Option<u64>,
}

/// Puts small files of the hours that ended before a moment together, as large as [`FILE_RECORDS`] allows. Before that it finishes imports
/// that were killed, and removes what others have left a day before that moment.
///
/// # Errors
/// [`StoreError`], also if another process is at it.
pub fn compact(store: &Store, until_ms: u64, threads: NonZero<usize>) -> Result<Upkeep, StoreError> {
    let _held = lock(store)?;
    staging::settle(store, until_ms.saturating_sub(ABANDONED_MS))?;
    let mut done = Upkeep::default();
    let files = store.files(|partition| partition.span().1 <= until_ms)?;
    for partition in files.chunk_by(|a, b| a.partition == b.partition).filter(|files| files.len() > 1) {
        let open = open_all(store, partition, threads)?;
        let is_kept = |file: &&StoredFile| !open.iter().any(|open| open.file.path == file.path);
        remove(store, partition.iter().filter(is_kept), &mut done)?;
        let small: Vec<OpenFile> = open.into_iter().filter(|open| open.records() < FILE_RECORDS).collect();
        let mut rest = small.as_slice();
        while !rest.is_empty() {
            let mut records = 0;
            let fits = |open: &&OpenFile| {
                records += open.records();
                records <= FILE_RECORDS
            };
            let (together, others) = rest.split_at(rest.iter().take_while(fits).count());
            join(store, together, &mut done)?;
            rest = others;
        }
    }
    Ok(done)
}

/// Makes one file of several.
fn join(store: &Store, together: &[OpenFile], done: &mut Upkeep) -> Result<(), StoreError> {
    if together.len() < 2 {
        return Ok(());
    }
    let mut records: Vec<Record> = Vec::new();
    for open in together {
        read_whole(store, open, &Filter::default(), &mut Scanned::default(), &mut records)?;
    }
    records.sort_by_key(|record| record.time_ms);
    let first_ms = records.first().map_or(0, |record| record.time_ms);
    let path = Store::name(together[0].file.partition, first_ms);
    let replaced: Vec<&str> = together.iter().map(|open| open.file.path.as_str()).collect();
    let bytes = file::of(&records, &replaced).map_err(|error| StoreError::file(&path, "made", error))?;
    store.put(&path, bytes)?;
    done.made += 1;
    remove(store, together.iter().map(|open| &open.file), done)
}

/// Removes what is not kept.
///
/// # Errors
/// [`StoreError`].
pub fn retain(store: &Store, retention: Retention) -> Result<Upkeep, StoreError> {
    let mut done = Upkeep::default();
    let files = store.files(|_| true)?;
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    for hour in files.chunk_by(|a, b| a.partition.hour == b.partition.hour) {
        let is_old = retention.from_ms.is_some_and(|from| hour[0].partition.span().1 <= from);
        let is_much = retention.bytes.is_some_and(|most| bytes > most);
        if !is_old && !is_much {
            break;
        }
        remove(store, hour.iter(), &mut done)?;
        bytes -= hour.iter().map(|file| file.bytes).sum::<u64>();
    }
    Ok(done)
}

fn remove<'f>(
    store: &Store,
    files: impl Iterator<Item = &'f StoredFile>,
    done: &mut Upkeep,
) -> Result<(), StoreError> {
    for file in files {
        store.delete(&file.path)?;
        done.removed += 1;
        done.removed_bytes += file.bytes;
    }
    Ok(())
}

/// Keeps other processes away from a local store; objects have no locks.
fn lock(store: &Store) -> Result<Option<File>, StoreError> {
    let Some(folder) = store.folder() else { return Ok(None) };
    let busy = |problem: String| StoreError::Address { given: store.address().to_owned(), problem };
    let file = File::create(folder.join(LOCK)).map_err(|error| busy(format!("cannot be locked: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(busy("is being compacted by another process".to_owned())),
        Err(TryLockError::Error(error)) => Err(busy(format!("cannot be locked: {error}"))),
    }
}
