//! Which bytes of the shared memory are free. It keeps offsets only and never looks into the memory.

use std::collections::BTreeMap;

use crate::{error::Error, memory::mapping::Mapping};

/// Pieces start at multiples of this: a cache line.
const ALIGN: u32 = 64;

/// Free pieces by offset; neighbours are always merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Space {
    free: BTreeMap<u32, u32>,
}

impl Space {
    /// Everything from `start` to `end` is free.
    pub(crate) fn new(start: u32, end: u32) -> Self {
        Self { free: BTreeMap::from([(start.next_multiple_of(ALIGN), end - start.next_multiple_of(ALIGN))]) }
    }

    /// Free bytes.
    pub(crate) fn free_bytes(&self) -> usize {
        self.free.values().map(|bytes| *bytes as usize).sum()
    }

    /// Takes the lowest piece that is large enough.
    pub(crate) fn take(&mut self, bytes: usize) -> Option<u32> {
        let bytes = u32::try_from(bytes).ok()?.checked_next_multiple_of(ALIGN)?;
        let (&offset, _) = self.free.iter().find(|(_, free)| **free >= bytes)?;
        self.claim(offset, bytes as usize).then_some(offset)
    }

    /// Takes a piece whose pages are there, so that writing to it cannot fail.
    pub(crate) fn take_in(&mut self, memory: &Mapping, bytes: usize) -> Result<u32, Error> {
        let full = |free| Error::MemoryFull { needed: bytes, free };
        let offset = self.take(bytes).ok_or_else(|| full(self.free_bytes()))?;
        memory.populate(offset, bytes).inspect_err(|_| self.give(offset, bytes))?;
        Ok(offset)
    }

    /// Takes the given piece; false if not all of it is free.
    pub(crate) fn claim(&mut self, offset: u32, bytes: usize) -> bool {
        let Some(end) = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| bytes.checked_next_multiple_of(ALIGN))
            .and_then(|bytes| offset.checked_add(bytes))
        else {
            return false;
        };
        let Some((&start, &free)) = self.free.range(..=offset).next_back() else { return false };
        if end > start + free {
            return false;
        }
        self.free.remove(&start);
        if offset > start {
            self.free.insert(start, offset - start);
        }
        if start + free > end {
            self.free.insert(end, start + free - end);
        }
        true
    }

    /// Gives a taken piece back.
    pub(crate) fn give(&mut self, offset: u32, bytes: usize) {
        let mut start = offset;
        let mut end =
            offset + u32::try_from(bytes).expect("it was taken with this size").next_multiple_of(ALIGN);
        if let Some((&before, &free)) = self.free.range(..offset).next_back()
            && before + free == offset
        {
            start = before;
        }
        if let Some(after) = self.free.remove(&end) {
            end += after;
        }
        self.free.insert(start, end - start);
    }
}

#[cfg(test)]
mod tests {
    use super::Space;

    #[test]
    fn pieces_come_back_as_one() {
        let fresh = Space::new(10, 64 * 100);
        let mut space = fresh.clone();
        let pieces: Vec<_> = [1, 64, 65, 1000].map(|bytes| (space.take(bytes).unwrap(), bytes)).into();
        assert_eq!(pieces.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [64, 128, 192, 320]);
        for index in [1, 3, 0, 2] {
            space.give(pieces[index].0, pieces[index].1);
        }
        assert_eq!(space, fresh);
    }

    #[test]
    fn a_piece_is_taken_once() {
        let mut space = Space::new(0, 640);
        assert!(space.claim(128, 100));
        assert!(!space.claim(192, 1));
        assert!(!space.claim(64, 65));
        assert!(space.claim(64, 64));
        assert_eq!(space.take(400), None);
        assert_eq!(space.take(384), Some(256));
        assert_eq!(space.free_bytes(), 64);
    }
}
