//! What a clean state is, as a signed document.
//!
//! It is kept twice, so that a damaged one can be told from a forged one, and the damage be named. What is in it is believed only after its
//! signature has been verified over the very bytes that are then read.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StateError;
use crate::{
    files,
    image::Format,
    key::{SealCheck, SealKey},
    merkle::BLOCK,
};

/// Bytes of a manifest.
pub const MANIFEST_MAX: u64 = 1 << 20;
/// Disks of a machine.
pub const DISKS_MAX: usize = 64;

const FILE: &str = "manifest.json";
const COPY: &str = "manifest.copy.json";
const SIGNATURE: &str = "manifest.sig";
/// The report of a guest audit, beside the manifest.
pub(super) const AUDIT: &str = "audit.json";

/// What was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Version of this document: 1.
    pub version: u32,
    /// Name of the state.
    pub id: String,
    /// Whose disks they are.
    pub machine: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Who sealed it.
    pub created_by: String,
    /// SHA-256 of the policy that held, as its owner computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_sha256: Option<String>,
    /// SHA-256 of the report of a guest audit, which is kept beside this document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_sha256: Option<String>,
    /// Bytes of a block of the trees.
    pub block: u64,
    /// The disks.
    pub disks: Vec<Disk>,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disk {
    /// The file that the machine runs on: an overlay, made anew by a revert.
    pub overlay: PathBuf,
    /// Bytes of the disk.
    pub size: u64,
    /// Root of the tree of what a guest reads.
    pub root: String,
    /// The sealed files, the uppermost first.
    pub layers: Vec<Sealed>,
}

/// One sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// Where it is.
    pub path: PathBuf,
    /// How it holds the disk.
    pub format: Format,
    /// Bytes of the file.
    pub length: u64,
    /// Root of the tree of what the file has beside guest data.
    pub root: String,
}

impl Disk {
    /// The uppermost sealed file, which an overlay stands on.
    pub fn base(&self) -> &Sealed {
        &self.layers[0]
    }
}

/// Writes a manifest, its copy and its signature into a folder.
pub(super) fn write(folder: &Path, manifest: &Manifest, key: &SealKey) -> Result<(), StateError> {
    let mut bytes =
        serde_json::to_vec_pretty(manifest).map_err(|error| StateError::Manifest(error.to_string()))?;
    bytes.push(b'\n');
    files::replace(&folder.join(FILE), &bytes)?;
    files::replace(&folder.join(COPY), &bytes)?;
    files::replace(&folder.join(SIGNATURE), key.sign(&bytes).as_bytes())?;
    Ok(())
}

/// Reads a manifest whose signature holds.
pub(super) fn read(folder: &Path, check: &SealCheck) -> Result<Manifest, StateError> {
    let [bytes, copy] = [FILE, COPY].map(|name| files::read_at_most(&folder.join(name), MANIFEST_MAX));
    let signature = files::read_at_most(&folder.join(SIGNATURE), 200)?;
    let signature = String::from_utf8_lossy(&signature);
    let (bytes, copy) = (bytes?, copy?);
    match (check.verify(&bytes, &signature), check.verify(&copy, &signature)) {
        (true, true) => {}
        (true, false) => return Err(damaged(folder, COPY, &copy, &bytes)),
        (false, true) => return Err(damaged(folder, FILE, &bytes, &copy)),
        (false, false) => {
            return Err(StateError::Signature { path: folder.join(SIGNATURE), twins: bytes == copy });
        }
    }
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| StateError::Manifest(error.to_string()))?;
    sensible(&manifest).map_err(|what| StateError::Manifest(what.to_owned()))?;
    Ok(manifest)
}

fn damaged(folder: &Path, name: &str, bytes: &[u8], whole: &[u8]) -> StateError {
    let differs = bytes.iter().zip(whole).position(|(one, other)| one != other);
    let offset = differs.unwrap_or(bytes.len().min(whole.len())) as u64;
    StateError::Damaged { path: folder.join(name), offset }
}

fn sensible(manifest: &Manifest) -> Result<(), &'static str> {
    if manifest.version != 1 || manifest.block != BLOCK {
        return Err("it is of another version");
    }
    if manifest.disks.is_empty() || manifest.disks.len() > DISKS_MAX {
        return Err("it has no disks, or too many");
    }
    if manifest.disks.iter().any(|disk| disk.layers.is_empty()) {
        return Err("a disk has no files");
    }
    Ok(())
}
