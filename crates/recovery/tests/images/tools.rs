//! Disks to try things on.

use std::{fs, path::Path, process::Command};

/// Bytes of the disks here: not a multiple of a block, so that the last one is short.
pub const SIZE: usize = (8 << 20) + 512;

/// Runs `qemu-img` in a folder; says why not, where it is missing.
pub fn qemu_img(folder: &Path, arguments: &str) -> Option<()> {
    let run = Command::new("qemu-img").current_dir(folder).args(arguments.split(' ')).output();
    let Ok(output) = run else {
        println!("skipped: qemu-img is not installed");
        return None;
    };
    assert!(output.status.success(), "qemu-img {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// A disk with data, zeros and holes.
pub fn disk() -> Vec<u8> {
    let mut disk = vec![0; SIZE];
    let mut state = 7_u64;
    for (number, sector) in disk.chunks_mut(512).enumerate() {
        if number % 3000 < 400 {
            for byte in sector {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Few values, so that it can be compressed.
                *byte = (state >> 60) as u8;
            }
        }
    }
    disk[SIZE - 1] = 1;
    disk
}

/// A folder with `disk.raw`.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("disk.raw"), disk()).unwrap();
    folder
}
