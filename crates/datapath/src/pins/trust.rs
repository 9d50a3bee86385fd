//! Whether pins are as safe as their directory: nobody else may touch them, and they must outlive this process.
//!
//! Whoever may write a directory of pins can remove them, and with them enforcement; whoever may open it can hold its
//! lock. So directories are made for their owner only, and one that others could change is refused. Invariant: nothing
//! is pinned where it ends with the mount namespace of this process (`ip netns exec` makes such a one).

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::{Pid, geteuid};

use crate::error::{Context, Error};

/// What only the owner may do.
const PRIVATE: u32 = 0o700;
/// Permission of others to make and remove entries; and the bit that lets nobody remove those of another user.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// Longest chain of parent processes that is looked at.
const ANCESTORS_MAX: usize = 64;

/// Makes a directory, and those above it, for this user only; an existing one must be this user's already.
pub(super) fn make_private(dir: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(PRIVATE).create(dir);
    made.context(|| format!("make the directory {}", dir.display()))?;
    is_ours(dir)
}

/// Refuses a directory that another user owns or may change.
pub(super) fn is_ours(dir: &Path) -> Result<(), Error> {
    let found = fs::symlink_metadata(dir).context(|| format!("look at {}", dir.display()))?;
    let is_kept = found.mode() & WRITABLE_BY_OTHERS == 0 || found.mode() & STICKY != 0;
    if found.is_dir() && is_kept && found.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(Error::Untrusted { dir: dir.into() })
}

/// Refuses a place that a process from which this one descends sees otherwise: its mount ends before they do.
pub(super) fn lasts(dir: &Path) -> Result<(), Error> {
    let Some(existing) = dir.ancestors().find(|ancestor| ancestor.exists()) else { return Ok(()) };
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let own = device(existing).context(|| format!("look at {}", existing.display()))?;
    let mut process = Some(Pid::parent());
    for _ in 0..ANCESTORS_MAX {
        let Some(pid) = process else { break };
        // A process that this one may not look at says nothing.
        let seen = device(&root_of(pid).join(existing.strip_prefix("/").unwrap_or(existing)));
        if seen.is_ok_and(|seen| seen != own) {
            return Err(Error::Fleeting { dir: dir.into() });
        }
        process = parent_of(pid);
    }
    Ok(())
}

/// The file system as a process sees it.
fn root_of(pid: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/root"))
}

/// The parent of a process; `None` for the first one, and for one that ended meanwhile.
fn parent_of(pid: Pid) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok().filter(|pid| *pid > 0).map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder of a test's own, removed when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("palisade-{name}-{}", std::process::id()));
            fs::create_dir(&path).expect("its name is new");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn directories_are_private_or_refused() {
        let folder = Folder::new("private");
        let inner = folder.0.join("palisade/default");
        make_private(&inner).unwrap();
        for made in [&inner, inner.parent().unwrap()] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o777, PRIVATE, "{}", made.display());
        }
        let with_mode = |mode| {
            fs::set_permissions(&inner, fs::Permissions::from_mode(mode)).unwrap();
            make_private(&inner)
        };
        for mode in [0o700, 0o755, 0o1777] {
            with_mode(mode).unwrap_or_else(|error| panic!("{mode:o}: {error}"));
        }
        for mode in [0o770, 0o702, 0o777] {
            assert!(matches!(with_mode(mode), Err(Error::Untrusted { .. })), "{mode:o}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_is_refused() {
        let folder = Folder::new("link");
        let place = folder.0.join("pins");
        std::os::unix::fs::symlink(&folder.0, &place).unwrap();
        assert!(matches!(make_private(&place), Err(Error::Untrusted { .. })));
    }

    #[test]
    fn what_all_ancestors_see_lasts() {
        lasts(Path::new("/sys/fs/bpf/palisade/none")).unwrap();
        assert_eq!(parent_of(Pid::this()), Some(Pid::parent()));
        assert_eq!(parent_of(Pid::from_raw(1)), None);
    }
}
