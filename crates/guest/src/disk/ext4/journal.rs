//! The journal (jbd2): what of a file system is newer there than where it belongs. Reference: Linux, `fs/jbd2/recovery.c`, which it follows.
//!
//! Only transactions that were ended count. What a later one takes back (a revocation) is not taken from it or an earlier one. A sum that
//! is wrong in one that was ended is an error, as Linux would not mount it; in the last one, which was not, it is where the journal ends.
//! Not read: sums of a transaction as a whole, which journals had before each block had its own, and fast commits, which are refused.

use std::collections::BTreeMap;

use super::{
    blocks::{Blocks, Logged, MAGIC},
    inode::Inode,
    map::{self, Run},
    numbers::{be16, be32, both, le16, le32},
    sum::{crc32c, crc32c_without},
};

/// Blocks of a journal.
const JOURNAL_MAX: u64 = 1 << 20;

/// Features.
mod feature {
    pub(super) const REVOCATIONS: u32 = 0x1;
    pub(super) const WIDE: u32 = 0x2;
    pub(super) const ASYNCHRONOUS: u32 = 0x4;
    pub(super) const SUMS_TWO: u32 = 0x8;
    pub(super) const SUMS_THREE: u32 = 0x10;
    pub(super) const FAST: u32 = 0x20;
    pub(super) const KNOWN: u32 = REVOCATIONS | WIDE | ASYNCHRONOUS | SUMS_TWO | SUMS_THREE | FAST;
}

/// Kinds of blocks.
mod kind {
    pub(super) const DESCRIPTOR: u32 = 1;
    pub(super) const COMMIT: u32 = 2;
    pub(super) const SUPERBLOCK: u32 = 3;
    pub(super) const SUPERBLOCK_TWO: u32 = 4;
    pub(super) const REVOCATION: u32 = 5;
}

/// Bytes before the tags of a descriptor, and before the numbers of a revocation.
const HEAD: usize = 12;
const REVOCATION_HEAD: usize = 16;

/// Where the newest of each block is that the journal has.
pub(super) fn replayed(blocks: &Blocks, inode: &Inode) -> Result<BTreeMap<u64, Logged>, String> {
    let journal = Journal::open(blocks, inode).map_err(|why| format!("its journal: {why}"))?;
    journal.replayed().map_err(|why| format!("its journal: {why}"))
}

struct Journal<'j> {
    blocks: &'j Blocks,
    /// Where its blocks are.
    places: Vec<u64>,
    features: u32,
    /// With what its sums begin, if it has sums.
    seed: Option<u32>,
    /// The first block of the log, and the one behind its last; there it goes on at the first.
    first: u32,
    end: u32,
    /// The first block that counts, 0 if none does, and the number of its transaction.
    start: u32,
    sequence: u32,
}

/// A transaction as far as it has been read.
#[derive(Default)]
struct Transaction {
    logged: Vec<(u64, Logged)>,
    revoked: Vec<u64>,
    is_damaged: bool,
}

impl<'j> Journal<'j> {
    fn open(blocks: &'j Blocks, inode: &Inode) -> Result<Self, String> {
        let places = places(blocks, inode)?;
        let mut bytes = vec![0; blocks.size];
        blocks.read(*places.first().ok_or("it has no blocks")?, &mut bytes)?;
        let is_old = be32(&bytes, 4) == kind::SUPERBLOCK;
        let is_one = bytes.starts_with(&MAGIC) && (is_old || be32(&bytes, 4) == kind::SUPERBLOCK_TWO);
        let features = if is_old { 0 } else { be32(&bytes, 0x28) };
        if is_one && features & !feature::KNOWN != 0 {
            return Err(format!("it has features that are not read: {:#x}", features & !feature::KNOWN));
        }
        let length = be32(&bytes, 16);
        let fast = match be32(&bytes, 84) {
            _ if features & feature::FAST == 0 => 0,
            0 => 256,
            blocks => blocks,
        };
        let (first, start) = (be32(&bytes, 20), be32(&bytes, 28));
        let end = length.saturating_sub(fast);
        let is_sound = is_one
            && be32(&bytes, 12) as usize == blocks.size
            && length as usize <= places.len()
            && (1..end).contains(&first)
            && (start == 0 || (first..end).contains(&start));
        if !is_sound {
            return Err("its superblock is wrong".to_owned());
        }
        let seed = seed(&bytes, features)?;
        let sequence = be32(&bytes, 24);
        Ok(Self { blocks, places, features, seed, first, end, start, sequence })
    }

