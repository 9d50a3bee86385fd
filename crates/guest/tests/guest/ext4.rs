//! ext2 to ext4 as others make them, of every shape: what is read is what was put in, and what the crate `ext4-view` reads.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File, FileTimes},
    io::{Seek as _, SeekFrom, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    },
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use ext4_view::{Ext4, FileType};
use palisade_guest::disk::{Handle, Kind, Tree};
use tempfile::TempDir;

use crate::{
    ext4_journal::debugfs,
    volumes::{sample, tool, tree},
};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    kind: Kind,
    mode: u32,
    seconds: i64,
    pub(crate) holds: Vec<u8>,
}

/// All that is below a folder, by path.
pub(crate) type All = BTreeMap<String, Found>;

/// What a program made that none of us put there.
fn is_own(name: &str) -> bool {
    name != "lost+found"
}

fn told(name: &OsStr) -> String {
    name.to_str()
        .map_or_else(|| String::from_utf8_lossy(name.as_bytes()).replace('\u{fffd}', "\\xff"), str::to_owned)
}

/// What stands in a folder of this machine.
pub(crate) fn of_folder(folder: &Path, path: &str, all: &mut All) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("a name");
        let (name, meta) = (told(&entry.file_name()), entry.metadata().expect("it is there"));
        if !is_own(&name) {
            continue;
        }
        let path = format!("{path}/{name}");
        let (kind, holds) = match meta.file_type() {
            kind if kind.is_dir() => (Kind::Folder, vec![]),
            kind if kind.is_symlink() => {
                (Kind::Link, fs::read_link(entry.path()).expect("a link").as_os_str().as_bytes().to_vec())
            }
            kind if kind.is_fifo() => (Kind::Other, vec![]),
            _ => (Kind::File, fs::read(entry.path()).expect("a file")),
        };
        if kind == Kind::Folder {
            of_folder(&entry.path(), &path, all);
        }
        all.insert(path, Found { kind, mode: meta.mode() & 0o7777, seconds: meta.mtime(), holds });
    }
}

/// What our reader finds.
pub(crate) fn of_tree(tree: &dyn Tree, folder: &Handle, path: &str, all: &mut All) {
    for listed in tree.list(folder).unwrap_or_else(|why| panic!("{path}: {why}")) {
        if !is_own(&listed.name) {
            continue;
        }
        let path = format!("{path}/{}", listed.name);
        let status = listed.status.unwrap_or_else(|why| panic!("{path}: {why}"));
        let mut holds = Vec::new();
        match status.kind {
            Kind::Folder => of_tree(tree, &listed.handle, &path, all),
            Kind::File | Kind::Link => {
                let take = &mut |piece: &[u8]| {
                    holds.extend_from_slice(piece);
                    true
                };
                tree.contents(&listed.handle, take).unwrap_or_else(|why| panic!("{path}: {why}"));
                assert_eq!(status.size, holds.len() as u64, "{path}");
            }
            Kind::Other => {}
        }
        let seconds = status.modified.expect("it has a time").div_euclid(1_000_000_000);
        let seconds = i64::try_from(seconds).expect("it is near");
        all.insert(path, Found { kind: status.kind, mode: status.mode.expect("it has one"), seconds, holds });
    }
}

/// What `ext4-view` finds.
fn of_view(view: &Ext4, folder: &[u8], all: &mut All) {
    for entry in view.read_dir(folder).expect("a folder") {
        let entry = entry.expect("a name");
        let name = told(OsStr::from_bytes(entry.file_name().as_ref()));
        if !is_own(&name) || name == "." || name == ".." {
            continue;
        }
        let (path, meta) = (entry.path(), entry.metadata().expect("it is there"));
        let (kind, holds) = match meta.file_type() {
            FileType::Directory => (Kind::Folder, vec![]),
            FileType::Symlink => (Kind::Link, view.read_link(&path).expect("a link").as_ref().to_vec()),
            FileType::Regular => {
                // It takes a hole of a whole list of blocks for block 0.
                let Ok(holds) = view.read(&path) else { continue };
                (Kind::File, holds)
            }
            _ => (Kind::Other, vec![]),
        };
        if kind == Kind::Folder {
            of_view(view, path.as_ref(), all);
        }
        let place = told(OsStr::from_bytes(path.as_ref()));
        let (mode, seconds) = (u32::from(meta.mode()) & 0o7777, meta.modified().seconds());
        all.insert(place, Found { kind, mode, seconds, holds });
    }
}

