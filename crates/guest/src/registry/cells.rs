//! Cells of a hive: each begins with its size, negative while it is in use, and is named by its distance from the first bin.

use super::{HiveError, base};

/// Names no cell.
pub(super) const NONE: u32 = u32::MAX;

/// All cells of a hive.
#[derive(Debug)]
pub(super) struct Cells {
    bytes: Vec<u8>,
    /// Minor version: since 4, long values are split.
    minor: u32,
}

impl Cells {
    pub(super) const fn new(bytes: Vec<u8>, minor: u32) -> Self {
        Self { bytes, minor }
    }

    pub(super) const fn splits_values(&self) -> bool {
        self.minor > 3
    }

    /// What a cell in use holds, without its size; `what` says what should stand there.
    pub(super) fn cell(&self, offset: u32, what: &'static str) -> Result<&[u8], HiveError> {
        let at = base::SIZE as u64 + u64::from(offset);
        self.content(at).ok_or(HiveError::Damaged { what, at })
    }

    fn content(&self, at: u64) -> Option<&[u8]> {
        let at = usize::try_from(at).ok()?;
        let size = word(&self.bytes, at)?.cast_signed();
        if size >= 0 {
            return None;
        }
        let size = size.unsigned_abs() as usize;
        self.bytes.get(at + 4..at.checked_add(size)?)
    }
}

/// Says that a cell is not what it should be.
pub(super) fn damaged(offset: u32, what: &'static str) -> HiveError {
    HiveError::Damaged { what, at: base::SIZE as u64 + u64::from(offset) }
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// A text of one byte a character (Latin 1), or of UTF-16.
pub(super) fn text(bytes: &[u8], is_narrow: bool) -> String {
    if is_narrow { bytes.iter().map(|byte| char::from(*byte)).collect() } else { wide(bytes) }
}

/// UTF-16, what is no text replaced.
pub(super) fn wide(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
