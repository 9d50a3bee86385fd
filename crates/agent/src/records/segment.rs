//! One file of the spool: who wrote it, then batches, each behind its length and checksum.
//!
//! ```text
//! "PLSDFLW1" | stream, 16 bytes | boot, 16 bytes | sequence of the batch before the first, u64 | frames
//! frame: length of what follows the checksum, u32 | CRC-32 of it, u32 | sequence, u64 | records, u32 | message
//! ```
//!
//! Numbers are little endian. A file is only appended to; what follows the last whole frame was torn when the process or
//! the host died, and is cut off before the next frame is written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use palisade_sync::FlowBatch;
use palisade_sync::limits::FLOW_BATCH_BYTES_MAX;
use prost::Message as _;

const MAGIC: &[u8; 8] = b"PLSDFLW1";
const HEADER_BYTES: usize = 48;
const FRAME_BYTES: usize = 8;
const META_BYTES: usize = 12;
/// What a host's machines do is nobody else's business.
const MODE: u32 = 0o600;
/// What the names of segments end with.
const ENDING: &str = ".flows";

/// Who numbers batches, and since which boot of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) stream: [u8; 16],
    pub(super) boot: [u8; 16],
}

/// A batch in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) sequence: u64,
    pub(super) records: u32,
    /// Where its message is.
    message: Range<u64>,
}

/// A file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) writer: Writer,
    /// What the batch before its first one was numbered.
    after: u64,
    pub(super) frames: Vec<Frame>,
    /// Bytes that count.
    pub(super) bytes: u64,
    path: PathBuf,
    file: File,
}

impl Segment {
    /// A new file.
    pub(super) fn create(dir: &Path, number: u64, writer: Writer, after: u64) -> io::Result<Self> {
        let path = dir.join(format!("{number:016x}{ENDING}"));
        let mut file = File::options().read(true).append(true).create_new(true).mode(MODE).open(&path)?;
        file.write_all(&[&MAGIC[..], &writer.stream, &writer.boot, &after.to_le_bytes()].concat())?;
        Ok(Self { number, writer, after, frames: Vec::new(), bytes: HEADER_BYTES as u64, path, file })
    }

    /// The number in a file's name; `None` if it is no segment's.
    pub(super) fn number_of(name: &str) -> Option<u64> {
        u64::from_str_radix(name.strip_suffix(ENDING)?, 16).ok()
    }

    /// A file that is there, without what is torn; `None` if not even its beginning was written.
    pub(super) fn open(path: PathBuf, number: u64) -> io::Result<Option<Self>> {
        let bytes = fs::read(&path)?;
        let Some(rest) = bytes.strip_prefix(MAGIC).filter(|rest| rest.len() >= HEADER_BYTES - MAGIC.len())
        else {
            return Ok(None);
        };
        let id = |at: usize| <[u8; 16]>::try_from(&rest[at..at + 16]).expect("it was cut to the length");
        let writer = Writer { stream: id(0), boot: id(16) };
        let after = u64::from_le_bytes(rest[32..40].try_into().expect("eight bytes"));
        let frames = frames(&bytes);
        let end = frames.last().map_or(HEADER_BYTES as u64, |frame| frame.message.end);
        let file = File::options().read(true).append(true).open(&path)?;
        file.set_len(end)?;
        Ok(Some(Self { number, writer, after, frames, bytes: end, path, file }))
    }

    /// What its newest batch was numbered, or the one before it.
    pub(super) fn sequence(&self) -> u64 {
        self.frames.last().map_or(self.after, |frame| frame.sequence)
    }

    /// Bytes that a batch would take.
    pub(super) fn cost(batch: &FlowBatch) -> u64 {
        (FRAME_BYTES + META_BYTES + batch.encoded_len()) as u64
    }

    /// Appends a batch in one write; the file is as before if that fails.
    pub(super) fn append(&mut self, batch: &FlowBatch) -> io::Result<()> {
        let records = u32::try_from(batch.records()).expect("a batch is checked against its limit");
        let mut bytes = Vec::with_capacity(FRAME_BYTES + META_BYTES + batch.encoded_len());
        bytes.extend_from_slice(&[0; FRAME_BYTES]);
        bytes.extend_from_slice(&batch.sequence.to_le_bytes());
        bytes.extend_from_slice(&records.to_le_bytes());
        batch.encode(&mut bytes).expect("a vector has room");
        let length = u32::try_from(bytes.len() - FRAME_BYTES).expect("a batch is checked against its limit");
        let checksum = crc32fast::hash(&bytes[FRAME_BYTES..]);
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..FRAME_BYTES].copy_from_slice(&checksum.to_le_bytes());
        if let Err(error) = self.file.write_all(&bytes) {
            // What is left of the frame would make what follows unreadable; if that fails too, so does the next append.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        let message = self.bytes + (FRAME_BYTES + META_BYTES) as u64..self.bytes + bytes.len() as u64;
        self.bytes = message.end;
        self.frames.push(Frame { sequence: batch.sequence, records, message });
        Ok(())
    }

    /// Reads a batch.
    pub(super) fn read(&self, frame: &Frame) -> io::Result<FlowBatch> {
        let mut bytes = vec![0; (frame.message.end - frame.message.start) as usize];
        self.file.read_exact_at(&mut bytes, frame.message.start)?;
        FlowBatch::decode(&bytes[..]).map_err(io::Error::other)
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }
}

/// The whole frames from the beginning on.
fn frames(bytes: &[u8]) -> Vec<Frame> {
    let (mut frames, mut at) = (Vec::new(), HEADER_BYTES);
    while let Some(frame) = frame(bytes, at) {
        at = frame.message.end as usize;
        frames.push(frame);
    }
    frames
}

fn frame(bytes: &[u8], at: usize) -> Option<Frame> {
    let head = bytes.get(at..at + FRAME_BYTES)?;
    let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let length = word(0) as usize;
    if !(META_BYTES..=FLOW_BATCH_BYTES_MAX + META_BYTES).contains(&length) {
        return None;
    }
    let start = at + FRAME_BYTES;
    let body = bytes.get(start..start + length).filter(|body| crc32fast::hash(body) == word(4))?;
    let sequence = u64::from_le_bytes(body[..8].try_into().expect("eight bytes"));
    let records = u32::from_le_bytes(body[8..META_BYTES].try_into().expect("four bytes"));
    Some(Frame { sequence, records, message: (start + META_BYTES) as u64..(start + length) as u64 })
}
