//! How fast disks are read: a line on a terminal while it goes on, and one at the end.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::Mutex,
    time::{Duration, Instant},
};

const PERIOD: Duration = Duration::from_millis(250);

/// Counts bytes that were read.
pub struct Meter {
    began: Instant,
    state: Mutex<(u64, Instant)>,
}

impl Meter {
    /// Begins to measure.
    pub fn new() -> Self {
        let now = Instant::now();
        Self { began: now, state: Mutex::new((0, now)) }
    }

    /// More bytes have been read; called by several threads.
    pub fn add(&self, bytes: u64) {
        let mut state = self.state.lock().expect("nobody panics with it");
        state.0 += bytes;
        if state.1.elapsed() >= PERIOD && io::stderr().is_terminal() {
            state.1 = Instant::now();
            let line = self.line(state.0);
            // A terminal that went away is no reason to stop.
            let _ = write!(io::stderr(), "\r{line}\x1b[K").and_then(|()| io::stderr().flush());
        }
    }

    /// Says how it was.
    pub fn end(&self) {
        let bytes = self.state.lock().expect("nobody panics with it").0;
        let start = if io::stderr().is_terminal() { "\r" } else { "" };
        eprintln!("{start}{}", self.line(bytes));
    }

    fn line(&self, bytes: u64) -> String {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-6);
        let megabytes = bytes as f64 / 1e6;
        format!("{megabytes:.0} MB of data read in {seconds:.1} s, {:.0} MB/s", megabytes / seconds)
    }
}