pub(crate) fn set_time(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("a file");
    file.set_times(FileTimes::new().set_modified(time)).expect("it is set");
}

/// A folder with files of every shape.
fn planted() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |path: &str| folder.path().join(path);
    for path in ["etc/deep/deeper", "many", "empty", "mode"] {
        fs::create_dir_all(at(path)).expect("a folder");
    }
    for (path, length) in
        [("etc/none", 0), ("etc/few", 40), ("etc/inline", 140), ("etc/block", 4_096), ("large", 3_000_001)]
    {
        fs::write(at(path), sample(length)).expect("it is written");
    }
    for number in 0..400 {
        fs::write(at(&format!("many/a name of some length, number {number}")), format!("{number}"))
            .expect("it is written");
    }
    fs::write(folder.path().join(OsStr::from_bytes(b"odd\xff")), "odd").expect("it is written");
    let mut sparse = File::create(at("sparse")).expect("a file");
    for place in [0, 300_000, 5_000_000] {
        sparse.seek(SeekFrom::Start(place)).expect("a place");
        sparse.write_all(b"here").expect("it is written");
    }
    sparse.set_len(6_000_000).expect("it is longer");
    fs::hard_link(at("etc/few"), at("etc/deep/twice")).expect("a link");
    let long = format!("/etc/{}few", "deep/../".repeat(60));
    for (target, path) in [
        ("few", "etc/short"),
        ("../../etc/deep/", "etc/deep/up"),
        ("/etc/deep", "etc/absolute"),
        (&long, "etc/long"),
        ("here", "etc/here"),
        ("nowhere", "etc/dangling"),
        (&"x".repeat(59), "etc/59"),
        (&"x".repeat(60), "etc/60"),
    ] {
        symlink(target, at(path)).expect("a link");
    }
    assert!(tool("mkfifo", &[at("etc/pipe").to_str().expect("text")], "coreutils"));
    fs::set_permissions(at("mode"), fs::Permissions::from_mode(0o1750)).expect("it is set");
    set_time(&at("etc/few"), SystemTime::UNIX_EPOCH + Duration::new(7, 123_456_789));
    folder
}

/// Makes a file system of a folder; `None` where there is no program for it.
pub(crate) fn made(folder: &Path, options: &[&str], megabytes: u32) -> Option<Vec<u8>> {
    let own = tempfile::tempdir().expect("a folder");
    let image = own.path().join("image");
    let (image, folder) = (image.to_str().expect("text"), folder.to_str().expect("text"));
    let size = format!("{megabytes}M");
    let all = [&["-q", "-F", "-N", "4000"], options, &["-d", folder, image, &size]].concat();
    if !tool("mke2fs", &all, "e2fsprogs") {
        return None;
    }
    // It makes trees of names in folders, which the maker does not.
    let checked = Command::new("e2fsck").args(["-fyD", image]).output().expect("it is there with mke2fs");
    assert!(checked.status.code().is_some_and(|code| code <= 1), "{checked:?}");
    Some(fs::read(image).expect("it is there"))
}

