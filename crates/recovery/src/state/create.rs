//! Seals the disks of a machine that stands still, and puts it on overlays.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    time::SystemTime,
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{
    Disk, Manifest, Sealed, StateError, Store,
    manifest::{self, DISKS_MAX},
    name,
};
use crate::{
    files::{self, FileError},
    image::{Format, Image, Layer, Place, write_overlay},
    key::SealKey,
    merkle::{BLOCK, Tree},
    scan::{self, Progress},
};

/// What to seal.
#[derive(Debug)]
pub struct Creating<'a> {
    /// Whose disks.
    pub machine: &'a str,
    /// The disks.
    pub disks: &'a [Place],
    /// Who seals.
    pub by: &'a str,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// SHA-256 of the policy that holds.
    pub policy_sha256: Option<String>,
    /// The report of a guest audit.
    pub audit: Option<&'a [u8]>,
    /// Bytes that the store may have.
    pub quota: Option<u64>,
}

impl Store {
    /// Seals the disks of a machine. They must not be in use; afterwards they are read-only under another name, and the machine's disks
    /// are overlays. That of a raw disk has `.qcow2` after its name, and the machine must be told so.
    ///
    /// # Errors
    /// What is refused of an image, a machine that runs, no room; the machine's disks are then as they were.
    pub fn create(
        &self,
        what: &Creating<'_>,
        key: &SealKey,
        progress: Progress<'_>,
    ) -> Result<Manifest, StateError> {
        let _hold = self.hold(what.machine)?;
        let id = format!("{}-{}", what.machine, what.now);
        name(&id)?;
        let places = places(what.disks)?;
        self.check_quota(what.quota, &places)?;
        let building = self.state_folder(&format!(".{id}.new"));
        let _ = fs::remove_dir_all(&building);
        fs::create_dir(&building).map_err(FileError::at("make", &building))?;
        let mut disks = Vec::new();
        let mut read = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let (disk, files) = hash(place, &id, number, &building, progress)?;
            disks.push(disk);
            read.extend(files);
        }
        let manifest = Manifest {
            version: 1,
            id: id.clone(),
            machine: what.machine.to_owned(),
            created: what.now,
            created_by: what.by.to_owned(),
            policy_sha256: what.policy_sha256.clone(),
            audit_sha256: what.audit.map(|report| HEXLOWER.encode(&Sha256::digest(report))),
            block: BLOCK,
            disks,
        };
        if let Some(report) = what.audit {
            files::replace(&building.join(manifest::AUDIT), report)?;
        }
        manifest::write(&building, &manifest, key)?;
        let folder = self.state_folder(&id);
        let fixed = fix(&read, &places, &manifest).and_then(|()| {
            Ok(fs::rename(&building, &folder).map_err(FileError::at("put in place", &folder))?)
        });
        if let Err(error) = fixed {
            give_back(&read, &places, &manifest);
            let _ = fs::remove_dir_all(&building);
            return Err(error);
        }
        files::sync_folder(&folder).map_err(FileError::at("put in place", &folder))?;
        manifest.disks.iter().try_for_each(lay)?;
        Ok(manifest)
    }
}

/// The disks by their real paths, none twice and none in use.
fn places(disks: &[Place]) -> Result<Vec<Place>, StateError> {
    let mut places: Vec<Place> = Vec::new();
    for disk in disks {
        let path = disk.path.canonicalize().map_err(FileError::at("open", &disk.path))?;
        if files::is_in_use(&path)? {
            return Err(StateError::Running { path });
        }
        places.push(Place { path, ..disk.clone() });
    }
    let is_twice =
        |(index, place): (usize, &Place)| places[..index].iter().any(|other| other.path == place.path);
    if places.is_empty() || places.len() > DISKS_MAX || places.iter().enumerate().any(is_twice) {
        return Err(StateError::Disks { count: places.len() });
    }
    Ok(places)
}

/// A file that was hashed.
struct ReadFile {
    path: PathBuf,
    modified: Option<SystemTime>,
    /// Its permissions before it was read.
    mode: Option<u32>,
}

impl ReadFile {
    fn new(layer: &Layer) -> Self {
        let metadata = layer.file().metadata().ok();
        let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        let mode = metadata.map(|metadata| metadata.mode() & 0o7777);
        Self { path: layer.path.clone(), modified, mode }
    }

