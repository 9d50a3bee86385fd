//! A copy of a store in one file, and the way back into a store of either kind.
//!
//! The file is a line of JSON ([`Header`]), then each entry as two lengths (u32, big endian), key and value in the order of the
//! keys, then the SHA-256 of all that. It is written beside its place and renamed; it is verified whole before anything of it is
//! written to a store. Revisions of single entries are not kept: a store gives them anew.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{KEY_LENGTH_MAX, Revision, Snapshot, Store, StoreError, VALUE_LENGTH_MAX};

/// The version of the format that this program writes; it reads this one.
pub const VERSION: u32 = 1;
/// Longest header, in bytes.
const HEADER_LENGTH_MAX: usize = 1_024;
/// What the header names itself.
const FORMAT: &str = "palisade-backup";
/// Length of the checksum at the end.
const CHECKSUM_LENGTH: usize = 32;

/// What stands first in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    format: String,
    version: u32,
    /// The store's revision that it is of.
    pub revision: u64,
    /// How many entries it has.
    pub entries: u64,
}

/// Why a backup or a restore did not happen.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("backup {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is not a whole backup that this program reads.
    #[error("backup {} is not valid: {problem}", path.display())]
    NotValid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The store that is to be restored has entries.
    #[error("{store} has {entries} entries: restore into an empty one, or say that they are to be replaced")]
    NotEmpty {
        /// The store.
        store: String,
        /// How many.
        entries: usize,
    },
    /// The task that reads or writes the file was aborted.
    #[error("the work on the backup was aborted")]
    Aborted,
}

/// Whether a restore may replace what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Only an empty store is filled.
    Empty,
    /// All that is there is replaced.
    Replaced,
}

/// Writes all that a store holds, at one revision, to a file. A file that is there is replaced at the end.
pub async fn backup(store: &dyn Store, path: &Path) -> Result<Header, BackupError> {
    let snapshot = store.snapshot("").await?;
    let path = path.to_owned();
    blocking(move || write(&snapshot, &path).map_err(|error| BackupError::File { path, error })).await
}

/// Puts what a file holds into a store. No server may use the store meanwhile.
pub async fn restore(
    path: &Path,
    store: &dyn Store,
    destination: Destination,
) -> Result<Header, BackupError> {
    let path = path.to_owned();
    let (header, entries) = blocking(move || read(&path)).await?;
    fill(store, entries, Revision(header.revision), destination).await?;
    Ok(header)
}

/// Puts what one store holds into another. No server may use either meanwhile. Returns how many entries they were.
pub async fn migrate(
    from: &dyn Store,
    to: &dyn Store,
    destination: Destination,
) -> Result<usize, BackupError> {
    let Snapshot { revision, entries } = from.snapshot("").await?;
    let count = entries.len();
    let entries = entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
    fill(to, entries, revision, destination).await?;
    Ok(count)
}

/// Verifies a file and tells what it is.
pub async fn inspect(path: &Path) -> Result<Header, BackupError> {
    let path = path.to_owned();
    blocking(move || read(&path).map(|(header, _)| header)).await
}

type Entries = Vec<(String, Bytes)>;

async fn fill(
    store: &dyn Store,
    entries: Entries,
    revision: Revision,
    destination: Destination,
) -> Result<(), BackupError> {
    let there = store.snapshot("").await?.entries.len();
    if there > 0 && destination == Destination::Empty {
        return Err(BackupError::NotEmpty { store: store.describe(), entries: there });
    }
    store.import(entries, revision).await?;
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BackupError::Aborted))
}

