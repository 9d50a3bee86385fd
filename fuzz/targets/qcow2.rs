//! A qcow2 image of any shape is refused, or its tables are judged to the end within their limits.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use palisade_recovery::image::{Header, ReadAt, Survey};

/// A file in memory.
struct Memory<'b>(&'b [u8]);

impl ReadAt for Memory<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let part = start.checked_add(buffer.len()).and_then(|end| self.0.get(start..end));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = Header::parse(bytes) {
        let _ = Survey::of(&Memory(bytes), bytes.len() as u64, &header);
    }
});
