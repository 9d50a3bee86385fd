//! What the store and its disks take, and what may go.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{Manifest, StateError, Store};
use crate::{
    files::FileError,
    image::{Image, Place},
    key::SealCheck,
};

/// What to keep of each machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// So many of the newest.
    pub count: Option<usize>,
    /// What is not older, in seconds.
    pub age: Option<u64>,
}

/// What was done with a state that need not be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is gone.
    Deleted(String),
    /// It stays, since something stands on it.
    InUse(String, PathBuf),
}

impl Store {
    /// Deletes a state and its sealed disks.
    ///
    /// # Errors
    /// A machine's disk, or another state, stands on it; nothing was deleted then.
    pub fn delete(&self, id: &str, check: &SealCheck) -> Result<(), StateError> {
        let manifest = self.state(id, check)?;
        let _hold = self.hold(&manifest.machine)?;
        if let Some(path) = self.user_of(&manifest, check)? {
            return Err(StateError::InUse { id: id.to_owned(), path });
        }
        let folder = self.state_folder(id);
        // Out of the list first: a crash leaves files, and never a state without them.
        let going = self.state_folder(&format!(".{id}.gone"));
        fs::rename(&folder, &going).map_err(FileError::at("delete", &folder))?;
        for disk in &manifest.disks {
            match fs::remove_file(&disk.base().path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::at("delete", &disk.base().path)(error).into());
                }
                _ => {}
            }
        }
        Ok(fs::remove_dir_all(&going).map_err(FileError::at("delete", &going))?)
    }

    /// Deletes what need not be kept; `now` in seconds since 1970.
    ///
    /// # Errors
    /// The first that could neither be deleted nor is in use.
    pub fn prune(&self, keep: Keep, now: u64, check: &SealCheck) -> Result<Vec<Kept>, StateError> {
        let mut machines: BTreeMap<String, Vec<Manifest>> = BTreeMap::new();
        for id in self.ids()? {
            let manifest = self.state(&id, check)?;
            machines.entry(manifest.machine.clone()).or_default().push(manifest);
        }
        let mut done = Vec::new();
        for states in machines.values_mut() {
            states.sort_by_key(|state| std::cmp::Reverse(state.created));
            for (newer, state) in states.iter().enumerate() {
                let is_many = keep.count.is_some_and(|count| newer >= count);
                let is_old = keep.age.is_some_and(|age| now.saturating_sub(state.created) > age);
                if !is_many && !is_old {
                    continue;
                }
                done.push(match self.delete(&state.id, check) {
                    Ok(()) => Kept::Deleted(state.id.clone()),
                    Err(StateError::InUse { id, path }) => Kept::InUse(id, path),
                    Err(error) => return Err(error),
                });
            }
        }
        Ok(done)
    }

    /// What would lose its base with a state: the machine's disk, another state's, or evidence.
    fn user_of(&self, manifest: &Manifest, check: &SealCheck) -> Result<Option<PathBuf>, StateError> {
        if let Some(path) = self.evidence_on(&manifest.id)? {
            return Ok(Some(path));
        }
        for disk in &manifest.disks {
            let base = &disk.base().path;
            // What cannot be opened may stand on it.
            let place = Place::new(&disk.overlay, crate::image::Format::Qcow2);
            let stands =
                |image: &Image| image.layers.iter().any(|layer| crate::files::is_same(&layer.path, base));
            if disk.overlay.exists() && Image::open(&place).map_or(true, |image| stands(&image)) {
                return Ok(Some(disk.overlay.clone()));
            }
            for id in self.ids()?.iter().filter(|id| **id != manifest.id) {
                let other = self.state(id, check)?;
                let is_below = |disk: &super::Disk| disk.layers.iter().any(|layer| layer.path == *base);
                if other.disks.iter().any(is_below) {
                    return Ok(Some(self.state_folder(id)));
                }
            }
        }
        Ok(None)
    }

    /// Bytes that the store and the disks sealed in it take on their file systems.
    ///
    /// # Errors
    /// The file system's.
    pub fn used(&self, check: &SealCheck) -> Result<u64, StateError> {
        let mut bytes = below(&self.root).map_err(FileError::at("measure", &self.root))?;
        for id in self.ids()? {
            bytes += self.state(&id, check)?.disks.iter().map(|disk| taken(&disk.base().path)).sum::<u64>();
        }
        Ok(bytes)
    }

    /// Refuses what would not fit. The disks are counted whole, although they are there already: they can no longer be freed.
    pub(super) fn check_quota(&self, quota: Option<u64>, disks: &[Place]) -> Result<(), StateError> {
        let Some(quota) = quota else { return Ok(()) };
        let bytes = below(&self.root).map_err(FileError::at("measure", &self.root))?
            + self.sealed_bytes()?
            + disks.iter().map(|disk| taken(&disk.path)).sum::<u64>();
        if bytes > quota { Err(StateError::Quota { bytes, quota }) } else { Ok(()) }
    }

    /// Bytes of all sealed disks. No signature is needed to measure.
    fn sealed_bytes(&self) -> Result<u64, StateError> {
        let mut bytes = 0;
        for id in self.ids()? {
            let text = crate::files::read_at_most(
                &self.state_folder(&id).join("manifest.json"),
                super::MANIFEST_MAX,
            )?;
            let manifest: Option<Manifest> = serde_json::from_slice(&text).ok();
            bytes += manifest
                .iter()
                .flat_map(|state| &state.disks)
                .map(|disk| taken(&disk.layers[0].path))
                .sum::<u64>();
        }
        Ok(bytes)
    }
}

fn taken(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.blocks() * 512)
}

fn below(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { below(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
