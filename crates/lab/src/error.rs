//! What can go wrong while a lab is built, probed or removed.
//!
//! The lab only meets the outside world (tools, namespaces, sockets, guests), so every error names the object that
//! refused and, where there is one, the remedy.

use std::io;

/// The result of everything in this crate that touches the machine.
pub type Result<T, E = LabError> = std::result::Result<T, E>;

/// Why the lab could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A system call or file operation failed.
    #[error("cannot {action} {object}")]
    Io {
        /// The verb: open, write, enter.
        action: &'static str,
        /// The thing it was done to.
        object: String,
        /// What the system answered.
        source: io::Error,
    },
    /// A tool ran and refused.
    #[error("`{command}` ended with {status}: {stderr}")]
    Command {
        /// The command line, shortened to its meaning.
        command: String,
        /// How it ended.
        status: String,
        /// What it said.
        stderr: String,
    },
    /// Network namespaces need privileges.
    #[error("network namespaces need root (run the command with sudo)")]
    NotRoot,
    /// A tool that the lab calls is absent.
    #[error("{tool} is not installed (install it with: apt-get install {package})")]
    ToolMissing {
        /// The program.
        tool: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// Nothing to boot guests from.
    #[error("{folder} has no guest kernel (fetch it with: scripts/guest-kernel.sh)")]
    NoGuestImage {
        /// Where it was looked for.
        folder: String,
    },
    /// A lab name that cannot become part of namespace names.
    #[error("lab name {name:?} cannot be used (write 1 to {max} lower-case letters or digits)")]
    BadName {
        /// What was asked for.
        name: String,
        /// The longest name allowed.
        max: usize,
    },
    /// The lab is there already.
    #[error("lab {name:?} is already up (remove it with: palisade lab down)")]
    AlreadyUp {
        /// Its name.
        name: String,
    },
    /// No file says how to remove this lab, or the file is not ours.
    #[error("the lab's record {path} cannot be read (remove the file and run: palisade lab down)")]
    BadRecord {
        /// The file.
        path: String,
        /// Where the text stops making sense.
        source: serde_json::Error,
    },
    /// A host that the lab does not have.
    #[error("the lab has no host {name:?} (hosts: {known})")]
    UnknownHost {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// Policy could not be put in force, or a prediction could not be made.
    #[error("{what}")]
    Policy {
        /// What was being done.
        what: String,
        /// What the other side answered.
        source: anyhow::Error,
    },
    /// A guest did not start, answer or stop in time.
    #[error("guest {guest}: {problem}")]
    Guest {
        /// The guest's name.
        guest: String,
        /// What was waited for, and the end of its console.
        problem: String,
    },
}

impl LabError {
    /// Wraps an I/O error with what was being done to what.
    pub fn io(action: &'static str, object: impl Into<String>) -> impl FnOnce(io::Error) -> LabError {
        let object = object.into();
        move |source| LabError::Io { action, object, source }
    }

    /// The same for system calls made through `nix`.
    pub fn sys(action: &'static str, object: impl Into<String>) -> impl FnOnce(nix::Error) -> LabError {
        let wrap = LabError::io(action, object);
        move |errno| wrap(errno.into())
    }
}
