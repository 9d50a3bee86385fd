//! The datapath of this host: the one writer of a pin directory.
//!
//! Dropping it changes nothing in the kernel: programs stay at their interfaces and the policy stays in force. The next
//! process that opens the same directory takes over maps, flows, policy and links as they are.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use libbpf_rs::{MapCore, MapFlags};
use nix::time::{ClockId, clock_getres};
use palisade_abi::{
    Pod,
    counters::{NicCounters, SWEEP_ALL, SWEEP_EXPIRED, SWEEP_SLOT, SweepRequest},
};

use crate::{
    arena::publisher::Publisher,
    error::{Context, Error},
    flows::FlowEntry,
    links,
    object::{self, Programs, Sizes},
    observer::Observer,
    pins::{self, PinDir},
    plane::{Plane, Watch},
    policy::{Attachment, NicKind, NicPolicy, NicState, SlotCounters, Sweep, Timeouts},
    sys,
};

/// Where a datapath is pinned, and how large it is made if it is not there yet.
#[derive(Debug, Clone)]
pub struct Config {
    /// Pin directory: a directory of its own inside a BPF file system.
    pub pin_dir: PathBuf,
    /// Sizes of a new datapath; one that is taken over keeps its own.
    pub sizes: Sizes,
    /// Idle timeouts of flows, in force from the next publish.
    pub timeouts: Timeouts,
}

impl Config {
    /// The defaults, for an instance with this pin directory.
    pub fn new(pin_dir: impl Into<PathBuf>) -> Self {
        Self { pin_dir: pin_dir.into(), sizes: Sizes::default(), timeouts: Timeouts::default() }
    }
}

/// The kernel's datapath, to be changed by this process.
#[derive(Debug)]
pub struct Datapath {
    dir: PinDir,
    pub(crate) programs: Programs,
    pub(crate) observer: Observer,
    pub(crate) publisher: Publisher,
    timeouts: Timeouts,
    ticks_per_second: u32,
}

impl Datapath {
    /// Takes over the datapath pinned at the directory, or loads a new one there.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process has it, [`Error::Version`] or [`Error::Damaged`] if what is pinned is not this
    /// program's, [`Error::Load`] if the kernel cannot run it. What was enforced before still is.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let kernel = object::open(&config.pin_dir, config.sizes)?;
        links::refresh(kernel.dir.path(), &kernel.programs)?;
        if kernel.replaced {
            object::programs_replaced(&kernel.arena);
        }
        let publisher = Publisher::adopt(Arc::clone(&kernel.arena), kernel.maps.slot_max())
            .map_err(|what| Error::Damaged { dir: config.pin_dir.clone(), what })?;
        Ok(Self {
            observer: Observer::of(kernel.dir.path(), Arc::new(kernel.maps), kernel.arena),
            dir: kernel.dir,
            programs: kernel.programs,
            publisher,
            timeouts: config.timeouts,
            ticks_per_second: read_ticks_per_second()?,
        })
    }

    /// Stops enforcement: detaches everywhere and removes the pins.
    ///
    /// # Errors
    /// If a link or pin cannot be removed; those before it are.
    pub fn remove(self) -> Result<(), Error> {
        for attachment in self.attached()? {
            links::detach(self.dir.path(), attachment.ifindex)?;
        }
        pins::remove_tree(self.dir.path())
    }

    /// The pin directory.
    pub fn pin_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The kernel's tick rate, in which flow times are counted.
    pub fn ticks_per_second(&self) -> u32 {
        self.ticks_per_second
    }

    /// Distinct policy blobs in the arena, and their bytes.
    pub fn blobs(&self) -> (usize, usize) {
        self.publisher.blobs()
    }

    /// Every flow in the table; see [`Observer::flows`].
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn flows(&self) -> Result<Vec<FlowEntry>, Error> {
        self.observer.flows()
    }

    /// Ends every flow of every NIC: established connections are judged anew.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear_flows(&mut self) -> Result<Sweep, Error> {
        self.run_sweep(SWEEP_ALL, 0)
    }

    /// Prepares a slot for a NIC that did not have it: no flows of an earlier one, counters at zero.
    fn clean_slot(&mut self, slot: u32) -> Result<(), Error> {
        let counters = self.counters(slot)?;
        if counters.flows() > 0 {
            self.run_sweep(SWEEP_SLOT, slot)?;
        }
        if counters == SlotCounters::default() {
            return Ok(());
        }
        let cpus = libbpf_rs::num_possible_cpus().context(|| "count the CPUs".into())?;
        let zero = vec![NicCounters::default().as_bytes().to_vec(); cpus];
        self.observer
            .maps()
            .counters
            .update_percpu(&slot.to_ne_bytes(), &zero, MapFlags::ANY)
            .context(|| format!("reset the counters of slot {slot}"))
    }

    fn run_sweep(&mut self, mode: u32, slot: u32) -> Result<Sweep, Error> {
        use std::os::fd::AsFd;
        let request = SweepRequest { mode, slot, live: 0, ended: 0 };
        let mut bytes = request.as_bytes().to_vec();
        sys::run_syscall(self.programs.sweep.as_fd(), &mut bytes)
            .context(|| "sweep the flow tables".into())?;
        let answer = SweepRequest::read_from(&bytes).expect("the kernel returns as many bytes");
        Ok(Sweep { live: answer.live, ended: answer.ended })
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
}

impl Plane for Datapath {
    fn publish(&mut self, nics: &[NicPolicy]) -> Result<u64, Error> {
        let known: Vec<u32> = self.nics().iter().map(|nic| nic.slot).collect();
        for nic in nics.iter().filter(|nic| !known.contains(&nic.slot)) {
            self.clean_slot(nic.slot)?;
        }
        self.publisher.publish(nics, self.timeouts.ticks(self.ticks_per_second))
    }

    fn attach(&mut self, ifindex: u32, kind: NicKind) -> Result<(), Error> {
        links::attach(self.dir.path(), &self.programs, ifindex, kind)
    }

    fn detach(&mut self, ifindex: u32) -> Result<(), Error> {
        links::detach(self.dir.path(), ifindex)
    }

    fn sweep(&mut self) -> Result<Sweep, Error> {
        self.run_sweep(SWEEP_EXPIRED, 0)
    }
}

/// The kernel's tick rate (`CONFIG_HZ`): its coarse clock advances once a tick, and says so.
fn read_ticks_per_second() -> Result<u32, Error> {
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).context(|| "read the kernel's tick".into())?;
    let nanoseconds = u32::try_from(tick.tv_nsec()).unwrap_or(0).max(1);
    Ok((1_000_000_000 + nanoseconds / 2) / nanoseconds)
}
