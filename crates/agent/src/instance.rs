//! One enforcing agent's name and places, so that several can live on one machine without meeting.
//!
//! An instance has a pin directory, where the kernel keeps what enforces, and a state directory, where the agent writes
//! what it knows. The state directory is locked while its agent lives; the kernel drops the lock with the process, so
//! whether an agent is alive is never guessed from a process id.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::disk;
use crate::endpoints::script;
use crate::error::{AgentError, Context};

/// The instance that the commands mean when none is named.
pub const DEFAULT_NAME: &str = "default";
/// Longest name.
pub const NAME_LENGTH_MAX: usize = 32;

const PIN_ROOT: &str = "/sys/fs/bpf/palisade";
const STATE_ROOT: &str = "/run/palisade";
const LOCK: &str = "lock";
/// So often the directory may be removed while it is being taken.
const VACATED_MAX: usize = 100;

/// Where one agent lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// A directory of its own inside a BPF file system.
    pub pin_dir: PathBuf,
    /// The directory of the state file and the lock.
    pub state_dir: PathBuf,
}

impl Instance {
    /// The instance of this name, at the usual places.
    ///
    /// # Errors
    /// [`AgentError::InstanceName`] if the name has other characters than letters, digits, `-` and `_`, or too many.
    pub fn named(name: &str) -> Result<Self, AgentError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.bytes().all(fits) {
            return Err(AgentError::InstanceName { name: name.to_owned() });
        }
        Ok(Self { pin_dir: Path::new(PIN_ROOT).join(name), state_dir: Path::new(STATE_ROOT).join(name) })
    }

    /// Path of the state file.
    pub fn state_file(&self) -> PathBuf {
        self.state_dir.join("state.json")
    }

    /// Path of the socket at which the agent tells what happens to flows.
    pub fn events_socket(&self) -> PathBuf {
        self.state_dir.join("events.sock")
    }

    /// Name of the table of nftables in which its endpoints are.
    pub fn table(&self) -> String {
        let name = self.pin_dir.file_name().unwrap_or_default();
        script::table_name(&name.to_string_lossy())
    }

    /// Takes the state directory for this process.
    pub(crate) fn lock(&self) -> Result<InstanceLock, AgentError> {
        lock(&self.state_dir)
    }

    /// Whether an agent of this instance is alive. Asking takes no lock, so it is never in an agent's way.
    pub(crate) fn is_alive(&self) -> bool {
        let Ok(file) = File::open(self.state_dir.join(LOCK)) else { return false };
        let mut found = whole_file();
        let asked = fcntl(&file, FcntlArg::F_OFD_GETLK(&mut found));
        asked.is_ok() && i32::from(found.l_type) != libc::F_UNLCK
    }
}

/// Takes a directory, which is made if it is not there, for this process.
pub(crate) fn lock(dir: &Path) -> Result<InstanceLock, AgentError> {
    for _ in 0..VACATED_MAX {
        if let Some(lock) = try_lock(dir)? {
            return Ok(lock);
        }
    }
    Err(AgentError::Busy { dir: dir.to_owned() })
}

/// The same; nothing if somebody has removed the directory meanwhile, see [`InstanceLock::vacate`].
fn try_lock(dir: &Path) -> Result<Option<InstanceLock>, AgentError> {
    // Whoever can open the lock can hold it, and what is here tells of everybody's machines.
    match disk::private_dir(dir) {
        // It was there, and had gone when that was looked at.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !is_in_the_way(dir) => return Ok(None),
        made => made.context(|| format!("make the directory {}", dir.display()))?,
    }
    let path = dir.join(LOCK);
    let file = File::options().create(true).append(true).mode(0o600).open(&path);
    if file.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let file = file.context(|| format!("open {}", path.display()))?;
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
        // A lock whose file is gone keeps nobody away.
        Ok(_) => Ok(is_at(&file, &path).then_some(InstanceLock { _file: file })),
        Err(Errno::EAGAIN | Errno::EACCES) => Err(AgentError::Busy { dir: dir.to_owned() }),
        Err(errno) => Err(errno).context(|| format!("lock {}", path.display())),
    }
}

/// Whether something is at a path that is no directory.
fn is_in_the_way(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir())
}

/// Whether an open file is the one at a path.
fn is_at(file: &File, path: &Path) -> bool {
    let number = |found: fs::Metadata| (found.dev(), found.ino());
    let (own, found) = (file.metadata().map(number), fs::metadata(path).map(number));
    own.ok().is_some_and(|own| found.is_ok_and(|found| own == found))
}

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// The right to a directory; it ends with the open file.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Ends it, and removes the directory that it is of, unless something else is in there. Whoever comes meanwhile finds a lock whose
    /// file is gone, or no directory, and makes both again.
    pub(crate) fn vacate(self, dir: &Path) {
        let is_lock = |entry: io::Result<DirEntry>| entry.is_ok_and(|entry| entry.file_name() == LOCK);
        let is_empty = fs::read_dir(dir).is_ok_and(|mut entries| entries.all(is_lock));
        if is_empty && fs::remove_file(dir.join(LOCK)).is_ok() {
            // It stays if somebody has begun to use it.
            let _stays = fs::remove_dir(dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn names_are_checked_before_they_become_paths() {
        let instance = Instance::named("lab_1-a").unwrap();
        assert_eq!(instance.pin_dir, Path::new("/sys/fs/bpf/palisade/lab_1-a"));
        assert_eq!(instance.state_file(), Path::new("/run/palisade/lab_1-a/state.json"));
        assert_eq!(instance.table(), "palisade-lab_1-a");
        for name in ["", ".", "..", "a/b", "a.b", "ä", &"x".repeat(NAME_LENGTH_MAX + 1)] {
            let error = Instance::named(name).unwrap_err().to_string();
            assert!(error.starts_with(&format!("instance \"{name}\" is not a name")), "{error}");
        }
        assert!(Instance::named(&"x".repeat(NAME_LENGTH_MAX)).is_ok());
    }

    #[test]
    fn a_vacated_directory_is_gone_unless_something_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("default");
        lock(&dir).unwrap().vacate(&dir);
        assert!(!dir.exists());
        let held = lock(&dir).unwrap();
        assert!(matches!(lock(&dir), Err(AgentError::Busy { .. })));
        fs::write(dir.join("notes"), "x").unwrap();
        held.vacate(&dir);
        assert!(dir.join("notes").exists());
        lock(&dir).unwrap();
        let error = lock(&dir.join("notes")).unwrap_err();
        assert!(matches!(error, AgentError::System { .. }), "a file is in the way: {error:?}");
    }

    #[test]
    fn of_those_who_take_and_vacate_a_directory_one_has_it_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("default");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            for _ in 0..2_000 {
                match lock(&dir) {
                    Ok(held) => {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have it");
                        taken.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        held.vacate(&dir);
                    }
                    Err(AgentError::Busy { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
        assert!(taken.into_inner() > 0);
        assert!(!dir.exists());
    }
}
