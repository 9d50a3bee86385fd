//! Reads numbers at offsets, as the kernel program does: an offset, an index, a size.
//!
//! It must not know what the numbers mean. Invariant: a read outside the bytes is `None`; [`super::check`] proves once
//! that the lookups of a blob never ask for one.

use palisade_abi::Pod;

use crate::table::Address;

/// A blob's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Element `index` of the `N`-byte elements that start at `offset`.
    fn array<const N: usize>(self, offset: u32, index: usize) -> Option<[u8; N]> {
        let at = index.checked_mul(N)?.checked_add(offset as usize)?;
        self.bytes.get(at..)?.first_chunk().copied()
    }

    pub(super) fn u8(self, offset: u32, index: usize) -> Option<u8> {
        self.array(offset, index).map(u8::from_le_bytes)
    }

    pub(super) fn u16(self, offset: u32, index: usize) -> Option<u16> {
        self.array(offset, index).map(u16::from_le_bytes)
    }

    pub(super) fn u32(self, offset: u32, index: usize) -> Option<u32> {
        self.array(offset, index).map(u32::from_le_bytes)
    }

    pub(super) fn u64(self, offset: u32, index: usize) -> Option<u64> {
        self.array(offset, index).map(u64::from_le_bytes)
    }

    pub(super) fn start<T: Start>(self, offset: u32, index: usize) -> Option<T> {
        T::read(self, offset, index)
    }

    pub(super) fn structure<T: Pod>(self, offset: u32) -> Option<T> {
        T::read_from(self.bytes.get(offset as usize..)?)
    }
}

/// An address as the interval starts hold it.
pub(super) trait Start: Address {
    fn read(reader: Reader<'_>, offset: u32, index: usize) -> Option<Self>;
}

impl Start for u32 {
    fn read(reader: Reader<'_>, offset: u32, index: usize) -> Option<Self> {
        reader.u32(offset, index)
    }
}

impl Start for u128 {
    fn read(reader: Reader<'_>, offset: u32, index: usize) -> Option<Self> {
        let (high, low) = (reader.u64(offset, 2 * index)?, reader.u64(offset, 2 * index + 1)?);
        Some(Self::from(high) << 64 | Self::from(low))
    }
}
