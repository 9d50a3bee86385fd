//! Brings a policy of the whole host into force with one store.
//!
//! New blobs and the new snapshot are written where nothing refers to, then one word selects them; every packet that
//! begins from there on is judged by them. After a grace period the memory of the old ones is free. That period takes
//! milliseconds, so a publish does not wait for it: [`Publisher::settle`] does, or a publish that needs the room. The only
//! state is what is free: it is rebuilt from the snapshot in force, so a process that dies at any point leaves a policy in
//! force and loses nothing.

mod blobs;
mod descriptor;
mod grace;
mod shared;
mod space;
mod table;
pub(crate) mod tallies;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
};

use palisade_abi::{
    Pod,
    arena::{NicDescriptor, Snapshot},
    flow::Direction,
    verdict::Layer,
};
use palisade_classify::blob::BlobView;

use self::{
    blobs::Blobs,
    descriptor::{Layers, Moment},
    grace::Grace,
    shared::Shared,
    space::Space,
    tallies::Tallies,
};
use crate::{
    counters::RuleCounts,
    error::Error,
    memory::{
        mapping::Mapping,
        published::{ACTIVE, Published, published},
        regions::Regions,
    },
    policy::{self, NicPolicy},
};

/// Writes to the shared memory. There is one at a time: the pin directory's lock sees to it.
#[derive(Debug)]
pub(crate) struct Publisher {
    memory: Arc<Mapping>,
    space: Space,
    blobs: Blobs,
    tallies: Tallies,
    grace: Grace,
    /// Snapshots, with their sizes, that packets under way may still read.
    replaced: Vec<(u32, usize)>,
    /// Counters of rules that no policy in force names any more.
    retired: Vec<RuleCounts>,
    /// Largest slot that has counters.
    slot_max: u32,
}

/// The kernel's time at a publish.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// Tick until which NICs that are new here let in what they meet in the middle of a connection; 0 for never.
    pub grace_until: u64,
    pub ticks_per_second: u32,
}

/// A snapshot that is complete but not in force.
struct Written {
    offset: u32,
    generation: u64,
}

/// Snapshots that may wait to be freed; the next publish waits with them.
pub(crate) const REPLACED_MAX: usize = 16;
/// Where the snapshot's table stands in its memory.
const TABLE_AT: usize = size_of::<Snapshot>().next_multiple_of(64);

impl Publisher {
    /// Takes over a memory: what the snapshot in force does not use is free.
    pub(crate) fn adopt(memory: Arc<Mapping>, regions: &Regions) -> Result<Self, String> {
        let mut this = Self {
            space: Space::new(regions.end, memory.bytes() as u32),
            memory,
            blobs: Blobs::default(),
            tallies: Tallies::default(),
            grace: Grace::new().map_err(|error| error.to_string())?,
            replaced: Vec::new(),
            retired: Vec::new(),
            slot_max: regions.slot_max(),
        };
        if let Some(current) = published(&this.memory) {
            this.claim(&current)?;
            // A publisher that died may not have waited for the packets that use what it replaced.
            this.grace.wait().map_err(|error| error.to_string())?;
        }
        Ok(this)
    }

    fn claim(&mut self, current: &Published) -> Result<(), String> {
        let Self { memory, space, .. } = self;
        if !space.claim(current.offset, current.snapshot.size as usize) {
            return Err(format!("the snapshot at {:#x} is outside the memory", current.offset));
        }
        for offset in blobs_in(&current.nics) {
            if !self.blobs.adopt(memory, space, offset) {
                return Err(format!("the policy blob at {offset:#x} is outside the memory"));
            }
        }
        for layer in tallies::counted(&current.nics) {
            if !self.tallies.adopt(memory, space, &layer) {
                return Err(format!("the counters of the rules {layer:?} are outside the memory"));
            }
        }
        Ok(())
    }

    /// Puts `nics` into force in place of everything before.
    ///
    /// # Errors
    /// Then nothing has changed.
    pub(crate) fn publish(&mut self, nics: &[NicPolicy], timing: Timing) -> Result<u64, Error> {
        policy::check(nics, self.slot_max)?;
        let current = published(&self.memory);
        let written = self.write_in_room(nics, timing, current.as_ref()).inspect_err(|_| self.reclaim())?;
        self.memory.word(ACTIVE).store(written.offset, Ordering::Release);
        self.replaced.extend(current.map(|old| (old.offset, old.snapshot.size as usize)));
        if self.replaced.len() >= REPLACED_MAX {
            self.settle();
        }
        Ok(written.generation)
    }

    /// Frees what was replaced, after a wait for the packets that may use it. Nothing is done if nothing was replaced.
    pub(crate) fn settle(&mut self) {
        if !self.replaced.is_empty() {
            self.reclaim();
        }
    }

    /// Frees what the policy in force does not use.
    fn reclaim(&mut self) {
        // Without the wait all of it stays taken until the next time; the new policy is in force all the same.
        if !self.replaced.is_empty() && self.grace.wait().is_err() {
            return;
        }
        for (offset, bytes) in self.replaced.drain(..) {
            self.space.give(offset, bytes);
        }
        let current = published(&self.memory);
        let nics = current.as_ref().map_or(&[][..], |current| &current.nics);
        // Counters first: they are told with the blob that they belong to.
        let counts = self.tallies.keep_only(&self.memory, &mut self.space, &tallies::offsets_in(nics));
        self.retired.extend(counts);
        self.blobs.keep_only(&blobs_in(nics), &mut self.space);
    }

    /// Waits until every packet that is under way has been judged.
    pub(crate) fn wait_for_packets(&self) -> Result<(), Error> {
        self.grace.wait()
    }

