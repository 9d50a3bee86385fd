//! Flow logs: who talked to whom, and what was decided.
//!
//! Reads Azure's NSG flow logs (versions 1 and 2), its virtual network flow logs (schema 4), and what `palisade flows tail --format
//! json` prints, into [`FlowRecord`]s. Formats are told apart by content and not by name, and so are files that gzip compressed. A
//! file is read as a stream, record by record; what cannot be read is counted and told with its place, and the rest is still read. It must not judge a flow. The
//! formats and what they cannot tell: `docs/flow-logs.md`.

pub mod board;
mod connections;
pub mod deeds;
mod document;
mod draft;
mod files;
mod guests;
mod intake;
pub mod limits;
mod line;
mod packed;
mod scan;
mod tuple;
mod whole;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use palisade_model::{FlowOrigin, FlowRecord};

pub use connections::{ConnectionLog, ConnectionReader, Origin, Taken, connection_files, read_connections};
pub use files::event_log_files;
pub use guests::chronicle::{Chronicle, Happening, chronicle};
pub use limits::Limits;
pub use line::deciding_layers;
pub use whole::{Logged, Told, read_whole};

use document::Document;
use intake::Intake;

/// What was read, beside the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Who logged, and by which rules: [`FlowRecord::origin`] is an index into it.
    pub origins: Vec<FlowOrigin>,
    /// How much was read.
    pub counts: Counts,
    /// What could not be read, the first [`limits::PROBLEMS_KEPT`].
    pub problems: Vec<Problem>,
    /// The first and the last moment that was logged, in milliseconds since 1970.
    pub window: Option<(u64, u64)>,
}

/// How much was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
    /// Records of Azure's logs, and lines of ours.
    pub records: u64,
    /// Flow records that were given.
    pub flows: u64,
    /// Tuples and lines that could not be read.
    pub malformed: u64,
    /// Lines that the log itself says are missing.
    pub lost: u64,
    /// Problems, those that are not kept included.
    pub problems: u64,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: u64,
    /// The way to the value in the file, such as `records[3].properties.flows[0].flows[0].flowTuples[7]`; may be empty.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why nothing was read, or no more.
#[derive(Debug, thiserror::Error)]
pub enum FlowLogError {
    /// A file or folder cannot be opened.
    #[error("{}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder without logs.
    #[error("{} holds no file that ends in one of .{endings} (name the file itself)", folder.display())]
    NoFiles {
        /// Which.
        folder: PathBuf,
        /// What names would have to end in.
        endings: String,
    },
    /// A file that would be held in memory.
    #[error("{}: it has more than {max} bytes (split it: captures with editcap -c, text with split)", file.display())]
    FileTooLarge {
        /// Which.
        file: PathBuf,
        /// The limit.
        max: u64,
    },
    /// A limit was reached.
    #[error("the logs have more than {max} {what} (read fewer files at a time)")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

/// Reads files, and folders with all that is below them; gives each record with its origin to `sink`, in the order of the
/// files.
///
/// # Errors
/// [`FlowLogError`]. What is wrong inside a file is in the report, and the rest is read.
pub fn read(
    paths: &[PathBuf],
    limits: Limits,
    sink: &mut impl FnMut(FlowRecord, &FlowOrigin),
) -> Result<Report, FlowLogError> {
    let mut intake = Intake::new(limits);
    for path in files::below(paths, files::LOG_ENDINGS)? {
        let failed = |source| FlowLogError::Io { file: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        intake.open(bytes)?;
        let reader = packed::unpacked(file, bytes).map_err(failed)?;
        let rest = intake.rest();
        Document::new(reader.take(rest.saturating_add(1)), &path, &mut intake, sink).read()?;
        intake.is_within()?;
    }
    Ok(intake.finish())
}

/// Reads one log from a stream; `name` is what problems call it. A compressed one may become [`limits::UNPACKED_ALWAYS`] bytes.
///
/// # Errors
/// [`FlowLogError`].
pub fn read_from(
    reader: impl Read,
    name: &Path,
    limits: Limits,
    sink: &mut impl FnMut(FlowRecord, &FlowOrigin),
) -> Result<Report, FlowLogError> {
    let mut intake = Intake::new(limits);
    intake.open(0)?;
    let failed = |source| FlowLogError::Io { file: name.to_owned(), source };
    let reader = packed::unpacked(reader, 0).map_err(failed)?;
    Document::new(reader.take(limits.bytes), name, &mut intake, sink).read()?;
    Ok(intake.finish())
}

/// All records of some logs at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowLog {
    /// The records, in the order of the files.
    pub records: Vec<FlowRecord>,
    /// What was read beside them.
    pub report: Report,
}

impl FlowLog {
    /// Reads files and folders as [`read`] does, and keeps the records.
    ///
    /// # Errors
    /// [`FlowLogError`].
    pub fn read(paths: &[PathBuf], limits: Limits) -> Result<Self, FlowLogError> {
        let mut records = Vec::new();
        let report = read(paths, limits, &mut |record, _| records.push(record))?;
        Ok(Self { records, report })
    }
}
