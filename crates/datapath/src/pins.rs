//! The pin directory: what keeps enforcing when this process ends.
//!
//! A set of pins is complete or absent: it is built in a directory beside and renamed into place. Its directory is
//! locked while a writer lives; the kernel drops the lock with the process. Names of pins have no dots, which BPF
//! file systems refuse. A set of another layout that is to replace the one in place waits beside it, as `NAME-next`.

mod trust;

use std::{
    ffi::OsString,
    fs,
    fs::File,
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AT_FDCWD, Flock, FlockArg, OFlag, RenameFlags, renameat2},
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use crate::error::{Context, Error};

/// Where BPF file systems are mounted by convention.
pub(crate) const BPFFS: &str = "/sys/fs/bpf";
/// The directory of pinned links inside a pin directory.
pub(crate) const LINKS: &str = "links";
/// The pin that every complete set has: the shared memory. It is named so whatever the memory is, because the first
/// version takes a directory without a pin of this name for an unfinished set, and would remove it.
pub(crate) const MEMORY: &str = "arena";

/// A pin directory that only this process may change.
#[derive(Debug)]
pub(crate) struct PinDir {
    path: PathBuf,
    /// Held, not used.
    lock: Flock<File>,
}

/// A set of pins under construction.
#[derive(Debug)]
pub(crate) struct Unfinished(PinDir);

/// A place for a set of pins, and what is there.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// The complete set in the place.
    pub current: Option<PinDir>,
    /// A set that is to replace it.
    pub next: Option<PinDir>,
}

/// Locks the sets at `path`, and removes what is no complete one.
pub(crate) fn enter(path: &Path) -> Result<Place, Error> {
    let parent = parent_of(path)?;
    mount_bpffs_for(parent)?;
    trust::lasts(parent)?;
    trust::make_private(parent)?;
    let current = lock_complete(path)?;
    Ok(Place { current, next: lock_complete(&beside(path, "next"))?, path: path.into() })
}

impl Place {
    /// Begins a set.
    pub(crate) fn build(&self) -> Result<Unfinished, Error> {
        let path = beside(&self.path, "unfinished");
        // What a process left that died while it built the set; if it still builds, its lock says so.
        if lock(&path)?.is_some() {
            remove_tree(&path)?;
        }
        trust::make_private(&path)?;
        lock(&path)?.map(Unfinished).ok_or_else(|| Error::Busy { dir: self.path.clone() })
    }

    /// Puts a finished set, which has no links, into the empty place in one step.
    pub(crate) fn fill(&self, set: Unfinished) -> Result<PinDir, Error> {
        let links = set.0.join(LINKS);
        fs::create_dir(&links).context(|| format!("make the directory {}", links.display()))?;
        set.0.moved(&self.path)
    }

    /// Puts a finished set beside the one in the place.
    pub(crate) fn stage(&self, set: Unfinished) -> Result<PinDir, Error> {
        set.0.moved(&beside(&self.path, "next"))
    }

    /// Removes a set that was to replace the one in the place, and was never in force.
    pub(crate) fn drop_next(&mut self) -> Result<(), Error> {
        self.next.take().map_or(Ok(()), |set| remove_tree(&set.path))
    }
}

impl Unfinished {
    /// Path of a pin to be made.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl PinDir {
    /// Path of a pin, or of the directory of links.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `next` in the place of this set, with the links of this one. Begun again after a crash, it goes on: the links
    /// are still in this set, or already in the other.
    pub(crate) fn replace(&mut self, next: &mut Self) -> Result<(), Error> {
        let action = || format!("put {} in the place of {}", next.path.display(), self.path.display());
        if self.join(LINKS).exists() {
            fs::rename(self.join(LINKS), next.join(LINKS)).context(action)?;
        }
        renameat2(AT_FDCWD, &next.path, AT_FDCWD, &self.path, RenameFlags::RENAME_EXCHANGE)
            .context(action)?;
        // Locks go with their directories.
        std::mem::swap(&mut self.lock, &mut next.lock);
        // What is left of the old set enforces nothing; if it cannot be removed now, the next process does it.
        let _ = remove_tree(&next.path);
        Ok(())
    }

    fn moved(self, path: &Path) -> Result<Self, Error> {
        fs::rename(&self.path, path).context(|| format!("move the pins to {}", path.display()))?;
        Ok(Self { path: path.into(), ..self })
    }
}

/// The parent of a pin directory, whose name must be one of a BPF file system.
fn parent_of(path: &Path) -> Result<&Path, Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let name = path.file_name().filter(|name| !name.as_encoded_bytes().contains(&b'.'));
    parent.zip(name).map(|(parent, _)| parent).ok_or_else(|| Error::BadPinDir { dir: path.into() })
}

/// A directory beside a pin directory.
pub(crate) fn beside(path: &Path, role: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push("-");
    name.push(role);
    path.with_file_name(name)
}

/// Locks a complete set; what is none is removed.
fn lock_complete(path: &Path) -> Result<Option<PinDir>, Error> {
    let Some(dir) = lock(path)? else { return Ok(None) };
    trust::is_ours(path)?;
    if dir.join(MEMORY).exists() {
        return Ok(Some(dir));
    }
    remove_tree(path)?;
    Ok(None)
}

/// Locks an existing directory; `None` if there is none.
fn lock(path: &Path) -> Result<Option<PinDir>, Error> {
    let flags = (OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).bits();
    let action = || format!("open {}", path.display());
    let dir = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(action),
    };
    let busy = || Error::Busy { dir: path.into() };
    let lock = Flock::lock(dir, FlockArg::LockExclusiveNonblock).map_err(|_| busy())?;
    // Whoever held the lock until now may have put another directory here.
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let locked = lock.metadata().map(identity).context(action)?;
    match fs::metadata(path).map(identity) {
        Ok(there) if there == locked => Ok(Some(PinDir { path: path.into(), lock })),
        _ => Err(busy()),
    }
}

/// Removes a directory with everything in it.
pub(crate) fn remove_tree(path: &Path) -> Result<(), Error> {
    fs::remove_dir_all(path).context(|| format!("remove {}", path.display()))
}

/// Makes sure that `dir`, or the nearest ancestor that exists, is on a BPF file system; mounts the conventional one
/// where it is missing, as in a new mount namespace.
fn mount_bpffs_for(dir: &Path) -> Result<(), Error> {
    if is_bpffs(dir) {
        return Ok(());
    }
    if !dir.starts_with(BPFFS) || is_bpffs(Path::new(BPFFS)) {
        return Err(Error::NotBpffs { dir: dir.into() });
    }
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), Some("mode=0700"))
        .context(|| format!("mount the BPF file system at {BPFFS}"))
}

/// Whether `path`, or the nearest ancestor that exists, is on a BPF file system.
pub(crate) fn is_bpffs(path: &Path) -> bool {
    path.ancestors()
        .find_map(|ancestor| statfs(ancestor).ok())
        .is_some_and(|found| found.filesystem_type() == BPF_FS_MAGIC)
}
