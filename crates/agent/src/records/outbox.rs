//! Where batches wait between the loop, the disk and the connection: three that never wait for each other.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use palisade_sync::FlowBatch;
use tokio::sync::Notify;

use super::BY_MEMORY;
use super::spool::{Cursor, Spool};

/// Batches that wait for the disk: a quarter of a million records.
const WAITING_MAX: usize = 16;

/// The place.
#[derive(Debug)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    /// A batch waits, or the end has come.
    filled: Condvar,
    spool: Mutex<Spool>,
    /// The spool has another batch.
    spooled: Notify,
    /// False once a server has said that it takes no records, until one does.
    is_wanted: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<FlowBatch>,
    /// Records that found no room.
    lost: u64,
    /// Why the disk did not take a batch, until that is told.
    trouble: Option<String>,
    is_over: bool,
}

impl Outbox {
    /// An empty one before a spool.
    pub fn new(spool: Spool) -> Self {
        Self {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            spool: spool.into(),
            spooled: Notify::new(),
            is_wanted: AtomicBool::new(true),
        }
    }

    /// Says whether the server takes records.
    pub fn want(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// Whether records are worth making.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Takes a batch; where there is no room, the oldest one is given up and counted.
    pub fn put(&self, batch: FlowBatch) {
        let mut waiting = self.waiting();
        if waiting.batches.len() == WAITING_MAX
            && let Some(oldest) = waiting.batches.pop_front()
        {
            waiting.lost += oldest.records() as u64;
        }
        waiting.batches.push_back(batch);
        self.filled.notify_one();
    }

    /// No more batches come: [`Self::write`] ends when it has written those that wait.
    pub(crate) fn close(&self) {
        self.waiting().is_over = true;
        self.filled.notify_one();
    }

    /// Writes batches to the spool until the outbox is closed.
    pub(crate) fn write(&self) {
        while let Some(batch) = self.take() {
            let written = self.spool().append(batch);
            match written {
                Ok(()) => self.spooled.notify_one(),
                Err(error) => {
                    self.waiting().trouble = Some(format!("flow records cannot be spooled: {error}"));
                }
            }
        }
    }

    /// Why the disk does not take batches, if that is news.
    pub fn trouble(&self) -> Option<String> {
        self.waiting().trouble.take()
    }

    fn take(&self) -> Option<FlowBatch> {
        let waiting =
            self.filled.wait_while(self.waiting(), |waiting| waiting.batches.is_empty() && !waiting.is_over);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let mut batch = waiting.batches.pop_front()?;
        if waiting.lost > 0 {
            let now = batch.base_ms;
            batch.push_lost(now, std::mem::take(&mut waiting.lost), BY_MEMORY);
        }
        Some(batch)
    }

    /// The next batch of the spool, and the cursor behind it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn next(&self, cursor: Cursor) -> io::Result<Option<(Cursor, FlowBatch)>> {
        self.spool().next(cursor)
    }

    /// The server has this batch, and all before it.
    ///
    /// # Errors
    /// If files cannot be removed.
    pub fn kept(&self, stream: &[u8], sequence: u64) -> io::Result<()> {
        self.spool().kept(stream, sequence)
    }

    /// Waits for another batch in the spool; one that came since this was last asked counts.
    pub async fn spooled(&self) {
        self.spooled.notified().await;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use palisade_sync::flows::LOST;

    use super::*;
    use crate::records::SPOOL_BYTES;

    fn batch(records: u64) -> FlowBatch {
        let mut batch = FlowBatch::default();
        (0..records).for_each(|_| batch.push_lost(1, 0, "nobody"));
        batch
    }

    /// Batches come faster than the disk takes them: the oldest are given up, and their records counted in what follows.
    #[test]
    fn what_finds_no_room_is_counted() {
        let dir = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(dir.path(), SPOOL_BYTES).expect("a spool");
        let outbox = Arc::new(Outbox::new(spool));
        (1..=WAITING_MAX as u64 + 3).for_each(|records| outbox.put(batch(records)));
        let writer = Arc::clone(&outbox);
        outbox.close();
        std::thread::spawn(move || writer.write()).join().expect("it ends");
        let (cursor, first) = outbox.next(Cursor::default()).expect("it is read").expect("it was written");
        let (shape, line) = first.lines().last().expect("it has records");
        assert_eq!((&shape.kind[..], &shape.reason[..], line.packets[0]), (LOST, BY_MEMORY, 1 + 2 + 3));
        let (mut cursor, mut count) = (cursor, 1);
        while let Some((next, batch)) = outbox.next(cursor).expect("it is read") {
            (cursor, count) = (next, count + 1);
            assert_eq!(batch.records() as u64, 3 + count, "nothing was lost after that");
        }
        assert_eq!(count, WAITING_MAX as u64);
    }
}
