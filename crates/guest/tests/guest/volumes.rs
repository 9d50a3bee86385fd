//! File systems that others made: `mkntfs` and `ntfscp`, `mkfs.vfat` and `mtools`, `mkfs.ext4`. What is in them is found, and no damage is more than an error.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
};

use palisade_guest::{
    Profile, audit,
    disk::{Disk, Handle, Kind, Tree, open, volumes},
};
use proptest::prelude::*;

use crate::{
    ext4::made,
    ext4_journal::journaled,
    hives::{hive, report},
};

fn disk(bytes: Vec<u8>) -> Rc<dyn Disk> {
    Rc::new(bytes)
}

/// Runs a tool; `false`, and a word about it, where it is not installed.
pub(crate) fn tool(name: &str, arguments: &[&str], package: &str) -> bool {
    match Command::new(name).args(arguments).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => panic!("{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            println!("skipped: {name} is not installed (apt install {package})");
            false
        }
    }
}

fn blank(folder: &Path, megabytes: u64) -> PathBuf {
    let image = folder.join("image");
    let file = fs::File::create(&image).expect("a file");
    file.set_len(megabytes << 20).expect("it has room");
    image
}

/// An NTFS with files in its first folder.
fn ntfs(megabytes: u64, options: &[&str], files: &[(&str, Vec<u8>)]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let image = blank(folder.path(), megabytes);
    let image = image.to_str().expect("paths here are text");
    if !tool("mkntfs", &[&["-q", "-F", "-Q"], options, &[image]].concat(), "ntfs-3g") {
        return None;
    }
    for (name, bytes) in files {
        let own = folder.path().join("own");
        fs::write(&own, bytes).expect("it is written");
        let own = own.to_str().expect("text");
        // What is behind a colon is the name of a stream beside the file's own.
        let arguments = match name.split_once(':') {
            Some((name, stream)) => vec!["-q", "-N", stream, image, own, name],
            None => vec!["-q", image, own, name],
        };
        if !tool("ntfscp", &arguments, "ntfs-3g") {
            return None;
        }
    }
    Some(fs::read(image).expect("it is there"))
}

/// A FAT with a folder and files in it.
fn fat(width: &str, megabytes: u64, files: &[(&str, Vec<u8>)]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let image = blank(folder.path(), megabytes);
    let image = image.to_str().expect("paths here are text");
    if !tool("mkfs.vfat", &["-F", width, image], "dosfstools")
        || !tool("mmd", &["-i", image, "::/EFI"], "mtools")
    {
        return None;
    }
    for (name, bytes) in files {
        let own = folder.path().join("own");
        fs::write(&own, bytes).expect("it is written");
        let into = format!("::/{name}");
        if !tool("mcopy", &["-i", image, own.to_str().expect("text"), &into], "mtools") {
            return None;
        }
    }
    Some(fs::read(image).expect("it is there"))
}

