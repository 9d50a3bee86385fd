//! Compares sealed disks with what was sealed, and names what differs.
//!
//! First the bytes of files that hold no guest data, by the blocks that the tree has: only tables that are what they were are then followed. Then
//! what a guest reads, and once more the files, since what was empty must be empty still.

use std::{
    fmt,
    fs::{self, File},
    io::BufReader,
    ops::Range,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::{
    Disk, Manifest, Sealed, StateError, Store,
    create::{content_file, rest_file},
    manifest::AUDIT,
};
use crate::{
    files,
    image::{Image, Layer, Place},
    merkle::{BLOCK, Tree, joined},
    scan::{self, Progress},
};

/// What a verification found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// The state.
    pub id: String,
    /// Whether every byte is what was sealed.
    pub is_clean: bool,
    /// Of each disk.
    pub disks: Vec<DiskReport>,
    /// Of the report of the guest audit, if it is not the one that was sealed.
    pub audit: Option<FileReport>,
}

/// What was found of a disk.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskReport {
    /// The machine's file.
    pub overlay: PathBuf,
    /// What a guest would read that was not sealed, in bytes of the disk, whole blocks.
    pub guest_damaged: Vec<Range<u64>>,
    /// Of each file with damage.
    pub files: Vec<FileReport>,
}

/// What was found of a file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// Where, in bytes of the file, whole blocks.
    pub damaged: Vec<Range<u64>>,
}

impl Verified {
    /// What is wrong, a line each.
    pub fn problems(&self) -> Vec<String> {
        let guest = |disk: &DiskReport| {
            let path = disk.overlay.clone();
            disk.guest_damaged.first()?;
            Some(FileReport {
                path,
                problem: "what a guest reads differs".into(),
                damaged: disk.guest_damaged.clone(),
            })
        };
        let all = self.disks.iter().flat_map(|disk| disk.files.iter().cloned().chain(guest(disk)));
        all.chain(self.audit.clone()).map(|file| file.to_string()).collect()
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)?;
        for (index, range) in self.damaged.iter().enumerate() {
            let before = if index == 0 { " at bytes " } else { ", " };
            write!(f, "{before}{}-{}", range.start, range.end.saturating_sub(1))?;
        }
        Ok(())
    }
}

impl Store {
    /// Reads all of a state's disks.
    ///
    /// # Errors
    /// Only where nothing can be said: the file system fails. Damage is a finding.
    pub fn verify(&self, manifest: &Manifest, progress: Progress<'_>) -> Result<Verified, StateError> {
        let folder = self.state_folder(&manifest.id);
        let mut disks = Vec::new();
        for (number, disk) in manifest.disks.iter().enumerate() {
            disks.push(
                Comparison { folder: &folder, number, disk, report: DiskReport::default(), progress }
                    .run()?,
            );
        }
        let audit = audit(&folder.join(AUDIT), manifest.audit_sha256.as_deref());
        let is_clean = audit.is_none()
            && disks.iter().all(|disk| disk.files.is_empty() && disk.guest_damaged.is_empty());
        Ok(Verified { id: manifest.id.clone(), is_clean, disks, audit })
    }
}

/// Whether the report that was sealed is still the one.
fn audit(path: &Path, sealed: Option<&str>) -> Option<FileReport> {
    let problem = match (files::sha256(path), sealed?) {
        (Ok((found, _)), sealed) if found == sealed => return None,
        (Ok(_), _) => "the report is not the one that was sealed".to_owned(),
        (Err(error), _) => error.to_string(),
    };
    Some(FileReport { path: path.to_owned(), problem, damaged: Vec::new() })
}

struct Comparison<'c> {
    folder: &'c Path,
    number: usize,
    disk: &'c Disk,
    report: DiskReport,
    progress: Progress<'c>,
}

