//! The thread of the detectors, its queue, and the sink that fills it.
//!
//! The sink gives every batch to the queue as it comes, once, however often it is sent; storing takes seconds. Invariant: the queue never makes
//! records wait; batches that do not fit are left out, counted and told.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use palisade_control::{Control, alerts, fleet::HostName, time::unix_millis};
use palisade_sync::FlowBatch;

use super::{
    Listener, Raised,
    order::ORDER_MS,
    stream::{Sighting, Stream},
    warm,
};
use crate::{
    event::{Event, Events},
    fleet::{FlowSink, FlowSinkError},
    uses::Uses,
};

/// Records that wait for the detectors, of all hosts: about 50 MB.
const WAITING_MAX: usize = 1 << 19;
/// Streams of one host that are remembered, as many as the flow store does.
const STREAMS_MAX: usize = 8;
/// Series that were raised and are not in the world yet.
const PENDING_MAX: usize = 4_096;
/// Losses are told at most so often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Streams of one host, each with its last batch.
type Streams = Vec<(Vec<u8>, u64)>;
/// A batch of a host.
type Job = (HostName, FlowBatch);

/// The detectors of a server.
#[derive(Debug)]
pub(crate) struct Watch {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The last batch of each stream that was given to the thread.
    fed: Mutex<HashMap<HostName, Streams>>,
    meters: Arc<Meters>,
}

/// What the thread and others count together.
#[derive(Debug, Default)]
struct Meters {
    /// Records in the queue.
    waiting: AtomicUsize,
    lost: AtomicU64,
    connections: AtomicU64,
    late: AtomicU64,
    ahead: AtomicU64,
    raised: AtomicU64,
}

/// How the detectors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WatchCounts {
    /// Connections that they looked at since the start.
    pub(crate) connections: u64,
    /// Of them, those that came too late to be put in order.
    pub(crate) late: u64,
    /// Records that were further ahead than the server's clock can be wrong.
    pub(crate) ahead: u64,
    /// Records that did not fit the queue.
    pub(crate) lost: u64,
    /// Records in the queue.
    pub(crate) waiting: usize,
    /// Alerts that they raised.
    pub(crate) raised: u64,
}

impl Watch {
    /// Starts the thread. It first looks at the past of the flow store at an address, if there is one.
    pub(crate) fn start(
        control: Control,
        listeners: Vec<Arc<dyn Listener>>,
        past: Option<String>,
        events: Events,
    ) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let meters = Arc::new(Meters::default());
        let work = Work {
            control,
            listeners,
            events,
            meters: Arc::clone(&meters),
            stream: Stream::default(),
            pending: HashMap::new(),
            told: (Instant::now(), 0),
        };
        let run = move || work.run(past.as_deref(), &waiting);
        let thread = thread::Builder::new().name("detectors".to_owned()).spawn(run)?;
        let (jobs, thread) = (Mutex::new(Some(jobs)), Mutex::new(Some(thread)));
        Ok(Self { jobs, thread, fed: Mutex::default(), meters })
    }

    /// Gives a batch of a host to the detectors, unless they had it.
    fn feed(&self, host: &HostName, batch: &FlowBatch) {
        if !self.is_new(host, batch) {
            return;
        }
        let records = batch.records();
        if self.meters.waiting.fetch_add(records, Ordering::Relaxed) + records > WAITING_MAX {
            self.meters.waiting.fetch_sub(records, Ordering::Relaxed);
            self.meters.lost.fetch_add(records as u64, Ordering::Relaxed);
            return;
        }
        if let Some(jobs) = &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            // The thread outlives the queue, unless it panicked, and that was told.
            let _panicked = jobs.send((host.clone(), batch.clone()));
        }
    }

    fn is_new(&self, host: &HostName, batch: &FlowBatch) -> bool {
        let mut fed = self.fed.lock().unwrap_or_else(PoisonError::into_inner);
        let streams = fed.entry(host.clone()).or_default();
        match streams.iter_mut().find(|(stream, _)| *stream == batch.stream) {
            Some((_, last)) if batch.sequence <= *last => return false,
            Some((_, last)) => *last = batch.sequence,
            None => streams.push((batch.stream.clone(), batch.sequence)),
        }
        if streams.len() > STREAMS_MAX {
            streams.remove(0);
        }
        true
    }

    /// The last batch of a stream that was given to the detectors.
    fn last(&self, host: &HostName, stream: &[u8]) -> u64 {
        let fed = self.fed.lock().unwrap_or_else(PoisonError::into_inner);
        let streams = fed.get(host).map(Vec::as_slice).unwrap_or_default();
        streams.iter().find(|(known, _)| known == stream).map_or(0, |(_, last)| *last)
    }

    /// How the detectors do.
    pub(crate) fn counts(&self) -> WatchCounts {
        let of = |meter: &AtomicU64| meter.load(Ordering::Relaxed);
        let meters = &self.meters;
        WatchCounts {
            connections: of(&meters.connections),
            late: of(&meters.late),
            ahead: of(&meters.ahead),
            lost: of(&meters.lost),
            waiting: meters.waiting.load(Ordering::Relaxed),
            raised: of(&meters.raised),
        }
    }

    /// Judges what waits, and ends. It waits for the thread.
    pub(crate) fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _panicked = thread.join();
        }
    }
}

