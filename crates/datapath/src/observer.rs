//! Reads a datapath that another process runs: nothing is loaded, locked or changed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use libbpf_rs::{MapCore, MapFlags, MapHandle};
use palisade_abi::{Pod, counters::NicCounters};

use crate::{
    arena::{self, mapping::Mapping},
    error::{Context, Error},
    flows::{self, FlowEntry},
    links,
    object::{self, Maps},
    plane::Watch,
    policy::{Attachment, NicState, SlotCounters},
};

/// A pinned datapath, to look at.
#[derive(Debug)]
pub struct Observer {
    dir: PathBuf,
    maps: Arc<Maps>,
    arena: Arc<Mapping>,
}

impl Observer {
    /// Opens what is pinned at `dir`.
    ///
    /// # Errors
    /// [`Error::NotLoaded`] if nothing is, [`Error::Version`] if it is another version's.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        if !dir.exists() {
            return Err(Error::NotLoaded { dir: dir.into() });
        }
        let maps = Arc::new(Maps::open(dir)?);
        let arena = Mapping::open(&maps.arena)?;
        object::check_root(&arena, dir)?;
        Ok(Self::of(dir, maps, arena))
    }

    /// The reading side of a datapath that this process runs.
    pub(crate) fn of(dir: &Path, maps: Arc<Maps>, arena: Arc<Mapping>) -> Self {
        Self { dir: dir.into(), maps, arena }
    }

    /// Every flow in the table, in no order, also those that have timed out and await the sweep.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn flows(&self) -> Result<Vec<FlowEntry>, Error> {
        flows::list(&self.maps)
    }

    pub(crate) fn maps(&self) -> &Maps {
        &self.maps
    }

    #[cfg(test)]
    pub(crate) fn arena(&self) -> &Mapping {
        &self.arena
    }
}

impl Watch for Observer {
    fn generation(&self) -> u64 {
        arena::published(&self.arena).map_or(0, |published| published.snapshot.generation)
    }

    fn nics(&self) -> Vec<NicState> {
        arena::published(&self.arena)
            .map_or_else(Vec::new, |published| published.nics.iter().map(NicState::from).collect())
    }

    fn attached(&self) -> Result<Vec<Attachment>, Error> {
        links::attached(&self.dir)
    }

    fn counters(&self, slot: u32) -> Result<SlotCounters, Error> {
        let mut sum = SlotCounters::default();
        for counts in per_cpu(&self.maps.counters, slot)? {
            sum.add(&counts);
        }
        Ok(sum)
    }
}

/// What each CPU counted for a slot; nothing for a slot beyond the table.
fn per_cpu(map: &MapHandle, slot: u32) -> Result<Vec<NicCounters>, Error> {
    let values = map
        .lookup_percpu(&slot.to_ne_bytes(), MapFlags::ANY)
        .context(|| format!("read the counters of slot {slot}"))?;
    Ok(values.into_iter().flatten().filter_map(|value| NicCounters::read_from(&value)).collect())
}
