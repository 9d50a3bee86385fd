//! The thread that writes: takes jobs, commits them together, and answers them when they are durable.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use palisade_control::fleet::HostName;
use palisade_flowstore::{FlowWriter, Store, WriterOptions};
use palisade_sync::FlowBatch;
use tokio::sync::oneshot;

use super::{positions::Positions, records::Records};

/// Open records at which is committed: about a batch that is full, since a host that has so much to tell waits for the answer.
const COMMIT_RECORDS: usize = 16_000;
/// How long open records wait for others: each commit makes a file a partition.
const COMMIT_AGE: Duration = Duration::from_secs(5);
/// The pause after the storage has failed.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Batches of one host that are to be made durable.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) host: HostName,
    pub(super) batches: Vec<FlowBatch>,
    pub(super) done: oneshot::Sender<()>,
}

/// A job whose records are open.
struct Open {
    host: HostName,
    /// The last batch of each stream.
    places: Vec<(Vec<u8>, u64)>,
    done: oneshot::Sender<()>,
}

/// The thread's own.
pub(super) struct Writing {
    writer: FlowWriter,
    records: Records,
    positions: Arc<Mutex<Positions>>,
    open: Vec<Open>,
    /// When to commit what is open.
    due: Option<Instant>,
    tell: Box<dyn Fn(String) + Send>,
}

impl Writing {
    pub(super) fn new(
        store: Store,
        positions: Arc<Mutex<Positions>>,
        tell: Box<dyn Fn(String) + Send>,
    ) -> Self {
        // It never writes by itself: what is written and what is answered must be the same.
        let options = WriterOptions { records: usize::MAX, age_ms: u64::MAX };
        let writer = FlowWriter::new(store, options);
        Self { writer, records: Records::default(), positions, open: Vec::new(), due: None, tell }
    }

    /// Works until nobody can send jobs any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let wait = self.due.map_or(COMMIT_AGE, |due| due.saturating_duration_since(Instant::now()));
            match jobs.recv_timeout(wait) {
                Ok(job) => {
                    self.take(job);
                    if self.writer.open_records() >= COMMIT_RECORDS {
                        self.commit_until_done(jobs);
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.due.is_some() => self.commit_until_done(jobs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // Who is not answered is told nothing, and sends again.
                    let _told = self.commit();
                    return;
                }
            }
        }
    }

    fn take(&mut self, job: Job) {
        self.due.get_or_insert_with(|| Instant::now() + COMMIT_AGE);
        let places = job.batches.iter().map(|batch| (batch.stream.clone(), batch.sequence)).collect();
        for batch in &job.batches {
            for record in self.records.of(&job.host, batch) {
                // A commit takes all that is open, so there is room; what no column holds was left out.
                if let Err(error) = self.writer.append(record, 0) {
                    (self.tell)(error.to_string());
                }
            }
        }
        self.open.push(Open { host: job.host, places, done: job.done });
    }

    /// Commits what is open; while the storage fails, nobody is answered, and hosts keep what comes.
    fn commit_until_done(&mut self, jobs: &Receiver<Job>) {
        while let Err(why) = self.commit() {
            (self.tell)(why);
            std::thread::sleep(RETRY_PAUSE);
            // What came meanwhile is not answered, and so comes again: what is open must not grow.
            while jobs.try_recv().is_ok() {}
            if let Err(TryRecvError::Disconnected) = jobs.try_recv() {
                return;
            }
        }
    }

    fn commit(&mut self) -> Result<(), String> {
        self.writer.flush().map_err(|error| error.to_string())?;
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        for Open { host, places, .. } in &self.open {
            places.iter().for_each(|(stream, sequence)| positions.note(host, stream, *sequence));
        }
        positions.write().map_err(|error| format!("the positions of hosts cannot be written: {error}"))?;
        drop(positions);
        // Who asked is gone if its session ended; the host will be told when it comes back.
        for open in self.open.drain(..) {
            let _gone = open.done.send(());
        }
        self.due = None;
        Ok(())
    }
}