/// ext2 to ext4 with folders, files and a link, most of them without sums, which would find damage before anything else does; the last has a
/// journal that was not replayed.
fn ext4() -> Option<Vec<Vec<u8>>> {
    const SHAPES: [&[&str]; 4] = [
        &["-t", "ext4"],
        &["-t", "ext2", "-b", "1024"],
        &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,inline_data"],
        &["-t", "ext4", "-b", "4096", "-O", "^metadata_csum,^resize_inode,meta_bg"],
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("etc/cron.d")).expect("a folder");
    fs::write(tree.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").expect("it is written");
    fs::write(tree.join("etc/cron.d/job"), sample(50_000)).expect("it is written");
    for number in 0..100 {
        fs::write(tree.join(format!("etc/cron.d/a name of some length {number}")), "x")
            .expect("it is written");
    }
    std::os::unix::fs::symlink("passwd", tree.join("etc/link")).expect("a link");
    let shape = |options: &&[&str]| made(&tree, &[*options, &["-N", "200"]].concat(), 3);
    let mut all = SHAPES.iter().map(shape).collect::<Option<Vec<_>>>()?;
    all.push(fs::read(journaled(folder.path(), SHAPES[3], 4_096, "")?).expect("it is there"));
    Some(all)
}

/// The file system that a disk is, or why it is none.
pub(crate) fn opened(bytes: Vec<u8>) -> Result<Box<dyn Tree>, String> {
    volumes(&disk(bytes)).remove(0).tree.expect("it is read")
}

pub(crate) fn tree(bytes: Vec<u8>) -> Box<dyn Tree> {
    opened(bytes).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn sample(length: u32) -> Vec<u8> {
    (0..length).map(|at| ((at * 31) >> 7) as u8).collect()
}

/// Goes through all that is there, as far as it can be; how many names there were.
fn walk(tree: &dyn Tree, folder: &Handle, depth: u32, left: &mut u32) {
    let Ok(listed) = tree.list(folder) else { return };
    for listed in listed {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return;
        }
        match listed.status.map(|status| status.kind) {
            Ok(Kind::Folder) if depth < 4 => walk(tree, &listed.handle, depth + 1, left),
            Ok(Kind::File | Kind::Link) => {
                let mut pieces = 0;
                let _ = tree.contents(&listed.handle, &mut |_| {
                    pieces += 1;
                    pieces < 64
                });
            }
            _ => {}
        }
    }
}

/// Opens a disk whose sectors that are not empty were changed, and reads all of it.
fn damaged(mut bytes: Vec<u8>, edits: &[(prop::sample::Index, usize, u8)]) {
    let is_used = |sector: &usize| bytes[sector * 512..][..512].iter().any(|byte| *byte != 0);
    let used: Vec<usize> = (0..bytes.len() / 512).filter(is_used).collect();
    for (sector, at, byte) in edits {
        bytes[sector.get(&used) * 512 + at] = *byte;
    }
    let disk = disk(bytes);
    for volume in volumes(&disk) {
        if let Some(Ok(tree)) = volume.tree {
            walk(tree.as_ref(), &tree.root(), 0, &mut 500);
        }
    }
    if let Ok(files) = open(&disk) {
        audit(files.as_ref(), &Profile::default());
    }
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, u8)>> {
    let byte = prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()];
    prop::collection::vec((any::<prop::sample::Index>(), 0..512_usize, byte), 1..40)
}

#[test]
fn files_of_ntfs_are_read_whole() {
    for options in [[].as_slice(), &["-c", "512"], &["-c", "65536"], &["-s", "4096", "-c", "4096"]] {
        let mut files = vec![("small", b"resident".to_vec()), ("large.bin", sample(3_000_001))];
        let names: Vec<String> =
            (0..300).map(|number| format!("a rather long name of file {number}")).collect();
        let many = if options.is_empty() { 300 } else { 3 };
        files.extend(names.iter().take(many).map(|name| (name.as_str(), vec![])));
        let Some(bytes) = ntfs(12, options, &files) else { return };
        let tree = tree(bytes);
        for (name, bytes) in &files {
            assert_eq!(
                tree.read(&format!("/{name}"), 1 << 22),
                Ok(Some(bytes.clone())),
                "{name} {options:?}"
            );
        }
        assert_eq!(tree.names("/").map(|names| names.len()), Ok(files.len()), "{options:?}");
        assert_eq!(
            tree.read("/LARGE.BIN", 10).map_err(|error| error.why),
            Err("it has more than 10 bytes".into())
        );
        assert_eq!(tree.read("/none", 10), Ok(None));
        let listed = tree.list(&tree.root()).unwrap();
        let written = listed[0].status.clone().unwrap().modified.unwrap() / 1_000_000_000;
        assert!((1_700_000_000..10_000_000_000).contains(&written), "{written}");
    }
}

#[test]
fn what_stands_beside_a_file_is_listed() {
    let files = [("plain", b"seen".to_vec()), ("plain:beside", b"hidden".to_vec())];
    let Some(bytes) = ntfs(4, &[], &files) else { return };
    let tree = tree(bytes);
    let mut told = Vec::new();
    for listed in tree.list(&tree.root()).unwrap() {
        let mut holds = Vec::new();
        let take = &mut |piece: &[u8]| {
            holds.extend_from_slice(piece);
            true
        };
        tree.contents(&listed.handle, take).unwrap();
        told.push((listed.name, listed.status.unwrap().size, holds));
    }
    told.sort();
    let expect = files.map(|(name, holds)| (name.to_owned(), holds.len() as u64, holds));
    assert_eq!(told, expect);
}

