//! The guest's whole world: busybox, a few modules and a script, in one archive.
//!
//! The archive is in the `newc` format of cpio, which the kernel unpacks
//! (Documentation/driver-api/early-userspace/buffer-format.rst): every entry is a header of 6 magic and 13 times 8
//! hexadecimal characters, the name with its final zero, and the data, the latter two padded to four bytes.

use std::fs;
use std::path::{Path, PathBuf};

use super::GuestImage;
use crate::error::{LabError, Result};

/// In the order in which they must be loaded; `scripts/guest-kernel.sh` fetches the same ones.
const MODULES: [&str; 8] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
];
const INIT: &str = include_str!("init.sh");

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DATA: u32 = 0o100_644;

/// Writes the archive into a folder and returns its path.
pub(super) fn write(image: &GuestImage, folder: &Path) -> Result<PathBuf> {
    let read = |name: &str| {
        let path = image.folder.join(name);
        fs::read(&path).map_err(LabError::io("read", path.display().to_string()))
    };
    let mut archive = Archive::default();
    archive.add("bin", DIRECTORY, &[]);
    archive.add("bin/busybox", PROGRAM, &read("busybox")?);
    archive.add("init", PROGRAM, INIT.as_bytes());
    archive.add("modules", DIRECTORY, &[]);
    archive.add("modules/order", DATA, (MODULES.join("\n") + "\n").as_bytes());
    for module in MODULES {
        let name = format!("modules/{module}.ko");
        archive.add(&name, DATA, &read(&name)?);
    }
    let path = folder.join("initramfs");
    fs::write(&path, archive.finish()).map_err(LabError::io("write", path.display().to_string()))?;
    Ok(path)
}

/// A cpio archive under construction.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, data: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(data.len()).expect("files of a guest are small");
        let name_size = u32::try_from(name.len() + 1).expect("names are short");
        // inode, mode, user, group, links, time, size, four device numbers, length of the name, checksum
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_aligned_entries_and_a_trailer() {
        let mut archive = Archive::default();
        archive.add("init", PROGRAM, b"hello");
        let bytes = archive.finish();
        let header = format!("070701{:08X}{PROGRAM:08X}", 1);
        assert!(bytes.starts_with(header.as_bytes()));
        assert_eq!(&bytes[110..115], b"init\0");
        assert_eq!(&bytes[116..121], b"hello");
        assert_eq!(&bytes[124..130], b"070701");
        assert!(bytes.windows(10).any(|window| window == b"TRAILER!!!"));
        assert_eq!(bytes.len() % 4, 0);
    }
}