/// A sink whose batches the detectors see too.
#[derive(Debug)]
pub(crate) struct WatchedSink {
    /// Where records become durable; without it they are watched and forgotten.
    pub(crate) inner: Option<Arc<dyn FlowSink>>,
    /// The detectors.
    pub(crate) watch: Arc<Watch>,
    /// Who looks for connections that use grants up.
    pub(crate) uses: Uses,
}

#[async_trait]
impl FlowSink for WatchedSink {
    async fn last(&self, host: &HostName, stream: &[u8]) -> Result<u64, FlowSinkError> {
        match &self.inner {
            Some(inner) => inner.last(host, stream).await,
            None => Ok(self.watch.last(host, stream)),
        }
    }

    async fn keep(&self, host: &HostName, batches: &[FlowBatch]) -> Result<(), FlowSinkError> {
        match &self.inner {
            Some(inner) => inner.keep(host, batches).await,
            None => Ok(()),
        }
    }

    fn arrived(&self, host: &HostName, batch: &FlowBatch) {
        self.uses.feed(host, batch);
        self.watch.feed(host, batch);
    }
}

/// The thread's own.
struct Work {
    control: Control,
    listeners: Vec<Arc<dyn Listener>>,
    events: Events,
    meters: Arc<Meters>,
    stream: Stream,
    /// Ids of series that were raised, until the world has them.
    pending: HashMap<String, String>,
    /// When losses were told, and how many.
    told: (Instant, u64),
}

impl Work {
    /// Works until nobody can send jobs any more.
    fn run(mut self, past: Option<&str>, jobs: &mpsc::Receiver<Job>) {
        let now_ms = self.now_ms();
        if let Some(Err(error)) = past.map(|address| warm::warm(&mut self.stream, address, now_ms)) {
            self.events.tell(Event::DetectorsCold { why: error.to_string() });
        }
        let mut last: Option<HostName> = None;
        loop {
            let job = jobs.recv_timeout(Duration::from_millis(ORDER_MS));
            let found = match &job {
                Ok((host, batch)) => self.take(host, batch),
                // Nothing came for as long as connections wait for others.
                Err(_) => last.as_ref().map(|host| self.stream.settle(host)).unwrap_or_default(),
            };
            self.raise(found);
            self.count();
            match job {
                Ok((host, _)) => last = Some(host),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn now_ms(&self) -> u64 {
        unix_millis(self.control.now())
    }

    fn take(&mut self, host: &HostName, batch: &FlowBatch) -> Vec<Sighting> {
        let found = self.stream.take(host, batch, self.now_ms());
        self.meters.waiting.fetch_sub(batch.records(), Ordering::Relaxed);
        found
    }

    fn raise(&mut self, found: Vec<Sighting>) {
        for sighting in found {
            let raised = self.named(sighting);
            self.listeners.iter().for_each(|listener| listener.raised(&raised));
            self.meters.raised.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An alert with its name and machine: the name of the one of its series that is open.
    fn named(&mut self, sighting: Sighting) -> Raised {
        let Sighting { alert, about, host, nic } = sighting;
        let series = alerts::series(&alert, nic.as_deref());
        let (open, machine) = self.control.read(|world| {
            // One that was raised a moment ago may not be in the world yet.
            let pending = self.pending.get(&series).filter(|id| alerts::find(world, id).is_none());
            let open = pending.cloned();
            let open = open.unwrap_or_else(|| alerts::open_of(world, &series, alert.time_ms, host.as_str()));
            (open, nic.as_deref().and_then(|nic| alerts::machine_of(world, nic)))
        });
        if self.pending.len() >= PENDING_MAX {
            self.pending.clear();
        }
        self.pending.insert(series, open.clone());
        Raised { id: open, alert, about, host, nic, machine }
    }

    /// Notes how far the detectors are, and tells what was lost.
    fn count(&mut self) {
        let tally = self.stream.tally();
        self.meters.connections.store(tally.connections, Ordering::Relaxed);
        self.meters.late.store(tally.late, Ordering::Relaxed);
        self.meters.ahead.store(tally.ahead, Ordering::Relaxed);
        let lost = self.meters.lost.load(Ordering::Relaxed) + tally.ahead;
        let (at, told) = self.told;
        if lost > told && (told == 0 || at.elapsed() >= TELL_EVERY) {
            self.events.tell(Event::FlowsNotWatched { count: lost - told });
            self.told = (Instant::now(), lost);
        }
    }
}
