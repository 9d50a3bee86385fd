//! Flow records of hosts, from the stream to where they are durable.
//!
//! A host numbers its batches, and sends what was not acknowledged again when it comes back. So records are stored once if a
//! batch is made durable together with its number, which is the [`FlowSink`]'s to do, and if two sessions of a host, of
//! which one is about to end, do not store the same batch beside each other, which is done here. A sink that is slow holds
//! up its hosts' records, in their spools, and nothing else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use palisade_control::fleet::HostName;
use palisade_sync::FlowBatch;
use palisade_sync::flows::LOST;
use palisade_sync::limits::FLOW_WINDOW;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tonic::Status;

use super::event::FleetEvent;
use super::hub::Hub;
use super::message;
use super::session::Outgoing;

/// The pause before a sink is asked again that has failed.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// Bytes of a stream's name.
const STREAM_BYTES: usize = 16;

/// Where flow records become durable.
#[async_trait]
pub trait FlowSink: fmt::Debug + Send + Sync {
    /// The number of the last batch of a host's stream that is durable; 0 if none is.
    async fn last(&self, host: &HostName, stream: &[u8]) -> Result<u64, FlowSinkError>;

    /// Makes batches durable, which [`FlowBatch::check`] has passed: all of them, with the number of the last one of each
    /// stream, or nothing. They are of one host, in order, and after what [`Self::last`] has said; hosts come beside each other.
    async fn keep(&self, host: &HostName, batches: &[FlowBatch]) -> Result<(), FlowSinkError>;

    /// Sees a batch as it comes, before it is durable: who watches need not wait for the storage. It returns at once. A batch that
    /// was sent again is seen again.
    fn arrived(&self, _host: &HostName, _batch: &FlowBatch) {}
}

/// Why records are not durable; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("flow records cannot be stored: {0}")]
pub struct FlowSinkError(pub Box<dyn std::error::Error + Send + Sync>);

/// Who may store records of a host: one session at a time.
#[derive(Default)]
pub(super) struct Keepers(Mutex<HashMap<HostName, Arc<tokio::sync::Mutex<()>>>>);

impl Keepers {
    fn of(&self, host: &HostName) -> Arc<tokio::sync::Mutex<()>> {
        // Hosts are as many as have certificates.
        let mut keepers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(keepers.entry(host.clone()).or_default())
    }
}

/// The way of one session's batches to the sink.
pub(super) struct Intake {
    sink: Arc<dyn FlowSink>,
    host: HostName,
    batches: mpsc::Sender<FlowBatch>,
}

impl Intake {
    /// Opens it, if there is a sink and the host has records; the host is told so through `outgoing`.
    pub(super) async fn open(hub: &Arc<Hub>, host: &HostName, outgoing: &Outgoing) -> Option<Self> {
        let sink = Arc::clone(hub.options().flows.as_ref()?);
        // Before any state, so that the host knows by then.
        outgoing.send(Ok(message::flows_kept(Vec::new(), 0))).await.ok()?;
        let (batches, waiting) = mpsc::channel(FLOW_WINDOW as usize);
        let intake = Self { sink: Arc::clone(&sink), host: host.clone(), batches };
        let keeper = Keeper { sink, hub: Arc::clone(hub), host: host.clone(), outgoing: outgoing.clone() };
        // It is not part of the session, which may end while records are on their way to the disk.
        tokio::spawn(keeper.run(waiting));
        Some(intake)
    }

    /// Takes a batch, without waiting: a host that keeps to the window finds room.
    pub(super) fn take(&self, batch: FlowBatch) -> Result<(), Status> {
        let full = || Status::resource_exhausted("more batches of flow records than the window admits");
        let room = self.batches.try_reserve().map_err(|_| full())?;
        if fault(&batch).is_none() {
            self.sink.arrived(&self.host, &batch);
        }
        room.send(batch);
        Ok(())
    }
}

struct Keeper {
    sink: Arc<dyn FlowSink>,
    hub: Arc<Hub>,
    host: HostName,
    outgoing: Outgoing,
}

impl Keeper {
    /// Makes batches durable until no more come, and says so. Those that wait are stored together.
    async fn run(self, mut waiting: mpsc::Receiver<FlowBatch>) {
        while let Some(first) = waiting.recv().await {
            let mut batches = vec![first];
            while batches.len() < FLOW_WINDOW as usize
                && let Ok(next) = waiting.try_recv()
            {
                batches.push(next);
            }
            let places: Vec<_> = batches.iter().map(|batch| (batch.stream.clone(), batch.sequence)).collect();
            let mut batches = self.sound(batches);
            while let Err(error) = self.keep(&mut batches).await {
                self.hub.tell(FleetEvent::FlowsNotKept { host: self.host.clone(), why: error.to_string() });
                tokio::select! {
                    () = sleep(RETRY_PAUSE) => {}
                    // The host will send them again.
                    () = self.outgoing.closed() => return,
                }
            }
            for (stream, sequence) in newest(places) {
                if self.outgoing.send(Ok(message::flows_kept(stream, sequence))).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Batches that can be read. One that cannot would be sent for ever, so it counts as done, and the operator is told.
    fn sound(&self, mut batches: Vec<FlowBatch>) -> Vec<FlowBatch> {
        batches.retain(|batch| {
            let Some(wrong) = fault(batch) else { return true };
            self.hub.tell(FleetEvent::FlowsRefused { host: self.host.clone(), why: wrong });
            false
        });
        batches
    }

    /// Stores what is not stored yet; the rest is dropped.
    async fn keep(&self, batches: &mut Vec<FlowBatch>) -> Result<(), FlowSinkError> {
        let lock = self.hub.keepers().of(&self.host);
        let _alone = lock.lock().await;
        let mut last: HashMap<Vec<u8>, u64> = HashMap::new();
        for batch in batches.iter() {
            if !last.contains_key(&batch.stream) {
                last.insert(batch.stream.clone(), self.sink.last(&self.host, &batch.stream).await?);
            }
        }
        batches.retain(|batch| {
            let last = last.get_mut(&batch.stream).expect("every stream was asked for");
            let is_new = batch.sequence > *last;
            *last = batch.sequence.max(*last);
            is_new
        });
        if batches.is_empty() {
            return Ok(());
        }
        self.sink.keep(&self.host, batches).await?;
        self.tell_losses(batches);
        Ok(())
    }

    fn tell_losses(&self, batches: &[FlowBatch]) {
        for (shape, line) in batches.iter().flat_map(FlowBatch::lines).filter(|(shape, _)| shape.kind == LOST)
        {
            let (host, count, by) = (self.host.clone(), line.packets[0], shape.reason.clone());
            self.hub.tell(FleetEvent::FlowsLost { host, count, by });
        }
    }
}

/// Why a batch cannot be read; `None` if it can.
fn fault(batch: &FlowBatch) -> Option<String> {
    match batch.check() {
        Err(error) => Some(error.to_string()),
        Ok(()) if batch.stream.len() != STREAM_BYTES => Some("a stream has a name of 16 bytes".to_owned()),
        Ok(()) => None,
    }
}

/// The last of each run of batches of one stream.
fn newest(places: Vec<(Vec<u8>, u64)>) -> Vec<(Vec<u8>, u64)> {
    let mut newest: Vec<(Vec<u8>, u64)> = Vec::new();
    for (stream, sequence) in places {
        match newest.last_mut().filter(|(known, _)| *known == stream) {
            Some((_, last)) => *last = sequence,
            None => newest.push((stream, sequence)),
        }
    }
    newest
}
