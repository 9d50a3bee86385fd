//! Transaction logs: what was to be written to a hive that was not written to its end.
//!
//! Since Windows 8.1 a log is a row of entries (`HvLE`), numbered on from the hive and hashed; with two logs the row goes on from one in
//! the other. Before, a log holds the dirty sectors of one write (`DIRT`). An entry that is torn, or does not follow the one before, ends
//! the row, as it does for Windows. Invariant: what is applied is whole, and lies within the hive.

use super::{
    Condition, HIVE_MAX, HiveError,
    base::{self, Base},
    cells::word,
    marvin,
};

const SECTOR: usize = 512;
const ENTRY_MAGIC: &[u8] = b"HvLE";
const ENTRY_HEADER: usize = 40;
const DIRTY_MAGIC: &[u8] = b"DIRT";
/// Kind of a base block of a log with entries; those with sectors are 1 and 2.
const KIND_ENTRIES: u32 = 6;

/// An entry whose hashes are right.
struct Entry<'l> {
    number: u32,
    /// The length that the hive has afterwards, in bytes of its bins.
    length: u32,
    pages: Vec<(usize, &'l [u8])>,
}

/// Makes of a hive what its logs say that it is to be, and tells how it is.
pub(super) fn recover(
    image: &mut Vec<u8>,
    base: Base,
    logs: &[Vec<u8>],
) -> Result<(Base, Condition), HiveError> {
    if base.is_clean() {
        return Ok((base, Condition::Clean));
    }
    let of_logs: Vec<(Base, &[u8])> = logs
        .iter()
        .filter_map(|log| Some((Base::read(log).filter(|base| base.is_sound)?, log.as_slice())))
        .collect();
    // A base block that was torn while it was written is taken from the newest log.
    let newest = || of_logs.iter().map(|(base, _)| *base).max_by_key(|base| base.primary);
    let base = if base.is_sound { base } else { newest().ok_or(HiveError::NoBase)? };
    let by_entries = entries(&base, &of_logs);
    let applied =
        if by_entries.is_empty() { sectors(image, &base, &of_logs)? } else { apply(image, &by_entries)? };
    let condition = if applied == 0 { Condition::Dirty } else { Condition::Replayed { entries: applied } };
    Ok((base, condition))
}

/// The row of entries that continues a hive, out of all logs.
fn entries<'l>(base: &Base, logs: &[(Base, &'l [u8])]) -> Vec<Entry<'l>> {
    let with_entries = logs.iter().filter(|(base, _)| base.kind == KIND_ENTRIES);
    let mut all: Vec<Entry<'_>> = with_entries.flat_map(|(_, log)| of_log(log)).collect();
    all.retain(|entry| entry.number >= base.secondary);
    all.sort_by_key(|entry| entry.number);
    let Some(first) = all.first().map(|entry| entry.number) else { return all };
    let follows = all.iter().zip(first..).take_while(|(entry, number)| entry.number == *number).count();
    all.truncate(follows);
    all
}

/// The entries of a log up to one that is torn or does not follow.
fn of_log(log: &[u8]) -> Vec<Entry<'_>> {
    let mut found: Vec<Entry<'_>> = Vec::new();
    let mut at = SECTOR;
    while let Some((entry, size)) = log.get(at..).and_then(entry) {
        if found.last().is_some_and(|last| last.number.wrapping_add(1) != entry.number) {
            break;
        }
        found.push(entry);
        at += size;
    }
    found
}

/// The entry that bytes begin with, and its size.
fn entry(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    let size = word(bytes, 4)? as usize;
    let is_whole = bytes.starts_with(ENTRY_MAGIC) && size >= ENTRY_HEADER && size.is_multiple_of(SECTOR);
    let bytes = bytes.get(..size).filter(|_| is_whole)?;
    let long = |at| Some(u64::from(word(bytes, at)?) | u64::from(word(bytes, at + 4)?) << 32);
    if long(24)? != marvin::hash(&bytes[ENTRY_HEADER..]) || long(32)? != marvin::hash(&bytes[..32]) {
        return None;
    }
    let count = word(bytes, 20)? as usize;
    let mut data = ENTRY_HEADER.checked_add(count.checked_mul(8)?)?;
    let mut pages = Vec::with_capacity(count.min(size / 8));
    for number in 0..count {
        let reference = ENTRY_HEADER + 8 * number;
        let (place, length) = (word(bytes, reference)? as usize, word(bytes, reference + 4)? as usize);
        pages.push((place, bytes.get(data..data.checked_add(length)?)?));
        data += length;
    }
    Some((Entry { number: word(bytes, 12)?, length: word(bytes, 16)?, pages }, size))
}

fn apply(image: &mut Vec<u8>, entries: &[Entry<'_>]) -> Result<usize, HiveError> {
    for entry in entries {
        resize(image, entry.length)?;
        for (place, page) in &entry.pages {
            put(image, *place, page)?;
        }
    }
    Ok(entries.len())
}

/// Applies a log of sectors that belongs to the write which did not end: 1 if there is one.
fn sectors(image: &mut Vec<u8>, base: &Base, logs: &[(Base, &[u8])]) -> Result<usize, HiveError> {
    let belongs = |log: &Base| {
        let is_of_it = log.written == base.written || log.primary == base.primary;
        log.kind != KIND_ENTRIES && log.primary == log.secondary && is_of_it
    };
    for (log_base, log) in logs.iter().filter(|(base, _)| belongs(base)) {
        let bits = log_base.length as usize / SECTOR / 8;
        let map_at = SECTOR + DIRTY_MAGIC.len();
        let map = log.get(SECTOR..map_at + bits).filter(|map| map.starts_with(DIRTY_MAGIC));
        let Some(map) = map.map(|map| &map[DIRTY_MAGIC.len()..]) else { continue };
        let dirty: Vec<usize> = (0..8 * bits).filter(|bit| map[bit / 8] >> (bit % 8) & 1 == 1).collect();
        let first = (map_at + bits).next_multiple_of(SECTOR);
        let Some(data) = log.get(first..first + SECTOR * dirty.len()).filter(|_| !dirty.is_empty()) else {
            continue;
        };
        resize(image, log_base.length)?;
        for (sector, bytes) in dirty.iter().zip(data.chunks_exact(SECTOR)) {
            put(image, sector * SECTOR, bytes)?;
        }
        return Ok(1);
    }
    Ok(0)
}

/// Makes room for bins of a length; a hive does not shrink by its log.
fn resize(image: &mut Vec<u8>, length: u32) -> Result<(), HiveError> {
    let whole = base::SIZE.saturating_add(length as usize);
    if whole > HIVE_MAX {
        return Err(HiveError::TooMuch { what: "bytes", max: HIVE_MAX });
    }
    if image.len() < whole {
        image.resize(whole, 0);
    }
    Ok(())
}

/// Writes into the bins.
fn put(image: &mut [u8], place: usize, page: &[u8]) -> Result<(), HiveError> {
    let at = base::SIZE.saturating_add(place);
    let room = image.get_mut(at..at.saturating_add(page.len()));
    let room = room.ok_or(HiveError::Damaged { what: "page that a log names", at: at as u64 })?;
    room.copy_from_slice(page);
    Ok(())
}

#[cfg(test)]
mod tests;
