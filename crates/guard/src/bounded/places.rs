//! Where things lie in a list, by their hashes, and how to have memory bring them near before they are needed.
//!
//! Detectors look up things that were seen long ago, and wait for memory more than for all else. It must not know what lies there.

/// How far ahead of its need something is asked for: each step needs the one before to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// Where the entry lies.
    Place,
    /// The entry.
    Entry,
    /// What the entry points to.
    Rest,
}

/// Lines of a thing that are asked for, at most.
const LINES_MAX: usize = 4;
/// Bytes that processors fetch at once.
const LINE_BYTES: usize = 64;

/// Asks the processor to bring something near. It changes nothing but the time that the next look at it takes.
#[inline(always)]
pub(crate) fn fetch<T>(thing: &T) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..size_of::<T>().div_ceil(LINE_BYTES).min(LINES_MAX) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = std::ptr::from_ref(thing).cast::<i8>().wrapping_add(line * LINE_BYTES);
        // SAFETY: the instruction may be given any address, reads nothing into the program and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (thing, LINES_MAX, LINE_BYTES);
}

/// A table with at least twice as many slots as things, searched from where the hash says.
///
/// A slot holds a part of the hash beside the place. So a search looks at hardly anything but what it is for, and the table is small
/// enough to stay near the processor.
#[derive(Debug, Default)]
pub(super) struct Places {
    slots: Vec<Slot>,
}

/// 0, or a part of a hash and the place plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot(u32);

impl Slot {
    /// Bits that are the place.
    const PLACE: u32 = (1 << 18) - 1;

    fn of(hash: u64, place: usize) -> Self {
        Self(Self::part(hash) | (place as u32 + 1))
    }

    /// The place; `None` if nobody's is here.
    pub(super) fn place(self) -> Option<usize> {
        (self.0 & Self::PLACE).checked_sub(1).map(|place| place as usize)
    }

    /// Whether it may be of something with this hash.
    const fn may_be(self, hash: u64) -> bool {
        self.0 & !Self::PLACE == Self::part(hash)
    }

    /// The part of a hash that is kept: bits that do not choose the slot.
    const fn part(hash: u64) -> u32 {
        (hash >> 32) as u32 & !Self::PLACE
    }
}

impl Places {
    /// Things that it can hold.
    pub(super) const MAX: usize = Slot::PLACE as usize - 1;
    const SLOTS_MIN: usize = 16;

    /// The slot at which the search for something with this hash begins.
    pub(super) fn slot(&self, hash: u64) -> Option<&Slot> {
        self.slots.get(hash as usize & self.slots.len().checked_sub(1)?)
    }

    /// The place of what has this hash and is it.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let last = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & last;
        loop {
            let slot = self.slots[at];
            let place = slot.place()?;
            if slot.may_be(hash) && is_it(place) {
                return Some(place);
            }
            at = (at + 1) & last;
        }
    }

    /// Whether so many things are too many for it.
    pub(super) const fn is_full(&self, things: usize) -> bool {
        2 * things > self.slots.len()
    }

    /// Takes everything out and makes room for so many things.
    pub(super) fn clear(&mut self, things: usize) {
        self.slots.fill(Slot::default());
        if self.is_full(things) {
            self.slots.resize((2 * things).next_power_of_two().max(Self::SLOTS_MIN), Slot::default());
        }
    }

    /// Notes what is not there yet.
    pub(super) fn put(&mut self, hash: u64, place: usize) {
        let last = self.slots.len() - 1;
        let mut at = hash as usize & last;
        while self.slots[at] != Slot::default() {
            at = (at + 1) & last;
        }
        self.slots[at] = Slot::of(hash, place);
    }
}
