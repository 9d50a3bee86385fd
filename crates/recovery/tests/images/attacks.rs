//! Images made to lead elsewhere, to hang or to fill the memory: each refused by its name, before anything is read.

use std::{cell::Cell, fs, os::unix::fs::symlink, path::Path};

use palisade_recovery::image::{Format, Image, Place, Refusal, write_overlay};

use crate::tools::{SIZE, folder, qemu_img};

const CLUSTER: usize = 64 << 10;
/// Where the writer of overlays puts the first table.
const FIRST_TABLE: usize = 3 * CLUSTER;

/// Changes an overlay on `disk.raw`; why it is refused then.
fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> Refusal {
    let folder = folder();
    let path = folder.path().join("over.qcow2");
    write_overlay(&path, SIZE as u64, "disk.raw", Format::Raw).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    refused(&path)
}

fn refused(path: &Path) -> Refusal {
    let error =
        Image::open(&Place::parse(path.to_str().unwrap()).unwrap()).expect_err("it should be refused");
    error.refusal().unwrap_or_else(|| panic!("not refused by name: {error:?}")).clone()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn number(at: usize, value: u32) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| put(bytes, at, &value.to_be_bytes())
}

fn offset(at: usize, value: u64) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| put(bytes, at, &value.to_be_bytes())
}

#[test]
fn headers_are_refused_by_name() {
    assert_eq!(refusal(number(0, 7)), Refusal::NotQcow2);
    assert_eq!(refusal(number(4, 4)), Refusal::Version { version: 4 });
    assert_eq!(refusal(number(20, 40)), Refusal::ClusterBits { bits: 40 });
    assert_eq!(refusal(number(32, 2)), Refusal::Encrypted { method: 2 });
    assert_eq!(refusal(number(60, 3)), Refusal::Snapshots { count: 3 });
    assert_eq!(refusal(offset(72, 1)), Refusal::Dirty);
    assert_eq!(refusal(offset(72, 2)), Refusal::Corrupt);
    assert_eq!(refusal(offset(72, 4)), Refusal::ExternalDataFile);
    assert_eq!(refusal(offset(72, 8)), Refusal::Compression);
    assert_eq!(refusal(offset(72, 16)), Refusal::ExtendedEntries);
    assert_eq!(refusal(offset(72, 1 << 40)), Refusal::UnknownFeatures { bits: 1 << 40 });
    assert_eq!(refusal(number(96, 60)), Refusal::RefcountOrder { order: 60 });
    assert_eq!(refusal(number(100, 4_000_000_000)), Refusal::HeaderLength { length: 4_000_000_000 });
    assert_eq!(refusal(number(108, u32::MAX)), Refusal::Extension { offset: 104 });
    assert_eq!(refusal(number(104, 0x4441_5441)), Refusal::ExternalDataFile);
    assert_eq!(refusal(number(104, 0x0537_be77)), Refusal::Encrypted { method: 2 });
    assert_eq!(refusal(number(16, 5_000)), Refusal::BackingName);
    assert_eq!(refusal(offset(8, u64::MAX)), Refusal::Truncated { offset: u64::MAX });
    assert_eq!(refusal(|bytes| bytes.truncate(50)), Refusal::Truncated { offset: 72 });
}

#[test]
fn resized_headers_and_tables_are_refused() {
    assert!(matches!(refusal(offset(24, u64::MAX)), Refusal::VirtualSize { .. }));
    assert!(matches!(refusal(offset(24, 513)), Refusal::VirtualSize { .. }));
    assert!(matches!(refusal(offset(24, 0)), Refusal::VirtualSize { .. }));
    assert_eq!(refusal(offset(24, 1 << 40)), Refusal::FirstTableShort { entries: 1, needed: 2048 });
    assert_eq!(
        refusal(offset(24, SIZE as u64 - 512)),
        Refusal::LayerSizes { top: SIZE as u64 - 512, below: SIZE as u64 }
    );
    assert!(matches!(refusal(number(36, u32::MAX)), Refusal::TableSize { table: "first table", .. }));
    assert!(matches!(refusal(number(56, u32::MAX)), Refusal::TableSize { .. }));
    assert!(matches!(refusal(number(56, 0)), Refusal::TableSize { .. }));
}

#[test]
fn tables_that_lead_astray_are_refused() {
    let first = FIRST_TABLE as u64;
    // Out of the file, between clusters, and into what something else has.
    assert_eq!(refusal(offset(40, 1 << 50)), Refusal::Target { entry: 40, target: 1 << 50 });
    assert_eq!(refusal(offset(FIRST_TABLE, 1 << 50)), Refusal::Target { entry: first, target: 1 << 50 });
    assert_eq!(refusal(offset(FIRST_TABLE, 0x200)), Refusal::Target { entry: first, target: 0x200 });
    assert_eq!(refusal(offset(40, 0)), Refusal::Overlap { entry: 40, target: 0 });
    assert_eq!(refusal(offset(FIRST_TABLE, first)), Refusal::Overlap { entry: first, target: first });
    assert_eq!(refusal(offset(FIRST_TABLE, 1 << 62)), Refusal::Reserved { entry: first, value: 1 << 62 });
    assert_eq!(
        refusal(offset(CLUSTER, 0x1_0001)),
        Refusal::Reserved { entry: CLUSTER as u64, value: 0x1_0001 }
    );
}

