//! What differs between two file systems: files added, removed and changed, by what they hold and not by their times.
//!
//! Both are walked from their first folders, links not followed. Every file that stands in both is hashed on both sides, unless [`How::is_quick`]; what could
//! not be compared is [`Compared::unread`] and never taken for alike. Limits end a walk with a word and not with silence. It must not know what a
//! file means; that is [`crate::facts`].

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::disk::{Handle, Kind, Listed, Status, Tree};

/// Names that are compared on one file system.
pub const NAMES_MAX: u64 = 4_000_000;
/// Bytes of paths that are kept, of differences and of folders still to be walked.
pub const PATHS_MAX: u64 = 1 << 28;
/// Folders in folders.
pub const DEPTH_MAX: usize = 256;
/// Bytes that are hashed on one file system, both sides together.
pub const BYTES_MAX: u64 = 1 << 42;
/// Differences that are told, and places that could not be read.
pub const TOLD_MAX: usize = 200_000;

/// How to compare.
#[derive(Clone, Copy)]
pub struct How<'h> {
    /// Whether files of equal size, permissions, owner and time are taken for alike without being read. Who changes a file can set its time back.
    pub is_quick: bool,
    /// Told how many bytes more have been hashed.
    pub progress: &'h dyn Fn(u64),
}

/// A file as it was on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What is known of it.
    pub status: Status,
    /// SHA-256 of what it holds; `None` of folders, devices, and what was not read.
    pub sha256: Option<[u8; 32]>,
}

/// A file that differs. One that is only on one side was added or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its path, with escaped names.
    pub path: String,
    /// How it was.
    pub before: Option<Seen>,
    /// How it is.
    pub after: Option<Seen>,
}

impl FileChange {
    /// What differs, in words: `added`, `removed`, or some of kind, contents, size, mode, owner and time.
    pub fn what(&self) -> Vec<&'static str> {
        let (before, after) = match (&self.before, &self.after) {
            (None, _) => return vec!["added"],
            (_, None) => return vec!["removed"],
            (Some(before), Some(after)) => (before, after),
        };
        let (old, new) = (&before.status, &after.status);
        let parts = [
            (old.kind != new.kind, "kind"),
            (before.sha256 != after.sha256, "contents"),
            (old.size != new.size, "size"),
            (old.mode != new.mode, "mode"),
            (old.owner != new.owner, "owner"),
            (old.modified != new.modified, "time"),
        ];
        parts.into_iter().filter(|(differs, _)| *differs).map(|(_, name)| name).collect()
    }
}

/// Something that was not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its path, with escaped names.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Files that differ, by path.
    pub changes: Vec<FileChange>,
    /// What was not compared.
    pub unread: Vec<Unread>,
    /// Names that were looked at.
    pub names: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
}

/// Compares two file systems.
pub fn trees(before: &dyn Tree, after: &dyn Tree, how: How<'_>) -> Compared {
    let mut walk = Walk { before, after, how, compared: Compared::default(), paths: 0 };
    let mut folders = vec![(String::new(), Some(before.root()), Some(after.root()))];
    while let Some((path, old, new)) = folders.pop() {
        if !walk.goes_on(&path) {
            break;
        }
        walk.paths -= path.len() as u64;
        walk.folder(&path, &[old, new], &mut folders);
    }
    let mut compared = walk.compared;
    compared.changes.sort_by(|one, other| one.path.cmp(&other.path));
    compared.unread.sort_by(|one, other| one.path.cmp(&other.path));
    compared
}

/// A folder still to be walked: its path, and by what either side finds it.
type Folder = (String, Option<Handle>, Option<Handle>);

struct Walk<'w> {
    before: &'w dyn Tree,
    after: &'w dyn Tree,
    how: How<'w>,
    compared: Compared,
    /// Bytes of paths that are kept.
    paths: u64,
}

