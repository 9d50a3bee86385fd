//! The datapath of this host: the one writer of a pin directory.
//!
//! Dropping it changes nothing in the kernel: programs stay at their interfaces and the policy stays in force. The next
//! process that opens the same directory takes over maps, flows, policy and links as they are.

use std::{
    collections::BTreeSet,
    mem::offset_of,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use libbpf_rs::{MapCore, MapFlags};
use palisade_abi::{
    Pod,
    arena::{NicUsage, Root},
    counters::NicCounters,
    event::EventKind,
};

use crate::{
    again, clock,
    counters::{RuleCounts, SlotCounters},
    error::{Context, Error},
    events::{Event, Events},
    flows::FlowEntry,
    links::{self, Accept},
    memory::{MemoryChoice, MemoryKind, regions::Sizes},
    object::{self, Build, Programs},
    observer::Observer,
    pins::{self, PinDir},
    plane::{Attachment, NicState, Plane, Watch},
    policy::{NicKind, NicPolicy},
    publish::{Publisher, Timing},
    sweep::{FlowRecord, Report, Scope, Sweep, Sweeper},
    upgrade,
};

/// How long a NIC that is new here lets in TCP connections that it meets in the middle: those that its VM had before.
const GRACE: Duration = Duration::from_secs(60);

/// Where a datapath is pinned, and what it is made like if it is not there yet.
#[derive(Debug, Clone)]
pub struct Config {
    /// Pin directory: a directory of its own inside a BPF file system.
    pub pin_dir: PathBuf,
    /// Sizes of a new datapath; one that is taken over keeps its own.
    pub sizes: Sizes,
    /// Memory of a new datapath; one that is taken over keeps its own.
    pub memory: MemoryChoice,
    /// How long TCP packets of no known connection go by the rules at a NIC that was not in the policy before, so that the
    /// connections of a VM that is already running live on. It runs from the publish on; zero for not at all.
    pub grace: Duration,
}

impl Config {
    /// The defaults, for an instance with this pin directory.
    pub fn new(pin_dir: impl Into<PathBuf>) -> Self {
        Self {
            pin_dir: pin_dir.into(),
            sizes: Sizes::default(),
            memory: MemoryChoice::default(),
            grace: GRACE,
        }
    }
}

/// The kernel's datapath, to be changed by this process.
#[derive(Debug)]
pub struct Datapath {
    dir: PinDir,
    /// Pins of this datapath, while an older one is in their place and enforces: until the first publish.
    staged: Option<PinDir>,
    pub(crate) programs: Programs,
    pub(crate) observer: Observer,
    pub(crate) publisher: Publisher,
    events: Events,
    /// What is to be told of flows that ended outside of a sweep.
    unreported: Vec<FlowRecord>,
    grace: Duration,
    ticks_per_second: u32,
}

impl Datapath {
    /// Takes over the datapath pinned at the directory, or loads a new one there. One of an older layout goes on enforcing
    /// until the first publish.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process has it, [`Error::Version`] or [`Error::Damaged`] if what is pinned is not this
    /// program's, [`Error::Load`] if the kernel cannot run it. What was enforced before still is.
    pub fn open(config: &Config) -> Result<Self, Error> {
        Self::open_build(config, &object::BUILD)
    }

    pub(crate) fn open_build(config: &Config, build: &Build) -> Result<Self, Error> {
        let upgrade::Opened { kernel, dir, staged } = upgrade::open(config, build)?;
        if staged.is_none() {
            links::refresh(dir.path(), &kernel.programs)?;
            if kernel.replaced {
                object::programs_replaced(build, &kernel.memory);
            }
        }
        let publisher = Publisher::adopt(Arc::clone(&kernel.memory), &kernel.regions)
            .map_err(|what| Error::Damaged { dir: config.pin_dir.clone(), what })?;
        let mut this = Self {
            observer: Observer::of(dir.path(), &kernel)?,
            events: Events::open(&kernel.maps.events)?,
            dir,
            staged,
            programs: kernel.programs,
            publisher,
            unreported: Vec::new(),
            grace: config.grace,
            ticks_per_second: clock::ticks_per_second()?,
        };
        // An anchor that is there was right when it was set; the wall clock may have been lost since.
        if this.observer.memory().wide(offset_of!(Root, anchor) as u32).load(Ordering::Acquire) == 0 {
            this.set_anchor(clock::wall_clock_anchor()?);
        }
        Ok(this)
    }

    /// Stops enforcement: detaches everywhere and removes the pins.
    ///
    /// # Errors
    /// If a link or pin cannot be removed; those before it are.
    pub fn remove(self) -> Result<(), Error> {
        for attachment in self.attached()? {
            links::detach(self.dir.path(), attachment.ifindex)?;
        }
        for dir in self.staged.iter().chain([&self.dir]) {
            pins::remove_tree(dir.path())?;
        }
        Ok(())
    }

    /// The pin directory.
    pub fn pin_dir(&self) -> &Path {
        self.dir.path()
    }

    /// What the shared memory is made of.
    pub fn memory_kind(&self) -> MemoryKind {
        self.observer.memory_kind()
    }

    /// The kernel's tick rate, in which flow times are counted.
    pub fn ticks_per_second(&self) -> u32 {
        self.ticks_per_second
    }

    /// The kernel's tick of now; see [`Observer::tick`].
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn tick(&self) -> Result<u64, Error> {
        self.observer.tick()
    }

    /// Frees what earlier publishes replaced, after a wait for the packets that may use it. A publish that needs the room
    /// does so by itself, as does [`Plane::take_retired`].
    pub fn settle(&mut self) {
        self.publisher.settle();
    }

    /// Distinct policy blobs in the shared memory, and their bytes; also those that are replaced and not freed yet.
    pub fn blobs(&self) -> (usize, usize) {
        self.publisher.blobs()
    }

    /// Bytes of the shared memory in which further policy finds room.
    pub fn free_bytes(&self) -> usize {
        self.publisher.free_bytes()
    }

    /// Every flow in the table; see [`Observer::flows`].
    pub fn flows(&self) -> impl Iterator<Item = FlowEntry> + '_ {
        self.observer.flows()
    }

    /// Ends every flow of every NIC: established connections are judged anew.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear_flows(&mut self) -> Result<Sweep, Error> {
        self.run_sweep(&Scope::All, Report::Ends, &mut |_| {})
    }

    /// Lets CPUs remember what was denied, as they do from the start, or not. A benchmark wants to see the rules at work.
    pub fn remember_denials(&mut self, remember: bool) {
        let regions = self.observer.regions();
        let (denials, mask) =
            if remember { (regions.denials, regions.denials_each.saturating_sub(1)) } else { (0, 0) };
        let memory = self.observer.memory();
        memory.word(offset_of!(Root, denial_mask) as u32).store(mask, Ordering::Release);
        memory.word(offset_of!(Root, denials) as u32).store(denials, Ordering::Release);
    }

    /// Prepares slots for NICs that did not have them: no flows of earlier ones, counters at zero. No packet uses them.
    fn clean_new_slots(&mut self, nics: &[NicPolicy]) -> Result<(), Error> {
        let known: BTreeSet<u32> = self.nics().iter().map(|nic| nic.slot).collect();
        let slot_max = self.observer.regions().slot_max();
        let is_new = |slot: &u32| !known.contains(slot) && *slot <= slot_max;
        let new: Vec<u32> = nics.iter().map(|nic| nic.slot).filter(is_new).collect();
        if !new.is_empty() {
            // A packet of who had the slot before may still be under way, and be counted after the cleaning.
            self.publisher.settle();
        }
        let (mut used, mut with_flows) = (Vec::new(), BTreeSet::new());
        for slot in new {
            let counters = self.counters(slot)?;
            if counters.flows > 0 {
                with_flows.insert(slot);
            }
            if counters != SlotCounters::default() {
                used.push(slot);
            }
        }
        if !with_flows.is_empty() {
            let mut ended = Vec::new();
            self.run_sweep(&Scope::Slots(&with_flows), Report::Ends, &mut |record| ended.push(record))?;
            self.unreported.extend(ended);
        }
        used.into_iter().try_for_each(|slot| self.reset_counters(slot))
    }

    fn reset_counters(&self, slot: u32) -> Result<(), Error> {
        let memory = self.observer.memory();
        if let Some(usage) = self.observer.regions().usage(slot) {
            for field in [offset_of!(NicUsage, flows), offset_of!(NicUsage, half_open)] {
                memory.word(usage + field as u32).store(0, Ordering::Release);
            }
        }
        let cpus = libbpf_rs::num_possible_cpus().context(|| "count the CPUs".into())?;
        let zero = vec![NicCounters::default().as_bytes().to_vec(); cpus];
        self.observer
            .counters_map()
            .update_percpu(&slot.to_ne_bytes(), &zero, MapFlags::ANY)
            .context(|| format!("reset the counters of slot {slot}"))
    }

    pub(crate) fn run_sweep(
        &self,
        scope: &Scope<'_>,
        report: Report,
        sink: &mut dyn FnMut(FlowRecord),
    ) -> Result<Sweep, Error> {
        let published = self.observer.published();
        let sweeper = Sweeper {
            memory: self.observer.memory(),
            regions: self.observer.regions(),
            published: published.as_ref(),
            now: self.observer.tick()?,
            report,
        };
        sweeper.run(scope, || self.publisher.wait_for_packets(), sink)
    }

    /// The kernel's time for a publish that happens now.
    fn timing(&self) -> Result<Timing, Error> {
        let ticks_per_second = self.ticks_per_second;
        let grace = self.grace.as_millis() as u64 * u64::from(ticks_per_second) / 1000;
        let grace_until = if grace == 0 { 0 } else { self.tick()? + grace };
        Ok(Timing { grace_until, ticks_per_second })
    }
}

