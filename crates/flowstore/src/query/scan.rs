//! Batches of columns out of many files, on several threads, in no order.
//!
//! Files whose hour or interfaces are not asked about are not opened; row groups whose statistics say no are not read; of the others the
//! columns of the filter come first, and the rest only where something passes. Each thread holds one row group, all together the footers of
//! [`OPEN_FILES`].

use std::{
    collections::HashSet,
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use arrow_array::RecordBatch;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter},
};

use super::{
    filter::{Filter, Sieve},
    open::{OpenFile, RowGroupBytes},
};
use crate::{
    StoreError,
    store::{Store, StoredFile},
};

/// Records of one batch.
const BATCH_RECORDS: usize = 16_384;
/// Files whose footers are held at one time, about 40 KB each; more only if one partition has more.
const OPEN_FILES: usize = 512;
/// How often files are listed until all of them stay until they are read.
const TRIES: usize = 20;
/// The pause between two tries: a file that many were put together into is listed before they are gone.
const PAUSE: Duration = Duration::from_millis(20);

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Files of the hours and interfaces that were asked about.
    pub files: u64,
    /// Their row groups.
    pub row_groups: u64,
    /// Those that statistics did not exclude.
    pub row_groups_read: u64,
    /// Records in those.
    pub records: u64,
    /// Bytes that were fetched of them, compressed.
    pub bytes: u64,
}

