//! Registry hives (regf), read only: keys, values, and the transaction logs of a hive that was not written to its end.
//!
//! A hive comes out of somebody's machine: every offset is checked, lists of lists are one level deep, and a name, a list and a value have
//! limits. A path is as long as whoever asks for it says, so that a key which is its own child is harmless. Layout: Maxim Suhanov,
//! "Windows registry file format specification"; libyal/libregf. It must not know what a key means.

mod base;
mod cells;
mod journal;
mod key;
mod marvin;
mod value;

pub use key::Key;
pub use value::Value;

#[cfg(test)]
pub(crate) use base::checksum as checksum_for_tests;

use base::Base;
use cells::Cells;

/// Largest hive, in bytes; Windows has had a limit of 2 GiB and hives of machines are below 200 MiB.
pub const HIVE_MAX: usize = 1 << 29;
/// Keys below one key.
pub const SUBKEYS_MAX: usize = 1 << 18;
/// Values of one key.
pub const VALUES_MAX: usize = 1 << 16;
/// Largest value that is read, in bytes.
pub const VALUE_MAX: usize = 1 << 20;

/// Why a hive, or something in it, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HiveError {
    /// It does not begin as a hive does.
    #[error("it is not a registry hive (give the file itself, such as Windows/System32/config/SAM)")]
    NotAHive,
    /// It is of a kind that is not read.
    #[error("{what} {got} is not supported")]
    Unsupported {
        /// What.
        what: &'static str,
        /// Its value.
        got: u32,
    },
    /// A limit is reached.
    #[error("the hive has more {what} than {max}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much may be.
        max: usize,
    },
    /// Something points where it cannot.
    #[error("the hive is damaged: the {what} at {at:#x} is cut or is none")]
    Damaged {
        /// What should stand there.
        what: &'static str,
        /// Where, in the file.
        at: u64,
    },
    /// The base block is wrong and no log has another.
    #[error(
        "the base block's checksum is wrong, and no transaction log holds a sound one (give the .LOG1 and .LOG2 files)"
    )]
    NoBase,
}

/// Whether what is read is what Windows would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Written to its end.
    Clean,
    /// Not written to its end; the logs were replayed.
    Replayed {
        /// Entries of the logs that were applied.
        entries: usize,
    },
    /// Not written to its end, and the logs that were given do not continue it: the newest changes are missing.
    Dirty,
}

/// A hive.
#[derive(Debug)]
pub struct Hive {
    cells: Cells,
    root: u32,
    condition: Condition,
}

impl Hive {
    /// Reads a hive, with its transaction logs in any order.
    ///
    /// # Errors
    /// [`HiveError`] if it is no hive, is too large, or has no sound base block.
    pub fn read(primary: Vec<u8>, logs: &[Vec<u8>]) -> Result<Self, HiveError> {
        if primary.len() > HIVE_MAX {
            return Err(HiveError::TooMuch { what: "bytes", max: HIVE_MAX });
        }
        let base = Base::read(&primary).ok_or(HiveError::NotAHive)?;
        let mut image = primary;
        let (base, condition) = journal::recover(&mut image, base, logs)?;
        base.check_version()?;
        Ok(Self { cells: Cells::new(image, base.minor), root: base.root, condition })
    }

    /// Whether a file begins as a hive does.
    pub fn is_one(head: &[u8]) -> bool {
        head.starts_with(base::MAGIC)
    }

    /// Whether it was written to its end.
    pub const fn condition(&self) -> Condition {
        self.condition
    }

    /// The key of all keys.
    ///
    /// # Errors
    /// [`HiveError::Damaged`].
    pub fn root(&self) -> Result<Key<'_>, HiveError> {
        Key::at(&self.cells, self.root)
    }

    /// The key of a path with backslashes below the root, without regard to case.
    ///
    /// # Errors
    /// [`HiveError`] if something on the way is damaged.
    pub fn key(&self, path: &str) -> Result<Option<Key<'_>>, HiveError> {
        let mut key = self.root()?;
        for name in path.split('\\').filter(|name| !name.is_empty()) {
            match key.subkey(name)? {
                Some(next) => key = next,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    /// A value of the key of a path.
    ///
    /// # Errors
    /// As [`Hive::key`].
    pub fn value(&self, path: &str, name: &str) -> Result<Option<Value>, HiveError> {
        match self.key(path)? {
            Some(key) => key.value(name),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
