//! Records become files, many at a time.
//!
//! The open batch is in memory; [`FlowWriter::flush`] writes it as one file a partition. A crash loses what is open and no more,
//! and what is not whole is never in view. What cannot be written stays open and is tried again. It reads no clock: who appends
//! says what time it is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    StoreError, file,
    hash::Keyed,
    limits::OPEN_RECORDS_MAX,
    partition::{Partition, group_of},
    record::{Labels, Record},
    staging::Staging,
    store::Store,
};

/// When a writer writes without being told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// As soon as so many records are open; at most [`OPEN_RECORDS_MAX`].
    pub records: usize,
    /// When the oldest open record has waited so long, in milliseconds.
    pub age_ms: u64,
}

impl Default for WriterOptions {
    /// At the limit, or after a minute.
    fn default() -> Self {
        Self { records: OPEN_RECORDS_MAX, age_ms: 60_000 }
    }
}

/// What a writer has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Records in files.
    pub records: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Appends records to a store.
#[derive(Debug)]
pub struct FlowWriter {
    store: Store,
    options: WriterOptions,
    open: BTreeMap<Partition, Vec<Record>>,
    records: usize,
    /// When the oldest open record came.
    since_ms: Option<u64>,
    /// The groups of labels that were met since the last flush, by where they lie. They are held, so that no others come to lie there.
    groups: HashMap<usize, (Arc<Labels>, u8), Keyed>,
    written: Written,
    /// Where files go whose writer brings them into view all at once.
    staging: Option<Staging>,
}

impl FlowWriter {
    /// A writer with nothing open.
    pub fn new(store: Store, options: WriterOptions) -> Self {
        let records = options.records.clamp(1, OPEN_RECORDS_MAX);
        Self {
            store,
            options: WriterOptions { records, ..options },
            open: BTreeMap::new(),
            records: 0,
            since_ms: None,
            groups: HashMap::default(),
            written: Written::default(),
            staging: None,
        }
    }

    /// The same, of which nothing is in view before [`Self::publish`].
    pub(crate) fn staged(store: Store) -> Self {
        Self { staging: Some(Staging::new(store.clone())), ..Self::new(store, WriterOptions::default()) }
    }

    /// Takes a record; writes first if the batch is full or has waited too long. `now_ms` is the time of the clock.
    ///
    /// # Errors
    /// [`StoreError`]; the record was not taken then. What was open still is.
    pub fn append(&mut self, record: Record, now_ms: u64) -> Result<(), StoreError> {
        record.is_kept()?;
        if self.records >= self.options.records {
            self.flush()?;
        } else {
            self.flush_due(now_ms)?;
        }
        let labels = &record.labels;
        let of_labels = || (labels.clone(), group_of(labels));
        let (_, group) = *self.groups.entry(Arc::as_ptr(labels).addr()).or_insert_with(of_labels);
        self.open.entry(Partition::of(record.time_ms, group)).or_default().push(record);
        self.records += 1;
        self.since_ms.get_or_insert(now_ms);
        Ok(())
    }

    /// Writes what is open if it has waited too long; whether it did. To be called when nothing is appended for a while.
    ///
    /// # Errors
    /// [`StoreError`]; what could not be written is still open.
    pub fn flush_due(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        let is_due = self.since_ms.is_some_and(|since| now_ms.saturating_sub(since) >= self.options.age_ms);
        if is_due {
            self.flush()?;
        }
        Ok(is_due)
    }

    /// Writes all that is open: afterwards it survives a crash.
    ///
    /// # Errors
    /// [`StoreError`]; what could not be written is still open.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        while let Some(mut entry) = self.open.first_entry() {
            let partition = *entry.key();
            let records = entry.get_mut();
            records.sort_by_key(|record| record.time_ms);
            let path = Store::name(partition, records[0].time_ms);
            let bytes = file::of(records, &[]).map_err(|error| StoreError::file(&path, "made", error))?;
            let length = bytes.len() as u64;
            match &mut self.staging {
                Some(staging) => staging.put(&path, bytes)?,
                None => self.store.put(&path, bytes)?,
            }
            let count = entry.remove().len();
            self.records -= count;
            self.written.records += count as u64;
            self.written.files += 1;
            self.written.bytes += length;
        }
        self.groups.clear();
        self.since_ms = None;
        Ok(())
    }

    /// Records that are open.
    pub const fn open_records(&self) -> usize {
        self.records
    }

    /// What has been written so far.
    pub const fn written(&self) -> Written {
        self.written
    }

    /// Writes what is open, and ends.
    ///
    /// # Errors
    /// [`StoreError`], with the writer, so that nothing is lost.
    pub fn close(mut self) -> Result<Written, (Box<Self>, StoreError)> {
        match self.flush() {
            Ok(()) => Ok(self.written),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    /// Brings everything that was written into view.
    pub(crate) fn publish(self) -> Result<(), StoreError> {
        self.staging.map_or(Ok(()), Staging::publish)
    }

    /// Removes everything that was written.
    pub(crate) fn take_back(self) -> Result<(), StoreError> {
        self.staging.map_or(Ok(()), |staging| staging.discard())
    }
}
