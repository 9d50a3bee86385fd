//! The chain: appending to it, and telling whether one that was read back is whole.
//!
//! A verifier that only walks the chain cannot see that its end was cut off, so what it found is returned
//! ([`Verified::head`]) for comparison with the head in `meta/seq`, or with one that was written down elsewhere.

use serde::{Deserialize, Serialize};

use super::{Entry, Event};

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last entry; 0 if there is none.
    pub seq: u64,
    /// Hash of the last entry.
    pub hash: String,
}

impl Default for Head {
    /// The head of a chain without entries: what the first entry has as the one before it.
    fn default() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }
}

impl Head {
    /// Makes the next entry, which is the head from now on.
    pub fn append(&mut self, event: Event) -> Entry {
        let mut entry =
            Entry { seq: self.seq + 1, event, prev: std::mem::take(&mut self.hash), hash: String::new() };
        entry.hash = entry.digest();
        *self = Self { seq: entry.seq, hash: entry.hash.clone() };
        entry
    }
}

/// What a whole chain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were read.
    pub entries: u64,
    /// The last of them. It must be compared with what the store says.
    pub head: Head,
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is broken at entry {seq}: {why}")]
pub struct Break {
    /// Number of the entry that should be there.
    pub seq: u64,
    /// What is wrong.
    pub why: Reason,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Another entry is in its place: one was taken out, put in or moved.
    #[error("an entry with the number {0} is in its place")]
    Number(u64),
    /// It does not follow the one before it.
    #[error("it was not written after the entry before it")]
    Previous,
    /// It says something else than when it was written.
    #[error("what it says was changed")]
    Changed,
    /// It cannot be read at all.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The chain ends before the head that is known.
    #[error("the log ends before entry {0}, which is known to be its last")]
    CutOff(u64),
    /// The chain ends at the head's number with another hash.
    #[error("it is not the entry that is known to be the last")]
    Replaced,
}

impl Verified {
    /// Compares the end that was found with the one that is known.
    ///
    /// # Errors
    /// The log was cut off, or written anew with other contents.
    pub fn ends_at(self, known: &Head) -> Result<Self, Break> {
        if self.head.seq < known.seq {
            return Err(Break { seq: self.head.seq + 1, why: Reason::CutOff(known.seq) });
        }
        if self.head.seq == known.seq && self.head.hash != known.hash {
            return Err(Break { seq: known.seq, why: Reason::Replaced });
        }
        Ok(self)
    }
}

/// Walks a whole chain from its first entry. `Err` items are entries that could not be read.
///
/// # Errors
/// The first place where it is broken.
pub fn verify(entries: impl IntoIterator<Item = Result<Entry, String>>) -> Result<Verified, Break> {
    let mut head = Head::default();
    for entry in entries {
        let seq = head.seq + 1;
        head = follow(&head, entry).map_err(|why| Break { seq, why })?;
    }
    Ok(Verified { entries: head.seq, head })
}

/// The head after `entry`, if it follows `head`.
///
/// # Errors
/// What is wrong with the entry.
pub fn follow(head: &Head, entry: Result<Entry, String>) -> Result<Head, Reason> {
    let entry = entry.map_err(Reason::Unreadable)?;
    if entry.seq != head.seq + 1 {
        return Err(Reason::Number(entry.seq));
    }
    if entry.prev != head.hash {
        return Err(Reason::Previous);
    }
    if entry.hash != entry.digest() {
        return Err(Reason::Changed);
    }
    Ok(Head { seq: entry.seq, hash: entry.hash })
}
