//! Processor time: what a thread took, whoever else had the processor meanwhile.

use std::{io, time::Duration};

use nix::time::{ClockId, clock_gettime};

/// What the calling thread has taken so far, in the kernel too.
///
/// # Errors
/// If the kernel has no such clock.
pub fn processor_time() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}
