//! Where the blocks of a file are: in a tree of extents, or in lists of blocks of up to three levels.
//!
//! Places of a tree must rise, no block of it is empty, and a file has no more blocks than the file system; so no circle has no end.

use super::{
    blocks::Blocks,
    inode::{Inode, ROOM},
    numbers::{both, le16, le32},
    sum::crc32c,
};

const EXTENTS: u16 = 0xf30a;
/// Levels of a tree of extents below its root.
const DEPTH_MAX: u16 = 5;
/// An extent of more blocks is that much shorter, and what is in it was never written.
const WRITTEN_MAX: u64 = 1 << 15;
/// Blocks of a file.
const BLOCKS_MAX: u64 = 1 << 32;
/// Bytes of an entry of a tree, and of what stands before all.
const ENTRY: usize = 12;
/// Blocks that a file without extents names itself.
const DIRECT: usize = 12;

/// Blocks of a file that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first of them, counted in the file.
    pub(super) first: u64,
    pub(super) length: u64,
    /// Where they are; `None` if they were never written and read as zeros.
    pub(super) place: Option<u64>,
}

/// Takes a run; whether it wants more.
pub(super) type Sink<'s> = dyn FnMut(Run) -> Result<bool, String> + 's;

/// Hands on where the blocks of a file are, in their order; what is between reads as zeros.
pub(super) fn runs(blocks: &Blocks, inode: &Inode, sink: &mut Sink<'_>) -> Result<(), String> {
    let mut walk = Walk { blocks, inode, sink, next: 0, used: 0, pending: None };
    let done = if inode.has_extents() { walk.node(&inode.room, None) } else { walk.lists() };
    done.and_then(|_| walk.flush()).map(drop)
}

struct Walk<'w, 's> {
    blocks: &'w Blocks,
    inode: &'w Inode,
    sink: &'w mut Sink<'s>,
    /// The next block of the file that has no place yet.
    next: u64,
    /// Blocks that the file has, those of its tree or lists too.
    used: u64,
    /// A run that may go on.
    pending: Option<Run>,
}

impl Walk<'_, '_> {
    fn bad(&self, why: &str) -> String {
        format!("inode {}: {why}", self.inode.number)
    }

    fn uses(&mut self, blocks: u64) -> Result<(), String> {
        self.used += blocks;
        if self.used > self.blocks.count {
            return Err(self.bad("it has more blocks than the file system"));
        }
        Ok(())
    }

    /// A node of a tree of extents, of a depth if one is expected; whether more is wanted.
    fn node(&mut self, node: &[u8], depth: Option<u16>) -> Result<bool, String> {
        let (entries, most, own) = (le16(node, 2), le16(node, 4), le16(node, 6));
        let end = ENTRY * (usize::from(most) + 1);
        let is_sound = le16(node, 0) == EXTENTS
            && entries <= most
            && end <= node.len()
            && depth.map_or(own <= DEPTH_MAX, |depth| own == depth && entries > 0);
        if !is_sound {
            return Err(self.bad("its tree of extents is damaged"));
        }
        if let Some(seed) = self.inode.seed.filter(|_| node.len() > ROOM) {
            let is_right = end + 4 <= node.len() && crc32c(seed, &node[..end]) == le32(node, end);
            if !is_right {
                return Err(self.bad("the sum of its tree of extents is wrong"));
            }
        }
        for entry in node[ENTRY..].chunks_exact(ENTRY).take(entries.into()) {
            let wants_more = if own == 0 { self.extent(entry)? } else { self.below(entry, own - 1)? };
            if !wants_more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn below(&mut self, entry: &[u8], depth: u16) -> Result<bool, String> {
        self.uses(1)?;
        let node = self.blocks.block(both(le32(entry, 4), le16(entry, 8).into()))?;
        self.node(&node, Some(depth))
    }

    fn extent(&mut self, entry: &[u8]) -> Result<bool, String> {
        let (first, length) = (u64::from(le32(entry, 0)), u64::from(le16(entry, 4)));
        let (length, is_written) =
            if length > WRITTEN_MAX { (length - WRITTEN_MAX, false) } else { (length, true) };
        if length == 0 || first < self.next || first + length > BLOCKS_MAX {
            return Err(self.bad("its extents are not in order"));
        }
        self.uses(length)?;
        self.next = first + length;
        let place = both(le32(entry, 8), le16(entry, 6).into());
        self.hand_on(Run { first, length, place: is_written.then_some(place) })
    }

    /// Blocks that are named in the room: some themselves, then lists of one, two and three levels.
    fn lists(&mut self) -> Result<bool, String> {
        let numbers = self.inode.room.chunks_exact(4).map(|bytes| le32(bytes, 0));
        for (at, number) in numbers.enumerate() {
            let level = u32::try_from((at + 1).saturating_sub(DIRECT)).expect("there are fifteen");
            if !self.list(number, level)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn list(&mut self, number: u32, level: u32) -> Result<bool, String> {
        if self.next.saturating_mul(self.blocks.size as u64) >= self.inode.size {
            return Ok(false);
        }
        if number == 0 {
            self.next += (self.blocks.size as u64 / 4).pow(level);
            return Ok(true);
        }
        self.uses(1)?;
        if level == 0 {
            self.next += 1;
            return self.hand_on(Run { first: self.next - 1, length: 1, place: Some(number.into()) });
        }
        let list = self.blocks.block(number.into())?;
        for number in list.chunks_exact(4).map(|bytes| le32(bytes, 0)) {
            if !self.list(number, level - 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs that go on where another ends are one.
    fn hand_on(&mut self, run: Run) -> Result<bool, String> {
        if run.place.is_some_and(|place| place + run.length > self.blocks.count) {
            return Err(self.bad("a block of it is beyond the file system"));
        }
        if let Some(pending) = &mut self.pending {
            let goes_on = pending.first + pending.length == run.first
                && pending.place.map(|place| place + pending.length) == run.place;
            if goes_on {
                pending.length += run.length;
                return Ok(true);
            }
        }
        let wants_more = self.flush()?;
        self.pending = wants_more.then_some(run);
        Ok(wants_more)
    }

    fn flush(&mut self) -> Result<bool, String> {
        self.pending.take().map_or(Ok(true), |run| (self.sink)(run))
    }
}
