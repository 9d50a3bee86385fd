//! The base block at the beginning of a hive and of its logs.

use super::{HiveError, cells::word};

pub(super) const MAGIC: &[u8] = b"regf";
/// Where cells are counted from.
pub(super) const SIZE: usize = 4_096;
/// What of it is under the checksum, which comes behind.
const SUMMED: usize = 508;
/// Major version of every hive.
const MAJOR: u32 = 1;

/// A base block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) primary: u32,
    pub(super) secondary: u32,
    pub(super) written: u64,
    major: u32,
    pub(super) minor: u32,
    pub(super) kind: u32,
    pub(super) root: u32,
    pub(super) length: u32,
    pub(super) is_sound: bool,
}

impl Base {
    /// The base block that bytes begin with; `None` if they do not.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let block = bytes.get(..SUMMED + 4).filter(|block| block.starts_with(MAGIC))?;
        let at = |at| word(block, at);
        Some(Self {
            primary: at(4)?,
            secondary: at(8)?,
            written: u64::from(at(12)?) | u64::from(at(16)?) << 32,
            major: at(20)?,
            minor: at(24)?,
            kind: at(28)?,
            root: at(36)?,
            length: at(40)?,
            is_sound: at(SUMMED)? == checksum(block),
        })
    }

    pub(super) fn check_version(&self) -> Result<(), HiveError> {
        if self.major == MAJOR {
            Ok(())
        } else {
            Err(HiveError::Unsupported { what: "major version", got: self.major })
        }
    }

    /// Whether everything that was begun to be written was written.
    pub(super) const fn is_clean(&self) -> bool {
        self.is_sound && self.primary == self.secondary
    }
}

/// The words of a base block, put together by exclusive or; two results stand for others.
pub(crate) fn checksum(block: &[u8]) -> u32 {
    let words =
        block[..SUMMED].chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    match words.fold(0, |sum, word| sum ^ word) {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    }
}
