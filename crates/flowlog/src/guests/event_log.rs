//! Files of Windows event logs (evtx): a header, chunks of 64 KiB, records in them.
//!
//! A record that cannot be read does not take the others with it. A chunk of zeros was never written; one that lost its mark, or its end, is
//! told of. Layout: libyal/libevtx,
//! "Windows XML Event Log (EVTX)". It must not know what an event means.

use super::binxml::{Chunk, Event};

/// Such files begin so.
const FILE_MAGIC: &[u8] = b"ElfFile\0";
const CHUNK_MAGIC: &[u8] = b"ElfChnk\0";
const RECORD_MAGIC: &[u8] = b"**\0\0";
const FILE_HEADER: usize = 4_096;
const CHUNK: usize = 65_536;
const CHUNK_HEADER: usize = 512;
/// Where a chunk says where its free room begins.
const FREE_AT: usize = 48;
/// Size, number and time stand before a record's content, and its size once more behind it.
const RECORD_HEADER: usize = 24;
const RECORD_TRAILER: usize = 4;
/// From 1601 to 1970, in units of 100 ns.
const EPOCH: u64 = 116_444_736_000_000_000;

/// Whether a file is one.
pub(crate) fn is_one(head: &[u8]) -> bool {
    head.starts_with(FILE_MAGIC)
}

/// A record: when it was written, in milliseconds since 1970, and what it says, or why it cannot be read.
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) time_ms: u64,
    pub(super) event: Result<Event, &'static str>,
}

/// Gives every record of a file; records of which not even the place is known are one that cannot be read.
pub(super) fn records(bytes: &[u8], mut give: impl FnMut(Record)) {
    let lost = |why| Record { number: 0, time_ms: 0, event: Err(why) };
    let mut is_empty = true;
    for chunk in bytes.get(FILE_HEADER..).unwrap_or_default().chunks(CHUNK) {
        if chunk.starts_with(CHUNK_MAGIC) {
            of_chunk(chunk, &mut give);
            if chunk.len() < CHUNK {
                give(lost("the log is cut off; what follows is lost"));
            }
        } else if chunk.iter().any(|byte| *byte != 0) {
            give(lost("its chunk has lost its mark, and with it all its records"));
        } else {
            continue;
        }
        is_empty = false;
    }
    if is_empty {
        give(lost("the log has no chunk of records (it is cut off, or was never written)"));
    }
}

fn of_chunk(bytes: &[u8], give: &mut impl FnMut(Record)) {
    let chunk = Chunk::new(bytes);
    // Behind it lie records that were overwritten, or of a log that was cleared. Where it is nonsense, the marks tell.
    let free = chunk.u32(FREE_AT).map(|free| free as usize).filter(|free| *free >= CHUNK_HEADER);
    let end = free.unwrap_or(bytes.len());
    let mut at = CHUNK_HEADER;
    while at < end && bytes.get(at..at + RECORD_MAGIC.len()) == Some(RECORD_MAGIC) {
        let header = (chunk.u32(at + 4), chunk.u64(at + 8), chunk.u64(at + 16));
        let (Some(size), Some(number), Some(time)) = header else { return };
        let size = size as usize;
        let is_sound = size >= RECORD_HEADER + RECORD_TRAILER && at + size <= bytes.len();
        let time_ms = time.saturating_sub(EPOCH) / 10_000;
        if !is_sound {
            return give(Record {
                number,
                time_ms,
                event: Err("its size is wrong; what follows is not read"),
            });
        }
        let event = chunk.event(at + RECORD_HEADER, at + size - RECORD_TRAILER);
        give(Record { number, time_ms, event });
        at += size;
    }
}

#[cfg(test)]
mod tests;