/// What passes through is summed up.
struct Summed<T> {
    inner: T,
    sum: Sha256,
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sum.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn write(snapshot: &Snapshot, path: &Path) -> std::io::Result<Header> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let beside = path.with_file_name(name);
    let result = write_beside(snapshot, &beside).and_then(|header| {
        std::fs::rename(&beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(header)
    });
    if result.is_err() {
        // What could not be finished is of no use; the error to tell is the first one.
        let _ = std::fs::remove_file(&beside);
    }
    result
}

fn write_beside(snapshot: &Snapshot, path: &Path) -> std::io::Result<Header> {
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        revision: snapshot.revision.0,
        entries: snapshot.entries.len() as u64,
    };
    // It holds keys and secrets.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut out = Summed { inner: BufWriter::new(file), sum: Sha256::new() };
    serde_json::to_writer(&mut out, &header)?;
    out.write_all(b"\n")?;
    for entry in &snapshot.entries {
        for length in [entry.key.len(), entry.value.len()] {
            let length = u32::try_from(length).expect("limits of keys and values are below 4 GiB");
            out.write_all(&length.to_be_bytes())?;
        }
        out.write_all(entry.key.as_bytes())?;
        out.write_all(&entry.value)?;
    }
    let Summed { mut inner, sum } = out;
    inner.write_all(&sum.finalize())?;
    inner.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(header)
}

fn read(path: &Path) -> Result<(Header, Entries), BackupError> {
    let file = |error| BackupError::File { path: path.to_owned(), error };
    let input = BufReader::new(File::open(path).map_err(file)?);
    parse(input).map_err(|problem| match problem {
        Problem::File(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => file(error),
        Problem::File(_) => not_valid(path, "it ends too early".to_owned()),
        Problem::Content(problem) => not_valid(path, problem),
    })
}

fn not_valid(path: &Path, problem: String) -> BackupError {
    BackupError::NotValid { path: path.to_owned(), problem }
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Content(String),
}

impl<T: Read> Summed<T> {
    fn take(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.inner.read_exact(&mut bytes)?;
        self.sum.update(&bytes);
        Ok(bytes)
    }

    fn length(&mut self, what: &str, limit: usize) -> Result<usize, Problem> {
        let bytes = self.take(size_of::<u32>())?;
        let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if length > limit {
            return Err(Problem::Content(format!("a {what} has {length} bytes, more than {limit}")));
        }
        Ok(length)
    }

    fn header(&mut self) -> Result<Header, Problem> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            if line.len() == HEADER_LENGTH_MAX {
                return Err(Problem::Content("it does not begin with the line of a backup".to_owned()));
            }
            line.extend(self.take(1)?);
        }
        let header: Header = serde_json::from_slice(&line)
            .map_err(|error| Problem::Content(format!("its first line is not that of a backup: {error}")))?;
        match (header.format.as_str(), header.version) {
            (FORMAT, VERSION) => Ok(header),
            (FORMAT, version) => Err(Problem::Content(format!(
                "it has version {version}, and this program reads {VERSION}: use the program that wrote it"
            ))),
            (other, _) => Err(Problem::Content(format!("it is a {other:?}"))),
        }
    }

    fn entry(&mut self) -> Result<(String, Bytes), Problem> {
        let key = self.length("key", KEY_LENGTH_MAX)?;
        let value = self.length("value", VALUE_LENGTH_MAX)?;
        let key = String::from_utf8(self.take(key)?);
        let key = key.map_err(|_| Problem::Content("a key is not UTF-8".to_owned()))?;
        Ok((key, Bytes::from(self.take(value)?)))
    }
}

fn parse(input: impl Read) -> Result<(Header, Entries), Problem> {
    let mut input = Summed { inner: input, sum: Sha256::new() };
    let header = input.header()?;
    let mut entries: Entries = Vec::new();
    for _ in 0..header.entries {
        let entry = input.entry()?;
        if entries.last().is_some_and(|(last, _)| *last >= entry.0) {
            return Err(Problem::Content(format!("key {:?} is not after the one before it", entry.0)));
        }
        entries.push(entry);
    }
    let Summed { mut inner, sum } = input;
    let mut found = [0; CHECKSUM_LENGTH];
    inner.read_exact(&mut found)?;
    if found[..] != sum.finalize()[..] {
        return Err(Problem::Content("its checksum is another one: it was changed or damaged".to_owned()));
    }
    if inner.read(&mut [0])? != 0 {
        return Err(Problem::Content("something follows its end".to_owned()));
    }
    Ok((header, entries))
}
