use std::cell::RefCell;

use super::*;
use crate::{Files, FilesError, Meta};

/// A file system of few files, by path.
#[derive(Clone, Default)]
struct Small(BTreeMap<String, (Status, Vec<u8>)>);

impl Small {
    fn with(mut self, path: &str, kind: Kind, time: i128, holds: &str) -> Self {
        let size = if kind == Kind::Folder { 0 } else { holds.len() as u64 };
        let status = Status { kind, size, mode: Some(0o644), owner: Some((0, 0)), modified: Some(time) };
        self.0.insert(path.to_owned(), (status, holds.as_bytes().to_vec()));
        self
    }
}

impl Tree for Small {
    fn root(&self) -> Handle {
        Handle(Vec::new())
    }

    fn list(&self, folder: &Handle) -> Result<Vec<Listed>, String> {
        let start = format!("{}/", String::from_utf8_lossy(&folder.0));
        let below = self.0.iter().filter_map(|(path, (status, holds))| {
            let name = path.strip_prefix(&start).filter(|name| !name.contains('/'))?;
            let status = if holds == b"unknown" { Err("damaged".to_owned()) } else { Ok(*status) };
            Some(Listed { name: name.to_owned(), handle: Handle(path.as_bytes().to_vec()), status })
        });
        Ok(below.collect())
    }

    fn contents(&self, file: &Handle, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
        let holds = &self.0[&*String::from_utf8_lossy(&file.0)].1;
        if holds == b"unreadable" {
            return Err("its clusters are missing".to_owned());
        }
        sink(holds);
        Ok(())
    }
}

impl Files for Small {
    fn read(&self, _: &str, _: usize) -> Result<Option<Vec<u8>>, FilesError> {
        Ok(None)
    }

    fn names(&self, _: &str) -> Result<Vec<String>, FilesError> {
        Ok(Vec::new())
    }

    fn meta(&self, _: &str) -> Result<Option<Meta>, FilesError> {
        Ok(None)
    }
}

fn told(before: &Small, after: &Small, is_quick: bool) -> (Vec<String>, Vec<String>) {
    let hashed = RefCell::new(0);
    let how = How { is_quick, progress: &|bytes| *hashed.borrow_mut() += bytes };
    let compared = trees(before, after, how);
    assert_eq!(compared.bytes, *hashed.borrow());
    let changes =
        compared.changes.iter().map(|change| format!("{} {}", change.path, change.what().join("+")));
    let unread = compared.unread.iter().map(|unread| format!("{}: {}", unread.path, unread.why));
    (changes.collect(), unread.collect())
}

#[test]
fn files_differ_by_what_they_hold_and_are() {
    let base = Small::default()
        .with("/etc", Kind::Folder, 1, "")
        .with("/etc/same", Kind::File, 1, "same")
        .with("/etc/forged", Kind::File, 1, "old")
        .with("/etc/gone", Kind::File, 1, "x")
        .with("/etc/link", Kind::Link, 1, "/a")
        .with("/etc/turned", Kind::File, 1, "x");
    let mut after = base.clone();
    after.0.remove("/etc/gone");
    let mut after = after
        .with("/etc/forged", Kind::File, 1, "new")
        .with("/etc/link", Kind::Link, 1, "/b")
        .with("/etc/turned", Kind::Folder, 2, "")
        .with("/etc/turned/inside", Kind::File, 2, "x")
        .with("/etc/new", Kind::File, 2, "x");
    after.0.get_mut("/etc/same").unwrap().0.mode = Some(0o4755);
    let expect = [
        "/etc/forged contents",
        "/etc/gone removed",
        "/etc/link contents",
        "/etc/new added",
        "/etc/same mode",
        "/etc/turned kind+contents+size+time",
        "/etc/turned/inside added",
    ];
    let (changes, unread) = told(&base, &after, false);
    assert_eq!((changes.as_slice(), unread), (expect.map(str::to_owned).as_slice(), vec![]));
    // Whoever sets the time back is not seen by a quick look, which is why it is not the usual one.
    let quick: Vec<&str> =
        expect.into_iter().filter(|line| !line.contains("contents") || line.contains("turned")).collect();
    assert_eq!(told(&base, &after, true).0, quick);
    assert_eq!(told(&base, &base, false), (vec![], vec![]));
}

#[test]
fn what_cannot_be_read_is_not_taken_for_alike() {
    let base = Small::default().with("/a", Kind::File, 1, "unknown").with("/b", Kind::File, 1, "unreadable");
    let expect = [
        "/a: before: damaged",
        "/b: after: its clusters are missing",
        "/b: before: its clusters are missing",
    ];
    let (changes, mut unread) = told(&base, &base, false);
    unread.sort();
    assert_eq!((changes, unread), (vec![], expect.map(str::to_owned).to_vec()));
}

#[test]
fn a_folder_in_itself_ends() {
    #[derive(Clone)]
    struct Circle(Small);
    impl Files for Circle {
        fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
            self.0.read(path, max)
        }
        fn names(&self, path: &str) -> Result<Vec<String>, FilesError> {
            self.0.names(path)
        }
        fn meta(&self, path: &str) -> Result<Option<Meta>, FilesError> {
            self.0.meta(path)
        }
    }
    impl Tree for Circle {
        fn root(&self) -> Handle {
            self.0.root()
        }
        fn list(&self, _: &Handle) -> Result<Vec<Listed>, String> {
            self.0.list(&self.root())
        }
        fn contents(&self, file: &Handle, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), String> {
            self.0.contents(file, sink)
        }
    }
    let circle = Circle(Small::default().with("/a", Kind::Folder, 1, ""));
    let compared = trees(&circle, &circle, How { is_quick: false, progress: &|_| {} });
    assert_eq!(compared.names, DEPTH_MAX as u64 + 1);
    assert!(compared.unread[0].why.contains("256 deep"), "{:?}", compared.unread);
}
