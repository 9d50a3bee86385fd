//! Files and folders named by the user become bytes in memory, in an order that does not depend on the disk.
//!
//! It does not know what the bytes mean. A folder gives its `*.json` files at any depth, sorted by path; entries whose
//! name begins with a dot are left out, links to folders are not followed. A file that is named itself is read
//! whatever it is called. Nothing is read partly: what passes a limit here is a problem with the limit's value.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use palisade_arm::json::JSON_BYTES_MAX;

use super::problem::{Code, Problem};

/// The most files of one estate.
pub const FILES_MAX: usize = 20_000;
/// The most bytes of all files of one estate together.
pub const TOTAL_BYTES_MAX: usize = 1 << 30;
/// How deep folders may lie in each other.
pub const FOLDER_DEPTH_MAX: usize = 32;

/// One file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path: as the user gave it, or the folder's with the rest of the way.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// The files that `paths` stand for, and every folder among them; what cannot be listed is left out.
pub(crate) fn find(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut reader = Reader::default();
    let files = reader.find(paths);
    (files, reader.folders)
}

/// Reads files within the limits of one estate.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
    folders: Vec<PathBuf>,
    files: usize,
    bytes: usize,
}

impl Reader {
    /// The files that `paths` stand for; one that two of them reach is read once, at its first place.
    pub(super) fn read_all(&mut self, paths: &[PathBuf]) -> Vec<SourceFile> {
        self.find(paths).into_iter().filter_map(|path| self.read(path)).collect()
    }

    /// The files that `paths` stand for, each once.
    fn find(&mut self, paths: &[PathBuf]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for path in paths {
            if path.is_dir() {
                self.list(path, 0, &mut found);
            } else {
                found.push(path.clone());
            }
        }
        let mut seen = HashSet::new();
        found.retain(|path| seen.insert(path.clone()));
        found
    }

    /// Appends the JSON files of a folder.
    fn list(&mut self, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
        if depth >= FOLDER_DEPTH_MAX {
            let message =
                format!("the folder is the {FOLDER_DEPTH_MAX}th inside another (name a deeper one instead)");
            return self.problem(Code::TooMuchInput, folder, message);
        }
        self.folders.push(folder.to_owned());
        let entries = fs::read_dir(folder).and_then(|entries| {
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            paths.take(FILES_MAX + 1).collect::<Result<Vec<_>, _>>()
        });
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.problem(Code::UnreadableFile, folder, error.to_string()),
        };
        entries.sort();
        for entry in entries.into_iter().filter(|entry| !is_hidden(entry)) {
            let is_link = entry.is_symlink();
            match entry.is_dir() {
                true if !is_link => self.list(&entry, depth + 1, found),
                false if is_json(&entry) && found.len() <= FILES_MAX => found.push(entry),
                _ => {}
            }
        }
    }

    /// Reads one file, or reports why not. Reading counts what arrives, so that a file that grows meanwhile stays bounded.
    fn read(&mut self, path: PathBuf) -> Option<SourceFile> {
        self.files += 1;
        if self.files > FILES_MAX {
            if self.files == FILES_MAX + 1 {
                self.problem(Code::TooMuchInput, &path, format!("more than {FILES_MAX} files in one estate"));
            }
            return None;
        }
        let mut bytes = Vec::new();
        let limit = JSON_BYTES_MAX.min(TOTAL_BYTES_MAX - self.bytes);
        let outcome = open(&path).and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes));
        match outcome {
            Err(error) => self.problem(Code::UnreadableFile, &path, error.to_string()),
            Ok(_) if bytes.len() > limit => {
                let message = format!(
                    "the file passes a limit: {JSON_BYTES_MAX} bytes of one file, {TOTAL_BYTES_MAX} of all together"
                );
                self.problem(Code::TooMuchInput, &path, message);
            }
            Ok(_) => {
                self.bytes += bytes.len();
                return Some(SourceFile { path, bytes });
            }
        }
        None
    }

    fn problem(&mut self, code: Code, path: &Path, message: String) {
        self.problems.push(Problem::about_file(code, path, message));
    }
}

/// Opens a regular file. Anything else could block for ever, or never end.
fn open(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(std::io::Error::other("it is neither a file nor a folder"))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}
