//! Brings a policy of the whole host into force with one store.
//!
//! New blobs and the new snapshot are written where nothing refers to, then one word selects them; after a grace
//! period the memory of the old ones is free. The only state is what is free: it is rebuilt from the snapshot in force,
//! so a process that dies at any point leaves a policy in force and loses nothing.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use palisade_abi::{
    Pod,
    arena::{ARENA_MAGIC, NIC_INVERTED, NIC_PROBES_MAX, NicDescriptor, Root, Snapshot},
    flow::FLOW_STATES,
    verdict::{LAYERS, Layer},
};
use palisade_classify::blob::BlobView;

use super::{
    ACTIVE, Published, TABLE_ENTRIES_MAX, blobs::Blobs, grace::Grace, mapping, published, space::Space,
};
use crate::{
    error::Error,
    policy::{self, LAYERS_INBOUND, LAYERS_OUTBOUND, NicKind, NicPolicy},
};

/// Writes to the arena. There is one at a time: the pin directory's lock sees to it.
#[derive(Debug)]
pub(crate) struct Publisher {
    arena: Arc<mapping::Mapping>,
    space: Space,
    blobs: Blobs,
    grace: Grace,
    /// Largest slot that has counters.
    slot_max: u32,
}

/// A snapshot that is complete but not in force.
struct Written {
    offset: u32,
    generation: u64,
}

/// Writes the root of a new arena.
pub(crate) fn format(arena: &mapping::Mapping, program: u32) {
    let root = Root { magic: ARENA_MAGIC, version: palisade_abi::ABI_VERSION, active: 0, program };
    arena.write(0, root.as_bytes());
}

impl Publisher {
    /// Takes over an arena: what the snapshot in force does not use is free.
    pub(crate) fn adopt(arena: Arc<mapping::Mapping>, slot_max: u32) -> Result<Self, String> {
        let space = Space::new(size_of::<Root>() as u32, mapping::ARENA_BYTES as u32);
        let grace = Grace::new().map_err(|error| error.to_string())?;
        let mut this = Self { arena, space, blobs: Blobs::default(), grace, slot_max };
        if let Some(current) = published(&this.arena) {
            if !this.space.claim(current.offset, current.snapshot.size as usize) {
                return Err(format!("the snapshot at {:#x} is outside the arena", current.offset));
            }
            for offset in offsets_in(&current.nics) {
                if !this.blobs.adopt(&this.arena, &mut this.space, offset) {
                    return Err(format!("the policy blob at {offset:#x} is outside the arena"));
                }
            }
        }
        Ok(this)
    }

    /// Puts `nics` into force in place of everything before.
    ///
    /// # Errors
    /// Then nothing has changed.
    pub(crate) fn publish(&mut self, nics: &[NicPolicy], timeouts: [u32; FLOW_STATES]) -> Result<u64, Error> {
        policy::check(nics, self.slot_max)?;
        let current = published(&self.arena);
        let written = self.write(nics, timeouts, current.as_ref());
        let in_force = current.iter().flat_map(|current| offsets_in(&current.nics)).collect();
        let (snapshot, next) = written.inspect_err(|_| self.blobs.keep_only(&in_force, &mut self.space))?;
        self.arena.publish_word(ACTIVE, snapshot.offset);
        // Without the wait the old memory stays taken until the next start; the new policy is in force all the same.
        if self.grace.wait().is_ok() {
            if let Some(old) = &current {
                self.space.give(old.offset, old.snapshot.size as usize);
            }
            self.blobs.keep_only(&offsets_in(&next), &mut self.space);
        }
        Ok(snapshot.generation)
    }

    /// Takes all but the first `bytes` free bytes out of use.
    #[cfg(test)]
    pub(crate) fn leave_free(&mut self, bytes: usize) {
        let start = self.space.take(bytes).expect("a new arena has room");
        let rest = self.space.take(self.space.free_bytes()).expect("what is free is one piece");
        assert!(rest > start);
        self.space.give(start, bytes);
    }

    /// Distinct blobs in the arena, and their bytes.
    pub(crate) fn blobs(&self) -> (usize, usize) {
        self.blobs.total()
    }

