//! Clean states: made, listed, verified, taken away.
//!
//! A store is a folder that guests cannot reach, with a folder for each state. A state holds the manifest and the trees; the disks stay where
//! they are, read-only, under a name with the state's id, and the machine goes on with an overlay under the old name. Invariant: at
//! every moment, also after a crash, the machine's disk is there under its name.

mod create;
mod manifest;
mod space;
mod verify;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

pub use create::Creating;
pub(crate) use create::lay;
pub use manifest::{DISKS_MAX, Disk, MANIFEST_MAX, Manifest, Sealed};
pub use space::{Keep, Kept};
pub use verify::{DiskReport, FileReport, Verified};

use crate::{
    files::{FileError, Hold},
    image::ImageError,
    key::{KeyError, SealCheck},
    merkle::TreeError,
    scan::ScanError,
};

/// States of a store.
pub const STATES_MAX: usize = 10_000;
/// Characters of the name of a machine.
pub const NAME_MAX: usize = 64;

/// Why something could not be done with a state.
#[derive(Debug, Error)]
pub enum StateError {
    /// A name that could lead somewhere else.
    #[error(
        "{name:?} is no name of a machine or a state (1 to {NAME_MAX} letters, digits, dots, dashes and underscores)"
    )]
    Name {
        /// As given.
        name: String,
    },
    /// No such state.
    #[error("there is no clean state {id:?} (see palisade clean-state list)")]
    Unknown {
        /// As given.
        id: String,
    },
    /// A machine that somebody else changes now.
    #[error("somebody else is changing {machine} (wait, or see which palisade runs)")]
    Held {
        /// The machine.
        machine: String,
    },
    /// A disk that QEMU has open.
    #[error("{} is in use (stop the machine first)", path.display())]
    Running {
        /// The disk.
        path: PathBuf,
    },
    /// No disks, too many, or one twice.
    #[error("{count} disks, or one of them twice (1 to {DISKS_MAX} different ones)")]
    Disks {
        /// How many were given.
        count: usize,
    },
    /// A state that something stands on.
    #[error("{id} is in use: {} stands on it", path.display())]
    InUse {
        /// The state.
        id: String,
        /// What would lose its base.
        path: PathBuf,
    },
    /// No room.
    #[error(
        "the store would have {bytes} bytes, more than its quota of {quota} (delete states or evidence, see palisade clean-state list)"
    )]
    Quota {
        /// With what was to be kept.
        bytes: u64,
        /// Limit.
        quota: u64,
    },
    /// A manifest that is not one.
    #[error("the manifest cannot be read: {0}")]
    Manifest(String),
    /// A damaged manifest.
    #[error("{} is damaged at byte {offset}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first byte that differs from the copy whose signature holds.
        offset: u64,
    },
    /// A manifest that was not sealed by the key.
    #[error("{}: {}", path.display(), if *twins {
        "the signature is not of this key over this manifest: it is damaged in its first 128 bytes, forged, or another key's"
    } else {
        "neither the manifest nor its copy is what was signed"
    })]
    Signature {
        /// The signature's file.
        path: PathBuf,
        /// Whether the manifest and its copy are alike.
        twins: bool,
    },
    /// A file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A disk failed or is refused.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A disk could not be hashed.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A tree is no tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A folder of clean states and evidence.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens a store; makes its folders, for its owner only.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        use std::os::unix::fs::DirBuilderExt as _;
        for name in ["states", "evidence", "reverts"] {
            let folder = root.join(name);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(FileError::at("make", &folder))?;
        }
        let root = root.canonicalize().map_err(FileError::at("open", root))?;
        Ok(Self { root })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a state is.
    pub fn state_folder(&self, id: &str) -> PathBuf {
        self.root.join("states").join(id)
    }

    /// Reads a state's manifest and verifies its signature.
    ///
    /// # Errors
    /// No such state, a manifest that was changed.
    pub fn state(&self, id: &str, check: &SealCheck) -> Result<Manifest, StateError> {
        name(id)?;
        let folder = self.state_folder(id);
        if !folder.is_dir() {
            return Err(StateError::Unknown { id: id.to_owned() });
        }
        let manifest = manifest::read(&folder, check)?;
        // A signed manifest in another state's folder would be a way back to an older state.
        if manifest.id != id {
            return Err(StateError::Manifest(format!("it is that of {}", manifest.id)));
        }
        Ok(manifest)
    }

    /// The names of all states, the oldest first.
    ///
    /// # Errors
    /// The file system's.
    pub fn ids(&self) -> Result<Vec<String>, StateError> {
        let folder = self.root.join("states");
        let entries = || -> io::Result<Vec<String>> {
            let mut ids = Vec::new();
            for entry in fs::read_dir(&folder)?.take(STATES_MAX) {
                let id = entry?.file_name().to_string_lossy().into_owned();
                // What begins with a dot was not finished.
                if name(&id).is_ok() {
                    ids.push(id);
                }
            }
            ids.sort();
            Ok(ids)
        };
        Ok(entries().map_err(FileError::at("list", &folder))?)
    }

    /// Holds a machine.
    pub(crate) fn hold(&self, machine: &str) -> Result<Hold, StateError> {
        name(machine)?;
        let path = self.root.join("reverts").join(format!("{machine}.lock"));
        Hold::take(&path)?.ok_or_else(|| StateError::Held { machine: machine.to_owned() })
    }
}

/// Refuses what could lead out of the store.
pub(crate) fn name(name: &str) -> Result<(), StateError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('.') {
        Ok(())
    } else {
        Err(StateError::Name { name: name.to_owned() })
    }
}
