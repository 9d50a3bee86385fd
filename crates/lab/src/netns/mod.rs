//! Network namespaces: make, enter, and run programs inside.
//!
//! A namespace here is a name under `/run/netns`, the place that `ip netns` uses, so `ip netns exec` works on every
//! part of a lab. This module knows nothing about policy or topology. Invariant: nothing is ever created, changed or
//! sent in the namespace that the process started in.

pub mod ip;
pub mod registry;
pub mod stage;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::{io, panic, thread};

use nix::sched::{CloneFlags, setns};

use crate::error::{LabError, Result};

/// A named network namespace. The value is a name: dropping it removes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Refers to the namespace of this name, which may not exist yet.
    pub fn named(name: impl Into<String>) -> Self {
        Namespace { name: name.into() }
    }

    /// The name, as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Runs `work` on a thread inside the namespace and returns what it returns.
    ///
    /// A socket stays in the namespace where it was made, so `work` opens sockets and any thread may use them.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let handle = self.open()?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(handle, CloneFlags::CLONE_NEWNET)
                    .map_err(LabError::sys("enter namespace", self.name.as_str()))?;
                Ok(work())
            });
            inside.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside the namespace and die with the thread that spawns it.
    ///
    /// The death signal matters after a crash: nothing that the lab started outlives it unseen.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let handle = self.open()?;
        let mut command = Command::new(program);
        // SAFETY: between fork and exec the closure makes two system calls on values that exist already; it
        // neither allocates nor locks.
        unsafe {
            command.pre_exec(move || {
                setns(&handle, CloneFlags::CLONE_NEWNET)?;
                die_with_parent()
            });
        }
        Ok(command)
    }

    /// Writes kernel settings, each a path below `/proc/sys/net` and a value.
    pub fn configure(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            settings.iter().try_for_each(|(key, value)| {
                let path = format!("/proc/sys/net/{key}");
                fs::write(&path, value).map_err(LabError::io("set", format!("{path} to {value}")))
            })
        })?
    }

    fn open(&self) -> Result<OwnedFd> {
        let file = File::open(self.path()).map_err(LabError::io("open namespace", self.name.as_str()))?;
        debug_assert!(file.as_raw_fd() > 2, "standard streams are open");
        Ok(file.into())
    }
}

/// Asks the kernel to kill this process when the thread that started it ends. For use between fork and exec.
pub(crate) fn die_with_parent() -> io::Result<()> {
    // SAFETY: the call takes plain integers and changes only the calling process.
    let answer = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What stops this machine from having a lab, or nothing.
pub fn obstacle() -> Option<LabError> {
    if !nix::unistd::geteuid().is_root() {
        return Some(LabError::NotRoot);
    }
    [("ip", "iproute2"), ("nft", "nftables")]
        .into_iter()
        .find(|(tool, _)| !is_installed(tool))
        .map(|(tool, package)| LabError::ToolMissing { tool, package })
}

/// Whether a program is on the search path or where Debian keeps administration tools.
pub fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(tool).is_file())
}
