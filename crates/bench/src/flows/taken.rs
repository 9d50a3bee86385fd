//! Times of work that several threads may do: of the clock, and of the processor.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Times of one thing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    /// Of the clock.
    pub wall: Duration,
    /// Of the processor: all threads of this process.
    pub processor: Duration,
}

impl Taken {
    /// Adds what some work takes.
    pub fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (begun, processor) = (Instant::now(), processor_time());
        let done = work();
        self.wall += begun.elapsed();
        self.processor += processor_time().saturating_sub(processor);
        done
    }
}

/// Time that the processor has spent on this process, on all its threads.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