impl Walk<'_> {
    /// Whether no limit has been reached; if one has, that is told.
    fn goes_on(&mut self, path: &str) -> bool {
        let compared = &self.compared;
        let limits: [(u64, u64, &str); 5] = [
            (compared.names, NAMES_MAX, "names"),
            (self.paths, PATHS_MAX, "bytes of paths"),
            (compared.bytes, BYTES_MAX, "bytes"),
            (compared.changes.len() as u64, TOLD_MAX as u64, "differences"),
            (compared.unread.len() as u64, TOLD_MAX as u64, "files that cannot be read"),
        ];
        let Some((_, max, what)) = limits.into_iter().find(|(count, max, _)| count >= max) else {
            return true;
        };
        self.unread(
            path,
            format!("there are more than {max} {what}: this and what follows was not compared"),
        );
        false
    }

    fn unread(&mut self, path: &str, why: String) {
        self.paths += path.len() as u64;
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        self.compared.unread.push(Unread { path, why });
    }

    fn folder(&mut self, path: &str, sides: &[Option<Handle>; 2], folders: &mut Vec<Folder>) {
        if path.matches('/').count() > DEPTH_MAX {
            return self.unread(path, format!("folders are more than {DEPTH_MAX} deep"));
        }
        let trees = [self.before, self.after];
        let mut names: BTreeMap<String, [Option<Listed>; 2]> = BTreeMap::new();
        for (side, handle) in sides.iter().enumerate() {
            let Some(handle) = handle else { continue };
            match trees[side].list(handle) {
                Ok(listed) => {
                    for listed in listed {
                        let place = &mut names.entry(listed.name.clone()).or_default()[side];
                        if place.replace(listed).is_some() {
                            self.compared.unread.push(twice(path, side));
                        }
                    }
                }
                Err(why) => self.unread(path, format!("{}: {why}", SIDES[side])),
            }
        }
        for (name, sides) in names {
            self.compared.names += 1;
            let path = format!("{path}/{name}");
            let deeper = self.pair(&path, &sides);
            if deeper.iter().any(Option::is_some) {
                let [old, new] = deeper;
                self.paths += path.len() as u64;
                folders.push((path, old, new));
            }
        }
    }

    /// Compares what a name is on both sides; the folders that it is.
    fn pair(&mut self, path: &str, sides: &[Option<Listed>; 2]) -> [Option<Handle>; 2] {
        let mut status = [None; 2];
        for (side, listed) in sides.iter().enumerate() {
            match listed.as_ref().map(|listed| &listed.status) {
                Some(Ok(known)) => status[side] = Some(*known),
                // What is there and cannot be told is not taken for removed or added.
                Some(Err(why)) => {
                    self.unread(path, format!("{}: {why}", SIDES[side]));
                    return [None, None];
                }
                None => {}
            }
        }
        let is_taken_for_alike = status[0] == status[1] && (self.how.is_quick || is_empty(status[0]));
        if !is_taken_for_alike {
            let seen = [0, 1].map(|side| {
                let listed = sides[side].as_ref()?;
                Some(Seen { status: status[side]?, sha256: self.hash(side, path, listed, status[side]?) })
            });
            let [before, after] = seen;
            if before != after {
                self.paths += path.len() as u64;
                self.compared.changes.push(FileChange { path: path.to_owned(), before, after });
            }
        }
        let is_folder = |side: usize| status[side].is_some_and(|status| status.kind == Kind::Folder);
        [0, 1]
            .map(|side| sides[side].as_ref().filter(|_| is_folder(side)).map(|listed| listed.handle.clone()))
    }

    /// SHA-256 of what a file or a link holds.
    fn hash(&mut self, side: usize, path: &str, listed: &Listed, status: Status) -> Option<[u8; 32]> {
        if !matches!(status.kind, Kind::File | Kind::Link) {
            return None;
        }
        let tree = [self.before, self.after][side];
        let mut hash = Sha256::new();
        let mut left = BYTES_MAX.saturating_sub(self.compared.bytes);
        let before = left;
        let read = tree.contents(&listed.handle, &mut |piece: &[u8]| {
            hash.update(piece);
            (self.how.progress)(piece.len() as u64);
            left = left.saturating_sub(piece.len() as u64);
            left > 0
        });
        self.compared.bytes += before - left;
        match read {
            Ok(()) if left > 0 => Some(hash.finalize().into()),
            Ok(()) => {
                self.unread(path, format!("more than {BYTES_MAX} bytes would be hashed"));
                None
            }
            Err(why) => {
                self.unread(path, format!("{}: {why}", SIDES[side]));
                None
            }
        }
    }
}

/// What the two sides are called.
const SIDES: [&str; 2] = ["before", "after"];

/// Whether there is nothing to read of it.
fn is_empty(status: Option<Status>) -> bool {
    status.is_some_and(|status| status.kind != Kind::Link && status.size == 0 && status.mode.is_some())
}

fn twice(path: &str, side: usize) -> Unread {
    let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    Unread { path, why: format!("{}: two names in it are told alike", SIDES[side]) }
}

#[cfg(test)]
mod tests;
