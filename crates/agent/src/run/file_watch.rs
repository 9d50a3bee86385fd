//! Says that the files of an estate have changed.
//!
//! Notifications are only a hint to look again: editors replace files by renaming others over them, mounts and links
//! change what a path means, and queues overflow. What counts is the fingerprint of what is there. Folders are watched,
//! not files, because a file that is replaced takes its watch along.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::load::{EstateSources, find};

/// Everything that can mean that a file or the list of files is another.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);

/// What is at a path: device, inode, size, and both times of change in nanoseconds; `None` if nothing is.
type Stamp = Option<(u64, u64, u64, i64, i64, i64, i64)>;

/// Watches the files of an estate.
#[derive(Debug)]
pub(super) struct FileWatch {
    inotify: Inotify,
    seen: Vec<(PathBuf, Stamp)>,
}

impl FileWatch {
    /// Begins to watch. What is there now counts as changed, so that the first look reads it.
    pub(super) fn open() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, seen: Vec::new() })
    }

    /// Forgets what was heard, and says whether that was anything.
    pub(super) fn drain(&self) -> io::Result<bool> {
        let mut heard = false;
        loop {
            match self.inotify.read_events() {
                Ok(events) => heard |= !events.is_empty(),
                Err(Errno::EAGAIN) => return Ok(heard),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Whether the files differ from those of the last look, or it is the first.
    pub(super) fn has_changed(&mut self, sources: &EstateSources) -> bool {
        // Watches come first: a change after the fingerprint was taken is then heard.
        self.watch(sources);
        let now = fingerprint(sources);
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    /// Watches every folder that matters. One that cannot be watched is looked at from time to time all the same.
    fn watch(&self, sources: &EstateSources) {
        for folder in folders(sources) {
            let _unwatched = self.inotify.add_watch(&folder, CHANGES);
        }
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn all_paths(sources: &EstateSources) -> Vec<PathBuf> {
    [&sources.paths, &sources.parameters, &sources.service_tags].into_iter().flatten().cloned().collect()
}

fn fingerprint(sources: &EstateSources) -> Vec<(PathBuf, Stamp)> {
    find(&all_paths(sources)).0.into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    let (modified, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
    Some((found.dev(), found.ino(), found.size(), modified.0, modified.1, changed.0, changed.1))
}

/// The folders that hold the files, and those that are the estate's own.
fn folders(sources: &EstateSources) -> BTreeSet<PathBuf> {
    let paths = all_paths(sources);
    let (files, folders) = find(&paths);
    let parent = |path: &PathBuf| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    files.iter().chain(&paths).map(parent).chain(folders).collect()
}
