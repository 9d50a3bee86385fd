//! A tree of SHA-256 hashes over the blocks of a disk, which names what differs.
//!
//! Leaves, nodes and the root are hashed with different first bytes, and the root over the size, so that no tree passes for part of another
//! (RFC 6962 tells leaves and nodes apart the same way). A block of zeros is not kept: it is what a missing block is. So the root depends on
//! what a guest reads, and not on how a file stores it.

use std::{
    io::{self, Read, Write},
    ops::Range,
};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Bytes of a block.
pub const BLOCK: u64 = 64 << 10;
/// Blocks other than zeros that a tree may have: 1 TiB of data.
pub const BLOCKS_MAX: usize = 1 << 24;

/// A hash.
pub type Hash = [u8; 32];

const LEAF: u8 = 0;
const NODE: u8 = 1;
const ROOT: u8 = 2;
const MAGIC: &[u8; 8] = b"PLSDTR01";

/// The hash of a block; the disk's last block is filled up with zeros.
pub fn leaf(block: &[u8]) -> Hash {
    Sha256::new().chain_update([LEAF]).chain_update(block).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([NODE]).chain_update(left).chain_update(right).finalize().into()
}

/// The blocks of a disk that are not zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// In the order of their numbers, each once.
    leaves: Vec<(u64, Hash)>,
}

/// Why a tree could not be read.
#[derive(Debug, Error)]
pub enum TreeError {
    /// What is in the file is no tree.
    #[error("it is not a tree of hashes: {0}")]
    Malformed(&'static str),
    /// More data than is kept track of.
    #[error("{blocks} blocks of data, more than {BLOCKS_MAX} (1 TiB)")]
    TooLarge {
        /// Blocks there are.
        blocks: u64,
    },
    /// The file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Tree {
    /// A tree of the blocks that are given in order.
    ///
    /// # Errors
    /// Too many of them, or not in order, or outside.
    pub fn new(size: u64, leaves: Vec<(u64, Hash)>) -> Result<Self, TreeError> {
        if leaves.len() > BLOCKS_MAX {
            return Err(TreeError::TooLarge { blocks: leaves.len() as u64 });
        }
        if !leaves.is_sorted_by(|left, right| left.0 < right.0) {
            return Err(TreeError::Malformed("blocks are not in order"));
        }
        if leaves.last().is_some_and(|&(block, _)| block >= size.div_ceil(BLOCK)) {
            return Err(TreeError::Malformed("a block is after the end"));
        }
        Ok(Self { size, leaves })
    }

    /// Bytes of the disk.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The blocks that are not zeros, by number.
    pub fn leaves(&self) -> &[(u64, Hash)] {
        &self.leaves
    }

    /// The hash that stands for all.
    pub fn root(&self) -> Hash {
        let mut blank = leaf(&vec![0; usize::try_from(BLOCK).expect("blocks are small")]);
        let mut width = self.size.div_ceil(BLOCK).max(1);
        let mut level = self.leaves.clone();
        while width > 1 {
            level = parents(&level, &blank);
            blank = node(&blank, &blank);
            width = width.div_ceil(2);
        }
        let top = level.first().map_or(blank, |&(_, hash)| hash);
        Sha256::new()
            .chain_update([ROOT])
            .chain_update(BLOCK.to_be_bytes())
            .chain_update(self.size.to_be_bytes())
            .chain_update(top)
            .finalize()
            .into()
    }

    /// The bytes in which two disks differ, in blocks; what only one of them has, it differs in.
    pub fn differences(&self, other: &Self) -> Vec<Range<u64>> {
        let mut blocks = Vec::new();
        let (mut ours, mut theirs) = (self.leaves.iter().peekable(), other.leaves.iter().peekable());
        loop {
            match (ours.peek(), theirs.peek()) {
                (Some(our), Some(their)) if our.0 == their.0 => {
                    if our.1 != their.1 {
                        blocks.push(our.0);
                    }
                    ours.next();
                    theirs.next();
                }
                (Some(our), their) if their.is_none_or(|their| our.0 < their.0) => {
                    blocks.push(our.0);
                    ours.next();
                }
                (_, Some(their)) => {
                    blocks.push(their.0);
                    theirs.next();
                }
                (_, None) => break,
            }
        }
        let end = self.size.max(other.size);
        let mut ranges =
            joined(blocks.into_iter().map(|block| block * BLOCK..((block + 1) * BLOCK).min(end)));
        if self.size != other.size {
            ranges.push(self.size.min(other.size)..end);
            ranges = joined(ranges);
        }
        ranges
    }

    /// Writes the tree.
    ///
    /// # Errors
    /// The file's.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        out.write_all(&self.size.to_be_bytes())?;
        out.write_all(&(self.leaves.len() as u64).to_be_bytes())?;
        for (block, hash) in &self.leaves {
            out.write_all(&block.to_be_bytes())?;
            out.write_all(hash)?;
        }
        out.flush()
    }