impl Scanned {
    pub(super) const fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.row_groups += other.row_groups;
        self.row_groups_read += other.row_groups_read;
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// Does what reads files that were listed; with a new list if one of them was put together with others meanwhile, or taken away.
pub(super) fn with_files_that_stay<T>(
    mut files: Vec<StoredFile>,
    list: impl Fn() -> Result<Vec<StoredFile>, StoreError>,
    work: impl Fn(&[StoredFile]) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    for _ in 1..TRIES {
        match work(&files) {
            Err(error) if error.is_gone() => thread::sleep(PAUSE),
            done => return done,
        }
        files = list()?;
    }
    work(&files)
}

/// Reads all records that pass, on so many threads. Each thread has a state of its own, and gives it with its batches to `take`, which gets
/// the columns that are asked for and, where it is filtered by, the time.
pub(crate) fn scan<T: Send>(
    store: &Store,
    filter: &Filter,
    columns: &[&str],
    threads: NonZero<usize>,
    state: impl Fn() -> T + Sync,
    take: impl Fn(&mut T, &RecordBatch) -> Result<(), StoreError> + Sync,
) -> Result<(Vec<T>, Scanned), StoreError> {
    let list = || store.files(|partition| filter.wants(partition));
    let read = |files: &[StoredFile]| scan_files(store, files, filter, columns, threads, &state, &take);
    with_files_that_stay(list()?, list, read)
}

fn scan_files<T: Send>(
    store: &Store,
    files: &[StoredFile],
    filter: &Filter,
    columns: &[&str],
    threads: NonZero<usize>,
    state: impl Fn() -> T + Sync,
    take: impl Fn(&mut T, &RecordBatch) -> Result<(), StoreError> + Sync,
) -> Result<(Vec<T>, Scanned), StoreError> {
    let mut scanned = Scanned::default();
    let mut states: Vec<_> = (0..threads.get()).map(|_| (state(), Scanned::default())).collect();
    for files in together(files) {
        let open = open_all(store, files, threads)?;
        scanned.files += open.len() as u64;
        let mut units = Vec::new();
        for file in &open {
            for group in 0..file.parquet().num_row_groups() {
                scanned.row_groups += 1;
                if !file.excludes(group, filter) {
                    units.push((file, group));
                }
            }
        }
        states = on_threads(&units, states, |(file, group), (state, scanned)| {
            read(store, file, *group, filter, columns, scanned, |batch| take(state, batch))
        })?;
    }
    let (states, parts): (Vec<T>, Vec<Scanned>) = states.into_iter().unzip();
    parts.iter().for_each(|part| scanned.add(part));
    Ok((states, scanned))
}

/// Files that are open at one time, no more than [`OPEN_FILES`]; whole partitions, since a file may stand in the place of others there.
fn together(files: &[StoredFile]) -> Vec<&[StoredFile]> {
    let (mut all, mut rest) = (Vec::new(), files);
    while !rest.is_empty() {
        let mut count = 0;
        for partition in rest.chunk_by(|a, b| a.partition == b.partition) {
            if count > 0 && count + partition.len() > OPEN_FILES {
                break;
            }
            count += partition.len();
        }
        let (these, others) = rest.split_at(count);
        all.push(these);
        rest = others;
    }
    all
}

/// The footers of all files, without those in whose place another one stands.
pub(crate) fn open_all(
    store: &Store,
    files: &[StoredFile],
    threads: NonZero<usize>,
) -> Result<Vec<OpenFile>, StoreError> {
    let none = (0..threads.get().min(files.len())).map(|_| Vec::new()).collect();
    let found = on_threads(files, none, |file, found: &mut Vec<OpenFile>| {
        found.push(OpenFile::read(store, file.clone())?);
        Ok(())
    })?;
    let mut open: Vec<OpenFile> = found.into_iter().flatten().collect();
    let replaced: HashSet<String> = open.iter().flat_map(OpenFile::replaces).map(str::to_owned).collect();
    open.retain(|open| !replaced.contains(&open.file.path));
    open.sort_by(|a, b| (a.file.partition, &a.file.path).cmp(&(b.file.partition, &b.file.path)));
    Ok(open)
}

/// Works through all units, on a thread for each state; the first error ends the work.
fn on_threads<U: Sync, T: Send>(
    units: &[U],
    states: Vec<T>,
    work: impl Fn(&U, &mut T) -> Result<(), StoreError> + Sync,
) -> Result<Vec<T>, StoreError> {
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failed = Mutex::new(None);
    let one = |mut state| {
        while !is_over.load(Ordering::Relaxed) {
            let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            if let Err(error) = work(unit, &mut state) {
                is_over.store(true, Ordering::Relaxed);
                failed.lock().expect("no thread panics with it").get_or_insert(error);
            }
        }
        state
    };
    let states = thread::scope(|scope| {
        let start = |state| {
            let one = &one;
            scope.spawn(move || one(state))
        };
        let workers: Vec<_> = states.into_iter().map(start).collect();
        workers.into_iter().map(|worker| worker.join().expect("a reader does not panic")).collect()
    });
    match failed.into_inner().expect("no thread panics with it") {
        Some(error) => Err(error),
        None => Ok(states),
    }
}

/// Reads one row group.
pub(super) fn read(
    store: &Store,
    open: &OpenFile,
    group: usize,
    filter: &Filter,
    columns: &[&str],
    scanned: &mut Scanned,
    mut take: impl FnMut(&RecordBatch) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let bytes = RowGroupBytes::new(store, open, group);
    // What the storage said becomes text on its way through the reader.
    let failed = |error| bytes.failure().unwrap_or_else(|| StoreError::file(&open.file.path, "read", error));
    let descriptor = open.parquet().file_metadata().schema_descr();
    let mask = |names: &mut dyn Iterator<Item = &str>| ProjectionMask::columns(descriptor, names);
    let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), open.metadata.clone())
        .with_row_groups(vec![group])
        .with_batch_size(BATCH_RECORDS)
        .with_projection(mask(&mut columns.iter().copied()));
    let timed = (!open.is_within(group, filter)).then_some("time");
    let filtered: Vec<&str> = filter.columns().chain(timed).collect();
    if !filtered.is_empty() {
        let mut sieve = Sieve::new(filter.clone());
        let predicate =
            ArrowPredicateFn::new(mask(&mut filtered.into_iter()), move |batch| Ok(sieve.rows(&batch)));
        reader = reader.with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
    }
    for batch in reader.build().map_err(failed)? {
        take(&batch.map_err(|error| failed(error.into()))?)?;
    }
    scanned.row_groups_read += 1;
    scanned.records += open.parquet().row_group(group).num_rows().cast_unsigned();
    scanned.bytes += bytes.fetched();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Partition;

    #[test]
    fn partitions_are_opened_whole() {
        let files = |counts: &[usize]| -> Vec<StoredFile> {
            let of = |(hour, count): (usize, &usize)| {
                let partition = Partition { hour: hour as u32, group: 0 };
                (0..*count).map(move |name| StoredFile { path: name.to_string(), partition, bytes: 0 })
            };
            counts.iter().enumerate().flat_map(of).collect()
        };
        for (counts, expected) in [
            (&[][..], &[][..]),
            (&[1], &[1]),
            (&[512], &[512]),
            (&[513, 1], &[513, 1]),
            (&[1, 2_000, 3], &[1, 2_000, 3]),
            (&[500, 12, 1], &[512, 1]),
            (&[500, 13, 1, 499], &[500, 14, 499]),
            (&[200; 5], &[400, 400, 200]),
        ] {
            let files = files(counts);
            let found = together(&files);
            assert_eq!(found.concat(), files, "{counts:?}");
            assert_eq!(found.iter().map(|files| files.len()).collect::<Vec<_>>(), expected, "{counts:?}");
        }
    }
}
