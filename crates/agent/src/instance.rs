//! One enforcing agent's name and places, so that several can live on one machine without meeting.
//!
//! An instance has a pin directory, where the kernel keeps what enforces, and a state directory, where the agent writes
//! what it knows. The state directory is locked while its agent lives; the kernel drops the lock with the process, so
//! whether an agent is alive is never guessed from a process id.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
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
    // Whoever can open the lock can hold it, and what is here tells of everybody's machines.
    disk::private_dir(dir).context(|| format!("make the directory {}", dir.display()))?;
    let path = dir.join(LOCK);
    let file = File::options().create(true).append(true).mode(0o600).open(&path);
    let file = file.context(|| format!("open {}", path.display()))?;
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
        Ok(_) => Ok(InstanceLock { _file: file }),
        Err(Errno::EAGAIN | Errno::EACCES) => Err(AgentError::Busy { dir: dir.to_owned() }),
        Err(errno) => Err(errno).context(|| format!("lock {}", path.display())),
    }
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

#[cfg(test)]
mod tests {
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
}
