//! Waiting after wrong passwords and secrets: how often somebody may guess.
//!
//! The first failures cost nothing, then the wait doubles. An account that is attacked from many addresses is never closed
//! for long, or an attacker could lock its owner out; one address that attacks is.

/// How patient one is with failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Failures without a wait.
    pub free: u32,
    /// Longest wait, in seconds.
    pub longest: u64,
}

/// For one account from one address.
pub const BY_ADDRESS: Patience = Patience { free: 5, longest: 900 };
/// For one account from anywhere.
pub const BY_ACCOUNT: Patience = Patience { free: 50, longest: 30 };

/// After this many seconds without a failure, those before are forgotten.
const FORGET_AFTER: u64 = 3_600;

/// Failures that lie behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
    last: u64,
}

impl Backoff {
    /// Counts a failure.
    pub fn failed(&mut self, now: u64) {
        let failures = if self.is_forgotten(now) { 0 } else { self.failures };
        *self = Self { failures: failures.saturating_add(1), last: now };
    }

    /// Seconds until the next attempt is looked at; 0 if it may come now.
    #[must_use]
    pub fn wait(&self, patience: Patience, now: u64) -> u64 {
        let beyond = self.failures.saturating_sub(patience.free);
        if beyond == 0 || self.is_forgotten(now) {
            return 0;
        }
        let pause = 1_u64.checked_shl(beyond - 1).unwrap_or(u64::MAX).min(patience.longest);
        self.last.saturating_add(pause).saturating_sub(now)
    }

    /// Whether nothing of it counts any more.
    #[must_use]
    pub fn is_forgotten(&self, now: u64) -> bool {
        now >= self.last.saturating_add(FORGET_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::{BY_ADDRESS, Backoff, FORGET_AFTER};

    #[test]
    fn waits_double_up_to_the_longest_and_are_forgotten() {
        let mut backoff = Backoff::default();
        for _ in 0..BY_ADDRESS.free {
            backoff.failed(10);
            assert_eq!(backoff.wait(BY_ADDRESS, 10), 0);
        }
        for expect in [1, 2, 4, 8] {
            backoff.failed(10);
            assert_eq!(backoff.wait(BY_ADDRESS, 10), expect);
        }
        assert_eq!(backoff.wait(BY_ADDRESS, 18), 0);
        for _ in 0..100 {
            backoff.failed(10);
        }
        assert_eq!(backoff.wait(BY_ADDRESS, 10), BY_ADDRESS.longest);
        assert_eq!(backoff.wait(BY_ADDRESS, 10 + FORGET_AFTER), 0);
        backoff.failed(10 + FORGET_AFTER);
        assert_eq!(backoff.wait(BY_ADDRESS, 10 + FORGET_AFTER), 0, "counted from one again");
    }
}
