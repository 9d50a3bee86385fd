//! Connections of several hosts in the order of their ends, as the detectors want them.
//!
//! A connection waits until records are [`ORDER_MS`] further; then all that ended before it have come, if hosts are not further behind than
//! that. It reads no clock. Invariant: what was given out never has a later one before it, but for those that came late, which are
//! given out at once and counted.

use std::collections::BTreeMap;

use palisade_guard::Connection;

/// How long a connection waits for others that ended before it: hosts send a batch when it is half a second old.
pub(super) const ORDER_MS: u64 = 1_000;
/// Connections that wait at once; of more, the first go early.
const WAITING_MAX: usize = 65_536;

/// A connection, and the number of the place that it was seen at.
pub(super) type Placed = (Connection, u32);

/// Connections that wait.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By their ends; those of one millisecond in the order in which they came.
    waiting: BTreeMap<(u64, u64), Placed>,
    came: u64,
    /// The latest time of a record.
    newest_ms: u64,
    /// The end of the last one that was given out.
    given_ms: u64,
    late: u64,
}

impl Order {
    /// Notes the time of a record.
    pub(super) fn note(&mut self, time_ms: u64) {
        self.newest_ms = self.newest_ms.max(time_ms);
    }

    /// Takes a connection; gives it back if it is late.
    pub(super) fn add(&mut self, placed: Placed) -> Option<Placed> {
        if placed.0.end_ms < self.given_ms {
            self.late += 1;
            return Some(placed);
        }
        self.came += 1;
        self.waiting.insert((placed.0.end_ms, self.came), placed);
        None
    }

    /// The next one that has waited long enough.
    pub(super) fn next(&mut self) -> Option<Placed> {
        let (end_ms, _) = *self.waiting.first_key_value()?.0;
        let is_due = end_ms.saturating_add(ORDER_MS) <= self.newest_ms || self.waiting.len() > WAITING_MAX;
        if is_due { self.first() } else { None }
    }

    /// The next one, however long it has waited.
    pub(super) fn first(&mut self) -> Option<Placed> {
        let ((end_ms, _), placed) = self.waiting.pop_first()?;
        self.given_ms = end_ms;
        Some(placed)
    }

    /// How many came late.
    pub(super) const fn late(&self) -> u64 {
        self.late
    }
}
