//! The documents of one host, as both sides keep them, and the hash by which they see that they have the same.
//!
//! The hash is SHA-256 over the digests of all documents in the order of keys; the digest of a document is SHA-256 of its
//! key, a zero byte and its body. Digests are kept, so that a change of one document costs one document's hashing whatever
//! else there is, and a server computes the digest of a document once for all hosts that have it.
//!
//! Invariant: what is in a set is within [`crate::limits`]. A change that would leave them changes nothing.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::limits::{CHANGE_BYTES, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, KEY_BYTES_MAX, TOTAL_BYTES_MAX};
use crate::{Change, Document};

/// How the keys of service tags begin, which the rest of the key is the name of in lower case. Every other key is a
/// resource's id, which begins with a slash. The body is a file of service tags as Microsoft publishes it, with this one tag.
pub const SERVICE_TAG_PREFIX: &str = "servicetags/";

/// A SHA-256.
pub type Hash = [u8; 32];

/// A document and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    body: Bytes,
    digest: Hash,
}

impl Entry {
    /// The document of a key.
    pub fn new(key: &str, body: Bytes) -> Self {
        let digest = Sha256::new().chain_update(key).chain_update([0]).chain_update(&body).finalize().into();
        Self { body, digest }
    }

    /// ARM's JSON.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// SHA-256 of the key, a zero byte and the body.
    pub const fn digest(&self) -> &Hash {
        &self.digest
    }
}

/// Documents that passed a limit, or have no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentsError {
    /// A key is empty, too long, or has a zero byte.
    #[error("\"{key}\" is not a document's key (1 to {KEY_BYTES_MAX} bytes, none of them zero)")]
    Key {
        /// The key, or the beginning of it.
        key: String,
    },
    /// A document is too large.
    #[error("document {key} has {got} bytes, at most {DOCUMENT_BYTES_MAX} are taken (split the resource)")]
    Document {
        /// Its key.
        key: String,
        /// Its bytes.
        got: usize,
    },
    /// There are too many.
    #[error("{got} documents of one host, at most {DOCUMENTS_MAX} are taken (move machines to another host)")]
    Documents {
        /// How many.
        got: usize,
    },
    /// They are too large together.
    #[error(
        "{got} bytes of documents of one host, at most {TOTAL_BYTES_MAX} are taken (move machines to another host)"
    )]
    Total {
        /// How many bytes.
        got: usize,
    },
}

/// The documents of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    entries: BTreeMap<Arc<str>, Entry>,
    bytes: usize,
}

impl Documents {
    /// Documents by key, in the order of keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Entry)> {
        self.entries.iter()
    }

    /// The document of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all keys and bodies.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds or replaces one.
    ///
    /// # Errors
    /// At a limit; nothing is changed then.
    pub fn put(&mut self, key: Arc<str>, entry: Entry) -> Result<(), DocumentsError> {
        check(&key, entry.body.len())?;
        let before = self.entries.get(&key).map(|before| size(&key, before));
        let count = self.entries.len() + usize::from(before.is_none());
        let bytes = self.bytes - before.unwrap_or_default() + size(&key, &entry);
        if count > DOCUMENTS_MAX {
            return Err(DocumentsError::Documents { got: count });
        }
        if bytes > TOTAL_BYTES_MAX {
            return Err(DocumentsError::Total { got: bytes });
        }
        self.entries.insert(key, entry);
        self.bytes = bytes;
        Ok(())
    }

    /// Removes one. That there was none is no error: the end is the same.
    pub fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= size(key, &entry);
        }
    }

    /// Takes over a change: first what is gone, then what is new.
    ///
    /// # Errors
    /// At a limit; the documents are then those of neither side, and worth nothing.
    pub fn apply(&mut self, change: Change) -> Result<(), DocumentsError> {
        change.removed.iter().for_each(|key| self.remove(key));
        for Document { key, body } in change.documents {
            // A body is a part of the message that brought it, and would keep the whole of it in memory.
            let entry = Entry::new(&key, Bytes::copy_from_slice(&body));
            self.put(key.into(), entry)?;
        }
        Ok(())
    }

    /// What turns `before` into these, in changes of about [`CHANGE_BYTES`]; none if they are the same.
    pub fn changes_since(&self, before: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let (mut open, mut bytes) = (Change::default(), 0);
        let mut close = |open: &mut Change, bytes: &mut usize, more: usize| {
            *bytes += more;
            if *bytes >= CHANGE_BYTES {
                changes.push(std::mem::take(open));
                *bytes = 0;
            }
        };
        for key in before.entries.keys().filter(|key| !self.entries.contains_key(*key)) {
            open.removed.push(key.to_string());
            close(&mut open, &mut bytes, key.len());
        }
        let is_new = |(key, entry): &(&Arc<str>, &Entry)| {
            before.entries.get(*key).is_none_or(|before| before.digest != entry.digest)
        };
        for (key, entry) in self.entries.iter().filter(is_new) {
            open.documents.push(Document { key: key.to_string(), body: entry.body.clone() });
            close(&mut open, &mut bytes, size(key, entry));
        }
        if open != Change::default() {
            changes.push(open);
        }
        changes
    }

    /// The hash of all.
    pub fn hash(&self) -> Hash {
        let all = self.entries.values().fold(Sha256::new(), |all, entry| all.chain_update(entry.digest));
        all.finalize().into()
    }
}

fn size(key: &str, entry: &Entry) -> usize {
    key.len() + entry.body.len()
}

fn check(key: &str, bytes: usize) -> Result<(), DocumentsError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains('\0') {
        return Err(DocumentsError::Key { key: key.chars().take(80).collect() });
    }
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(DocumentsError::Document { key: key.to_owned(), got: bytes });
    }
    Ok(())
}
