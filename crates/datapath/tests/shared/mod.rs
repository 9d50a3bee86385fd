//! What tests inside the crate and beside it share: they are two programs, and this is read by both.
//!
//! It must not know the datapath: the crate is another one for each of them.

pub mod link;
pub mod packets;
pub mod pins;
pub mod rules;

use std::{
    thread,
    time::{Duration, Instant},
};

/// The longest that anything may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Waits for a condition.
pub fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether kernel tests can run here; says so if not.
pub fn can_run() -> bool {
    // SAFETY: no arguments, no memory.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        println!("skipped: loading a kernel program needs root");
    }
    root
}