impl Watch for Datapath {
    fn generation(&self) -> u64 {
        self.observer.generation()
    }

    fn nics(&self) -> Vec<NicState> {
        self.observer.nics()
    }

    fn attached(&self) -> Result<Vec<Attachment>, Error> {
        self.observer.attached()
    }

    fn counters(&self, slot: u32) -> Result<SlotCounters, Error> {
        self.observer.counters(slot)
    }

    fn rule_counters(&self) -> Vec<RuleCounts> {
        self.observer.rule_counters()
    }
}

impl Plane for Datapath {
    fn publish(&mut self, nics: &[NicPolicy]) -> Result<u64, Error> {
        self.clean_new_slots(nics)?;
        let generation = self.publisher.publish(nics, self.timing()?)?;
        if let Some(next) = &mut self.staged {
            upgrade::take_over(&mut self.dir, next, &self.programs)?;
            self.staged = None;
        }
        Ok(generation)
    }

    fn attach(&mut self, ifindex: u32, kind: NicKind) -> Result<(), Error> {
        let accept = if self.staged.is_some() { Accept::Any } else { Accept::Same };
        links::attach(self.dir.path(), &self.programs, (ifindex, kind), accept)
    }

    fn detach(&mut self, ifindex: u32) -> Result<(), Error> {
        links::detach(self.dir.path(), ifindex)
    }

