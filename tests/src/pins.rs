//! Pin directories of tests: each has a name of its own, and what a crashed test left is removed by the next one.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

const HOME: &str = "/sys/fs/bpf";
const PREFIX: &str = "palisade-tests-";

/// A directory that nobody else uses and that does not exist yet.
pub fn fresh() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    remove_leftovers();
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    Path::new(HOME).join(format!("{PREFIX}{}-{count}", process::id()))
}

fn remove_leftovers() {
    for entry in fs::read_dir(HOME).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            // Another test may remove it at the same time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
