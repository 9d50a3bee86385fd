//! The names of a folder. Blocks are read one after another, with a tree of names or without: what a tree adds looks like free room.

use super::{
    inode::{Inode, ROOM},
    numbers::{le16, le32},
    sum::crc32c,
};

/// Bytes of a folder that are read.
pub(super) const FOLDER_MAX: u64 = 1 << 26;
/// Bytes of an entry before its name, and of the shortest one.
const HEAD: usize = 8;
const ENTRY_MIN: usize = 12;
/// Bytes of the number of the folder above, with which names in an inode begin.
const ABOVE: usize = 4;

pub(super) struct Folder {
    /// All names, one behind another.
    names: Vec<u8>,
    /// By name; of one that is there twice the first comes first.
    entries: Vec<Entry>,
    is_folded: bool,
    /// Whether what is stored as names is not what they are.
    pub(super) is_encrypted: bool,
}

struct Entry {
    start: u32,
    length: u8,
    inode: u32,
}

impl Folder {
    /// Reads what a folder holds: blocks of a size, or what stands in its inode.
    pub(super) fn read(inode: &Inode, bytes: &[u8], block: usize) -> Result<Self, String> {
        let mut folder = Self {
            names: Vec::new(),
            entries: Vec::new(),
            is_folded: inode.is_folded(),
            is_encrypted: inode.is_encrypted(),
        };
        let bad = |why: &str| format!("folder {}: {why}", inode.number);
        if inode.inline.is_some() {
            let (room, more) = bytes.split_at(bytes.len().min(ROOM));
            let room = room.get(ABOVE..).ok_or_else(|| bad("it ends too soon"))?;
            [room, more].into_iter().try_for_each(|part| folder.add(part)).map_err(bad)?;
        } else {
            if !bytes.len().is_multiple_of(block) {
                return Err(bad("it ends within a block"));
            }
            for (at, block) in bytes.chunks_exact(block).enumerate() {
                if inode.seed.is_some_and(|seed| !has_right_sum(block, seed, inode.is_indexed(), at == 0)) {
                    return Err(bad("a sum of it is wrong"));
                }
                folder.add(block).map_err(bad)?;
            }
        }
        let names = &folder.names;
        folder.entries.sort_by(|one, other| one.name(names).cmp(other.name(names)));
        Ok(folder)
    }

    /// Adds the entries of a block.
    fn add(&mut self, block: &[u8]) -> Result<(), &'static str> {
        let mut rest = block;
        while !rest.is_empty() {
            if rest.len() < HEAD {
                return Err("its entries are damaged");
            }
            let length = entry_length(rest, block.len());
            // Where names have no kind, the byte behind is the upper half of their length, which is never used.
            let name_length = usize::from(rest[6]);
            if length < ENTRY_MIN.max(HEAD + name_length) || !length.is_multiple_of(4) || length > rest.len()
            {
                return Err("its entries are damaged");
            }
            let (entry, behind) = rest.split_at(length);
            self.add_one(le32(entry, 0), &entry[HEAD..HEAD + name_length])?;
            rest = behind;
        }
        Ok(())
    }

    fn add_one(&mut self, inode: u32, name: &[u8]) -> Result<(), &'static str> {
        if inode == 0 || name == b"." || name == b".." {
            return Ok(());
        }
        let length = u8::try_from(name.len()).ok().filter(|length| *length > 0);
        let length = length.ok_or("a name of it is empty or too long")?;
        // Every byte may stand in what names were encrypted into.
        if !self.is_encrypted && (name.contains(&b'/') || name.contains(&0)) {
            return Err("a name of it is none");
        }
        let start = u32::try_from(self.names.len()).expect("a folder is small");
        self.names.extend_from_slice(name);
        self.entries.push(Entry { start, length, inode });
        Ok(())
    }

    /// Names with the numbers of their inodes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.entries.iter().map(|entry| (entry.name(&self.names), entry.inode))
    }

    /// The inode of a name.
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        let place = self.entries.partition_point(|entry| entry.name(&self.names) < name);
        let exact = self.entries.get(place).filter(|entry| entry.name(&self.names) == name);
        if let Some(entry) = exact {
            return Some(entry.inode);
        }
        let wanted = self.is_folded.then(|| fold(name))?;
        self.iter().find(|(name, _)| fold(name) == wanted).map(|(_, inode)| inode)
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that it takes in memory.
    pub(super) const fn weight(&self) -> usize {
        size_of::<Self>() + self.names.len() + self.entries.len() * size_of::<Entry>()
    }
}

impl Entry {
    fn name<'n>(&self, names: &'n [u8]) -> &'n [u8] {
        &names[self.start as usize..][..usize::from(self.length)]
    }
}

/// The length of an entry; that of a whole block of 64 KiB does not fit into its place.
fn entry_length(entry: &[u8], block: usize) -> usize {
    match le16(entry, 4) {
        0 | u16::MAX if block == 1 << 16 => block,
        length => length.into(),
    }
}

/// A name without regard to case, nearly as Linux does it, which also takes composed letters apart.
fn fold(name: &[u8]) -> Vec<u8> {
    match str::from_utf8(name) {
        Ok(name) => name.to_uppercase().to_lowercase().into_bytes(),
        Err(_) => name.to_vec(),
    }
}

/// Whether the sum at the end of a block is that of the block: an entry without a name, or what stands behind a tree of names.
fn has_right_sum(block: &[u8], seed: u32, is_indexed: bool, is_first: bool) -> bool {
    const ROOT: usize = 0x20;
    const NODE: usize = 8;
    let is_node = le32(block, 0) == 0 && entry_length(block, block.len()) == block.len();
    match is_indexed {
        true if is_first => has_right_tree_sum(block, seed, ROOT),
        true if is_node => has_right_tree_sum(block, seed, NODE),
        _ => {
            let (entries, last) = block.split_at(block.len() - ENTRY_MIN);
            last[..HEAD] == [0, 0, 0, 0, 12, 0, 0, 0xde] && crc32c(seed, entries) == le32(last, HEAD)
        }
    }
}

/// The same of a part of a tree, whose numbers begin at a place: how many there may be, how many there are, and the sum behind all.
fn has_right_tree_sum(block: &[u8], seed: u32, start: usize) -> bool {
    let (most, count) = (usize::from(le16(block, start)), usize::from(le16(block, start + 2)));
    let end = start + most * 8;
    if count > most || end + 8 > block.len() {
        return false;
    }
    let sum = crc32c(seed, &block[..start + count * 8]);
    crc32c(crc32c(sum, &block[end..end + 4]), &[0; 4]) == le32(block, end + 4)
}
