//! Whole records in the order of time, hour by hour.
//!
//! The records of one hour are held and sorted, and no more.

use std::num::NonZero;

use super::{
    filter::Filter,
    open::OpenFile,
    scan::{Scanned, open_all, read, with_files_that_stay},
};
use crate::{
    StoreError,
    limits::EXPORT_RECORDS_MAX,
    record::Record,
    rows,
    schema::COLUMNS,
    store::{Store, StoredFile},
};

/// Gives every record that passes to `sink`, in the order of time; those of one millisecond in the order of groups and files.
///
/// # Errors
/// [`StoreError`], also if more than [`EXPORT_RECORDS_MAX`] of one hour pass; and what `sink` refuses with.
pub fn records<E: From<StoreError>>(
    store: &Store,
    filter: &Filter,
    threads: NonZero<usize>,
    mut sink: impl FnMut(Record) -> Result<(), E>,
) -> Result<Scanned, E> {
    let files = store.files(|partition| filter.wants(partition))?;
    let mut scanned = Scanned::default();
    for of_hour in files.chunk_by(|a, b| a.partition.hour == b.partition.hour) {
        let hour = of_hour[0].partition.hour;
        let list = || store.files(|partition| partition.hour == hour && filter.wants(partition));
        let read = |files: &[StoredFile]| records_of_hour(store, files, filter, threads);
        let (found, of_hour) = with_files_that_stay(of_hour.to_vec(), list, read)?;
        scanned.add(&of_hour);
        found.into_iter().try_for_each(&mut sink)?;
    }
    Ok(scanned)
}

/// The records of one hour that pass, in the order of time.
fn records_of_hour(
    store: &Store,
    files: &[StoredFile],
    filter: &Filter,
    threads: NonZero<usize>,
) -> Result<(Vec<Record>, Scanned), StoreError> {
    let open = open_all(store, files, threads)?;
    let mut scanned = Scanned { files: open.len() as u64, ..Scanned::default() };
    let mut found = Vec::new();
    for file in &open {
        records_of(store, file, filter, &mut scanned, &mut found)?;
    }
    found.sort_by_key(|record: &Record| record.time_ms);
    Ok((found, scanned))
}

/// Adds the records of one file that pass.
pub(crate) fn records_of(
    store: &Store,
    open: &OpenFile,
    filter: &Filter,
    scanned: &mut Scanned,
    found: &mut Vec<Record>,
) -> Result<(), StoreError> {
    let columns = COLUMNS.map(|column| column.name);
    for group in 0..open.parquet().num_row_groups() {
        scanned.row_groups += 1;
        if open.excludes(group, filter) {
            continue;
        }
        read(store, open, group, filter, &columns, scanned, |batch| {
            let foreign = |problem| StoreError::Foreign { file: open.file.path.clone(), problem };
            found.extend(rows::of(batch).map_err(foreign)?);
            if found.len() as u64 > EXPORT_RECORDS_MAX {
                let (max, remedy) = (EXPORT_RECORDS_MAX, "ask for less, by interface, address or port");
                return Err(StoreError::TooMuch { what: "records of one hour", max, remedy });
            }
            Ok(())
        })?;
    }
    Ok(())
}