#[test]
fn two_owners_of_a_cluster_are_refused() {
    let with_table = |entries: &'static [u64]| {
        move |bytes: &mut Vec<u8>| {
            let table = bytes.len();
            bytes.resize(table + 2 * CLUSTER, 0);
            put(bytes, FIRST_TABLE, &(table as u64).to_be_bytes());
            for (index, entry) in entries.iter().enumerate() {
                put(bytes, table + index * 8, &entry.to_be_bytes());
            }
        }
    };
    let data = (5 * CLUSTER) as u64;
    let table = (4 * CLUSTER) as u64;
    assert_eq!(
        refusal(with_table(&[5 * CLUSTER as u64, 5 * CLUSTER as u64])),
        Refusal::Overlap { entry: table + 8, target: data }
    );
    // The guest would see, and write, the table itself.
    assert_eq!(refusal(with_table(&[4 * CLUSTER as u64])), Refusal::Overlap { entry: table, target: table });
    // One compressed cluster many times is how a small file unfolds into a large disk.
    const PACKED: u64 = (1 << 62) | (5 * CLUSTER as u64);
    assert_eq!(refusal(with_table(&[PACKED, PACKED])), Refusal::Overlap { entry: table + 8, target: data });
}

#[test]
fn backing_files_stay_in_the_folder() {
    let folder = folder();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("disk.raw"), vec![0; SIZE]).unwrap();
    symlink("../disk.raw", inner.join("link.raw")).unwrap();
    let over = inner.join("over.qcow2");
    let cases = [
        ("../disk.raw", "leaves the folder"),
        ("/etc/shadow", "is an absolute path"),
        ("nbd://192.0.2.1/disk", "names a protocol"),
        ("json:{\"driver\":\"file\"}", "names a protocol"),
        ("link.raw", "is a link out of the folder"),
    ];
    for (name, why) in cases {
        write_overlay(&over, SIZE as u64, name, Format::Raw).unwrap();
        assert_eq!(refused(&over), Refusal::BackingPath { name: name.into(), why });
    }
    write_overlay(&over, SIZE as u64, "over.qcow2", Format::Qcow2).unwrap();
    assert_eq!(refused(&over), Refusal::Circle);
}

#[test]
fn formats_are_never_guessed() {
    let folder = folder();
    let path = folder.path().join("disk.raw");
    let mut bytes = fs::read(&path).unwrap();
    put(&mut bytes, 0, b"QFI\xfb\0\0\0\x03");
    fs::write(&path, bytes).unwrap();
    assert_eq!(refused(&path), Refusal::Ambiguous);
    let said = Place::parse(&format!("raw:{}", path.display())).unwrap();
    assert_eq!(Image::open(&said).unwrap().size(), SIZE as u64);
    assert_eq!(Place::parse("disk.vmdk"), Err(Refusal::UnknownFormat));
    let Some(()) = qemu_img(folder.path(), "create -q -f qcow2 -F raw -b disk.raw unnamed.qcow2") else {
        return;
    };
    let unnamed = folder.path().join("unnamed.qcow2");
    let mut bytes = fs::read(&unnamed).unwrap();
    // The extension that names the format becomes one that nobody knows.
    let at = bytes.windows(4).position(|word| word == 0xe279_2aca_u32.to_be_bytes()).unwrap();
    put(&mut bytes, at, &[1, 2, 3, 4]);
    fs::write(&unnamed, bytes).unwrap();
    assert_eq!(refused(&unnamed), Refusal::BackingFormat { name: "disk.raw".into(), format: String::new() });
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = folder();
    let pipe = folder.path().join("pipe.raw");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(refused(&pipe), Refusal::NotAFile);
}

#[test]
fn a_sparse_file_of_tables_is_a_bomb() {
    let folder = folder();
    let path = folder.path().join("bomb.qcow2");
    let Some(()) =
        qemu_img(folder.path(), "create -q -f qcow2 -o cluster_size=2M,preallocation=metadata bomb.qcow2 2T")
    else {
        return;
    };
    assert!(matches!(refused(&path), Refusal::Bomb { .. }));
}

/// Any bytes in any place: refused or read, and never more.
#[test]
fn no_bytes_make_the_reader_panic() {
    use palisade_recovery::image::{DATA_MAX, Header, Survey};
    use proptest::prelude::*;

    let folder = folder();
    let path = folder.path().join("over.qcow2");
    write_overlay(&path, SIZE as u64, "disk.raw", Format::Raw).unwrap();
    let mut whole = fs::read(&path).unwrap();
    // A second table and a cluster of data, so that there is more to break.
    put(&mut whole, FIRST_TABLE, &(4 * CLUSTER as u64).to_be_bytes());
    whole.resize(6 * CLUSTER, 0);
    put(&mut whole, 4 * CLUSTER, &(5 * CLUSTER as u64).to_be_bytes());
    let places =
        [0..128_usize, CLUSTER..CLUSTER + 16, FIRST_TABLE..FIRST_TABLE + 16, 4 * CLUSTER..4 * CLUSTER + 64];
    let place = proptest::sample::select(places.into_iter().flatten().collect::<Vec<_>>());
    let changes = proptest::collection::vec((place, any::<u8>()), 1..6);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(4_000));
    let (refused, read) = (Cell::new(0), Cell::new(0));
    runner
        .run(&(changes, 0..2_usize * CLUSTER), |(changes, cut)| {
            let mut bytes = whole.clone();
            changes.iter().for_each(|&(at, byte)| bytes[at] = byte);
            bytes.truncate(whole.len() - cut / 2);
            let survey = Header::parse(&bytes)
                .ok()
                .and_then(|header| Survey::of(&bytes[..], bytes.len() as u64, &header).ok());
            match survey {
                Some(survey) => prop_assert!(survey.data_bytes <= DATA_MAX),
                None => refused.set(refused.get() + 1),
            }
            read.set(read.get() + 1);
            Ok(())
        })
        .unwrap();
    let (refused, read) = (refused.get(), read.get());
    assert!(refused > 0 && refused < read, "{refused} of {read} refused");
}
