//! The wall clock, as far as the windows of rules need it.
//!
//! The kernel judges windows by `CLOCK_BOOTTIME` plus an anchor, which says when that clock was 0. `CLOCK_BOOTTIME` counts
//! suspend and nobody can step it, so with no agent alive a window ends when it should, whatever happens to the wall
//! clock. While an agent lives it follows the wall clock in both directions: it is woken when the clock is stepped, and
//! compares from time to time. Slewing (NTP) moves both clocks alike, so the anchor changes by steps only.
//!
//! A wall clock that reads a time before [`SET_SINCE_S`] was never set. It is not followed, and until there is an anchor
//! the windows of rules are closed ([`crate::compile`]): a wrong clock must not open what is over.

#[cfg(test)]
mod tests;

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId as TimerClock, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

use crate::error::{AgentError, Context};

/// No clock that was set shows a time before this one, 2026-01-01: it is older than this program.
pub const SET_SINCE_S: u64 = 1_767_225_600;
/// The anchor may be off by so much before it is set anew. Windows are whole seconds.
const TOLERANCE_NS: u64 = 1_000_000;
/// Readings of which the best is taken: a process may be interrupted between two clocks, but hardly always.
const READINGS: usize = 8;
/// When the timer would fire that is only there to be cancelled: in the year 2200.
const NEVER_S: i64 = 7_258_118_400;

/// What the wall clock shows, in whole seconds since 1970; 0 before.
pub(crate) fn wall_s() -> u64 {
    since_1970().as_secs()
}

/// What the wall clock shows, in milliseconds since 1970; 0 before.
pub(crate) fn wall_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

/// What the wall clock shows as the windows of rules count it: it stands at its ends outside of what 32 bits hold.
pub fn window_s() -> u32 {
    u32::try_from(wall_s()).unwrap_or(u32::MAX)
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Nanoseconds since 1970 at which `CLOCK_BOOTTIME` was 0, modulo 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor(pub u64);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Where the wall clock puts the start of `CLOCK_BOOTTIME`.
    pub anchor: Anchor,
    /// What the wall clock shows, in seconds since 1970.
    pub wall_s: u64,
    /// By how much the anchor may be wrong because the clocks were read one after the other.
    pub error_ns: u64,
}

/// What to do with a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The anchor in use is right.
    Keep,
    /// Use this one from now on.
    Follow(Anchor),
    /// The wall clock was never set: it says nothing.
    Unset,
}

impl Reading {
    /// Reads both clocks closely together.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn take() -> Result<Self, AgentError> {
        let best = (0..READINGS).map(|_| Self::once()).reduce(|best, next| match (best, next) {
            (Ok(best), Ok(next)) => Ok(if next.error_ns < best.error_ns { next } else { best }),
            (best, next) => best.and(next),
        });
        best.expect("there is more than none").context(|| "read the clocks".into())
    }

    /// The wall clock between two looks at the other one.
    fn once() -> nix::Result<Self> {
        let boot = || clock_gettime(ClockId::CLOCK_BOOTTIME).map(nanoseconds);
        let (before, wall, after) = (boot()?, clock_gettime(ClockId::CLOCK_REALTIME)?, boot()?);
        let half = after.wrapping_sub(before) / 2;
        Ok(Self {
            anchor: Anchor(nanoseconds(wall).wrapping_sub(before.wrapping_add(half))),
            wall_s: u64::try_from(wall.tv_sec()).unwrap_or(0),
            error_ns: half + 1,
        })
    }

    /// Compares with the anchor in use.
    pub fn judge(&self, in_use: Option<Anchor>) -> Step {
        match in_use {
            _ if self.wall_s < SET_SINCE_S => Step::Unset,
            Some(in_use) if in_use.distance(self.anchor) <= TOLERANCE_NS.max(self.error_ns) => Step::Keep,
            _ => Step::Follow(self.anchor),
        }
    }
}

impl Anchor {
    fn distance(self, other: Self) -> u64 {
        let ahead = self.0.wrapping_sub(other.0);
        ahead.min(ahead.wrapping_neg())
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

fn nanoseconds(time: TimeSpec) -> u64 {
    let second = 1_000_000_000_u64;
    time.tv_sec().cast_unsigned().wrapping_mul(second).wrapping_add(time.tv_nsec().cast_unsigned())
}

/// Hears of it when somebody steps the wall clock, or the host wakes up.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    timer: TimerFd,
}

impl ClockWatch {
    /// Begins to listen.
    pub(crate) fn open() -> nix::Result<Self> {
        let timer =
            TimerFd::new(TimerClock::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        timer.set(Expiration::OneShot(TimeSpec::new(NEVER_S, 0)), flags)?;
        Ok(Self { timer })
    }

    /// Forgets what was heard, and says whether that was anything. The timer goes on to listen.
    pub(crate) fn drain(&self) -> nix::Result<bool> {
        match self.timer.wait() {
            // The library takes the cancelling for the end of the wait.
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for ClockWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
