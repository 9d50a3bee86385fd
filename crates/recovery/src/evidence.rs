//! What a machine's disk was when it was taken, kept as it was, and who had it since.
//!
//! Evidence is the overlay of a machine, read-only, with its SHA-256. The custody log is a chain: every line holds the hash of the one before it, so that a
//! line that is changed, dropped or put in shows. Its head can be written down elsewhere, such as in a server's audit log; a chain that was cut
//! short or made anew as a whole shows only there.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    files::{self, FileError, Hold},
    image::{Format, Image, Place},
    key::SealCheck,
    merkle::joined,
    scan::{self, Progress},
    state::{Disk, StateError, Store, name},
};

/// Bytes of the custody log.
pub const CUSTODY_MAX: u64 = 64 << 20;
/// Bytes of the description of one piece of evidence.
const DESCRIPTION_MAX: u64 = 1 << 20;
const DESCRIPTION: &str = "evidence.json";

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// Its name, that of the revert.
    pub id: String,
    /// Whose disks.
    pub machine: String,
    /// The clean state that they stand on.
    pub state: String,
    /// Seconds since 1970.
    pub taken: u64,
    /// Who took it.
    pub by: String,
    /// The files, disks first in the order of the state.
    pub files: Vec<EvidenceFile>,
}

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceFile {
    /// Its name in the folder of the evidence.
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// As `sha256sum` prints it.
    pub sha256: String,
}

/// A line of the custody log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Custody {
    /// From 1.
    pub number: u64,
    /// Seconds since 1970.
    pub at: u64,
    /// Who did it.
    pub by: String,
    /// What: taken, exported, returned.
    pub what: String,
    /// Of which evidence.
    pub evidence: String,
    /// SHA-256 of what is concerned: of the description, or of the exported archive.
    pub sha256: String,
    /// Hash of the line before.
    pub previous: String,
}