    fn sweep(&mut self, report: Report, sink: &mut dyn FnMut(FlowRecord)) -> Result<Sweep, Error> {
        self.unreported.drain(..).for_each(&mut *sink);
        self.run_sweep(&Scope::Over, report, sink)
    }

    fn drain_events(&mut self, limit: usize, sink: &mut dyn FnMut(Event)) -> usize {
        self.events.drain(limit, sink)
    }

    fn set_events(&mut self, kinds: &[EventKind]) {
        let mask = kinds.iter().fold(0, |mask, kind| mask | 1 << *kind as u32);
        self.observer.memory().word(offset_of!(Root, events) as u32).store(mask, Ordering::Release);
    }

    fn set_anchor(&mut self, anchor: u64) {
        let memory = self.observer.memory();
        let before = memory.wide(offset_of!(Root, anchor) as u32).swap(anchor, Ordering::AcqRel);
        let went_back = before != 0 && (anchor.wrapping_sub(before) as i64) < 0;
        if went_back {
            // Should the kernel refuse to wait, a packet under way may note a verdict of the other time.
            let _refused = self.publisher.wait_for_packets();
            again::judge_all(memory, self.observer.regions());
        }
    }

    fn take_retired(&mut self) -> Vec<RuleCounts> {
        self.publisher.take_retired()
    }
}
