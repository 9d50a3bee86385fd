//! Waiting for something that another process or the kernel does.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until a condition holds; if that takes too long, `complain` must panic.
pub fn wait_for(mut condition: impl FnMut() -> bool, complain: impl FnOnce()) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return complain();
        }
        thread::sleep(LOOK_EVERY);
    }
}
