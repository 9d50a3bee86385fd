//! Policy blobs in the arena, one for each distinct content, however many NICs and publishes name it.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use palisade_abi::policy::{POLICY_BYTES_MAX, PolicyHeader};

use super::{mapping::Mapping, space::Space};

/// The blobs that the arena holds, by hash of their content.
#[derive(Debug, Default)]
pub(crate) struct Blobs {
    by_hash: HashMap<u64, Vec<Blob>>,
}

#[derive(Debug, Clone, Copy)]
struct Blob {
    offset: u32,
    bytes: usize,
}

impl Blobs {
    /// Takes over a blob that an earlier process published; false if it cannot be one.
    pub(crate) fn adopt(&mut self, arena: &Mapping, space: &mut Space, offset: u32) -> bool {
        if self.all().any(|blob| blob.offset == offset) {
            return true;
        }
        if !Mapping::contains(offset, size_of::<PolicyHeader>()) {
            return false;
        }
        let bytes = arena.read::<PolicyHeader>(offset).size as usize;
        if bytes > POLICY_BYTES_MAX || !Mapping::contains(offset, bytes) || !space.claim(offset, bytes) {
            return false;
        }
        self.insert(hash(&arena.copy(offset, bytes)), Blob { offset, bytes });
        true
    }

    /// Where this content already is.
    pub(crate) fn find(&self, arena: &Mapping, content: &[u8]) -> Option<u32> {
        let candidates = self.by_hash.get(&hash(content))?;
        candidates
            .iter()
            .find(|blob| blob.bytes == content.len() && arena.copy(blob.offset, blob.bytes) == content)
            .map(|blob| blob.offset)
    }

    /// Writes a content that [`Self::find`] did not find; `None` if there is no room.
    pub(crate) fn add(&mut self, arena: &Mapping, space: &mut Space, content: &[u8]) -> Option<u32> {
        let offset = space.take(content.len())?;
        arena.write(offset, content);
        self.insert(hash(content), Blob { offset, bytes: content.len() });
        Some(offset)
    }

    /// Frees every blob that is not among `used`.
    pub(crate) fn keep_only(&mut self, used: &BTreeSet<u32>, space: &mut Space) {
        for blobs in self.by_hash.values_mut() {
            blobs.retain(|blob| {
                let keep = used.contains(&blob.offset);
                if !keep {
                    space.give(blob.offset, blob.bytes);
                }
                keep
            });
        }
        self.by_hash.retain(|_, blobs| !blobs.is_empty());
    }

    /// Distinct blobs, and their bytes.
    pub(crate) fn total(&self) -> (usize, usize) {
        self.all().fold((0, 0), |(count, bytes), blob| (count + 1, bytes + blob.bytes))
    }

    fn all(&self) -> impl Iterator<Item = &Blob> {
        self.by_hash.values().flatten()
    }

    fn insert(&mut self, hash: u64, blob: Blob) {
        self.by_hash.entry(hash).or_default().push(blob);
    }
}

/// Finds candidates only; equality is decided by comparing the bytes.
fn hash(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
