//! Folders: a tree of names in blocks.

use std::collections::BTreeSet;

use super::{
    Ntfs, Runs, Stream, kind,
    record::{half, long, reference, restore, word},
};
use crate::disk::tree;

/// The name of the index of names, `$I30`.
const NAMES: [u16; 4] = [0x24, 0x49, 0x33, 0x30];
const MAGIC: &[u8] = b"INDX";
/// The kind of what it sorts by: names.
const FILE_NAME: u32 = 0x30;
/// Sizes of a block.
const BLOCK_MIN: u32 = 512;
const BLOCK_MAX: u32 = 1 << 16;
const HAS_CHILD: u16 = 1;
const IS_LAST: u16 = 2;
/// Names that only old programs see.
const DOS: u8 = 2;

/// A name in a folder.
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) sequence: u16,
    pub(super) name: Vec<u16>,
}

/// What is found in one block.
#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    children: Vec<u64>,
}

/// The names in a folder.
pub(super) fn entries(system: &Ntfs, folder: u64) -> Result<Vec<Entry>, String> {
    let file = system.file(folder)?;
    let damaged = || format!("the index of record {folder} is damaged");
    let Some(Stream::Resident(root)) = file.stream(kind::INDEX_ROOT, &NAMES)? else {
        return Err("it is no folder".to_owned());
    };
    let blocks = match file.stream(kind::INDEX, &NAMES)? {
        Some(Stream::Runs(runs)) => runs,
        _ => Runs::default(),
    };
    let size = word(&root, 8).filter(|size| size.is_power_of_two() && (BLOCK_MIN..=BLOCK_MAX).contains(size));
    let size = size.filter(|_| word(&root, 0) == Some(FILE_NAME)).ok_or_else(damaged)?;
    let mut found = Found::default();
    node(&root, 16, &mut found).ok_or_else(damaged)?;
    // Blocks are numbered in clusters, or in sectors where they are smaller.
    let unit = if u64::from(size) >= system.cluster { system.cluster } else { 512 };
    let mut seen = BTreeSet::new();
    let mut bytes = vec![0; size as usize];
    while let Some(child) = found.children.pop() {
        let place = child.checked_mul(unit).filter(|place| *place < blocks.size).ok_or_else(damaged)?;
        if !seen.insert(child) {
            return Err(damaged());
        }
        system.read_runs(&blocks, place, &mut bytes)?;
        restore(&mut bytes, MAGIC).ok_or_else(damaged)?;
        node(&bytes, 24, &mut found).ok_or_else(damaged)?;
        tree::bounded(found.entries.len())?;
    }
    Ok(found.entries)
}

/// The entries behind the head of a node.
fn node(bytes: &[u8], head: usize, found: &mut Found) -> Option<()> {
    let (first, end) = (word(bytes, head)? as usize, word(bytes, head + 4)? as usize);
    let mut rest = bytes.get(head.checked_add(first)?..head.checked_add(end)?)?;
    loop {
        let (length, key_length, flags) = (half(rest, 8)?, usize::from(half(rest, 10)?), half(rest, 12)?);
        let (entry, behind) = rest.split_at_checked(usize::from(length.max(16)))?;
        if flags & HAS_CHILD != 0 {
            found.children.push(long(entry, entry.len() - 8)?);
        }
        if flags & IS_LAST != 0 {
            return Some(());
        }
        let key = entry.get(16..16 + key_length)?;
        let name = key.get(66..66 + 2 * usize::from(*key.get(64)?))?;
        if key[65] != DOS {
            let (number, sequence) = reference(long(entry, 0)?);
            let name = name.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
            found.entries.push(Entry { number, sequence, name });
        }
        rest = behind;
    }
}
