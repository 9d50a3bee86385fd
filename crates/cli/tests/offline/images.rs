//! Disks for tests, as `mkfs.ext4`, `debugfs` and `qemu-img` make them. Where one is missing, that is said and the test is skipped.

use std::{path::Path, process::Command};

/// Runs a tool; `false` where it is not installed.
fn tool(name: &str, arguments: &[&str], package: &str) -> bool {
    match Command::new(name).args(arguments).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => panic!("{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            println!("skipped: {name} is not installed (apt install {package})");
            false
        }
    }
}

/// An ext4 with the files of a folder, which then are root's.
pub fn file_system(tree: &Path, image: &str) -> bool {
    let tree = tree.to_str().expect("paths here are text");
    tool("mkfs.ext4", &["-q", "-F", "-E", "root_owner=0:0", "-d", tree, image, "8M"], "e2fsprogs")
}

/// Changes a file system by commands of `debugfs`.
pub fn change(image: &str, commands: &[String]) -> bool {
    commands.iter().all(|command| tool("debugfs", &["-w", "-R", command, image], "e2fsprogs"))
}

/// A qcow2 image of a raw disk.
pub fn qcow2(raw: &str, image: &str) -> bool {
    tool("qemu-img", &["convert", "-q", "-f", "raw", "-O", "qcow2", raw, image], "qemu-utils")
}

/// An overlay on an image, whose name stands in it as it is given.
pub fn overlay(base: &str, image: &str) {
    let format = if base.ends_with(".raw") { "raw" } else { "qcow2" };
    tool(
        "qemu-img",
        &["create", "-q", "-u", "-f", "qcow2", "-b", base, "-F", format, image, "1M"],
        "qemu-utils",
    );
    // The size of the base, where it is beside the overlay.
    let beside = Path::new(image).with_file_name(base);
    if let (true, Some(beside)) = (beside.exists(), beside.to_str()) {
        tool("qemu-img", &["create", "-q", "-f", "qcow2", "-b", beside, "-F", format, image], "qemu-utils");
        tool("qemu-img", &["rebase", "-q", "-u", "-b", base, "-F", format, image], "qemu-utils");
    }
}

/// What a machine's overlay is after a raw disk became another one.
pub fn rewritten(raw: &str, base: &str, overlay: &str) -> bool {
    let name = Path::new(base).file_name().and_then(|name| name.to_str()).expect("a name");
    let made = ["convert", "-q", "-f", "raw", "-O", "qcow2", "-B", base, "-F", "qcow2", raw, overlay];
    tool("qemu-img", &made, "qemu-utils")
        && tool("qemu-img", &["rebase", "-q", "-u", "-b", name, "-F", "qcow2", overlay], "qemu-utils")
}