    /// Reads what [`Tree::write`] wrote. What it says is to be believed only if its root is the wanted one.
    ///
    /// # Errors
    /// What is not a tree, whole and nothing else.
    pub fn read(mut from: impl Read) -> Result<Self, TreeError> {
        let mut magic = [0; 8];
        from.read_exact(&mut magic)?;
        if &magic != MAGIC {
            return Err(TreeError::Malformed("it does not begin as one"));
        }
        let (size, count) = (number(&mut from)?, number(&mut from)?);
        if count > BLOCKS_MAX as u64 {
            return Err(TreeError::TooLarge { blocks: count });
        }
        let mut leaves = Vec::new();
        for _ in 0..count {
            let block = number(&mut from)?;
            let mut hash = [0; 32];
            from.read_exact(&mut hash)?;
            leaves.push((block, hash));
        }
        if from.read(&mut [0])? != 0 {
            return Err(TreeError::Malformed("something follows it"));
        }
        Self::new(size, leaves)
    }
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

/// One level up; a node of which both children are blank is blank.
fn parents(level: &[(u64, Hash)], blank: &Hash) -> Vec<(u64, Hash)> {
    let mut above = Vec::with_capacity(level.len() / 2 + 1);
    let mut rest = level;
    while let [(place, hash), after @ ..] = rest {
        let sibling = after.first().filter(|next| next.0 == place | 1 && place & 1 == 0);
        let (parent, used) = match sibling {
            Some((_, right)) => (node(hash, right), 2),
            None if place & 1 == 0 => (node(hash, blank), 1),
            None => (node(blank, hash), 1),
        };
        above.push((place / 2, parent));
        rest = &rest[used..];
    }
    above
}

/// Ranges in order, those that touch made one.
pub(crate) fn joined(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(blocks: &[u8]) -> Tree {
        let blank = vec![0; BLOCK as usize];
        let leaves =
            blocks.iter().enumerate().map(|(number, &byte)| (number as u64, vec![byte; BLOCK as usize]));
        let leaves =
            leaves.filter(|(_, block)| *block != blank).map(|(number, block)| (number, leaf(&block)));
        Tree::new(blocks.len() as u64 * BLOCK, leaves.collect()).unwrap()
    }

    /// The tree by its definition, over all blocks.
    fn plain(blocks: &[u8]) -> Hash {
        let mut blank = leaf(&vec![0; BLOCK as usize]);
        let mut level: Vec<Hash> = blocks.iter().map(|&byte| leaf(&vec![byte; BLOCK as usize])).collect();
        while level.len() > 1 {
            if level.len() % 2 == 1 {
                level.push(blank);
            }
            level = level.chunks(2).map(|pair| node(&pair[0], &pair[1])).collect();
            blank = node(&blank, &blank);
        }
        let size = blocks.len() as u64 * BLOCK;
        let bytes = [&[ROOT][..], &BLOCK.to_be_bytes(), &size.to_be_bytes(), &level[0]].concat();
        Sha256::digest(bytes).into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn leaving_out_zeros_changes_no_root(blocks in proptest::collection::vec(0_u8..3, 1..40)) {
            prop_assert_eq!(tree(&blocks).root(), plain(&blocks));
        }

        #[test]
        fn every_difference_is_named(blocks in proptest::collection::vec(0_u8..3, 1..40), at in 0_usize..40) {
            let at = at % blocks.len();
            let mut other = blocks.clone();
            other[at] = 9;
            let (one, two) = (tree(&blocks), tree(&other));
            prop_assert_ne!(one.root(), two.root());
            let expect = at as u64 * BLOCK..(at as u64 + 1) * BLOCK;
            prop_assert_eq!(one.differences(&two), [expect]);
        }

        #[test]
        fn what_is_written_is_read(blocks in proptest::collection::vec(0_u8..3, 1..40)) {
            let tree = tree(&blocks);
            let mut bytes = Vec::new();
            tree.write(&mut bytes).unwrap();
            prop_assert_eq!(Tree::read(&bytes[..]).unwrap(), tree);
            bytes.push(0);
            prop_assert!(Tree::read(&bytes[..]).is_err());
        }
    }

    #[test]
    fn the_size_is_part_of_the_root() {
        assert_ne!(tree(&[0, 0]).root(), tree(&[0, 0, 0]).root());
        let added = BLOCK..2 * BLOCK;
        assert_eq!(tree(&[1]).differences(&tree(&[1, 0])), [added]);
    }
}
