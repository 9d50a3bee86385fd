//! Files, devices and images as disks.
//!
//! A qcow2 image is opened with all that it stands on, after its headers and tables have been judged. Which format a file has is told by its name or
//! before it (`qcow2:PATH`), and never guessed: what stands in a raw disk is up to the guest.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::Path,
    rc::Rc,
};

use palisade_guest::disk::Disk;
use palisade_recovery::image::{Format, Image, ImageDisk, Place};

use crate::exit::Failure;

/// A raw disk.
#[derive(Debug)]
struct RawDisk {
    file: File,
    size: u64,
}

impl RawDisk {
    /// Opens a file or a block device, for reading.
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        // A device has no size in its metadata.
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, size })
    }
}

impl Disk for RawDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> Result<(), String> {
        self.file.read_exact_at(into, place).map_err(|error| error.to_string())
    }
}

/// Whether a path says that it is a disk, by its ending or by what is written before it.
pub fn is_said(path: &Path) -> bool {
    path.to_str().is_some_and(|text| Place::parse(text).is_ok())
}

/// Opens a disk.
pub fn open(path: &Path) -> Result<Rc<dyn Disk>, Failure> {
    let place = path.to_str().and_then(|text| Place::parse(text).ok());
    if let Some(place) = place.as_ref().filter(|place| place.format == Format::Qcow2) {
        return image(place).map_err(Failure::input);
    }
    let is_raw = place.as_ref().is_some_and(|place| place.is_said);
    let path = place.as_ref().map_or(path, |place| &place.path);
    if !is_raw {
        refuse_image(path)?;
    }
    let disk = RawDisk::open(path).map_err(|error| super::source::said(path, &error))?;
    Ok(Rc::new(disk))
}

/// Opens an image of a known format; what is refused of it, in words.
pub fn image(place: &Place) -> Result<Rc<dyn Disk>, String> {
    let image = Image::open(place).map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    Ok(Rc::new(ImageDisk::new(image)))
}

/// Images that are not raw are refused by their name, and not taken for empty disks.
fn refuse_image(path: &Path) -> Result<(), Failure> {
    let head = head(path)?;
    let said = |message: String| Err(super::source::said(path, &message));
    let kinds: [(usize, &[u8], &str); 7] = [
        (0, b"KDMV", "VMDK"),
        (0, b"vhdxfile", "VHDX"),
        (0, b"conectix", "VHD"),
        (0, b"QED\0", "QED"),
        (0, b"WithoutFreeSpace", "Parallels"),
        (0, b"WithouFreSpacExt", "Parallels"),
        (64, &[0x7f, 0x10, 0xda, 0xbe], "VDI"),
    ];
    if head.starts_with(b"QFI\xfb") {
        return said(
            "it begins as a qcow2 image, and its name does not say so (write qcow2:PATH, or raw:PATH)".into(),
        );
    }
    let is_there = |place: usize, mark: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(mark));
    match kinds.iter().find(|(place, mark, _)| is_there(*place, mark)) {
        Some((_, _, kind)) => said(format!(
            "it is a {kind} image (qemu-img convert -O qcow2 makes a qcow2 one of it; write raw:PATH if it is none)"
        )),
        None => Ok(()),
    }
}

/// How a file begins.
pub fn head(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| super::source::said(path, &error))?;
    file.take(512).read_to_end(&mut head).map_err(|error| super::source::said(path, &error))?;
    Ok(head)
}
