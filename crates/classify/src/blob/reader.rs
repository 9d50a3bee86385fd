//! Reads numbers at offsets, as the kernel program does: an offset, an index, a size.
//!
//! It must not know what the numbers mean. Invariant: a read outside the bytes is `None`; [`super::check`] proves once
//! that the lookups of a blob never ask for one.

use palisade_abi::Pod;

/// A blob's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
}

impl Reader<'_> {
    /// Element `index` of the `N`-byte elements that start at `offset`.
    fn array<const N: usize>(self, offset: u32, index: usize) -> Option<[u8; N]> {
        let at = index.checked_mul(N)?.checked_add(offset as usize)?;
        self.bytes.get(at..)?.first_chunk().copied()
    }

    pub(crate) fn u8(self, offset: u32, index: usize) -> Option<u8> {
        self.array(offset, index).map(u8::from_le_bytes)
    }

    pub(crate) fn u32(self, offset: u32, index: usize) -> Option<u32> {
        self.array(offset, index).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(self, offset: u32, index: usize) -> Option<u64> {
        self.array(offset, index).map(u64::from_le_bytes)
    }

    pub(crate) fn structure<T: Pod>(self, offset: u32) -> Option<T> {
        T::read_from(self.bytes.get(offset as usize..)?)
    }
}
