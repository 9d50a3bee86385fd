//! Real inputs, which lie beside the repository and are not part of it: `PALISADE_REAL_DATA`, or `shared/data` beside it.

use std::path::{Path, PathBuf};

/// A folder of the real data, or `None` with the reason printed.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from).join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is absent (set PALISADE_REAL_DATA)", path.display());
    None
}

/// Every JSON file below a folder, in the order of names.
pub(crate) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths
}
