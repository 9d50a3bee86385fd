//! Policy blobs in the shared memory, one for each distinct content, however many NICs and publishes name it.

use std::collections::{BTreeSet, HashMap};

use palisade_abi::policy::{POLICY_BYTES_MAX, PolicyHeader};

use super::space::Space;
use crate::{counters::BlobDigest, error::Error, memory::mapping::Mapping};

/// The blobs that the memory holds, by digest of their content.
#[derive(Debug, Default)]
pub(crate) struct Blobs {
    by_digest: HashMap<BlobDigest, Vec<Blob>>,
}

#[derive(Debug, Clone, Copy)]
struct Blob {
    offset: u32,
    bytes: usize,
}

impl Blobs {
    /// Takes over a blob that an earlier process published; false if it cannot be one.
    pub(crate) fn adopt(&mut self, memory: &Mapping, space: &mut Space, offset: u32) -> bool {
        if self.all().any(|blob| blob.offset == offset) {
            return true;
        }
        let Some(content) = content(memory, offset) else { return false };
        if !space.claim(offset, content.len()) {
            return false;
        }
        self.insert(BlobDigest::of(&content), Blob { offset, bytes: content.len() });
        true
    }

    /// Where this content already is.
    pub(crate) fn find(&self, memory: &Mapping, content: &[u8]) -> Option<u32> {
        let candidates = self.by_digest.get(&BlobDigest::of(content))?;
        candidates
            .iter()
            .find(|blob| blob.bytes == content.len() && memory.copy(blob.offset, blob.bytes) == content)
            .map(|blob| blob.offset)
    }

    /// Writes a content that [`Self::find`] did not find.
    pub(crate) fn add(&mut self, memory: &Mapping, space: &mut Space, content: &[u8]) -> Result<u32, Error> {
        let offset = space.take_in(memory, content.len())?;
        memory.write(offset, content);
        self.insert(BlobDigest::of(content), Blob { offset, bytes: content.len() });
        Ok(offset)
    }

    /// Frees every blob that is not among `used`.
    pub(crate) fn keep_only(&mut self, used: &BTreeSet<u32>, space: &mut Space) {
        for blobs in self.by_digest.values_mut() {
            blobs.retain(|blob| {
                let keep = used.contains(&blob.offset);
                if !keep {
                    space.give(blob.offset, blob.bytes);
                }
                keep
            });
        }
        self.by_digest.retain(|_, blobs| !blobs.is_empty());
    }

    /// Distinct blobs, and their bytes.
    pub(crate) fn total(&self) -> (usize, usize) {
        self.all().fold((0, 0), |(count, bytes), blob| (count + 1, bytes + blob.bytes))
    }

    fn all(&self) -> impl Iterator<Item = &Blob> {
        self.by_digest.values().flatten()
    }

    fn insert(&mut self, digest: BlobDigest, blob: Blob) {
        self.by_digest.entry(digest).or_default().push(blob);
    }
}

/// The blob at an offset; `None` if none can be there.
pub(crate) fn content(memory: &Mapping, offset: u32) -> Option<Vec<u8>> {
    let header =
        memory.contains(offset, size_of::<PolicyHeader>()).then(|| memory.read::<PolicyHeader>(offset));
    let bytes = header?.size as usize;
    (bytes <= POLICY_BYTES_MAX && memory.contains(offset, bytes)).then(|| memory.copy(offset, bytes))
}
