//! How tries add up: two buckets that leak, and a plain count that patience does not escape.
//!
//! One in ten seconds leaks from the fast bucket, one a minute from the slow one. After the plain count has told, it waits until there
//! are twice as many. It must not know what a try is.

use crate::limits::QUIET_MS;

/// Which count told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pace {
    /// More than five, leaking one in ten seconds.
    Fast,
    /// More than eight connections or ten logons, leaking one a minute.
    Slow,
    /// [`PATIENT`] since the last session, at any pace.
    Patient,
}

/// Tries without a session between them that tell, however slow; then twice as many as told before.
pub const PATIENT: u32 = 30;

const FAST: (f64, f64) = (5.0, 10_000.0);
const SLOW_LEAK_MS: f64 = 60_000.0;

/// What a count has come to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) pace: Pace,
    pub(crate) level: f64,
    pub(crate) limit: f64,
}

/// Tries so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    fast: Bucket,
    slow: Bucket,
    tries: u32,
    /// Tries up to here have been told of, or are too few.
    patience: u32,
    has_told: bool,
    quiet_until_ms: u64,
}

/// A bucket that leaks: what is in it, and since when.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    level: f64,
    at_ms: u64,
}

impl Tally {
    /// Counts a try; tells which count passed its limit, unless one was told of lately.
    pub(crate) fn add(&mut self, now_ms: u64, slow_limit: f64) -> Option<Passed> {
        self.tries = self.tries.saturating_add(1);
        let levels = [
            (Pace::Fast, self.fast.add(now_ms, FAST.1), FAST.0),
            (Pace::Slow, self.slow.add(now_ms, SLOW_LEAK_MS), slow_limit),
            (Pace::Patient, f64::from(self.tries), f64::from(self.patience.max(PATIENT - 1))),
        ];
        let (pace, level, limit) = levels.into_iter().find(|(_, level, limit)| level > limit)?;
        (now_ms >= self.quiet_until_ms).then_some(Passed { pace, level, limit })
    }

    /// Takes it that what passed is told of.
    pub(crate) const fn tell(&mut self, now_ms: u64) {
        self.has_told = true;
        self.patience = self.tries.saturating_mul(2);
        self.quiet_until_ms = now_ms.saturating_add(QUIET_MS);
    }

    /// Tries since the beginning.
    pub(crate) const fn tries(&self) -> u32 {
        self.tries
    }

    /// Whether it was told of.
    pub(crate) const fn has_told(&self) -> bool {
        self.has_told
    }
}

impl Bucket {
    /// Adds one, after what has leaked since the last.
    fn add(&mut self, now_ms: u64, leak_ms: f64) -> f64 {
        let leaked = now_ms.saturating_sub(self.at_ms) as f64 / leak_ms;
        *self = Self { level: (self.level - leaked).max(0.0) + 1.0, at_ms: now_ms };
        self.level
    }
}
