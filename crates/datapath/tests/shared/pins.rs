//! Pin directories of tests: each has a name of its own, and what a crashed test left is removed by the next one.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

const HOME: &str = "/sys/fs/bpf";
const PREFIX: &str = "palisade-test-";

/// Pins that are removed when the test ends, and with them the links.
pub struct Pins(pub PathBuf);

impl Drop for Pins {
    fn drop(&mut self) {
        // A test of the removal itself has done it already.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A pin directory that nobody else uses.
pub fn pin_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    remove_leftovers();
    Path::new(HOME).join(format!("{PREFIX}{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Removes the pins of test processes that crashed.
fn remove_leftovers() {
    for entry in fs::read_dir(HOME).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another test may remove it at the same time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
