//! The pin directory: what keeps enforcing when this process ends.
//!
//! A set of pins is complete or absent: it is built in a directory beside and renamed into place. Its directory is
//! locked while a writer lives; the kernel drops the lock with the process. Names of pins have no dots, which BPF
//! file systems refuse.

mod trust;

use std::{
    ffi::OsString,
    fs,
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{Flock, FlockArg, OFlag},
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use crate::error::{Context, Error};

/// Where BPF file systems are mounted by convention.
pub(crate) const BPFFS: &str = "/sys/fs/bpf";
/// The directory of pinned links inside a pin directory.
pub(crate) const LINKS: &str = "links";
/// The pin that every complete set has.
const MARK: &str = "arena";

/// A pin directory that only this process may change.
#[derive(Debug)]
pub(crate) struct PinDir {
    path: PathBuf,
    _lock: Flock<File>,
}

/// What was found at the place.
#[derive(Debug)]
pub(crate) enum Found {
    /// A complete set.
    Complete(PinDir),
    /// Nothing: a new set is to be built here and then committed.
    Nothing(Unfinished),
}

/// A set of pins under construction.
#[derive(Debug)]
pub(crate) struct Unfinished {
    dir: PinDir,
    place: PathBuf,
}

/// Locks the pin directory `place`, or a new one that will become it.
pub(crate) fn enter(place: &Path) -> Result<Found, Error> {
    let (parent, beside) = beside(place)?;
    mount_bpffs_for(parent)?;
    trust::lasts(parent)?;
    trust::make_private(parent)?;
    if let Some(dir) = lock(place)? {
        trust::is_ours(place)?;
        if dir.path.join(MARK).exists() {
            return Ok(Found::Complete(dir));
        }
        remove_tree(place)?;
    }
    // What a process left that died while it built the set; if it still builds, its lock says so.
    if lock(&beside)?.is_some() {
        remove_tree(&beside)?;
    }
    trust::make_private(&beside)?;
    let dir = lock(&beside)?.ok_or_else(|| Error::Busy { dir: place.into() })?;
    fs::create_dir(dir.path.join(LINKS)).context(|| format!("make the directory {}", beside.display()))?;
    Ok(Found::Nothing(Unfinished { dir, place: place.into() }))
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
}

impl Unfinished {
    /// Path of a pin to be made.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Puts the finished set into place in one step.
    pub(crate) fn commit(self) -> Result<PinDir, Error> {
        fs::rename(&self.dir.path, &self.place)
            .context(|| format!("move the pins to {}", self.place.display()))?;
        Ok(PinDir { path: self.place, ..self.dir })
    }
}

/// The parent of a pin directory, and the directory beside it in which a new set is built.
fn beside(place: &Path) -> Result<(&Path, PathBuf), Error> {
    let bad = || Error::BadPinDir { dir: place.into() };
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or_else(bad)?;
    let name = place.file_name().filter(|name| !name.as_encoded_bytes().contains(&b'.')).ok_or_else(bad)?;
    let mut unfinished = OsString::from(name);
    unfinished.push("-unfinished");
    Ok((parent, parent.join(unfinished)))
}

/// Locks an existing directory; `None` if there is none.
fn lock(path: &Path) -> Result<Option<PinDir>, Error> {
    let flags = (OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).bits();
    let dir = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(|| format!("open {}", path.display())),
    };
    match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(PinDir { path: path.into(), _lock: lock })),
        Err((_, _)) => Err(Error::Busy { dir: path.into() }),
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
