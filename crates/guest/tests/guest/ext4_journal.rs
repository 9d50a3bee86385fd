//! ext4 whose journal was not replayed: made by `debugfs`, judged by `e2fsck`, and made by Linux while it is mounted.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use crate::{
    ext4::{All, made, of_folder, of_tree, set_time},
    volumes::{opened, sample, tree},
};

/// The superblock's features that change what is written, and the one that says that the journal is newer.
const FEATURES: usize = 1_024 + 0x60;
const RECOVER: u8 = 4;

fn found(bytes: Vec<u8>) -> All {
    let (tree, mut all) = (tree(bytes), All::new());
    of_tree(tree.as_ref(), &tree.root(), "", &mut all);
    all
}

/// Runs commands of `debugfs` on an image; what it says.
pub(crate) fn debugfs(image: &Path, commands: &[String]) -> String {
    let script = image.with_extension("commands");
    fs::write(&script, commands.join("\n")).expect("it is written");
    let output =
        Command::new("debugfs").arg("-wf").args([&script, image]).output().expect("it is there with mke2fs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Blocks of a file.
fn blocks(image: &Path, path: &str) -> Vec<String> {
    let told = debugfs(image, &[format!("blocks {path}")]);
    let line = told.lines().last().unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

/// The journal of an image in which a file of four blocks was written, as transactions tell it.
pub(crate) fn journaled(folder: &Path, options: &[&str], block: usize, open: &str) -> Option<PathBuf> {
    let tree = folder.join("tree");
    fs::create_dir_all(&tree).expect("a folder");
    fs::write(tree.join("file"), sample(u32::try_from(4 * block).expect("it is small")))
        .expect("it is written");
    let image = folder.join("image");
    fs::write(&image, made(&tree, options, 9)?).expect("it is written");
    let numbers = blocks(&image, "/file");
    assert_eq!(numbers.len(), 4, "{numbers:?}");
    let put = |name: &str, bytes: Vec<u8>| {
        let path = folder.join(name);
        fs::write(&path, bytes).expect("it is written");
        path.display().to_string()
    };
    let escaped = [&[0xc0, 0x3b, 0x39, 0x98], vec![7; block - 4].as_slice()].concat();
    let (first, second, third) = (put("1", vec![1; block]), put("2", vec![2; block]), put("3", escaped));
    let write = |number: &str, file: &str| format!("jw -b {number} {file}");
    let opened = format!("jo {open}");
    // The first is written twice, the second taken back, the third looks like a block of a journal, the fourth is taken back and written again.
    let commands = [
        opened,
        write(&numbers[0], &first),
        write(&numbers[1], &first),
        write(&numbers[3], &first),
        format!("jw -r {},{}", numbers[1], numbers[3]),
        write(&numbers[0], &second),
        write(&numbers[2], &third),
        write(&numbers[3], &second),
        "jc".to_owned(),
    ];
    debugfs(&image, &commands);
    Some(image)
}

#[test]
fn a_journal_is_replayed_as_others_replay_it() {
    let shapes: [(&[&str], usize, &str); 7] = [
        (&["-t", "ext3", "-b", "1024"], 1_024, ""),
        (&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit"], 1_024, ""),
        (&["-t", "ext4", "-b", "4096", "-O", "^metadata_csum"], 4_096, ""),
        (&["-t", "ext4", "-b", "4096"], 4_096, "-c"),
        (&["-t", "ext4", "-b", "2048"], 2_048, "-c -v 2"),
        (&["-t", "ext4", "-b", "1024", "-O", "^64bit"], 1_024, "-c -v 3"),
        (&["-t", "ext4", "-b", "1024", "-O", "^64bit"], 1_024, "-c -v 2"),
    ];
    for (options, block, open) in shapes {
        let folder = tempfile::tempdir().expect("a folder");
        let Some(image) = journaled(folder.path(), options, block, open) else { return };
        let mut dirty = fs::read(&image).expect("it is there");
        assert_eq!(dirty[FEATURES] & RECOVER, RECOVER, "{options:?} {open}");
        let own = found(dirty.clone());
        let holds =
            [vec![2; block], sample(u32::try_from(4 * block).unwrap())[block..2 * block].to_vec()].concat();
        assert_eq!(own["/file"].holds[..2 * block], holds, "{options:?} {open}");
        assert_eq!(own["/file"].holds[2 * block..][..4], [0xc0, 0x3b, 0x39, 0x98], "{options:?} {open}");
        assert_eq!(own["/file"].holds[3 * block..], vec![2; block], "{options:?} {open}");
        let replayed =
            Command::new("e2fsck").arg("-fy").arg(&image).output().expect("it is there with mke2fs");
        assert!(replayed.status.code().is_some_and(|code| code <= 1), "{options:?} {open}: {replayed:?}");
        assert!(own == found(fs::read(&image).expect("it is there")), "{options:?} {open}");
        // Whoever changes what is in a transaction that has sums changes no file by it.
        let place =
            dirty.windows(block).position(|part| part == vec![2; block]).expect("it is in the journal");
        dirty[place + 9] ^= 1;
        assert_eq!(opened(dirty).is_err(), open.contains("-c"), "{options:?} {open}");
    }
}

/// A file system that is mounted until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, and a word about it, where nothing can be mounted.
    fn new(image: &Path, place: PathBuf) -> Option<Self> {
        fs::create_dir_all(&place).expect("a folder");
        // No commit by time: what is not asked for stays in the journal.
        let mount = Command::new("mount").args(["-o", "loop,commit=300"]).args([image, &place]).output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            println!("skipped: no ext4 can be mounted here (root and loop devices are needed)");
            return None;
        }
        Some(Self(place))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let ended = Command::new("umount").arg(&self.0).status();
        assert!(ended.is_ok_and(|ended| ended.success()), "it stays mounted at {}", self.0.display());
    }
}

/// Writes a file, and has it and its folder in the journal.
fn written(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("a file");
    file.write_all(bytes).and_then(|()| file.sync_all()).expect("it is written");
    File::open(path.parent().expect("a folder")).and_then(|folder| folder.sync_all()).expect("it is written");
}

/// Many names, and then changes of every kind that are only in the journal.
fn change(root: &Path) {
    let many = root.join("many");
    fs::create_dir(&many).expect("a folder");
    for number in 0..20_000 {
        symlink(format!("{number}"), many.join(format!("link {number}"))).expect("a link");
    }
    written(&root.join("before"), &sample(300_000));
    assert!(Command::new("sync").arg("-f").arg(root).status().is_ok_and(|synced| synced.success()));
    for number in 0..40 {
        fs::remove_file(many.join(format!("link {}", number * 37))).expect("it was there");
        fs::create_dir(root.join(format!("folder {number}"))).expect("a folder");
        written(&root.join(format!("folder {number}/new")), &sample(number * 977));
    }
    fs::remove_dir_all(root.join("folder 7")).expect("it was there");
    fs::rename(root.join("before"), many.join("after")).expect("it is renamed");
    let epoch = SystemTime::UNIX_EPOCH;
    for (number, time) in
        [(1, epoch - Duration::from_millis(1_500)), (2, epoch + Duration::new(5_000_000_000, 5))]
    {
        set_time(&root.join(format!("folder {number}/new")), time);
    }
    written(&root.join("last"), b"last");
}

/// An empty file system that is mounted, and its image.
fn mounted(folder: &Path, options: &[&str]) -> Option<(PathBuf, Mounted)> {
    let (image, empty) = (folder.join("image"), folder.join("empty"));
    fs::create_dir(&empty).expect("a folder");
    fs::write(&image, made(&empty, options, 96)?).expect("it is written");
    let mounted = Mounted::new(&image, folder.join("mounted"))?;
    Some((image, mounted))
}

#[test]
fn fast_commits_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((image, mounted)) = mounted(folder.path(), &["-t", "ext4", "-O", "fast_commit"]) else { return };
    written(&mounted.0.join("first"), b"in a commit as a whole");
    assert!(Command::new("sync").arg("-f").arg(&mounted.0).status().is_ok_and(|synced| synced.success()));
    for name in ["second", "third", "fourth"] {
        let mut file = File::create(mounted.0.join(name)).expect("a file");
        file.write_all(b"in a fast one").and_then(|()| file.sync_all()).expect("it is written");
    }
    let refused = opened(fs::read(&image).expect("it is there")).err().expect("it is refused");
    assert!(refused.starts_with("its journal: it has fast commits"), "{refused}");
}

#[test]
fn a_mounted_file_system_is_read_as_linux_shows_it() {
    let shapes: [&[&str]; 4] = [
        &["-t", "ext4", "-b", "1024"],
        &["-t", "ext4", "-b", "4096"],
        &["-t", "ext4", "-O", "inline_data"],
        &["-t", "ext3", "-I", "256"],
    ];
    for options in shapes {
        let folder = tempfile::tempdir().expect("a folder");
        let options = [options, &["-N", "25000"]].concat();
        let Some((image, mounted)) = mounted(folder.path(), &options) else { return };
        change(&mounted.0);
        let mut dirty = fs::read(&image).expect("it is there");
        assert_eq!(dirty[FEATURES] & RECOVER, RECOVER, "{options:?}");
        let mut expect = All::new();
        of_folder(&mounted.0, "", &mut expect);
        let own = found(dirty.clone());
        for (path, expect) in &expect {
            assert!(own.get(path) == Some(expect), "{path} {options:?}");
        }
        assert_eq!(own.len(), expect.len(), "{options:?}");
        if options.contains(&"ext3") {
            // Without sums it can be read without its journal, and is another one then.
            dirty[FEATURES] &= !RECOVER;
            assert_eq!(tree(dirty).meta("/last"), Ok(None));
        }
    }
}