/// Shapes of file systems.
const SHAPES: [&[&str]; 22] = [
    &["-t", "ext2", "-b", "1024"],
    &["-t", "ext2", "-b", "4096", "-I", "128"],
    &["-t", "ext2", "-r", "0"],
    &["-t", "ext3", "-b", "1024"],
    &["-t", "ext3", "-b", "2048", "-O", "^dir_index"],
    &["-t", "ext3", "-b", "4096", "-O", "^sparse_super,^resize_inode"],
    &["-t", "ext4", "-b", "1024"],
    &["-t", "ext4", "-b", "2048"],
    &["-t", "ext4", "-b", "4096"],
    &["-t", "ext4", "-b", "65536"],
    &["-t", "ext4", "-I", "128"],
    &["-t", "ext4", "-I", "1024"],
    &["-t", "ext4", "-O", "^64bit"],
    &["-t", "ext4", "-O", "^metadata_csum,uninit_bg"],
    &["-t", "ext4", "-O", "^extent,^64bit"],
    &["-t", "ext4", "-O", "^filetype"],
    &["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode", "-g", "1024"],
    &["-t", "ext4", "-O", "inline_data"],
    &["-t", "ext4", "-O", "metadata_csum_seed,large_dir,ea_inode"],
    &["-t", "ext4", "-O", "sparse_super2,^resize_inode", "-E", "num_backup_sb=2"],
    &["-t", "ext4", "-O", "bigalloc", "-C", "16384"],
    &["-t", "ext4", "-O", "casefold,encrypt"],
];

#[test]
fn what_was_put_in_is_read() {
    let folder = planted();
    let mut expect = All::new();
    of_folder(folder.path(), "", &mut expect);
    let mut judged = 0;
    for options in SHAPES {
        let Some(bytes) = made(folder.path(), options, 64) else { return };
        let (tree, mut found) = (tree(bytes.clone()), All::new());
        of_tree(tree.as_ref(), &tree.root(), "", &mut found);
        // With data in inodes mke2fs gives a file that ends with a hole another size.
        let is_left_out = |path: &str| path == "/sparse" && options.contains(&"inline_data");
        for (path, expect) in expect.iter().filter(|(path, _)| !is_left_out(path)) {
            assert!(found.get(path) == Some(expect), "{path} {options:?}");
        }
        assert_eq!(found.len(), expect.len(), "{options:?}");
        // It does not read every shape, such as inodes of 128 bytes.
        let view = Ext4::load(Box::new(bytes)).and_then(|view| view.read_dir("/").map(|_| view));
        let Ok(view) = view else { continue };
        let mut viewed = All::new();
        of_view(&view, b"/", &mut viewed);
        found.retain(|path, _| path != "/sparse" || viewed.contains_key(path));
        assert!(found == viewed, "{options:?}");
        same_by_path(tree.as_ref(), &view);
        judged += 1;
    }
    assert!(judged > SHAPES.len() / 2, "ext4-view read {judged} of them");
    println!("{} shapes, {judged} of them read by ext4-view too", SHAPES.len());
}

/// Paths with links in them lead to the same.
fn same_by_path(tree: &dyn Tree, view: &Ext4) {
    let paths = [
        "/",
        "//etc//few",
        "/etc/short",
        "/etc/short/",
        "/etc/few/",
        "/etc/few/.",
        "/etc/long",
        "/etc/absolute/twice",
        "/etc/here/x",
        "/etc/deep/up/twice",
        "/etc/deep/../few",
        "/../../etc/few",
        "/etc/./few",
        "/etc/dangling",
        "/etc/absolute/",
        "/etc/none/x",
        "/etc/absolute/../short",
        "/many/a name of some length, number 399",
        "/many/none",
        "/etc/60",
        "/etc/deep/nothing/../few",
        "etc/few",
    ];
    for path in paths {
        let own = tree.read(path, 1 << 20).ok();
        let other = match view.metadata(path) {
            Ok(meta) if meta.is_dir() => None,
            Ok(_) => Some(Some(view.read(path).expect("a file"))),
            Err(ext4_view::Ext4Error::NotFound | ext4_view::Ext4Error::NotADirectory) => Some(None),
            Err(_) => None,
        };
        assert_eq!(own, other, "{path}");
        let [own, other] = [
            tree.meta(path).ok().flatten().and_then(|meta| meta.mode),
            view.metadata(path).ok().map(|meta| u32::from(meta.mode()) & 0o7777),
        ];
        assert_eq!(own, other, "{path}");
    }
}

