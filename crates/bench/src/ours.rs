//! The datapath under measurement: the only file that knows how it is opened, given policy and cleared.

use std::{
    fs,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use palisade_abi::{event::EventKind, flow::Direction, verdict::Reason};
use palisade_classify::enforce::PolicyBlobs;
use palisade_datapath::{
    Config, Datapath, Event, Limits, NicKind, NicPolicy, Observer, Plane, Report, Sizes, Sweep, Watch,
};
use palisade_lab::netns::Namespace;

use crate::error::Result;

/// Slot of the first interface that is published.
const FIRST_SLOT: u32 = 1;
/// Flows that a NIC of a benchmark may have: the table is what is measured, not the quota.
const FLOWS_MAX: u32 = 1 << 21;
/// Where all datapaths of this host are pinned.
const PIN_ROOT: &str = "/sys/fs/bpf/palisade";
/// How the names of the benchmark's own begin; the process's id follows.
const PREFIX: &str = "bench-";

/// A datapath of the benchmark's own.
#[derive(Debug)]
pub struct Ours {
    datapath: Option<Datapath>,
    pin_dir: PathBuf,
}

impl Ours {
    /// Loads one with tables of these sizes; nothing is enforced.
    ///
    /// # Errors
    /// If the kernel refuses it.
    pub fn open(sizes: Sizes) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_abandoned();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let pin_dir = Path::new(PIN_ROOT).join(format!("{PREFIX}{}-{number}", std::process::id()));
        let datapath = Datapath::open(&Config { sizes, ..Config::new(&pin_dir) })?;
        Ok(Self { datapath: Some(datapath), pin_dir })
    }

    /// Loads one and enforces one policy at interfaces of a namespace.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn enforce(router: &Namespace, interfaces: &[u32], policy: &PolicyBlobs) -> Result<Self> {
        router.enter(|| {
            let mut ours = Self::open(Sizes { slots: 16, ..Sizes::default() })?;
            ours.publish(interfaces, policy)?;
            for ifindex in interfaces {
                ours.plane().attach(*ifindex, NicKind::Direct)?;
            }
            Ok(ours)
        })?
    }

    /// Puts a policy into force for all of these interfaces, and for no other.
    ///
    /// # Errors
    /// If the datapath refuses it.
    pub fn publish(&mut self, interfaces: &[u32], policy: &PolicyBlobs) -> Result<()> {
        let nics: Vec<NicPolicy> =
            interfaces.iter().zip(FIRST_SLOT..).map(|(ifindex, slot)| nic(*ifindex, slot, policy)).collect();
        self.plane().publish(&nics)?;
        Ok(())
    }

    /// Distinct rule lists that the kernel holds once what was replaced is freed, and their bytes.
    pub fn blobs(&mut self) -> (usize, usize) {
        self.plane().settle();
        self.plane().blobs()
    }

    /// Tells which policy is in force, from any thread.
    ///
    /// # Errors
    /// If what is pinned cannot be opened.
    pub fn clock(&self) -> Result<Generations> {
        Ok(Generations(Observer::open(&self.pin_dir)?))
    }

    /// Forgets every flow.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear(&mut self) -> Result<()> {
        self.plane().clear_flows()?;
        Ok(())
    }

    /// Whether what was denied a moment ago is remembered, as it is if nothing is said.
    pub fn remember_denials(&mut self, remember: bool) {
        self.plane().remember_denials(remember);
    }

    /// How many packets to the first interface were judged so.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn judged(&mut self, reason: Reason) -> Result<u64> {
        Ok(self.plane().counters(FIRST_SLOT)?.inbound.reasons.get(&reason).copied().unwrap_or_default())
    }

    /// Ends the flows that are over.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn sweep(&mut self) -> Result<Sweep> {
        Ok(self.plane().sweep(Report::Ends, &mut |_| {})?)
    }

    /// Lets the kernel tell of flows.
    pub fn listen(&mut self) {
        self.plane().set_events(EventKind::ALL);
    }

    /// The kernel's tick, and how many a second has.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn tick(&mut self) -> Result<(u64, u32)> {
        Ok((self.plane().tick()?, self.plane().ticks_per_second()))
    }

    /// Hands on what the kernel has told, so many events at most; how many there were.
    pub fn drain(&mut self, limit: usize, sink: &mut dyn FnMut(Event)) -> usize {
        self.plane().drain_events(limit, sink)
    }

    /// The program that packets of a direction meet.
    pub fn program(&mut self, direction: Direction) -> BorrowedFd<'_> {
        self.plane().program(direction)
    }

    fn plane(&mut self) -> &mut Datapath {
        self.datapath.as_mut().expect("it is there until the value is dropped")
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(datapath) = self.datapath.take()
            && let Err(error) = datapath.remove()
        {
            eprintln!("{} is not fully removed: {error}", self.pin_dir.display());
        }
    }
}

/// The number of the policy in force.
#[derive(Debug)]
pub struct Generations(Observer);

impl Generations {
    /// The number: it grows by one with every publish, at the instant from which packets are judged by it.
    pub fn now(&self) -> u64 {
        self.0.generation()
    }
}

fn nic(ifindex: u32, slot: u32, policy: &PolicyBlobs) -> NicPolicy {
    let limits = Limits { flows: FLOWS_MAX, ..Limits::default() };
    NicPolicy { limits, ..NicPolicy::new(ifindex, slot) }.with_rules(policy)
}

/// Removes what benchmarks left whose process died. Their namespaces are gone or will be with the next site, so that
/// pins are all that keeps their programs.
fn remove_abandoned() {
    let entries = fs::read_dir(PIN_ROOT).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
            // Another benchmark may be removing it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
