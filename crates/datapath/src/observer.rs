//! Reads a datapath that another process runs: nothing is loaded, locked or changed.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use libbpf_rs::{MapCore, MapFlags, MapHandle};
use palisade_abi::{
    ABI_VERSION, Pod,
    arena::{NicUsage, Root},
    counters::NicCounters,
};

use crate::{
    clock,
    counters::{RuleCounts, SlotCounters},
    error::{Context, Error},
    flows::{FlowEntry, FlowTable},
    links,
    memory::{
        MemoryKind,
        mapping::Mapping,
        published::{self, Published},
        regions::Regions,
    },
    object::{self, Kernel, Maps},
    plane::{Attachment, NicState, Watch},
    publish::tallies,
};

/// A pinned datapath, to look at.
#[derive(Debug)]
pub struct Observer {
    dir: PathBuf,
    counters: MapHandle,
    memory: Arc<Mapping>,
    regions: Regions,
    clock: OwnedFd,
}

impl Observer {
    /// Opens what is pinned at `dir`.
    ///
    /// # Errors
    /// [`Error::NotLoaded`] if nothing is, [`Error::Version`] or [`Error::Older`] if it is another version's.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        if !dir.exists() {
            return Err(Error::NotLoaded { dir: dir.into() });
        }
        let found = object::look(dir)?.version;
        let expected = ABI_VERSION;
        match found.cmp(&expected) {
            std::cmp::Ordering::Less => return Err(Error::Older { dir: dir.into(), found, expected }),
            std::cmp::Ordering::Greater => return Err(Error::Version { dir: dir.into(), found, expected }),
            std::cmp::Ordering::Equal => {}
        }
        let maps = Maps::open(dir)?;
        let memory = Mapping::open(&maps.memory)?;
        let root: Root = memory.read(0);
        let regions = object::regions_of(&memory, &root, dir)?;
        Ok(Self {
            dir: dir.into(),
            counters: maps.counters,
            memory,
            regions,
            clock: object::open_clock(dir)?,
        })
    }

    /// The reading side of a datapath that this process runs.
    pub(crate) fn of(dir: &Path, kernel: &Kernel) -> Result<Self, Error> {
        let kept = || "keep the counters and the clock".to_owned();
        Ok(Self {
            dir: dir.into(),
            counters: MapHandle::try_from(&kernel.maps.counters).context(kept)?,
            memory: Arc::clone(&kernel.memory),
            regions: kernel.regions,
            clock: kernel.programs.clock.try_clone().context(kept)?,
        })
    }

    /// Every flow in the table, in no order, also those that are over and await the sweep. It races with packets: a flow
    /// that begins or ends meanwhile may be missed.
    pub fn flows(&self) -> impl Iterator<Item = FlowEntry> + '_ {
        FlowTable::new(&self.memory, &self.regions).flows().filter_map(|(_, _, flow)| FlowEntry::of(&flow))
    }

    /// The kernel's tick of now, by which flows are dated.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn tick(&self) -> Result<u64, Error> {
        clock::tick(self.clock.as_fd())
    }

    /// What the shared memory is made of.
    pub fn memory_kind(&self) -> MemoryKind {
        self.memory.kind()
    }

    pub(crate) fn counters_map(&self) -> &MapHandle {
        &self.counters
    }

    pub(crate) fn memory(&self) -> &Mapping {
        &self.memory
    }

    pub(crate) fn regions(&self) -> &Regions {
        &self.regions
    }

    pub(crate) fn published(&self) -> Option<Published> {
        published::published(&self.memory)
    }
}

impl Watch for Observer {
    fn generation(&self) -> u64 {
        self.published().map_or(0, |published| published.snapshot.generation)
    }

    fn nics(&self) -> Vec<NicState> {
        self.published()
            .map_or_else(Vec::new, |published| published.nics.iter().map(NicState::from).collect())
    }

    fn attached(&self) -> Result<Vec<Attachment>, Error> {
        links::attached(&self.dir)
    }

    fn counters(&self, slot: u32) -> Result<SlotCounters, Error> {
        let mut sum = SlotCounters::default();
        for counts in per_cpu(&self.counters, slot)? {
            sum.add(&counts);
        }
        if let Some(usage) = self.regions.usage(slot) {
            let read = |field: usize| self.memory.word(usage + field as u32).load(Ordering::Relaxed).into();
            sum.flows = read(std::mem::offset_of!(NicUsage, flows));
            sum.half_open = read(std::mem::offset_of!(NicUsage, half_open));
        }
        Ok(sum)
    }

    fn rule_counters(&self) -> Vec<RuleCounts> {
        published::stable(&self.memory, |memory, offset| {
            published::read_snapshot(memory, offset).map(|published| tallies::read(memory, &published))
        })
        .unwrap_or_default()
    }
}

/// What each CPU counted for a slot; nothing for a slot beyond the table.
fn per_cpu(map: &MapHandle, slot: u32) -> Result<Vec<NicCounters>, Error> {
    let values = map
        .lookup_percpu(&slot.to_ne_bytes(), MapFlags::ANY)
        .context(|| format!("read the counters of slot {slot}"))?;
    Ok(values.into_iter().flatten().filter_map(|value| NicCounters::read_from(&value)).collect())
}
