//! The kernel's time: ticks (jiffies), in which flows are dated, and the anchor of wall-clock time.

use std::os::fd::BorrowedFd;

use nix::time::{ClockId, clock_getres, clock_gettime};
use palisade_abi::{Pod, counters::Clock};

use crate::{
    error::{Context, Error},
    sys,
};

/// The kernel's tick of now, told by the kernel program: no system call tells it.
pub(crate) fn tick(program: BorrowedFd<'_>) -> Result<u64, Error> {
    let mut bytes = Clock::default().as_bytes().to_vec();
    sys::run_syscall(program, &mut bytes).context(|| "read the kernel's ticks".into())?;
    Ok(Clock::read_from(&bytes).expect("the kernel returns as many bytes").tick)
}

/// The kernel's tick rate (`CONFIG_HZ`): its coarse clock advances once a tick, and says so.
///
/// # Errors
/// If the kernel refuses.
pub fn ticks_per_second() -> Result<u32, Error> {
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).context(|| "read the kernel's tick".into())?;
    let nanoseconds = u32::try_from(tick.tv_nsec()).unwrap_or(0).max(1);
    Ok((1_000_000_000 + nanoseconds / 2) / nanoseconds)
}

/// Nanoseconds since 1970 at which `CLOCK_BOOTTIME` was 0, modulo 2^64, as the wall clock says now. Windows of rules are
/// judged by it: whoever may change policy sets it again when the wall clock was stepped.
///
/// # Errors
/// If the kernel refuses.
pub fn wall_clock_anchor() -> Result<u64, Error> {
    let read = |clock| clock_gettime(clock).context(|| "read the clock".into());
    let (wall, boot) = (read(ClockId::CLOCK_REALTIME)?, read(ClockId::CLOCK_BOOTTIME)?);
    let nanoseconds =
        |seconds: i64, rest: i64| (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(rest as u64);
    Ok(nanoseconds(wall.tv_sec(), wall.tv_nsec()).wrapping_sub(nanoseconds(boot.tv_sec(), boot.tv_nsec())))
}
