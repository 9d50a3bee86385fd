//! The counters of rules: a block for each name, direction and blob, shared by every NIC that has all three.
//!
//! A block is [`RULE_COUNTER_SHARDS`] copies of the list's counters, which the kernel program adds to, and behind them the
//! name, which it never looks at: so the next process knows whose counters they are. A block lives as long as a policy
//! in force names it; what it counted last is handed out once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
};

use palisade_abi::{
    arena::NicDescriptor,
    counters::{RULE_COUNTER_SHARDS, RuleCounters},
    flow::Direction,
    policy::{POLICY_RULES_MAX, PolicyHeader},
    verdict::LAYERS,
};

use super::{blobs, space::Space};
use crate::{
    counters::{BlobDigest, RuleCounts},
    error::Error,
    memory::{mapping::Mapping, published::Published},
    policy::LAYER_NAME_BYTES_MAX,
};

/// A block of counters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    offset: u32,
    rows: usize,
}

/// What a block counts for: name, direction, offset of the blob.
type Key = (Arc<str>, Direction, u32);

/// The blocks that the memory holds.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    blocks: HashMap<Key, Block>,
}

impl Tallies {
    /// Takes over the block of a layer that an earlier process published; false if it cannot be one.
    pub(crate) fn adopt(&mut self, memory: &Mapping, space: &mut Space, layer: &Counted) -> bool {
        if self.blocks.values().any(|block| block.offset == layer.counters) {
            return true;
        }
        let Some((name, rows)) = layer.name_and_rows(memory) else { return false };
        let block = Block { offset: layer.counters, rows };
        if !space.claim(block.offset, block_bytes(rows, &name)) {
            return false;
        }
        self.blocks.insert((name, layer.direction, layer.blob), block);
        true
    }

    /// The block of a layer; a new one counts from zero.
    pub(crate) fn obtain(
        &mut self,
        memory: &Mapping,
        space: &mut Space,
        (name, direction, blob): (&Arc<str>, Direction, u32),
    ) -> Result<u32, Error> {
        let key = (Arc::clone(name), direction, blob);
        if let Some(block) = self.blocks.get(&key) {
            return Ok(block.offset);
        }
        let rows = memory.read::<PolicyHeader>(blob).rules as usize;
        let bytes = block_bytes(rows, name);
        let offset = space.take_in(memory, bytes)?;
        memory.zero(offset, bytes);
        let trailer = offset + counter_bytes(rows) as u32;
        memory.word(trailer).store(name.len() as u32, Ordering::Relaxed);
        memory.write(trailer + 4, name.as_bytes());
        self.blocks.insert(key, Block { offset, rows });
        Ok(offset)
    }

    /// Frees every block that is not among `used`, and returns what was counted there, if anything was.
    pub(crate) fn keep_only(
        &mut self,
        memory: &Mapping,
        space: &mut Space,
        used: &BTreeSet<u32>,
    ) -> Vec<RuleCounts> {
        let gone = self.blocks.extract_if(|_, block| !used.contains(&block.offset));
        let counted = |counts: &RuleCounts| counts.rows.iter().any(|row| *row != RuleCounters::default());
        let free = |((name, direction, blob), block): (Key, Block)| {
            let counts = RuleCounts {
                direction,
                blob: BlobDigest::of(&blobs::content(memory, blob).unwrap_or_default()),
                rows: sums(memory, block.offset, block.rows),
                name: Arc::clone(&name),
            };
            space.give(block.offset, block_bytes(block.rows, &name));
            counts
        };
        gone.map(free).filter(counted).collect()
    }
}

/// A layer of a published NIC that has counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counted {
    counters: u32,
    blob: u32,
    direction: Direction,
}

impl Counted {
    fn name_and_rows(&self, memory: &Mapping) -> Option<(Arc<str>, usize)> {
        let header = memory.contains(self.blob, size_of::<PolicyHeader>());
        let rows = header.then(|| memory.read::<PolicyHeader>(self.blob))?.rules as usize;
        let trailer = self.counters.checked_add(counter_bytes(rows) as u32)?;
        if rows > POLICY_RULES_MAX || !self.counters.is_multiple_of(8) || !memory.contains(trailer, 4) {
            return None;
        }
        let bytes = memory.word(trailer).load(Ordering::Relaxed) as usize;
        if bytes > LAYER_NAME_BYTES_MAX || !memory.contains(trailer + 4, bytes) {
            return None;
        }
        let name = String::from_utf8(memory.copy(trailer + 4, bytes)).ok()?;
        Some((name.into(), rows))
    }
}

/// Every layer that has counters, each block once.
pub(crate) fn counted(nics: &[NicDescriptor]) -> BTreeSet<Counted> {
    let directions = |nic: &NicDescriptor| {
        [
            (Direction::Inbound, nic.inbound, nic.inbound_counters),
            (Direction::Outbound, nic.outbound, nic.outbound_counters),
        ]
    };
    nics.iter()
        .flat_map(directions)
        .flat_map(|(direction, blobs, counters)| {
            (0..LAYERS).map(move |index| Counted { direction, blob: blobs[index], counters: counters[index] })
        })
        .filter(|layer| layer.counters != 0)
        .collect()
}

/// Offsets of all blocks that the descriptors name.
pub(crate) fn offsets_in(nics: &[NicDescriptor]) -> BTreeSet<u32> {
    counted(nics).into_iter().map(|layer| layer.counters).collect()
}

/// What the layers of a published policy have counted. Blocks that are damaged are left out.
pub(crate) fn read(memory: &Mapping, published: &Published) -> Vec<RuleCounts> {
    let one = |layer: Counted| {
        let (name, rows) = layer.name_and_rows(memory)?;
        let blob = BlobDigest::of(&blobs::content(memory, layer.blob)?);
        Some(RuleCounts { name, direction: layer.direction, blob, rows: sums(memory, layer.counters, rows) })
    };
    counted(&published.nics).into_iter().filter_map(one).collect()
}

/// The counters of a list, summed over its copies.
fn sums(memory: &Mapping, offset: u32, rows: usize) -> Vec<RuleCounters> {
    let at = |shard: usize, row: usize| {
        let place = offset + ((shard * rows + row) * size_of::<RuleCounters>()) as u32;
        memory.contains(place, size_of::<RuleCounters>()).then(|| {
            let count = |field: usize| memory.wide(place + field as u32).load(Ordering::Relaxed);
            RuleCounters {
                allowed: count(std::mem::offset_of!(RuleCounters, allowed)),
                denied: count(std::mem::offset_of!(RuleCounters, denied)),
            }
        })
    };
    let row = |row| {
        (0..RULE_COUNTER_SHARDS as usize).filter_map(|shard| at(shard, row)).fold(
            RuleCounters::default(),
            |sum, one| RuleCounters { allowed: sum.allowed + one.allowed, denied: sum.denied + one.denied },
        )
    };
    (0..rows).map(row).collect()
}

fn counter_bytes(rows: usize) -> usize {
    RULE_COUNTER_SHARDS as usize * rows * size_of::<RuleCounters>()
}

fn block_bytes(rows: usize, name: &str) -> usize {
    counter_bytes(rows) + 4 + name.len()
}
