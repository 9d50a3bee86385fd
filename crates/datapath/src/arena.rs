//! The arena as user space sees it: what is published, and how the next policy gets there.

pub(crate) mod blobs;
pub(crate) mod grace;
pub(crate) mod mapping;
pub(crate) mod publisher;
pub(crate) mod space;

use std::{mem::offset_of, sync::atomic::Ordering};

use palisade_abi::{
    Pod,
    arena::{NicDescriptor, Root, Snapshot},
};

use mapping::Mapping;

/// Offset of the word that selects the snapshot in force.
const ACTIVE: u32 = offset_of!(Root, active) as u32;
/// A table larger than this is damage, not policy.
const TABLE_ENTRIES_MAX: usize = 1 << 20;

/// A copy of the snapshot in force.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub offset: u32,
    pub snapshot: Snapshot,
    /// The NICs, without the table's free entries.
    pub nics: Vec<NicDescriptor>,
}

/// Reads the snapshot in force; `None` before the first publish, or if what is there is no snapshot.
///
/// A publisher in another process may replace it meanwhile and reuse its memory: the copy counts only if the same
/// generation is in force afterwards.
pub(crate) fn published(arena: &Mapping) -> Option<Published> {
    loop {
        let offset = arena.word(ACTIVE).load(Ordering::Acquire);
        if offset == 0 {
            return None;
        }
        let copy = read_snapshot(arena, offset);
        let generation = copy.as_ref().map(|copy| copy.snapshot.generation);
        if arena.word(ACTIVE).load(Ordering::Acquire) == offset
            && generation.is_none_or(|generation| arena.read::<Snapshot>(offset).generation == generation)
        {
            return copy;
        }
    }
}

fn read_snapshot(arena: &Mapping, offset: u32) -> Option<Published> {
    if !Mapping::contains(offset, size_of::<Snapshot>()) {
        return None;
    }
    let snapshot = arena.read::<Snapshot>(offset);
    let entries = snapshot.nics_mask as usize + 1;
    let bytes = entries.checked_mul(size_of::<NicDescriptor>())?;
    if entries > TABLE_ENTRIES_MAX || !Mapping::contains(snapshot.nics_offset, bytes) {
        return None;
    }
    let table = arena.copy(snapshot.nics_offset, bytes);
    let nics = table
        .chunks_exact(size_of::<NicDescriptor>())
        .filter_map(NicDescriptor::read_from)
        .filter(|nic| nic.ifindex != 0)
        .collect();
    Some(Published { offset, snapshot, nics })
}
