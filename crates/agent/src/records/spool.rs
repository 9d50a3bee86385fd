//! Batches on disk, from when they are full until the server has them: the oldest are given up where there is no room.
//!
//! It outlives the process, not a loss of power: nothing waits for the medium, and what the system had not written yet is cut
//! off then. So after a boot batches are numbered anew, as another stream: the server must not take a new batch for one
//! that it has. Invariant: batches come out in the order in which they went in, each once a [`Cursor`].

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use palisade_sync::FlowBatch;

use super::BY_SPOOL;
use super::segment::{Segment, Writer};
use crate::disk;

/// Bytes that a spool takes at most, unless the operator says otherwise: two million records, or more.
pub const SPOOL_BYTES: u64 = 256 << 20;
/// A segment is ended by the batch that would make it larger. What is given up is a segment at a time.
pub const SEGMENT_BYTES: u64 = 4 << 20;
/// Names the boot of the host.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    segment: u64,
    frame: usize,
}

/// The files.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    bytes_max: u64,
    /// Never empty: the newest says who numbers, and how far.
    segments: VecDeque<Segment>,
    /// What the newest batch was numbered.
    sequence: u64,
    /// Where reading begins: all before is at the server.
    begin: Cursor,
    /// Records that were given up and are not told yet.
    lost: u64,
}

impl Spool {
    /// Opens a folder, which is made if it is not there, and cuts off what is torn.
    ///
    /// # Errors
    /// If the system does not let us.
    pub fn open(dir: &Path, bytes_max: u64) -> io::Result<Self> {
        disk::private_dir(dir)?;
        let boot = boot_id(&fs::read_to_string(BOOT_ID)?);
        Self::open_since(dir, bytes_max, boot)
    }

    fn open_since(dir: &Path, bytes_max: u64, boot: [u8; 16]) -> io::Result<Self> {
        let mut segments = VecDeque::new();
        for (number, path) in files(dir)? {
            match Segment::open(path.clone(), number)? {
                Some(segment) => segments.push_back(segment),
                None => fs::remove_file(path)?,
            }
        }
        let newest = segments.back().filter(|newest: &&Segment| newest.writer.boot == boot);
        let sequence = newest.map(Segment::sequence);
        if sequence.is_none() {
            let mut stream = [0; 16];
            getrandom::fill(&mut stream).map_err(io::Error::other)?;
            let number = segments.back().map_or(1, |newest| newest.number + 1);
            segments.push_back(Segment::create(dir, number, Writer { stream, boot }, 0)?);
        }
        let bytes_max = bytes_max.max(2 * SEGMENT_BYTES);
        let (dir, sequence) = (dir.to_owned(), sequence.unwrap_or_default());
        Ok(Self { dir, bytes_max, segments, sequence, begin: Cursor::default(), lost: 0 })
    }

    /// Numbers a batch and writes it. Where that needs room the oldest batches are given up, and it says how many records that
    /// cost.
    ///
    /// # Errors
    /// If the disk fails; its records are counted as lost, and told with the next batch that it takes.
    pub fn append(&mut self, mut batch: FlowBatch) -> io::Result<()> {
        let records = batch.records() as u64;
        self.make_room(Segment::cost(&batch));
        if self.lost > 0 {
            let now = batch.base_ms;
            batch.push_lost(now, self.lost, BY_SPOOL);
        }
        let written = self.write(&mut batch);
        self.lost = if written.is_ok() { 0 } else { self.lost + records };
        written
    }

    fn write(&mut self, batch: &mut FlowBatch) -> io::Result<()> {
        let newest = self.segments.back().expect("there is always one");
        if !newest.frames.is_empty() && newest.bytes + Segment::cost(batch) > SEGMENT_BYTES {
            let next = Segment::create(&self.dir, newest.number + 1, newest.writer, self.sequence)?;
            self.segments.push_back(next);
        }
        let newest = self.segments.back_mut().expect("there is always one");
        batch.stream = newest.writer.stream.to_vec();
        batch.sequence = self.sequence + 1;
        newest.append(batch)?;
        self.sequence += 1;
        Ok(())
    }

    /// The first batch at or after a cursor that is not at the server, and the cursor behind it; `None` if there is none yet.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn next(&self, cursor: Cursor) -> io::Result<Option<(Cursor, FlowBatch)>> {
        let from = self.place(cursor).max(self.place(self.begin));
        let at = |(segment, frame): (usize, usize)| Some((self.segments.get(segment)?, frame));
        let mut place = from;
        while let Some((segment, frame)) = at(place) {
            if let Some(found) = segment.frames.get(frame) {
                let cursor = Cursor { segment: segment.number, frame: frame + 1 };
                return segment.read(found).map(|batch| Some((cursor, batch)));
            }
            place = (place.0 + 1, 0);
        }
        Ok(None)
    }

    /// Which segment, by its place, and which frame a cursor is at. Segments that are gone count as read.
    fn place(&self, cursor: Cursor) -> (usize, usize) {
        let place = self.segments.partition_point(|segment| segment.number < cursor.segment);
        let is_there = self.segments.get(place).is_some_and(|segment| segment.number == cursor.segment);
        (place, if is_there { cursor.frame } else { 0 })
    }

    /// The server has this batch, and all before it: files that hold nothing else are removed.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn kept(&mut self, stream: &[u8], sequence: u64) -> io::Result<()> {
        let of_stream = |segment: &&Segment| segment.writer.stream[..] == *stream;
        for segment in self.segments.iter().filter(of_stream) {
            let done = segment.frames.partition_point(|frame| frame.sequence <= sequence);
            let cursor = Cursor { segment: segment.number, frame: done };
            if done > 0 && self.place(cursor) > self.place(self.begin) {
                self.begin = cursor;
            }
        }
        let is_done = |first: &Segment, begin: Cursor| {
            first.number < begin.segment
                || (first.number == begin.segment && begin.frame == first.frames.len())
        };
        while self.segments.len() > 1 && is_done(&self.segments[0], self.begin) {
            self.segments.pop_front().expect("there are several").remove()?;
        }
        Ok(())
    }

    /// Gives up the oldest segments until so many bytes fit.
    fn make_room(&mut self, bytes: u64) {
        let held = |segments: &VecDeque<Segment>| segments.iter().map(|segment| segment.bytes).sum::<u64>();
        while self.segments.len() > 1 && held(&self.segments) + bytes > self.bytes_max {
            let first = self.segments.pop_front().expect("there are several");
            let read = if first.number == self.begin.segment { self.begin.frame } else { 0 };
            let is_read = first.number < self.begin.segment;
            let unread = first.frames.iter().skip(if is_read { usize::MAX } else { read });
            self.lost += unread.map(|frame| u64::from(frame.records)).sum::<u64>();
            // A file that stays is found, and given up again, when the spool is opened next.
            let _stays = first.remove();
        }
    }
}

/// The segments in a folder, the oldest first.
fn files(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(Segment::number_of);
        files.extend(number.map(|number| (number, entry.path())));
    }
    files.sort_unstable();
    Ok(files)
}

/// The boot as bytes: what is not hexadecimal in its text is left out.
fn boot_id(text: &str) -> [u8; 16] {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}
