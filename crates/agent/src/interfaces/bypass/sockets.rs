//! vhost-user sockets that NICs name in their tag.
//!
//! No list says which sockets are of this kind, so only a name counts: the socket's path, or its file's name with or
//! without the ending. A socket that no NIC names is none of our business.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::{Bypass, BypassKind, Roots};

/// The sockets among `tags`.
pub(super) fn named<'a>(roots: &Roots, tags: impl IntoIterator<Item = &'a str>) -> Vec<Bypass> {
    let tags: BTreeSet<&str> = tags.into_iter().collect();
    if tags.is_empty() {
        return Vec::new();
    }
    let list = fs::read_to_string(&roots.sockets).unwrap_or_default();
    // The path, if a socket has one, is the last column, and the only one with a slash.
    let paths = list.lines().filter_map(|line| Some(&line[line.find(" /")? + 1..])).collect();
    tags.into_iter().filter_map(|tag| socket(tag, &paths)).collect()
}

/// The socket that a tag means. One that another network namespace listens at is in no list, but is a file all the same.
fn socket(tag: &str, paths: &BTreeSet<&str>) -> Option<Bypass> {
    let is_file = |path: &str| {
        path.starts_with('/') && fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
    };
    let listed = paths.iter().find(|path| **path == tag || names_file(tag, path)).copied();
    let path = listed.or_else(|| is_file(tag).then_some(tag))?;
    Some(Bypass {
        kind: BypassKind::VhostUser,
        names: vec![path.to_owned(), tag.to_owned()],
        mac: None,
        driver: None,
    })
}

fn names_file(tag: &str, path: &str) -> bool {
    let path = Path::new(path);
    [path.file_name(), path.file_stem()].into_iter().flatten().any(|name| name == tag)
}
