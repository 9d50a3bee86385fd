//! How long to wait before a server is tried again: longer each time, and not the same for all hosts, so that a server that
//! comes back is not met by its whole fleet at once.

use std::time::Duration;

/// The first pause.
pub const FIRST: Duration = Duration::from_millis(200);
/// The longest.
pub const LAST: Duration = Duration::from_secs(10);

/// The pauses between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next pause: between half of a time and all of it, which doubles up to [`LAST`].
    pub fn pause(&mut self) -> Duration {
        // Without randomness all hosts wait alike, which is worse and not wrong.
        self.pause_at(getrandom::u32().unwrap_or(u32::MAX))
    }

    fn pause_at(&mut self, chance: u32) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LAST);
        whole / 2 + whole.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_last_one_and_are_spread() {
        let mut longest = Backoff::default();
        let pauses: Vec<u128> = (0..8).map(|_| longest.pause_at(u32::MAX).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        let mut shortest = Backoff::default();
        let pauses: Vec<u128> = (0..7).map(|_| shortest.pause_at(0).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000]);
        let pause = Backoff::default().pause();
        assert!((FIRST / 2..=FIRST).contains(&pause), "{pause:?}");
    }
}
