//! Blocks of a file system, as they are once its journal has been replayed.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{kept::Kept, superblock::Superblock};
use crate::disk::{Disk, partitions::Partition};

/// Bytes of blocks of metadata that are kept.
const KEPT_MAX: usize = 1 << 24;
/// With what a block of a journal begins; a block of data that begins so is written there with zeros in its place.
pub(super) const MAGIC: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];

/// Where the journal has the newest of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged {
    /// The block of the journal that holds it.
    pub(super) place: u64,
    /// Whether it begins with what a block of a journal begins with.
    pub(super) is_escaped: bool,
}

pub(super) struct Blocks {
    disk: Rc<dyn Disk>,
    partition: Partition,
    /// Bytes of a block, and how many there are.
    pub(super) size: usize,
    pub(super) count: u64,
    replayed: BTreeMap<u64, Logged>,
    kept: RefCell<Kept<u64, Rc<Vec<u8>>>>,
}

impl Blocks {
    pub(super) fn new(disk: Rc<dyn Disk>, partition: Partition, of: &Superblock) -> Self {
        let kept = RefCell::new(Kept::new(KEPT_MAX));
        Self { disk, partition, size: of.block, count: of.blocks, replayed: BTreeMap::new(), kept }
    }

    /// The same with what stands in the journal.
    pub(super) fn with(self, replayed: BTreeMap<u64, Logged>) -> Self {
        Self { replayed, kept: RefCell::new(Kept::new(KEPT_MAX)), ..self }
    }

    /// Bytes of the partition.
    pub(super) fn partition_length(&self) -> u64 {
        self.partition.length()
    }

    /// Reads from the beginning of a block on.
    pub(super) fn read(&self, first: u64, into: &mut [u8]) -> Result<(), String> {
        let end = first.saturating_add(into.len().div_ceil(self.size) as u64);
        if end > self.count {
            return Err(format!("block {} is beyond the {} that there are", end - 1, self.count));
        }
        self.stored(first, into)?;
        for (number, logged) in self.replayed.range(first..end) {
            let from = usize::try_from(number - first).expect("it was asked for") * self.size;
            let to = into.len().min(from + self.size);
            let part = &mut into[from..to];
            self.stored(logged.place, part)?;
            if logged.is_escaped {
                part.iter_mut().zip(MAGIC).for_each(|(byte, magic)| *byte = magic);
            }
        }
        Ok(())
    }

    /// Reads what stands on the disk.
    fn stored(&self, first: u64, into: &mut [u8]) -> Result<(), String> {
        self.partition.read_at(self.disk.as_ref(), first * self.size as u64, into)
    }

    /// A block of metadata.
    pub(super) fn block(&self, number: u64) -> Result<Rc<Vec<u8>>, String> {
        if let Some(block) = self.kept.borrow_mut().get(number) {
            return Ok(block);
        }
        let mut bytes = vec![0; self.size];
        self.read(number, &mut bytes)?;
        let block = Rc::new(bytes);
        self.kept.borrow_mut().keep(number, Rc::clone(&block), self.size);
        Ok(block)
    }
}
