//! The file systems of a disk, or of one partition of it, read only.
//!
//! Partitions are those of a GUID partition table or of a master boot record, with the logical ones of an extended partition; a disk may also be a
//! file system from its first byte. Of file systems ext2, ext3 and ext4 (with what stands in their journal), NTFS and FAT are read; others are
//! named. Every number is checked against the disk. It must not know formats of images, nor write.

mod ext4;
mod fat;
mod ntfs;
mod partitions;
mod tree;

use std::rc::Rc;

use crate::{Files, linux, windows};
use partitions::Partition;
pub use tree::{Handle, Kind, Listed, Status, Tree};

/// Bytes of a disk.
pub trait Disk {
    /// How many there are.
    fn size(&self) -> u64;

    /// Reads bytes from a place on; all of them, or it is an error in words.
    ///
    /// # Errors
    /// Why they cannot be read, such as the end of the disk.
    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String>;
}

/// A disk in memory.
impl Disk for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        let start = usize::try_from(place).map_err(|error| error.to_string())?;
        let part = start.checked_add(into.len()).and_then(|end| self.get(start..end));
        into.copy_from_slice(part.ok_or("it is beyond the end")?);
        Ok(())
    }
}

/// Why a disk gives no files of a system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// There is no file system that is read.
    #[error(
        "no file system of it is read: {found} (ext2, ext3, ext4, NTFS and FAT are; give a folder of the files, or the hives)"
    )]
    NoFileSystem {
        /// What is there.
        found: String,
    },
    /// There are file systems, but no system in them.
    #[error(
        "no file system of it holds a system: {found} (there is neither /etc/passwd nor Windows/System32/config)"
    )]
    NoSystem {
        /// What is there.
        found: String,
    },
}

/// What one partition of a disk, or the disk as a whole, holds.
pub struct Volume {
    partition: Partition,
    /// Which file system, or what else, it begins as.
    pub kind: &'static str,
    /// The file system; `None` if it is none that is read, and else why it cannot be.
    pub tree: Option<Result<Box<dyn Tree>, String>>,
}

impl Volume {
    /// Which partition, in words.
    pub fn place(&self) -> String {
        self.partition.to_string()
    }

    /// Whether it is the disk as a whole.
    pub const fn is_whole(&self) -> bool {
        self.partition.is_whole()
    }

    /// Its bytes on the disk.
    pub fn span(&self) -> std::ops::Range<u64> {
        self.partition.span()
    }
}

/// Everything that is on a disk, in the order of partitions; the whole disk is first.
pub fn volumes(disk: &Rc<dyn Disk>) -> Vec<Volume> {
    let volume = |partition: Partition| {
        let kind = file_system(disk.as_ref(), &partition);
        let opened: Option<Result<Box<dyn Tree>, String>> = match kind {
            "ext4" => Some(ext4::Ext4::open(Rc::clone(disk), &partition).map(|files| Box::new(files) as _)),
            "NTFS" => Some(ntfs::Ntfs::open(Rc::clone(disk), &partition).map(|files| Box::new(files) as _)),
            "FAT" => Some(fat::Fat::open(Rc::clone(disk), &partition).map(|files| Box::new(files) as _)),
            _ => None,
        };
        Volume { partition, kind, tree: opened }
    };
    partitions::all(disk.as_ref()).into_iter().map(volume).collect()
}

/// The files of the system on a disk.
///
/// # Errors
/// [`DiskError`], which names what is there.
pub fn open(disk: &Rc<dyn Disk>) -> Result<Box<dyn Files>, DiskError> {
    let mut found = Vec::new();
    let mut is_any_read = false;
    for volume in volumes(disk) {
        let name = format!("{} {}", volume.place(), volume.kind);
        match volume.tree {
            None => found.push(name),
            Some(Err(error)) => found.push(format!("{name}, which is damaged ({error})")),
            Some(Ok(tree)) if is_system(tree.as_ref()) => return Ok(tree),
            Some(Ok(_)) => {
                is_any_read = true;
                found.push(name);
            }
        }
    }
    let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    Err(if is_any_read { DiskError::NoSystem { found } } else { DiskError::NoFileSystem { found } })
}

/// Whether the files are those of a system.
pub(crate) fn is_system(files: &dyn Files) -> bool {
    linux::is_one(files) || windows::is_one(files)
}

/// Where the file system of a Linux system begins on a disk, in bytes, for whoever changes it.
///
/// # Errors
/// [`DiskError`], which names what is there.
pub fn linux_root(disk: &Rc<dyn Disk>) -> Result<u64, DiskError> {
    let volumes = volumes(disk);
    let is_root = |volume: &&Volume| {
        volume.kind == "ext4" && matches!(&volume.tree, Some(Ok(tree)) if linux::is_one(tree.as_ref()))
    };
    let names = || volumes.iter().map(|volume| format!("{} {}", volume.place(), volume.kind));
    let none = || DiskError::NoSystem { found: names().collect::<Vec<_>>().join(", ") };
    volumes.iter().find(is_root).map(|volume| volume.span().start).ok_or_else(none)
}

/// Which file system, or what else, begins a partition, by its marks.
fn file_system(disk: &dyn Disk, partition: &Partition) -> &'static str {
    const MARKS: [(u64, &[u8], &str); 9] = [
        (1_080, &[0x53, 0xef], "ext4"),
        (3, b"NTFS    ", "NTFS"),
        (0, b"XFSB", "XFS"),
        (0x1_0040, b"_BHRfS_M", "Btrfs"),
        (512, b"LABELONE", "LVM"),
        (0, b"LUKS\xba\xbe", "LUKS"),
        (3, b"EXFAT   ", "exFAT"),
        (82, b"FAT32", "FAT"),
        (54, b"FAT1", "FAT"),
    ];
    let is_there = |place: u64, mark: &[u8]| {
        let mut bytes = vec![0; mark.len()];
        partition.read_at(disk, place, &mut bytes).is_ok() && bytes == mark
    };
    MARKS
        .iter()
        .find(|(place, mark, _)| is_there(*place, mark))
        .map_or("of an unknown kind", |(_, _, name)| *name)
}

#[cfg(test)]
mod tests;