/// Why evidence could not be dealt with.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// No such evidence.
    #[error("there is no evidence {id:?} (see palisade evidence list)")]
    Unknown {
        /// As given.
        id: String,
    },
    /// A description that is not one.
    #[error("{} cannot be read: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file that is not what was taken.
    #[error("{} is not what was taken: its SHA-256 is {found} instead of {taken}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The recorded one.
        taken: String,
    },
    /// A line that does not follow from the one before.
    #[error("the custody log is broken at line {line} of {}: a line was changed, dropped or put in", path.display())]
    Broken {
        /// The log.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A folder that has something in it.
    #[error("{} is there already (name a folder that is not)", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The state it stands on.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Store {
    /// Where evidence is.
    pub fn evidence_folder(&self, id: &str) -> PathBuf {
        self.root().join("evidence").join(id)
    }

    /// Everything that was taken, the oldest first.
    ///
    /// # Errors
    /// A description that cannot be read.
    pub fn evidence(&self) -> Result<Vec<Evidence>, EvidenceError> {
        let folder = self.root().join("evidence");
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).map_err(FileError::at("list", &folder))? {
            let path = entry.map_err(FileError::at("list", &folder))?.path();
            // A revert that has not come so far has a folder without a description.
            if path.join(DESCRIPTION).exists() {
                all.push(describe(&path)?);
            }
        }
        all.sort_by_key(|one| (one.taken, one.id.clone()));
        Ok(all)
    }

    /// One piece of evidence.
    ///
    /// # Errors
    /// There is none, or its description cannot be read.
    pub fn evidence_named(&self, id: &str) -> Result<Evidence, EvidenceError> {
        name(id)?;
        let folder = self.evidence_folder(id);
        if !folder.join(DESCRIPTION).exists() {
            return Err(EvidenceError::Unknown { id: id.to_owned() });
        }
        describe(&folder)
    }

    /// Evidence that stands on a state.
    pub(crate) fn evidence_on(&self, state: &str) -> Result<Option<PathBuf>, StateError> {
        let all = self.evidence().map_err(|error| StateError::Manifest(error.to_string()))?;
        Ok(all.iter().find(|one| one.state == state).map(|one| self.evidence_folder(&one.id)))
    }

    /// Writes down what was taken, and begins its custody. Done twice, it is done once.
    pub(crate) fn take_evidence(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        let path = self.evidence_folder(&evidence.id).join(DESCRIPTION);
        let bytes = serde_json::to_vec_pretty(evidence).expect("evidence is plain data");
        files::replace(&path, &bytes)?;
        let hash = HEXLOWER.encode(&Sha256::digest(&bytes));
        if self.custody()?.iter().any(|line| line.evidence == evidence.id && line.sha256 == hash) {
            return Ok(());
        }
        self.record_custody(evidence.taken, &evidence.by, "taken", &evidence.id, &hash)
    }

    /// Compares the files of evidence with what was taken.
    ///
    /// # Errors
    /// The first that differs.
    pub fn check_evidence(&self, evidence: &Evidence) -> Result<(), EvidenceError> {
        for file in &evidence.files {
            let path = self.evidence_folder(&evidence.id).join(&file.name);
            let (found, _) = files::sha256(&path)?;
            if found != file.sha256 {
                return Err(EvidenceError::Changed { path, found, taken: file.sha256.clone() });
            }
        }
        Ok(())
    }

    /// The custody log, if it is whole.
    ///
    /// # Errors
    /// The first line that does not follow from the one before.
    pub fn custody(&self) -> Result<Vec<Custody>, EvidenceError> {
        let path = self.custody_file();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = files::read_at_most(&path, CUSTODY_MAX)?;
        let text = String::from_utf8_lossy(&text);
        let (mut lines, mut previous) = (Vec::new(), String::new());
        for (index, line) in text.lines().enumerate() {
            let entry: Option<Custody> = serde_json::from_str(line).ok();
            let follows = |entry: &Custody| entry.number == index as u64 + 1 && entry.previous == previous;
            match entry.filter(follows) {
                Some(entry) => lines.push(entry),
                None => return Err(EvidenceError::Broken { path, line: index + 1 }),
            }
            previous = HEXLOWER.encode(&Sha256::digest(line));
        }
        Ok(lines)
    }

    /// Hash of the last line: what to write down elsewhere.
    ///
    /// # Errors
    /// A log that cannot be read.
    pub fn custody_head(&self) -> Result<String, EvidenceError> {
        let path = self.custody_file();
        if !path.exists() {
            return Ok(String::new());
        }
        let text = files::read_at_most(&path, CUSTODY_MAX)?;
        let last =
            String::from_utf8_lossy(&text).lines().last().map(|line| HEXLOWER.encode(&Sha256::digest(line)));
        Ok(last.unwrap_or_default())
    }

    /// Adds a line to the custody log.
    pub(crate) fn record_custody(
        &self,
        at: u64,
        by: &str,
        what: &str,
        id: &str,
        sha256: &str,
    ) -> Result<(), EvidenceError> {
        let path = self.custody_file();
        let lock = self.root().join("custody.lock");
        // Reverts of several machines may end at once; each holds the log for a moment.
        let _hold = loop {
            if let Some(hold) = Hold::take(&lock)? {
                break hold;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let number = self.custody()?.len() as u64 + 1;
        let line = Custody {
            number,
            at,
            by: by.to_owned(),
            what: what.to_owned(),
            evidence: id.to_owned(),
            sha256: sha256.to_owned(),
            previous: self.custody_head()?,
        };
        let mut text = serde_json::to_string(&line).expect("a line is plain data");
        text.push('\n');
        Ok(files::append(&path, &text)?)
    }

    fn custody_file(&self) -> PathBuf {
        self.root().join("custody.jsonl")
    }

    /// Copies evidence into a new folder, with its custody; the files are compared with what was taken first.
    ///
    /// # Errors
    /// Evidence that was changed, a folder that is there.
    pub fn export_evidence(
        &self,
        id: &str,
        to: &Path,
        by: &str,
        now: u64,
    ) -> Result<Vec<PathBuf>, EvidenceError> {
        let evidence = self.evidence_named(id)?;
        self.check_evidence(&evidence)?;
        if to.exists() {
            return Err(EvidenceError::Exists { path: to.to_owned() });
        }
        fs::create_dir(to).map_err(FileError::at("make", to))?;
        let folder = self.evidence_folder(id);
        let mut written = Vec::new();
        for entry in fs::read_dir(&folder).map_err(FileError::at("list", &folder))? {
            let from = entry.map_err(FileError::at("list", &folder))?.path();
            let into = to.join(from.file_name().unwrap_or_default());
            fs::copy(&from, &into).map_err(FileError::at("copy", &from))?;
            written.push(into);
        }
        let (hash, _) = files::sha256(&folder.join(DESCRIPTION))?;
        self.record_custody(now, by, "exported", id, &hash)?;
        let into = to.join("custody.jsonl");
        fs::copy(self.custody_file(), &into).map_err(FileError::at("copy", &into))?;
        written.push(into);
        written.sort();
        Ok(written)
    }

    /// The disks of evidence, each as it was sealed and as it was taken.
    ///
    /// # Errors
    /// Evidence, or a state, that was changed.
    pub fn evidence_disks(&self, id: &str, check: &SealCheck) -> Result<Vec<Pair>, EvidenceError> {
        let evidence = self.evidence_named(id)?;
        let manifest = self.state(&evidence.state, check)?;
        let pair = |(disk, file): (&Disk, &EvidenceFile)| {
            let top = Place::new(self.evidence_folder(id).join(&file.name), Format::Qcow2);
            let base = Place::new(&disk.base().path, disk.base().format);
            let taken = Image::open_on(&top, &base).map_err(StateError::from)?;
            let sealed = Image::open(&base).map_err(StateError::from)?;
            Ok(Pair { disk: disk.overlay.clone(), sealed, taken })
        };
        manifest.disks.iter().zip(&evidence.files).map(pair).collect()
    }
}

/// A disk of evidence.
#[derive(Debug)]
pub struct Pair {
    /// The disk, as the state names it.
    pub disk: PathBuf,
    /// What was sealed.
    pub sealed: Image,
    /// What was taken, which stands on it.
    pub taken: Image,
}

impl Pair {
    /// In which bytes they differ, whole blocks. Both are read as far as they have data.
    ///
    /// # Errors
    /// A disk that cannot be read.
    pub fn ranges(&self, progress: Progress<'_>) -> Result<Vec<Range<u64>>, StateError> {
        let taken = scan::content(&self.taken, progress)?;
        let sealed = scan::content(&self.sealed, progress)?;
        Ok(joined(sealed.differences(&taken)))
    }
}

fn describe(folder: &Path) -> Result<Evidence, EvidenceError> {
    let path = folder.join(DESCRIPTION);
    let bytes = files::read_at_most(&path, DESCRIPTION_MAX)?;
    let malformed = |problem: String| EvidenceError::Malformed { path: path.clone(), problem };
    let evidence: Evidence = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    // A name with a slash would lead out of the folder.
    match evidence.files.iter().find(|file| name(&file.name).is_err()) {
        Some(file) => Err(malformed(format!("odd name {:?}", file.name))),
        None => Ok(evidence),
    }
}
