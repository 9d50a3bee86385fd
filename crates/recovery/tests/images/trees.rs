//! One disk has one root, however it is stored; what is damaged is named.

use std::{fs, path::Path};

use palisade_guest::disk::Disk as _;
use palisade_recovery::{
    image::{Format, Image, ImageDisk, Place, write_overlay},
    merkle::{BLOCK, Tree},
    scan,
};

use crate::tools::{SIZE, disk, folder, qemu_img};

#[test]
fn a_disk_is_read_at_every_place_and_length() {
    let folder = folder();
    let Some(()) = qemu_img(folder.path(), "convert -f raw -O qcow2 disk.raw disk.qcow2") else { return };
    let bytes = disk();
    for name in ["disk.raw", "disk.qcow2"] {
        let place = Place::parse(folder.path().join(name).to_str().unwrap()).unwrap();
        let disk = ImageDisk::new(Image::open(&place).unwrap());
        for place in [0, 1, 16_383, 16_384, 50_000, SIZE - 70_000] {
            for length in [1, 16_383, 16_384, 16_385, 40_000, 65_536, 70_000] {
                let mut read = vec![9; length];
                disk.read_at(place as u64, &mut read).unwrap();
                assert!(read == bytes[place..place + length], "{name} {place} {length}");
            }
        }
        assert!(disk.read_at(SIZE as u64 - 10, &mut [0; 11]).is_err());
    }
}

fn content(path: &Path) -> Tree {
    let place = Place::parse(path.to_str().unwrap()).unwrap();
    scan::content(&Image::open(&place).unwrap(), &|_| {}).unwrap()
}

#[test]
fn the_root_does_not_depend_on_how_a_disk_is_stored() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let raw = content(&at("disk.raw"));
    let forms = [
        ("plain.qcow2", "-o cluster_size=64k"),
        ("small.qcow2", "-o cluster_size=512"),
        ("large.qcow2", "-o cluster_size=2M"),
        ("old.qcow2", "-o compat=0.10"),
        ("packed.qcow2", "-c"),
        ("full.qcow2", "-S 0"),
    ];
    for (name, options) in forms {
        if qemu_img(folder.path(), &format!("convert -f raw -O qcow2 {options} disk.raw {name}")).is_none() {
            return;
        }
        assert_eq!(content(&at(name)), raw, "{name}");
    }
    for (name, below) in [("over.qcow2", "plain.qcow2"), ("over2.qcow2", "over.qcow2")] {
        qemu_img(folder.path(), &format!("create -q -f qcow2 -F qcow2 -b {below} {name}")).unwrap();
        assert_eq!(content(&at(name)).root(), raw.root(), "{name}");
    }
}

#[test]
fn an_overlay_of_ours_is_one_for_qemu_too() {
    let folder = folder();
    let over = folder.path().join("over.qcow2");
    write_overlay(&over, SIZE as u64, "disk.raw", Format::Raw).unwrap();
    assert_eq!(content(&over), content(&folder.path().join("disk.raw")));
    let Some(()) = qemu_img(folder.path(), "check -q over.qcow2") else { return };
    qemu_img(folder.path(), "convert -f qcow2 -O raw over.qcow2 back.raw").unwrap();
    assert_eq!(fs::read(folder.path().join("back.raw")).unwrap(), disk());
}

#[test]
fn a_changed_block_is_named() {
    let folder = folder();
    let clean = content(&folder.path().join("disk.raw"));
    let mut bytes = disk();
    bytes[3 * BLOCK as usize + 5] ^= 4;
    *bytes.last_mut().unwrap() ^= 4;
    fs::write(folder.path().join("taken.raw"), bytes).unwrap();
    let taken = content(&folder.path().join("taken.raw"));
    assert_eq!(clean.differences(&taken), [3 * BLOCK..4 * BLOCK, 8 << 20..SIZE as u64]);
}

/// What the content tree does not cover, the file's tree does: together they see every bit.
#[test]
fn every_byte_of_every_file_is_in_a_tree() {
    let folder = folder();
    let Some(()) = qemu_img(folder.path(), "convert -f raw -O qcow2 -o cluster_size=4k disk.raw base.qcow2")
    else {
        return;
    };
    let place = Place::new(folder.path().join("base.qcow2"), Format::Qcow2);
    let seal = || {
        let image = Image::open(&place).ok()?;
        let content = scan::content(&image, &|_| {}).ok()?;
        Some((content.root(), scan::rest(&image.layers[0], false, &|_| {}).ok()?.root()))
    };
    let clean = seal().expect("the image is whole");
    let bytes = fs::read(&place.path).unwrap();
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(bytes.len() / 150) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&place.path, changed).unwrap();
        let found = seal();
        assert_ne!(found, Some(clean), "a bit of byte {at}");
        refused += u32::from(found.is_none());
    }
    println!("{refused} of the flips were refused before anything was read");
}
