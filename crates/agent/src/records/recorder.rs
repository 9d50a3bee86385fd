//! The loop's end of the outbox: collects records into batches, and gives these away when they are full or old.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{BY_KERNEL, Encoder, Outbox};
use crate::events::{NameBook, Record};

/// So old a batch gets before it is given away: an alert should not wait for records.
const BATCH_AGE: Duration = Duration::from_millis(500);

/// Collects records. When it is dropped, what was collected is written.
#[derive(Debug)]
pub struct Recorder {
    encoder: Encoder,
    /// When the batch has to go.
    due: Option<Instant>,
    outbox: Arc<Outbox>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread that writes the spool.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(outbox: Arc<Outbox>) -> io::Result<Self> {
        let written = Arc::clone(&outbox);
        let thread = thread::Builder::new().name("records".to_owned()).spawn(move || written.write())?;
        Ok(Self { encoder: Encoder::default(), due: None, outbox, thread: Some(thread) })
    }

    /// Whether the server takes records.
    pub fn is_wanted(&self) -> bool {
        self.outbox.is_wanted()
    }

    /// Adds a record.
    pub fn add(&mut self, record: &Record, book: &NameBook) {
        self.encoder.add(record, book);
        self.note();
    }

    /// Adds that the kernel lost records.
    pub fn add_lost(&mut self, time_ms: u64, count: u64) {
        self.encoder.add_lost(time_ms, count, BY_KERNEL);
        self.note();
    }

    fn note(&mut self) {
        if self.encoder.is_full() {
            self.give();
        } else if self.due.is_none() {
            self.due = Some(Instant::now() + BATCH_AGE);
        }
    }

    /// Gives the batch away if it is old enough.
    pub fn keep_time(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.give();
        }
    }

    /// Why the disk does not take batches, if that is news.
    pub fn trouble(&self) -> Option<String> {
        self.outbox.trouble()
    }

    fn give(&mut self) {
        self.due = None;
        if !self.encoder.is_empty() {
            self.outbox.put(self.encoder.take());
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.give();
        self.outbox.close();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
