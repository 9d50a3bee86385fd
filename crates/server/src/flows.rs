//! The server's flow store: records of hosts become Parquet, many batches at a time.
//!
//! A thread of its own writes, since writing waits for the storage. It commits when enough records are open or the first has
//! waited a while, and only then are hosts told that it has them; a host that is told nothing keeps them. Beside the files
//! stands how far each host's streams are in them. Invariant: what is acknowledged is in files that are in view. A server that
//! dies between the two sees the batches of one commit again, and then stores them twice.
//!
//! Reference: docs/adr/0032-flow-records-are-spooled.md.

mod positions;
mod records;
#[cfg(test)]
mod tests;
mod upkeep;
mod writing;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use palisade_control::fleet::HostName;
use palisade_flowstore::Store;
use palisade_sync::FlowBatch;
use tokio::sync::oneshot;

use crate::{
    event::{Event, Events},
    fleet::{FlowSink, FlowSinkError},
};
use positions::Positions;
pub(crate) use records::Records;
pub use upkeep::FlowUpkeep;
pub(crate) use upkeep::keep;
use writing::{Job, Writing};

/// Jobs that wait for the thread: one a host at most is on its way.
const WAITING_MAX: usize = 1_024;

/// A sink that writes a flow store.
#[derive(Debug)]
pub struct FlowKeeper {
    positions: Arc<Mutex<Positions>>,
    jobs: Mutex<Option<mpsc::SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl FlowKeeper {
    /// Opens the store at an address, and keeps in a file how far hosts are in it. It waits for the storage.
    ///
    /// # Errors
    /// If the store or the file cannot be opened, or the system gives no thread.
    pub fn open(address: &str, positions: &Path, events: Events) -> Result<Self, FlowSinkError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| FlowSinkError(error);
        let positions = Positions::open(positions).map_err(|error| failed(error.into()))?;
        let store = Store::open(address).map_err(|error| failed(error.into()))?;
        let positions = Arc::new(Mutex::new(positions));
        let (jobs, waiting) = mpsc::sync_channel(WAITING_MAX);
        let tell = move |why| events.tell(Event::FlowsNotStored { why });
        let writing = Writing::new(store, Arc::clone(&positions), Box::new(tell));
        let thread = thread::Builder::new().name("flows".to_owned()).spawn(move || writing.run(&waiting));
        let thread = thread.map_err(|error| failed(error.into()))?;
        Ok(Self { positions, jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) })
    }

    /// Commits what is open, and ends. It waits for the storage.
    pub fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _panicked = thread.join();
        }
    }
}

#[async_trait]
impl FlowSink for FlowKeeper {
    async fn last(&self, host: &HostName, stream: &[u8]) -> Result<u64, FlowSinkError> {
        Ok(self.positions.lock().unwrap_or_else(PoisonError::into_inner).last(host, stream))
    }

    async fn keep(&self, host: &HostName, batches: &[FlowBatch]) -> Result<(), FlowSinkError> {
        let closed = || FlowSinkError(io::Error::other("the flow store is closed").into());
        let (done, kept) = oneshot::channel();
        let job = Job { host: host.clone(), batches: batches.to_vec(), done };
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = jobs.ok_or_else(closed)?.try_send(job);
        sent.map_err(|_| FlowSinkError(io::Error::other("too many hosts wait for the flow store").into()))?;
        kept.await.map_err(|_| closed())
    }
}
