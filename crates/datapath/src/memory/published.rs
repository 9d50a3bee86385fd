//! The policy in force, as a copy.
//!
//! A publisher in another process may replace the snapshot meanwhile and reuse its memory: a copy counts only if the
//! same generation is in force afterwards.

use std::{mem::offset_of, sync::atomic::Ordering};

use palisade_abi::{
    Pod,
    arena::{NicDescriptor, OWNED_RANGES_MAX, OwnedAddresses, Root, Snapshot, Throttle},
    flow::FLOW_STATES,
};

use super::mapping::Mapping;

/// Offset of the word that selects the snapshot in force.
pub(crate) const ACTIVE: u32 = offset_of!(Root, active) as u32;
/// A table larger than this is damage, not policy.
pub(crate) const TABLE_ENTRIES_MAX: usize = 1 << 20;
/// And so is a larger snapshot.
const SNAPSHOT_BYTES_MAX: usize = 256 << 20;

/// A copy of the snapshot in force.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub offset: u32,
    pub snapshot: Snapshot,
    /// The NICs, without the table's free entries.
    pub nics: Vec<NicDescriptor>,
    /// The snapshot's whole memory.
    image: Vec<u8>,
}

/// Reads the snapshot in force; `None` before the first publish, or if what is there is no snapshot.
pub(crate) fn published(memory: &Mapping) -> Option<Published> {
    stable(memory, read_snapshot)
}

/// Reads something of the snapshot at an offset, again if another one came into force meanwhile.
pub(crate) fn stable<T>(memory: &Mapping, read: impl Fn(&Mapping, u32) -> Option<T>) -> Option<T> {
    let active = || {
        let offset = memory.word(ACTIVE).load(Ordering::Acquire);
        let is_one = offset != 0 && memory.contains(offset, size_of::<Snapshot>());
        is_one.then(|| (offset, memory.read::<Snapshot>(offset).generation))
    };
    loop {
        let before = active()?;
        let found = read(memory, before.0);
        if active() == Some(before) {
            return found;
        }
    }
}

pub(crate) fn read_snapshot(memory: &Mapping, offset: u32) -> Option<Published> {
    let snapshot = memory.read::<Snapshot>(offset);
    let (entries, size) = (snapshot.nics_mask as usize + 1, snapshot.size as usize);
    if entries > TABLE_ENTRIES_MAX || size > SNAPSHOT_BYTES_MAX || !memory.contains(offset, size) {
        return None;
    }
    let image = memory.copy(offset, size);
    let start = snapshot.nics_offset.checked_sub(offset)? as usize;
    let table = image.get(start..)?.get(..entries * size_of::<NicDescriptor>())?;
    let nics = table
        .chunks_exact(size_of::<NicDescriptor>())
        .filter_map(NicDescriptor::read_from)
        .filter(|nic| nic.ifindex != 0)
        .collect();
    Some(Published { offset, snapshot, nics, image })
}

impl Published {
    /// Idle timeouts of one of its NICs, in ticks.
    pub(crate) fn timeouts(&self, nic: &NicDescriptor) -> Option<[u32; FLOW_STATES]> {
        let bytes = self.piece(nic.timeouts, size_of::<[u32; FLOW_STATES]>())?;
        let mut words =
            bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("4 bytes")));
        Some([0; FLOW_STATES].map(|_: u32| words.next().expect("the piece has as many")))
    }

    /// The ranges of addresses that one of its NICs owns, as they are in memory: IPv4, then IPv6.
    pub(crate) fn owned(&self, nic: &NicDescriptor) -> Option<[&[u8]; 2]> {
        if nic.owned == 0 {
            return Some([&[], &[]]);
        }
        let owned = OwnedAddresses::read_from(self.piece(nic.owned, size_of::<OwnedAddresses>())?)?;
        let ranges = |offset, count: u32, each| {
            if count as usize > OWNED_RANGES_MAX { None } else { self.piece(offset, count as usize * each) }
        };
        Some([ranges(owned.v4, owned.v4_count, V4_RANGE)?, ranges(owned.v6, owned.v6_count, V6_RANGE)?])
    }

    /// The throttle of one of its NICs.
    pub(crate) fn throttle(&self, nic: &NicDescriptor) -> Option<Throttle> {
        if nic.throttle == 0 {
            return None;
        }
        Throttle::read_from(self.piece(nic.throttle, size_of::<Throttle>())?)
    }

    fn piece(&self, offset: u32, bytes: usize) -> Option<&[u8]> {
        self.image.get(offset.checked_sub(self.offset)? as usize..)?.get(..bytes)
    }
}

/// Bytes of an IPv4 range, and of an IPv6 range.
const V4_RANGE: usize = 8;
const V6_RANGE: usize = 32;
