//! The rate at which a machine may find new destinations.
//!
//! It talks freely to those that it talked to last, its working set. Built by validation only. Reference: docs/answers.md.

use crate::limits::{THROTTLE_RATE_MAX, WORKING_SET_MAX};

/// A rate of new destinations. Invariant: its numbers are 1 to [`THROTTLE_RATE_MAX`] and 1 to [`WORKING_SET_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    pub(crate) name: String,
    pub(crate) pace: Pace,
    pub(crate) until: Option<u32>,
}

/// The numbers of a throttle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// New destinations per second.
    pub per_second: u32,
    /// Recent destinations that cost nothing, and new ones that may come at once.
    pub working_set: u32,
}

impl Default for Pace {
    /// One a second, five at once: what Twycross and Williamson found that normal traffic does not notice (USENIX Security 2003).
    fn default() -> Self {
        Self { per_second: 1, working_set: 5 }
    }
}

impl Pace {
    /// Whether the numbers are within their limits.
    pub fn is_sound(self) -> bool {
        (1..=THROTTLE_RATE_MAX).contains(&self.per_second)
            && (1..=WORKING_SET_MAX).contains(&self.working_set)
    }
}

impl Throttle {
    /// Name of the rule that it is told as.
    pub fn rule(&self) -> String {
        format!("throttle-{}-Outbound", self.name)
    }

    /// Its numbers.
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether it is in force at `now`.
    pub fn holds_at(&self, now: u32) -> bool {
        self.until.is_none_or(|end| now < end)
    }

    /// The second since 1970 in which it ends, if it does.
    pub const fn until(&self) -> Option<u32> {
        self.until
    }
}