    fn has(&self, feature: u32) -> bool {
        self.features & feature != 0
    }

    fn place(&self, at: u32) -> u64 {
        self.places[at as usize]
    }

    fn read(&self, at: u32) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; self.blocks.size];
        self.blocks.read(self.place(at), &mut bytes)?;
        Ok(bytes)
    }

    fn behind(&self, at: u32) -> u32 {
        if at + 1 < self.end { at + 1 } else { self.first }
    }

    fn replayed(&self) -> Result<BTreeMap<u64, Logged>, String> {
        let mut all = BTreeMap::new();
        if self.start == 0 {
            return Ok(all);
        }
        let (mut at, mut sequence) = (self.start, self.sequence);
        let mut transaction = Transaction::default();
        let mut left = self.end - self.first;
        while left > 0 {
            let block = self.read(at)?;
            if !block.starts_with(&MAGIC) || be32(&block, 8) != sequence {
                break;
            }
            let mut used = 1;
            match be32(&block, 4) {
                kind::DESCRIPTOR => used += self.descriptor(&block, at, left - 1, &mut transaction)?,
                kind::REVOCATION => self.revocation(&block, &mut transaction),
                kind::COMMIT if !self.is_ended(&block) => break,
                kind::COMMIT if transaction.is_damaged => {
                    return Err(format!("a sum in its transaction {sequence} is wrong"));
                }
                kind::COMMIT => {
                    let ended = std::mem::take(&mut transaction);
                    all.extend(ended.logged);
                    for block in &ended.revoked {
                        all.remove(block);
                    }
                    sequence = sequence.wrapping_add(1);
                }
                _ => break,
            }
            at = (0..used).fold(at, |at, _| self.behind(at));
            left = left.saturating_sub(used);
        }
        self.refuse_fast_commits(sequence)?;
        Ok(all)
    }

    /// Takes the blocks that a descriptor names, which stand behind it; how many.
    fn descriptor(&self, block: &[u8], at: u32, left: u32, into: &mut Transaction) -> Result<u32, String> {
        into.is_damaged |= !self.has_right_tail(block);
        let (mut at, mut count) = (at, 0);
        for tag in self.tags(block) {
            if count == left {
                into.is_damaged = true;
                break;
            }
            at = self.behind(at);
            count += 1;
            if let Some(seed) = self.seed {
                let sum = crc32c(crc32c(seed, &block[8..12]), &self.read(at)?);
                into.is_damaged |= sum & tag.sum_bits != tag.sum;
            }
            into.logged.push((tag.block, Logged { place: self.place(at), is_escaped: tag.is_escaped }));
        }
        Ok(count)
    }

    fn tags(&self, block: &[u8]) -> Vec<Tag> {
        const SAME_UUID: u32 = 2;
        const LAST: u32 = 8;
        let is_three = self.has(feature::SUMS_THREE);
        let size = match (is_three, self.has(feature::WIDE)) {
            (true, _) => 16,
            (false, true) => 12 + if self.has(feature::SUMS_TWO) { 2 } else { 0 },
            (false, false) => 8 + if self.has(feature::SUMS_TWO) { 2 } else { 0 },
        };
        let mut rest = &block[HEAD..block.len() - if self.seed.is_some() { 4 } else { 0 }];
        let mut tags = Vec::new();
        while let Some(tag) = rest.get(..size) {
            let flags = if is_three { be32(tag, 4) } else { be16(tag, 6).into() };
            let (sum, sum_bits) =
                if is_three { (be32(tag, 12), u32::MAX) } else { (be16(tag, 4).into(), 0xffff) };
            let high = if self.has(feature::WIDE) { be32(tag, 8) } else { 0 };
            let block = both(be32(tag, 0), high);
            tags.push(Tag { block, sum, sum_bits, is_escaped: flags & 1 != 0 });
            if flags & LAST != 0 {
                break;
            }
            let own = size + if flags & SAME_UUID == 0 { 16 } else { 0 };
            rest = rest.get(own..).unwrap_or_default();
        }
        tags
    }

    /// Blocks of which what was written before is worth nothing.
    fn revocation(&self, block: &[u8], into: &mut Transaction) {
        into.is_damaged |= !self.has_right_tail(block);
        let end = block.len() - if self.seed.is_some() { 4 } else { 0 };
        let numbers = block.get(REVOCATION_HEAD..end.min(be32(block, 12) as usize)).unwrap_or_default();
        let is_wide = self.has(feature::WIDE);
        into.revoked.extend(numbers.chunks_exact(if is_wide { 8 } else { 4 }).map(|number| match is_wide {
            true => both(be32(number, 4), be32(number, 0)),
            false => be32(number, 0).into(),
        }));
    }

    fn has_right_tail(&self, block: &[u8]) -> bool {
        let end = block.len() - 4;
        self.seed.is_none_or(|seed| crc32c_without(seed, block, end..end + 4) == be32(block, end))
    }

    /// Whether a block ends its transaction: one that was not written whole does not.
    fn is_ended(&self, commit: &[u8]) -> bool {
        self.seed.is_none_or(|seed| crc32c_without(seed, commit, 16..20) == be32(commit, 16))
    }

    /// Fast commits tell what was done and not what came of it.
    fn refuse_fast_commits(&self, sequence: u32) -> Result<(), String> {
        const HEAD: u16 = 9;
        if !self.has(feature::FAST) || self.end as usize + 1 >= self.places.len() {
            return Ok(());
        }
        let block = self.read(self.end + 1)?;
        match le16(&block, 0) == HEAD && le32(&block, 8) == sequence {
            true => Err("it has fast commits, which are not read (mount it once, or run e2fsck)".to_owned()),
            false => Ok(()),
        }
    }
}

