//! Records the whole way from the kernel's ring to Parquet, stage by stage.
//!
//! Connections are opened and reset at a router, where the kernel program tells of each twice. What it tells goes the way that it goes on a
//! host and at its server, through the same code: the agent's records, batches and spool, the message, the server's keeper, files that are
//! durable. Making the packets is not measured, and the encryption between agent and server and the detectors that read beside are not
//! there. Invariant: every connection is in the store twice, or there is no figure.

use std::{
    num::NonZero,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use palisade_agent::{
    events::{Moment, NameBook, Record},
    records::{Cursor, Encoder, SPOOL_BYTES, Spool},
};
use palisade_control::fleet::HostName;
use palisade_flowstore::{
    Store,
    query::{Filter, Measure, Question, ask},
};
use palisade_lab::netns::obstacle;
use palisade_net::{Family, packet::TcpFlags};
use palisade_server::{Events, fleet::FlowSink as _, flows::FlowKeeper};
use palisade_sync::{FlowBatch, limits::FLOW_WINDOW};
use prost::Message as _;

use super::taken::Taken;
use crate::{
    error::{Context, Error, Result},
    fence::{Fence, Firewall, Rules},
    kernel::{flows::End, inject::Injector},
    ours::Ours,
    report::Case,
    rules::{self, Place},
    scratch::Scratch,
    site::{Anchors, Site},
    traffic::{NEW, inward},
};

/// Connections of a round: what the kernel tells of them finds room in its ring.
const ROUND: u32 = 12_000;
/// Connections of the thorough run, and of the quick one.
const CONNECTIONS: [u32; 2] = [4_000_000, 500_000];
/// Records that the agent takes before it looks at other things.
const AT_ONCE: usize = 10_000;
/// Where in the folder the files are.
const STORE: &str = "store";
const LINES: usize = 100;
const SEED: u64 = 7;

/// What the stages took.
#[derive(Debug, Default)]
struct Stages {
    /// The ring, and records into batches.
    read: Taken,
    /// Batches to the spool.
    spool: Taken,
    /// From the spool, into the message, and out of it.
    send: Taken,
    /// Batches to durable files.
    store: Taken,
}

impl Stages {
    fn named(&self) -> [(&'static str, Taken); 4] {
        [
            ("ring to batches", self.read),
            ("batches to spool", self.spool),
            ("spool to server", self.send),
            ("batches to Parquet", self.store),
        ]
    }
}

/// Measures the way, or says why that cannot be here.
///
/// # Errors
/// What the kernel or the store refuses; [`Error::Server`] if records are missing.
pub(super) fn measure(scratch: &Path, is_quick: bool, tell: &mut dyn FnMut(&str)) -> Result<Case> {
    if let Some(obstacle) = obstacle() {
        tell(&format!("nothing of records from the kernel: {obstacle}"));
        return Ok(Case::new("write/skipped", 0.0, "records").with("reason", obstacle.to_string()));
    }
    tell("records from the kernel to Parquet");
    let rounds = CONNECTIONS[usize::from(is_quick)] / ROUND;
    let folder = Scratch::make(scratch)?;
    let stages = go(folder.path(), rounds)?;
    let sent = u64::from(rounds * ROUND) * 2;
    let kept = kept(&folder.path().join(STORE))?;
    if kept != sent {
        return Err(Error::Server { what: format!("keeps {kept} of {sent} records") });
    }
    Ok(case(sent, &stages))
}

/// Opens and resets connections, and brings what is told of them to files.
fn go(folder: &Path, rounds: u32) -> Result<Stages> {
    let rules = Rules::of(rules::generate(Family::V4, LINES, Place::Last, SEED))?;
    let mut fence = Fence::build(Firewall::Ours, &rules, Site::build(1)?)?;
    let anchors = Anchors::build()?;
    let generator = anchors.generator(Family::V4)?;
    let to_clients = fence.site().to_clients();
    let make = |flags| {
        let packet = inward(Family::V4, NEW, flags);
        Injector::new(&generator, &packet, End::Source, NEW, to_clients)
            .context(|| "load the packet generator".into())
    };
    let packets = [make(TcpFlags::SYN)?, make(TcpFlags::RST)?];
    fence.site().router().enter(|| {
        let ours = fence.ours().expect("it is what stands there");
        let mut way = Way::open(folder)?;
        ours.listen();
        for _ in 0..rounds {
            for packets in &packets {
                packets.send(ROUND).context(|| "inject packets".into())?;
            }
            way.read(ours)?;
            ours.sweep()?;
            way.store(FLOW_WINDOW as usize)?;
        }
        way.end()
    })?
}

/// Records that a store has.
fn kept(folder: &Path) -> Result<u64> {
    let question =
        Question { filter: Filter::default(), by: Vec::new(), measures: vec![Measure::Records], limit: 1 };
    let answer = ask(&Store::open(&folder.to_string_lossy())?, &question, NonZero::<usize>::MIN)?;
    Ok(answer.groups.iter().map(|group| group.sums[0]).sum())
}

fn case(records: u64, stages: &Stages) -> Case {
    let nanoseconds = |taken: Taken| taken.processor.as_nanos() as f64 / records as f64;
    let whole: f64 = stages.named().into_iter().map(|(_, taken)| nanoseconds(taken)).sum();
    let rate = 1e9 / whole;
    let case = Case::new("write/from the kernel", rate, "records/s").with("records", records);
    let case = stages.named().into_iter().fold(case, |case, (name, taken)| {
        case.with(&format!("{name}, ns a record"), nanoseconds(taken).round())
    });
    case.goal("at least 1,000,000 records/s", rate >= 1e6)
}

/// Everything between the kernel and the files.
struct Way {
    encoder: Encoder,
    names: NameBook,
    spool: Spool,
    cursor: Cursor,
    /// Batches in the spool that the server does not have.
    waiting: usize,
    host: HostName,
    keeper: FlowKeeper,
    runtime: tokio::runtime::Runtime,
    stages: Stages,
}

impl Way {
    fn open(folder: &Path) -> Result<Self> {
        let failed = |what: String| Error::Server { what: format!("does not keep records: {what}") };
        let keeper = FlowKeeper::open(
            &folder.join(STORE).to_string_lossy(),
            &folder.join("positions"),
            Events::default(),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Ok(Self {
            encoder: Encoder::default(),
            names: NameBook::default(),
            spool: Spool::open(&folder.join("spool"), SPOOL_BYTES).context(|| "open a spool".into())?,
            cursor: Cursor::default(),
            waiting: 0,
            host: "bench".parse().expect("it is a name"),
            keeper: keeper.map_err(|error| failed(error.to_string()))?,
            runtime: runtime.context(|| "start a runtime".into())?,
            stages: Stages::default(),
        })
    }

    /// Reads all that the kernel has told.
    fn read(&mut self, ours: &mut Ours) -> Result<()> {
        loop {
            let (tick, ticks_per_second) = ours.tick()?;
            let wall_ms =
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
            let moment = Moment { tick, ticks_per_second, wall_ms };
            let (encoder, names) = (&mut self.encoder, &self.names);
            let mut full = Vec::new();
            let told = self.stages.read.measure(|| {
                ours.drain(AT_ONCE, &mut |event| {
                    encoder.add(&Record::of_event(&event, &moment), names);
                    if encoder.is_full() {
                        full.push(encoder.take());
                    }
                })
            });
            full.into_iter().try_for_each(|batch| self.put(batch))?;
            if told == 0 {
                return Ok(());
            }
        }
    }

    fn put(&mut self, batch: FlowBatch) -> Result<()> {
        self.waiting += 1;
        self.stages.spool.measure(|| self.spool.append(batch)).context(|| "write the spool".into())
    }

    /// Brings batches to the server and makes them durable, as soon as so many wait.
    fn store(&mut self, at_least: usize) -> Result<()> {
        if self.waiting < at_least.max(1) {
            return Ok(());
        }
        let mut batches = Vec::with_capacity(self.waiting);
        for _ in 0..self.waiting {
            let batch = self.stages.send.measure(|| {
                let next = self.spool.next(self.cursor).context(|| "read the spool".into())?;
                let (cursor, batch) = next.expect("so many wait");
                self.cursor = cursor;
                let batch = FlowBatch::decode(&batch.encode_to_vec()[..]).expect("it was just encoded");
                batch.check().map_err(|error| Error::Server { what: error.to_string() })?;
                Ok::<_, Error>(batch)
            });
            batches.push(batch?);
        }
        self.waiting = 0;
        let keep = || self.runtime.block_on(self.keeper.keep(&self.host, &batches));
        let kept = self.stages.store.measure(keep);
        kept.map_err(|error| Error::Server { what: error.to_string() })?;
        let last = batches.last().expect("at least one waited");
        self.spool.kept(&last.stream, last.sequence).context(|| "tidy the spool".into())
    }

    /// Brings the rest, and says what all took.
    fn end(mut self) -> Result<Stages> {
        if !self.encoder.is_empty() {
            let rest = self.encoder.take();
            self.put(rest)?;
        }
        self.store(1)?;
        self.stages.store.measure(|| self.keeper.close());
        Ok(self.stages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the kernel tells of connections is in the store: it began, and was reset.
    #[test]
    fn netns_records_come_from_the_kernel_to_files() {
        if let Some(obstacle) = obstacle() {
            println!("skipped: {obstacle}");
            return;
        }
        let folder = Scratch::make(&std::env::temp_dir()).expect("a folder");
        let stages = go(folder.path(), 2).expect("records are brought to files");
        assert_eq!(kept(&folder.path().join(STORE)).expect("the store answers"), 4 * u64::from(ROUND));
        assert!(stages.named().into_iter().all(|(_, taken)| !taken.processor.is_zero()), "{stages:?}");
    }
}
