//! The files of a machine, wherever they come from: a folder, a file system on a disk, or memory.
//!
//! A path is absolute in the machine and has slashes. Links are followed within the machine and never out of it; that is the duty of
//! whoever implements [`Files`]. What is read is bounded by the reader of it.

use std::collections::BTreeMap;

/// Largest file of settings that is read, in bytes.
pub const SETTINGS_MAX: usize = 1 << 22;
/// Names in one folder.
pub const NAMES_MAX: usize = 1 << 16;

/// Why something of a machine cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be read: {why}")]
pub struct FilesError {
    /// The path in the machine.
    pub path: String,
    /// Why.
    pub why: String,
}

impl FilesError {
    /// An error of a path.
    pub fn new(path: &str, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }
}

/// Who owns a file, and who may write to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Permissions as Unix has them, the lower twelve bits; `None` where the file system has none.
    pub mode: Option<u32>,
    /// Number of the owner; `None` where the file system has none.
    pub owner: Option<u32>,
}

/// The files of a machine.
pub trait Files {
    /// What a file holds; `None` if there is none. A file of more than `max` bytes is an error.
    ///
    /// # Errors
    /// [`FilesError`].
    fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError>;

    /// Names in a folder, in any order, at most [`NAMES_MAX`]; none if there is no such folder.
    ///
    /// # Errors
    /// [`FilesError`].
    fn names(&self, path: &str) -> Result<Vec<String>, FilesError>;

    /// What is known of a file or folder; `None` if there is none.
    ///
    /// # Errors
    /// [`FilesError`].
    fn meta(&self, path: &str) -> Result<Option<Meta>, FilesError>;
}

/// Reads a file of settings as text, what is no text replaced; `None` if there is none.
pub(crate) fn text(files: &dyn Files, path: &str) -> Result<Option<String>, FilesError> {
    let bytes = files.read(path, SETTINGS_MAX)?;
    let replaced = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(bytes.map(|bytes| String::from_utf8(bytes).unwrap_or_else(|error| replaced(error.into_bytes()))))
}

/// The names in a folder, sorted by bytes.
pub(crate) fn sorted(files: &dyn Files, folder: &str) -> Result<Vec<String>, FilesError> {
    let mut names = files.names(folder)?;
    names.sort();
    Ok(names)
}

/// The path of a file by names without regard to case, as Windows finds it.
pub(crate) fn find_ignoring_case(files: &dyn Files, path: &str) -> Result<Option<String>, FilesError> {
    let mut found = String::new();
    for wanted in path.split('/').filter(|name| !name.is_empty()) {
        let folder = if found.is_empty() { "/" } else { &found };
        let Some(name) = files.names(folder)?.into_iter().find(|name| name.eq_ignore_ascii_case(wanted))
        else {
            return Ok(None);
        };
        found = format!("{found}/{name}");
    }
    Ok(Some(found))
}

/// Files in memory, by path: hives that were given alone, and tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryFiles(BTreeMap<String, Vec<u8>>);

impl MemoryFiles {
    /// Adds a file, with the folders on its path.
    pub fn add(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.0.insert(path.to_owned(), bytes.into());
    }
}

impl<P: AsRef<str>, B: Into<Vec<u8>>> FromIterator<(P, B)> for MemoryFiles {
    fn from_iter<I: IntoIterator<Item = (P, B)>>(files: I) -> Self {
        let mut all = Self::default();
        files.into_iter().for_each(|(path, bytes)| all.add(path.as_ref(), bytes));
        all
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, FilesError> {
        match self.0.get(path) {
            Some(bytes) if bytes.len() > max => {
                Err(FilesError::new(path, format!("it has more than {max} bytes")))
            }
            file => Ok(file.cloned()),
        }
    }

    fn names(&self, path: &str) -> Result<Vec<String>, FilesError> {
        let start = format!("{}/", path.trim_end_matches('/'));
        let below = self.0.keys().filter_map(|path| path.strip_prefix(&start)?.split('/').next());
        let mut names: Vec<String> = below.map(str::to_owned).collect();
        names.dedup();
        Ok(names)
    }

    fn meta(&self, path: &str) -> Result<Option<Meta>, FilesError> {
        let is_folder = !self.0.contains_key(path);
        let is_there = !is_folder || !self.names(path)?.is_empty();
        Ok(is_there.then_some(Meta { is_folder, mode: None, owner: None }))
    }
}
