//! Flow stores among what the command is given.

use std::{ops::Range, path::Path};

use palisade_flowlog::{ConnectionReader, FlowLogError};
use palisade_flowstore::{
    Store, StoreError,
    query::{Filter, records},
};

use super::gather::failed;
use crate::{
    commands::flows::store::{failure, threads},
    exit::Failure,
};

/// Why a store was not read to its end.
enum Stopped {
    /// The store failed.
    Store(StoreError),
    /// It has too much.
    Full(FlowLogError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Whether what is named is a flow store, and no file or folder of logs.
pub fn is_one(path: &Path) -> bool {
    path.to_string_lossy().contains("://") || Store::is_in(path)
}

/// Reads the records of a span of time, in milliseconds since 1970.
pub fn read(reader: &mut ConnectionReader, address: &Path, span: &Range<u64>) -> Result<(), Failure> {
    let store = Store::open(&address.to_string_lossy()).map_err(failure)?;
    let filter = Filter { from_ms: span.start, to_ms: span.end, ..Filter::default() };
    let read = records(&store, &filter, threads(), |record| {
        let taken = record.logged(0).map(|logged| reader.take(logged, record.origin()));
        taken.transpose().map(drop).map_err(Stopped::Full)
    });
    let scanned = read.map_err(|stopped| match stopped {
        Stopped::Store(error) => failure(error),
        Stopped::Full(error) => failed(error),
    })?;
    if scanned.files == 0 && *span == (0..u64::MAX) {
        return Err(Failure::input(format!(
            "the flow store {} is empty (look at the address)",
            store.address()
        )));
    }
    Ok(())
}
