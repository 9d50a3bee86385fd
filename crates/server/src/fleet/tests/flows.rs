//! Flow records: stored once, acknowledged when they are durable, and asked of nobody who does not know the words.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use palisade_control::fleet::HostName;
use palisade_sync::limits::FLOW_WINDOW;
use palisade_sync::{FlowBatch, FlowsKept, from_agent, from_server};
use tonic::{Code, Status};

use super::support::{Host, Server, Site};
use crate::fleet::{FleetEvent, FlowSink, FlowSinkError};

const STREAM: [u8; 16] = [7; 16];

/// Keeps batches in memory, which for a test is durable.
#[derive(Debug, Default)]
struct Collecting {
    batches: Mutex<Vec<(HostName, FlowBatch)>>,
    last: Mutex<HashMap<(HostName, Vec<u8>), u64>>,
    fails: AtomicBool,
}

impl Collecting {
    fn sequences(&self) -> Vec<u64> {
        self.batches.lock().expect("no panic").iter().map(|(_, batch)| batch.sequence).collect()
    }
}

#[async_trait]
impl FlowSink for Collecting {
    async fn last(&self, host: &HostName, stream: &[u8]) -> Result<u64, FlowSinkError> {
        let last = self.last.lock().expect("no panic");
        Ok(last.get(&(host.clone(), stream.to_vec())).copied().unwrap_or_default())
    }

    async fn keep(&self, host: &HostName, batches: &[FlowBatch]) -> Result<(), FlowSinkError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(FlowSinkError("the disk is full".into()));
        }
        for batch in batches {
            self.last.lock().expect("no panic").insert((host.clone(), batch.stream.clone()), batch.sequence);
            self.batches.lock().expect("no panic").push((host.clone(), batch.clone()));
        }
        Ok(())
    }
}

fn batch(sequence: u64) -> FlowBatch {
    let mut batch = FlowBatch { stream: STREAM.to_vec(), sequence, ..FlowBatch::default() };
    batch.push_lost(1_800_000_000_000, sequence, "spool");
    batch
}

/// Sends a batch; whether it arrives is seen by what the server says.
async fn tell(host: &Host, batch: FlowBatch) {
    let _is_alive = host.say(from_agent::Message::Flows(batch)).await;
}

/// Waits until the server says how far records are durable.
async fn kept(host: &mut Host) -> Result<FlowsKept, Status> {
    loop {
        if let from_server::Message::FlowsKept(kept) = host.next().await?.expect("a message") {
            return Ok(kept);
        }
    }
}

async fn kept_until(host: &mut Host, sequence: u64) {
    while kept(host).await.expect("the session lives").sequence < sequence {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_stored_once() {
    let site = Site::new();
    let sink = Arc::new(Collecting::default());
    let server = Server::start_with_flows(&site, Some(Arc::clone(&sink) as _)).await;
    let identity = server.join("a").await;
    let mut host = Host::connect_telling(&server, &identity).await.expect("a session");
    let first = kept(&mut host).await.expect("the session lives");
    assert_eq!((first.window, first.stream.len()), (FLOW_WINDOW, 0));
    for sequence in [1, 2, 5] {
        tell(&host, batch(sequence)).await;
    }
    kept_until(&mut host, 5).await;
    // The connection breaks, and the host does not know that the last two arrived; another session takes its place.
    let mut again = Host::connect_telling(&server, &identity).await.expect("a session");
    for sequence in [2, 5, 6] {
        tell(&again, batch(sequence)).await;
    }
    let other = FlowBatch { stream: vec![8; 16], ..batch(1) };
    tell(&again, other).await;
    while kept(&mut again).await.expect("the session lives").stream[..] != [8; 16] {}
    assert_eq!(sink.sequences(), [1, 2, 5, 6, 1]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let site = Site::new();
    let sink = Arc::new(Collecting::default());
    sink.fails.store(true, Ordering::Relaxed);
    let mut server = Server::start_with_flows(&site, Some(Arc::clone(&sink) as _)).await;
    let identity = server.join("a").await;
    let mut host = Host::connect_telling(&server, &identity).await.expect("a session");
    kept(&mut host).await.expect("the server takes records");
    tell(&host, batch(1)).await;
    server.event(|event| matches!(event, FleetEvent::FlowsNotKept { .. })).await;
    assert!(sink.sequences().is_empty());
    // What the host says else is heard meanwhile.
    host.applied(3).await;
    server.event(|event| matches!(event, FleetEvent::Applied { revision: 3, .. })).await;
    sink.fails.store(false, Ordering::Relaxed);
    kept_until(&mut host, 1).await;
    assert_eq!(sink.sequences(), [1]);
    // More than the window is more than was asked for.
    sink.fails.store(true, Ordering::Relaxed);
    for sequence in 2..=2 * u64::from(FLOW_WINDOW) + 2 {
        tell(&host, batch(sequence)).await;
    }
    assert_eq!(host.end().await.code(), Code::ResourceExhausted);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_read_is_left_out_and_told() {
    let site = Site::new();
    let sink = Arc::new(Collecting::default());
    let mut server = Server::start_with_flows(&site, Some(Arc::clone(&sink) as _)).await;
    let identity = server.join("a").await;
    let mut host = Host::connect_telling(&server, &identity).await.expect("a session");
    tell(&host, FlowBatch { shape: vec![1], ..batch(1) }).await;
    tell(&host, FlowBatch { stream: vec![1], ..batch(2) }).await;
    tell(&host, batch(3)).await;
    kept_until(&mut host, 3).await;
    server.event(|event| matches!(event, FleetEvent::FlowsRefused { .. })).await;
    assert_eq!(sink.sequences(), [3]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_of_records_is_not_asked() {
    let site = Site::new();
    let sink = Arc::new(Collecting::default());
    let is_about_flows =
        |message: &from_server::Message| matches!(message, from_server::Message::FlowsKept(_));
    // An old host, an old server: the other one knows, and keeps silent.
    for (sink, tells) in [(Some(sink as Arc<dyn FlowSink>), false), (None, true)] {
        let server = Server::start_with_flows(&site, sink).await;
        let identity = server.join(if tells { "a" } else { "b" }).await;
        let mut host = match tells {
            true => Host::connect_telling(&server, &identity).await.expect("a session"),
            false => Host::connect(&server, &identity, <_>::default()).await.expect("a session"),
        };
        loop {
            let message = host.next().await.expect("the session lives").expect("a message");
            assert!(!is_about_flows(&message));
            if let from_server::Message::InSync(_) = message {
                break;
            }
        }
        // Records that nobody asked for end nothing.
        tell(&host, batch(1)).await;
        host.applied(1).await;
        server.stop().await;
    }
}
