//! Logs that gzip compressed (RFC 1952), unpacked as they are read.
//!
//! What a file becomes is not known before it has become it, and a file of a megabyte may become a gigabyte. So it is bounded by its own
//! size, as logs shrink and no more ([`UNPACKED_RATIO_MAX`]). Memory does not grow with either. It must not know what a log is.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

use crate::limits::{UNPACKED_ALWAYS, UNPACKED_RATIO_MAX};

/// Compressed files begin so.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A stream of `bytes` as it is, or unpacked if it is compressed. It need not be a file: nothing is read twice.
pub(crate) fn unpacked<'r>(mut reader: impl Read + 'r, bytes: u64) -> io::Result<Box<dyn Read + 'r>> {
    let mut head = Vec::new();
    reader.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
    let is_packed = head == GZIP;
    let whole = Cursor::new(head).chain(reader);
    if !is_packed {
        return Ok(Box::new(whole));
    }
    let most = bytes.saturating_mul(UNPACKED_RATIO_MAX).max(UNPACKED_ALWAYS);
    Ok(Box::new(Bounded { reader: MultiGzDecoder::new(whole), left: most, most }))
}

/// A stream that fails where it is longer than it may be.
struct Bounded<R> {
    reader: R,
    left: u64,
    most: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            let most = self.most;
            let is_longer = self.reader.read(&mut [0])? > 0;
            let message = || {
                format!(
                    "it unpacks to more than {most} bytes, and no log does (unpack it first if it is one)"
                )
            };
            return if is_longer { Err(io::Error::other(message())) } else { Ok(0) };
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(&mut buffer[..room])?;
        self.left -= read as u64;
        Ok(read)
    }
}