/// A block that a descriptor names.
struct Tag {
    block: u64,
    /// Its sum, and which bits of it are told.
    sum: u32,
    sum_bits: u32,
    is_escaped: bool,
}

/// Where the blocks of the journal are.
fn places(blocks: &Blocks, inode: &Inode) -> Result<Vec<u64>, String> {
    let count = inode.size / blocks.size as u64;
    if count > JOURNAL_MAX {
        return Err(format!("it has more than {JOURNAL_MAX} blocks"));
    }
    let mut places = Vec::new();
    let mut take = |run: Run| {
        let Some(place) = run.place.filter(|_| run.first == places.len() as u64) else {
            return Err("blocks of it have no place".to_owned());
        };
        places.extend((place..place + run.length).take(usize::try_from(count).expect("it is small")));
        Ok((places.len() as u64) < count)
    };
    map::runs(blocks, inode, &mut take)?;
    Ok(places)
}

/// With what sums begin; that of the superblock is checked.
fn seed(bytes: &[u8], features: u32) -> Result<Option<u32>, String> {
    const CRC32C: u8 = 4;
    const SIZE: usize = 1_024;
    if features & (feature::SUMS_TWO | feature::SUMS_THREE) == 0 {
        return Ok(None);
    }
    let is_right =
        bytes[80] == CRC32C && crc32c_without(!0, &bytes[..SIZE], 0xfc..0x100) == be32(bytes, 0xfc);
    if !is_right {
        return Err("the sum of its superblock is wrong".to_owned());
    }
    Ok(Some(crc32c(!0, &bytes[0x30..0x40])))
}