impl Comparison<'_> {
    fn run(mut self) -> Result<DiskReport, StateError> {
        self.report.overlay.clone_from(&self.disk.overlay);
        let disk = self.disk;
        let mut sealed = Vec::new();
        for (depth, layer) in disk.layers.iter().enumerate() {
            let tree = self.tree(&rest_file(self.folder, self.number, depth), &layer.root);
            self.file(layer, tree.as_ref());
            sealed.push(tree);
        }
        let content = self.tree(&content_file(self.folder, self.number), &disk.root);
        // Tables that are not what they were say nothing that is worth reading.
        if self.report.files.iter().any(|file| disk.layers.iter().any(|layer| layer.path == file.path)) {
            return Ok(self.report);
        }
        let image = match Image::open(&Place::new(&disk.base().path, disk.base().format)) {
            Ok(image) => image,
            Err(error) => {
                self.problem(&disk.base().path, error.to_string(), Vec::new());
                return Ok(self.report);
            }
        };
        self.chain(&image.layers);
        for (depth, (layer, tree)) in image.layers.iter().zip(&sealed).enumerate() {
            let now = scan::rest(layer, depth > 0, self.progress)?;
            self.compare_file(&disk.layers[depth], tree.as_ref(), &now);
        }
        let now = scan::content(&image, self.progress)?;
        match content {
            Some(tree) => self.report.guest_damaged = tree.differences(&now),
            // Without its tree all that can be said is that it differs.
            None if HEXLOWER.encode(&now.root()) != disk.root => self.report.guest_damaged.push(0..disk.size),
            None => {}
        }
        Ok(self.report)
    }

    fn problem(&mut self, path: &Path, problem: impl Into<String>, damaged: Vec<Range<u64>>) {
        self.report.files.push(FileReport { path: path.to_owned(), problem: problem.into(), damaged });
    }

    /// A tree of the store, if it is the one that was sealed.
    fn tree(&mut self, path: &Path, root: &str) -> Option<Tree> {
        let read = File::open(path).map_err(Into::into).and_then(|file| Tree::read(BufReader::new(file)));
        match read {
            Ok(tree) if HEXLOWER.encode(&tree.root()) == root => return Some(tree),
            Ok(_) => self.problem(path, "the tree is not the one that was sealed", Vec::new()),
            Err(error) => self.problem(path, error.to_string(), Vec::new()),
        }
        None
    }

    /// The bytes of a file that hold no guest data, before anything is followed.
    fn file(&mut self, sealed: &Sealed, tree: Option<&Tree>) {
        let length = match fs::symlink_metadata(&sealed.path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return self.problem(&sealed.path, "it is not a file any more", Vec::new()),
            Err(error) => return self.problem(&sealed.path, error.to_string(), Vec::new()),
        };
        let Some(tree) = tree else { return };
        match File::open(&sealed.path).and_then(|file| scan::differing(&file, tree)) {
            Ok(blocks) if blocks.is_empty() => {}
            Ok(blocks) => {
                let ranges =
                    joined(blocks.into_iter().map(|block| {
                        block * BLOCK..((block + 1) * BLOCK).min(length.max(block * BLOCK + 1))
                    }));
                return self.problem(&sealed.path, "the file differs", ranges);
            }
            Err(error) => return self.problem(&sealed.path, error.to_string(), Vec::new()),
        }
        if length != sealed.length {
            let ends = length.min(sealed.length)..length.max(sealed.length);
            self.problem(
                &sealed.path,
                format!("it has {length} bytes instead of {}", sealed.length),
                vec![ends],
            );
        }
    }

    fn compare_file(&mut self, sealed: &Sealed, tree: Option<&Tree>, now: &Tree) {
        let damaged = match tree {
            Some(tree) => tree.differences(now),
            None if HEXLOWER.encode(&now.root()) != sealed.root => joined(std::iter::once(0..sealed.length)),
            None => Vec::new(),
        };
        if !damaged.is_empty() {
            self.problem(&sealed.path, "the file differs", damaged);
        }
    }

    /// The files that the disk stands on are those that were sealed, under the names that they had.
    fn chain(&mut self, layers: &[Layer]) {
        let sealed = &self.disk.layers;
        let is_same = |(layer, sealed): (&Layer, &Sealed)| {
            layer.format == sealed.format && layer.path.canonicalize().is_ok_and(|path| path == sealed.path)
        };
        if layers.len() != sealed.len() || !layers.iter().zip(sealed).all(is_same) {
            self.problem(&sealed[0].path, "it stands on other files than those that were sealed", Vec::new());
        }
    }
}
