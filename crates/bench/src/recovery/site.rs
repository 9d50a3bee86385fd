//! A machine with a sealed disk, without a guest.

use std::path::{Path, PathBuf};

use palisade_recovery::{
    image::{Format, Place},
    key::SealKey,
    state::{Creating, Manifest, Store},
};

use super::disk::Shape;
use crate::error::{Context as _, Result};

/// Its name.
pub(super) const MACHINE: &str = "measured";
/// When it was sealed, in seconds since 1970.
pub(super) const SEALED: u64 = 1_795_305_600;

/// The machine, its store and the key.
pub(super) struct Site {
    pub store: Store,
    pub key: SealKey,
    /// The file that it runs on.
    pub disk: PathBuf,
    pub manifest: Manifest,
}

impl Site {
    /// Writes a disk and seals it.
    pub(super) fn make(folder: &Path, shape: Shape, backing: Option<(&str, Format)>) -> Result<Self> {
        let disk = folder.join("disk.qcow2");
        shape.write(&disk, backing).context(|| format!("write {}", disk.display()))?;
        let store = Store::open(&folder.join("store"))?;
        let key = SealKey::create(&folder.join("key"))?;
        let what = Creating {
            machine: MACHINE,
            disks: &[Place::new(&disk, Format::Qcow2)],
            by: "palisade bench",
            now: SEALED,
            policy_sha256: None,
            audit: None,
            quota: None,
        };
        let manifest = store.create(&what, &key, &|_| {})?;
        Ok(Self { store, key, disk, manifest })
    }

    /// The sealed disk.
    pub(super) fn base(&self) -> &Path {
        &self.manifest.disks[0].base().path
    }
}
