//! The rate of new destinations of a NIC.

use palisade_abi::arena;

/// How fast a VM may begin something with destinations that it did not begin something with lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Throttle {
    /// New destinations per second: 1 to 1,000.
    pub per_second: u32,
    /// Recent destinations that cost nothing, and new ones that may come at once: 1 to [`arena::WORKING_SET_MAX`].
    pub working_set: u32,
    /// Second since 1970 in which it ends; [`arena::NEVER`] if it does not.
    pub until: u32,
}

impl Throttle {
    /// Largest rate.
    pub const PER_SECOND_MAX: u32 = 1_000;

    /// Whether its numbers are within their limits.
    pub(crate) fn is_sound(&self) -> bool {
        (1..=Self::PER_SECOND_MAX).contains(&self.per_second)
            && (1..=arena::WORKING_SET_MAX as u32).contains(&self.working_set)
    }

    /// As the kernel program reads it. It goes on where `before`, the NIC's throttle in force, stood, unless the numbers differ.
    pub(crate) fn in_memory(self, generation: u64, before: Option<&arena::Throttle>) -> arena::Throttle {
        // Rounded up: a little slower, never faster.
        let interval = 1_000_000_000_u64.div_ceil(u64::from(self.per_second));
        let same = before.filter(|old| (old.interval, old.working_set) == (interval, self.working_set));
        arena::Throttle {
            since: same.map_or(generation, |old| old.since),
            interval,
            working_set: self.working_set,
            until: self.until,
        }
    }
}