    /// Makes it read-only, if nobody has written to it while it was read.
    fn fix(&self) -> Result<(), StateError> {
        files::set_mode(&self.path, 0o444)?;
        let modified = fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok();
        if modified == self.modified { Ok(()) } else { Err(StateError::Running { path: self.path.clone() }) }
    }
}

/// Hashes a disk; nothing of it is changed.
fn hash(
    place: &Place,
    id: &str,
    number: usize,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<(Disk, Vec<ReadFile>), StateError> {
    let image = Image::open(place)?;
    let read = image.layers.iter().map(ReadFile::new).collect();
    let content = scan::content(&image, progress)?;
    write_tree(&content_file(folder, number), &content)?;
    let mut layers = Vec::new();
    for (depth, layer) in image.layers.iter().enumerate() {
        let rest = scan::rest(layer, depth > 0, progress)?;
        write_tree(&rest_file(folder, number, depth), &rest)?;
        let path = if depth == 0 { sealed_name(&place.path, id, place.format) } else { real(&layer.path)? };
        let root = HEXLOWER.encode(&rest.root());
        layers.push(Sealed { path, format: layer.format, length: layer.length, root });
    }
    let overlay = match place.format {
        Format::Qcow2 => place.path.clone(),
        Format::Raw => files::with_ending(&place.path, ".qcow2"),
    };
    let disk = Disk { overlay, size: image.size(), root: HEXLOWER.encode(&content.root()), layers };
    Ok((disk, read))
}

/// Makes all files read-only, and gives the disks the names under which they stay.
fn fix(read: &[ReadFile], places: &[Place], manifest: &Manifest) -> Result<(), StateError> {
    read.iter().try_for_each(ReadFile::fix)?;
    places
        .iter()
        .zip(&manifest.disks)
        .try_for_each(|(place, disk)| name_twice(&place.path, &disk.base().path))
}

/// Takes back what was done of that, as far as it can be: another error has been met.
fn give_back(read: &[ReadFile], places: &[Place], manifest: &Manifest) {
    for (place, disk) in places.iter().zip(&manifest.disks) {
        let base = &disk.base().path;
        if *base != place.path && files::is_same(base, &place.path) {
            let _ = fs::remove_file(base);
        }
    }
    for file in read {
        if let Some(mode) = file.mode {
            let _ = files::set_mode(&file.path, mode);
        }
    }
}

/// Gives a disk the name under which it stays.
fn name_twice(path: &Path, base: &Path) -> Result<(), StateError> {
    if files::is_same(base, path) {
        return Ok(());
    }
    let linked = fs::hard_link(path, base).and_then(|()| files::sync_folder(base));
    Ok(linked.map_err(FileError::at("give a second name to", path))?)
}

/// Puts a new overlay in place of whatever is under the disk's name, for the owner that the disk has.
pub(crate) fn lay(disk: &Disk) -> Result<(), StateError> {
    let base = disk.base();
    let new = files::with_ending(&disk.overlay, ".new");
    let base_name = base.path.file_name().unwrap_or_default().to_string_lossy();
    let lay = || {
        write_overlay(&new, disk.size, &base_name, base.format)?;
        let owner = fs::metadata(&base.path)?;
        chown(&new, Some(owner.uid()), Some(owner.gid()))?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        fs::rename(&new, &disk.overlay)?;
        files::sync_folder(&disk.overlay)
    };
    Ok(lay().map_err(FileError::at("write", &disk.overlay))?)
}

fn sealed_name(path: &Path, id: &str, format: Format) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}.clean-{id}.{}", format.name()))
}

fn real(path: &Path) -> Result<PathBuf, StateError> {
    Ok(path.canonicalize().map_err(FileError::at("open", path))?)
}

pub(super) fn content_file(folder: &Path, disk: usize) -> PathBuf {
    folder.join(format!("disk-{disk}.tree"))
}

pub(super) fn rest_file(folder: &Path, disk: usize, depth: usize) -> PathBuf {
    folder.join(format!("disk-{disk}.file-{depth}.tree"))
}

fn write_tree(path: &Path, tree: &Tree) -> Result<(), StateError> {
    let write = || {
        let file = fs::File::create(path)?;
        tree.write(std::io::BufWriter::new(&file))?;
        file.sync_all()
    };
    Ok(write().map_err(FileError::at("write", path))?)
}