#[test]
fn files_of_fat_are_read_whole() {
    for (width, megabytes) in [("12", 2), ("16", 16), ("32", 40)] {
        let files = [
            ("SHORT.TXT", b"short".to_vec()),
            ("EFI/a long name with blanks ä.conf", sample(300_001)),
            ("EFI/lower.efi", vec![]),
        ];
        let Some(bytes) = fat(width, megabytes, &files) else { return };
        let tree = tree(bytes);
        for (name, bytes) in &files {
            assert_eq!(tree.read(&format!("/{name}"), 1 << 20), Ok(Some(bytes.clone())), "{name} {width}");
        }
        let mut names = tree.names("/").unwrap();
        names.sort();
        assert_eq!(names, ["EFI", "SHORT.TXT"]);
        let listed = tree.list(&tree.root()).unwrap();
        let written = listed[0].status.clone().unwrap().modified.unwrap() / 1_000_000_000;
        assert!((1_700_000_000..10_000_000_000).contains(&written), "{written}");
    }
}

/// An NTFS with the hives of a machine where Windows has them. `ntfscp` makes no folders, so the driver `ntfs-3g` makes them, where it can be used.
fn windows(hives: &[(&str, Vec<u8>)]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let image = blank(folder.path(), 48);
    let mount = folder.path().join("mount");
    fs::create_dir(&mount).expect("a folder");
    let (image, place) = (image.to_str().expect("text"), mount.to_str().expect("text"));
    if !tool("mkntfs", &["-q", "-F", "-Q", image], "ntfs-3g") {
        return None;
    }
    let mounted = Command::new("ntfs-3g").args([image, place]).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        println!("skipped: ntfs-3g cannot mount here (root and /dev/fuse are needed)");
        return None;
    }
    let config = mount.join("Windows/System32/config");
    let written = fs::create_dir_all(&config)
        .and_then(|()| hives.iter().try_for_each(|(name, bytes)| fs::write(config.join(name), bytes)));
    assert!(tool("umount", &[place], "mount"));
    written.expect("they are written");
    Some(fs::read(image).expect("it is there"))
}

#[test]
fn hives_in_a_disk_tell_what_they_tell_alone() {
    let [Some(sam), Some(system)] = ["SAM", "SYSTEM"].map(hive) else { return };
    let hives = [("SAM", sam), ("SYSTEM", system)];
    let Some(bytes) = windows(&hives) else { return };
    let files = open(&disk(bytes)).unwrap_or_else(|error| panic!("{error}"));
    let found = audit(files.as_ref(), &Profile::default());
    assert_eq!(found, report(&hives));
    assert!(!found.findings.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_ntfs_is_an_error_or_is_read(edits in edits()) {
        thread_local! {
            static SYSTEM: Option<Vec<u8>> = {
                let names: Vec<String> = (0..40).map(|number| format!("a rather long name of file {number}")).collect();
                let mut files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), vec![1; 40])).collect();
                files.push(("large", sample(100_000)));
                ntfs(2, &["-c", "512"], &files)
            };
        }
        let Some(bytes) = SYSTEM.with(Clone::clone) else { return Ok(()) };
        damaged(bytes, &edits);
    }

    #[test]
    fn a_damaged_ext4_is_an_error_or_is_read(edits in edits(), shape in 0..5_usize) {
        thread_local! { static SYSTEMS: Option<Vec<Vec<u8>>> = ext4(); }
        let Some(bytes) = SYSTEMS.with(|all| all.as_ref().map(|all| all[shape].clone())) else { return Ok(()) };
        damaged(bytes, &edits);
    }

    #[test]
    fn a_damaged_fat_is_an_error_or_is_read(edits in edits(), is_wide in any::<bool>()) {
        thread_local! {
            static SYSTEMS: Option<[Vec<u8>; 2]> = {
                let files = [("EFI/a long name.conf", sample(30_000)), ("SHORT.TXT", sample(5_000))];
                fat("12", 1, &files).zip(fat("16", 9, &files)).map(|(narrow, wide)| [narrow, wide])
            };
        }
        let Some(bytes) = SYSTEMS.with(|all| all.as_ref().map(|all| all[usize::from(is_wide)].clone())) else {
            return Ok(());
        };
        damaged(bytes, &edits);
    }
}