    /// Writes the blobs and the snapshot of `nics` where no packet sees them yet.
    fn write(
        &mut self,
        nics: &[NicPolicy],
        timeouts: [u32; FLOW_STATES],
        current: Option<&Published>,
    ) -> Result<(Written, Vec<NicDescriptor>), Error> {
        let generation = current.map_or(0, |current| current.snapshot.generation) + 1;
        let before: HashMap<u32, &NicDescriptor> =
            current.iter().flat_map(|current| &current.nics).map(|nic| (nic.slot, nic)).collect();
        let mut descriptors = Vec::with_capacity(nics.len());
        for nic in nics {
            let inbound = self.layers(nic, &nic.inbound, LAYERS_INBOUND)?;
            let outbound = self.layers(nic, &nic.outbound, LAYERS_OUTBOUND)?;
            let old = before.get(&nic.slot);
            let unchanged = old.filter(|old| old.inbound == inbound && old.outbound == outbound);
            descriptors.push(NicDescriptor {
                ifindex: nic.ifindex,
                slot: nic.slot,
                generation: unchanged.map_or(generation, |old| old.generation),
                since: old.map_or(generation, |old| old.since),
                flags: if nic.kind == NicKind::Inverted { NIC_INVERTED } else { 0 },
                reserved: [0; 3],
                inbound,
                outbound,
            });
        }
        let table = place(&descriptors)?;
        let bytes = size_of::<Snapshot>().next_multiple_of(64) + size_of_val(table.as_slice());
        let offset = self.take(bytes)?;
        let nics_offset = offset + size_of::<Snapshot>().next_multiple_of(64) as u32;
        let snapshot = Snapshot {
            generation,
            nics_offset,
            nics_mask: table.len() as u32 - 1,
            nics: nics.len() as u32,
            size: bytes as u32,
            timeouts,
            reserved: 0,
        };
        self.arena.write(offset, snapshot.as_bytes());
        for (index, nic) in table.iter().enumerate() {
            self.arena.write(nics_offset + (index * size_of::<NicDescriptor>()) as u32, nic.as_bytes());
        }
        Ok((Written { offset, generation }, descriptors))
    }

    fn layers(
        &mut self,
        nic: &NicPolicy,
        blobs: &[Option<Arc<[u8]>>; LAYERS],
        order: [Layer; LAYERS],
    ) -> Result<[u32; LAYERS], Error> {
        let mut offsets = [0; LAYERS];
        for ((offset, blob), layer) in offsets.iter_mut().zip(blobs).zip(order) {
            let Some(blob) = blob else { continue };
            *offset = match self.blobs.find(&self.arena, blob) {
                Some(known) => known,
                None => {
                    BlobView::parse(blob).map_err(|source| Error::Blob { slot: nic.slot, layer, source })?;
                    let free = self.space.free_bytes();
                    self.blobs
                        .add(&self.arena, &mut self.space, blob)
                        .ok_or(Error::ArenaFull { needed: blob.len(), free })?
                }
            };
        }
        Ok(offsets)
    }

    fn take(&mut self, bytes: usize) -> Result<u32, Error> {
        self.space
            .take(bytes)
            .ok_or_else(|| Error::ArenaFull { needed: bytes, free: self.space.free_bytes() })
    }
}

/// Offsets of all blobs that the descriptors name.
fn offsets_in(nics: &[NicDescriptor]) -> BTreeSet<u32> {
    nics.iter()
        .flat_map(|nic| nic.inbound.into_iter().chain(nic.outbound))
        .filter(|offset| *offset != 0)
        .collect()
}

/// The smallest table in which every NIC is found within the kernel's probes.
fn place(nics: &[NicDescriptor]) -> Result<Vec<NicDescriptor>, Error> {
    let mut entries = (2 * nics.len()).next_power_of_two();
    while entries <= TABLE_ENTRIES_MAX {
        if let Some(table) = try_place(nics, entries) {
            return Ok(table);
        }
        entries *= 2;
    }
    Err(Error::Crowded { entries: TABLE_ENTRIES_MAX })
}

fn try_place(nics: &[NicDescriptor], entries: usize) -> Option<Vec<NicDescriptor>> {
    let mut table = vec![NicDescriptor::default(); entries];
    for nic in nics {
        let place = (0..NIC_PROBES_MAX)
            .map(|step| nic.ifindex.wrapping_add(step) as usize & (entries - 1))
            .find(|place| table[*place].ifindex == 0)?;
        table[place] = *nic;
    }
    Some(table)
}