#[test]
fn a_folder_of_many_names_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("many")).expect("a folder");
    for number in 0..3_000 {
        symlink(format!("{number}"), folder.path().join(format!("many/link {number}"))).expect("a link");
    }
    let Some(bytes) = made(folder.path(), &["-t", "ext4", "-b", "1024", "-N", "4000"], 40) else { return };
    let tree = tree(bytes);
    let (mut expect, mut found) = (All::new(), All::new());
    of_folder(folder.path(), "", &mut expect);
    of_tree(tree.as_ref(), &tree.root(), "", &mut found);
    assert!(found == expect);
    assert_eq!(tree.names("/many").map(|names| names.len()), Ok(3_000));
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(bytes) = made(folder.path(), &["-t", "ext4", "-O", "^metadata_csum"], 8) else { return };
    let refused = |place: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[1_024 + place..][..value.len()].copy_from_slice(value);
        crate::volumes::opened(bytes).err().expect("it is refused")
    };
    assert_eq!(
        refused(0x60, &[0x42, 0x10, 0, 0x80]),
        "it has features that are not read: dirdata, 0x80000000"
    );
    assert_eq!(refused(0x60, &[0x48]), "it has features that are not read: journal_dev");
    assert!(refused(0x04, &[0, 0, 1, 0]).contains("more than there is"));
    for (place, value) in [(0x18, 7), (0x59, 0xff), (0x58, 0x81), (0x03, 0xff)] {
        assert_eq!(refused(place, &[value]), "its superblock is wrong", "{place:#x}");
    }
    let Some(bytes) = made(folder.path(), &["-t", "ext4", "-O", "meta_bg,^resize_inode,^metadata_csum"], 8)
    else {
        return;
    };
    let mut late = bytes;
    late[1_024 + 0x104] = 2;
    let refused = crate::volumes::opened(late).err().expect("its pieces begin behind the last");
    assert_eq!(refused, "its superblock is wrong");
}

#[test]
fn what_is_encrypted_or_without_case_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["secret/folder", "Folded"] {
        fs::create_dir_all(folder.path().join(path)).expect("a folder");
        fs::write(folder.path().join(path).join("File"), "text").expect("it is written");
    }
    fs::write(folder.path().join("secret/sl-sh"), "").expect("it is written");
    let Some(mut bytes) = made(folder.path(), &["-t", "ext4", "-O", "^metadata_csum"], 8) else { return };
    let place = bytes.windows(5).position(|part| part == b"sl-sh").expect("it is named");
    bytes[place + 2] = b'/';
    let image = folder.path().join("image");
    fs::write(&image, bytes).expect("it is written");
    // Bits of an inode: extents, and encryption or names without case.
    let set = [("/secret", 0x8_0800), ("/secret/folder/File", 0x8_0800), ("/Folded", 0x4008_0000)];
    let commands: Vec<String> = set.iter().map(|(path, flags)| format!("sif {path} flags {flags}")).collect();
    debugfs(&image, &commands);
    let tree = tree(fs::read(&image).expect("it is there"));
    let why = |error: palisade_guest::FilesError| error.why;
    assert_eq!(tree.names("/secret").map_err(why), Err("its names are encrypted".to_owned()));
    assert_eq!(tree.meta("/secret/none").map_err(why), Err("a folder on its path is encrypted".to_owned()));
    assert_eq!(tree.read("/secret/folder/File", 10).map_err(why), Err("it is encrypted".to_owned()));
    let secret =
        tree.list(&tree.root()).expect("a folder").into_iter().find(|listed| listed.name == "secret");
    let stored = tree.list(&secret.expect("it is there").handle).expect("names are told as they are stored");
    assert!(stored.iter().any(|listed| listed.name == "sl\\x2fsh"), "{stored:?}");
    assert_eq!(tree.read("/Folded/fILE", 10), Ok(Some(b"text".to_vec())));
    assert_eq!(tree.read("/folded/File", 10), Ok(None));
}