    /// Counters of rules that are in force no more, each once; those that counted nothing are left out.
    pub(crate) fn take_retired(&mut self) -> Vec<RuleCounts> {
        self.settle();
        std::mem::take(&mut self.retired)
    }

    /// Distinct blobs in the memory, and their bytes.
    pub(crate) fn blobs(&self) -> (usize, usize) {
        self.blobs.total()
    }

    /// Free bytes.
    pub(crate) fn free_bytes(&self) -> usize {
        self.space.free_bytes()
    }

    /// Takes all but the first `bytes` free bytes out of use.
    #[cfg(test)]
    pub(crate) fn leave_free(&mut self, bytes: usize) {
        let start = self.space.take(bytes).expect("a new memory has room");
        let rest = self.space.take(self.space.free_bytes()).expect("what is free is one piece");
        assert!(rest > start);
        self.space.give(start, bytes);
    }

    /// Writes a policy; where there is no room, what was replaced before is freed for it.
    fn write_in_room(
        &mut self,
        nics: &[NicPolicy],
        timing: Timing,
        current: Option<&Published>,
    ) -> Result<Written, Error> {
        match self.write(nics, timing, current) {
            Err(Error::MemoryFull { .. }) if !self.replaced.is_empty() => {
                self.settle();
                self.write(nics, timing, current)
            }
            written => written,
        }
    }

    /// Writes the blobs and the snapshot of `nics` where no packet sees them yet.
    fn write(
        &mut self,
        nics: &[NicPolicy],
        timing: Timing,
        current: Option<&Published>,
    ) -> Result<Written, Error> {
        let mut stored = HashMap::new();
        let mut layers = Vec::with_capacity(nics.len());
        for nic in nics {
            layers.push(self.store_layers(nic, &mut stored)?);
        }
        let interfaces: Vec<u32> = nics.iter().map(|nic| nic.ifindex).collect();
        let (entries, places) = table::place(&interfaces)?;
        let generation = current.map_or(0, |current| current.snapshot.generation) + 1;
        let moment = Moment { generation, timing, current };
        // Where the snapshot will be is known only with its size, and its offsets only with the place.
        let (_, shared) = describe(nics, &layers, &moment, 0);
        let size = TABLE_AT + table::bytes(entries) + shared.len();
        let offset = self.space.take_in(&self.memory, size)?;
        let shared_at = offset + (TABLE_AT + table::bytes(entries)) as u32;
        let (descriptors, shared) = describe(nics, &layers, &moment, shared_at);
        let nics_offset = offset + TABLE_AT as u32;
        let snapshot = Snapshot {
            generation,
            nics_offset,
            nics_mask: entries as u32 - 1,
            nics: nics.len() as u32,
            size: size as u32,
            reserved: [0; 2],
        };
        self.memory.zero(offset, size);
        self.memory.write(offset, snapshot.as_bytes());
        for (place, nic) in places.iter().zip(&descriptors) {
            self.memory.write(nics_offset + table::bytes(*place) as u32, nic.as_bytes());
        }
        self.memory.write(shared_at, &shared);
        Ok(Written { offset, generation })
    }

    /// Where the layers of a NIC are: inbound, outbound. `stored` remembers blobs of this publish by address, since many
    /// NICs name the same bytes.
    fn store_layers(
        &mut self,
        nic: &NicPolicy,
        stored: &mut HashMap<(*const u8, usize), u32>,
    ) -> Result<[Layers; 2], Error> {
        let mut found = [Layers::default(); 2];
        for (direction, place, layer, policy) in nic.layers() {
            let identity = (policy.blob.as_ptr(), policy.blob.len());
            let blob = match stored.get(&identity) {
                Some(offset) => *offset,
                None => self.store(nic.slot, layer, &policy.blob)?,
            };
            stored.insert(identity, blob);
            let layers = match direction {
                Direction::Inbound => &mut found[0],
                Direction::Outbound => &mut found[1],
            };
            layers.blobs[place] = blob;
            layers.counters[place] =
                self.tallies.obtain(&self.memory, &mut self.space, (&policy.name, direction, blob))?;
        }
        Ok(found)
    }

    /// Where a blob is; a new one is checked before it is written.
    fn store(&mut self, slot: u32, layer: Layer, blob: &[u8]) -> Result<u32, Error> {
        if let Some(known) = self.blobs.find(&self.memory, blob) {
            return Ok(known);
        }
        BlobView::parse(blob).map_err(|source| Error::Blob { slot, layer, source })?;
        self.blobs.add(&self.memory, &mut self.space, blob)
    }
}

/// The descriptors of all NICs, and the bytes that they share, for a place of those bytes.
fn describe(
    nics: &[NicPolicy],
    layers: &[[Layers; 2]],
    moment: &Moment<'_>,
    shared_at: u32,
) -> (Vec<NicDescriptor>, Vec<u8>) {
    let before: HashMap<u32, &NicDescriptor> =
        moment.current.iter().flat_map(|current| &current.nics).map(|nic| (nic.slot, nic)).collect();
    let mut shared = Shared::at(shared_at);
    let descriptors = nics
        .iter()
        .zip(layers)
        .map(|(nic, layers)| {
            descriptor::build(nic, *layers, moment, before.get(&nic.slot).copied(), &mut shared)
        })
        .collect();
    (descriptors, shared.into_bytes())
}

/// Offsets of all blobs that the descriptors name.
fn blobs_in(nics: &[NicDescriptor]) -> BTreeSet<u32> {
    nics.iter()
        .flat_map(|nic| nic.inbound.into_iter().chain(nic.outbound))
        .filter(|offset| *offset != 0)
        .collect()
}
