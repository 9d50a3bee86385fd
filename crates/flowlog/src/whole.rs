//! Logs with nothing left out: each tuple as it was written, and the record around it.
//!
//! For who keeps logs and writes them again. What stands around tuples is kept as JSON without white space, in its own order, with
//! the lists of tuples empty; a tuple says in which of these lists it stood, and where. So what nobody understands is kept too. Lines
//! of our hosts are given as they are. It must not know what becomes of either.

mod walk;

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use palisade_model::{FlowOrigin, FlowPhase, FlowTraffic, LoggedDecision};
use palisade_net::Flow;

use crate::{
    Counts, FlowLogError, Limits, Problem, files,
    limits::{PROBLEMS_KEPT, STRING_MAX},
    packed,
};

use walk::Walk;

/// Bytes by which lines of hosts are told from other logs.
const START_BYTES: u64 = 4_096;

/// What a log tells.
#[derive(Debug)]
pub enum Told<'l> {
    /// A tuple of a log of Azure's.
    Tuple(Logged<'l>),
    /// A line of `palisade flows tail --format json`.
    Line(&'l str),
}

/// A tuple with all that stood around it.
#[derive(Debug)]
pub struct Logged<'l> {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The flow, seen from the interface.
    pub flow: Flow,
    /// The part of its life.
    pub phase: FlowPhase,
    /// What the tuple says was decided, whoever decided.
    pub decision: LoggedDecision,
    /// What has passed since the record before.
    pub traffic: Option<FlowTraffic>,
    /// The word for the encryption, in virtual network flow logs.
    pub encryption: Option<&'l str>,
    /// Who logged it, and by which rule.
    pub origin: &'l FlowOrigin,
    /// The rule as the log calls it.
    pub rule: Option<&'l str>,
    /// The tuple as it stands there.
    pub text: &'l str,
    /// The record without its tuples.
    pub around: &'l Arc<str>,
    /// In which list of tuples of the record it stands, and where.
    pub place: (u32, u32),
}

/// What was read beside what was told.
#[derive(Debug, Default)]
struct Reading {
    counts: Counts,
    problems: Vec<Problem>,
}

/// Reads files, and folders with all that is below them; gives each tuple and line to `sink`, which says what is wrong with it if it
/// cannot be taken.
///
/// # Errors
/// [`FlowLogError`]. What is wrong inside a file is counted and told, and the rest is read.
pub fn read_whole(
    paths: &[PathBuf],
    limits: Limits,
    sink: &mut impl FnMut(Told<'_>) -> Result<(), String>,
) -> Result<(Counts, Vec<Problem>), FlowLogError> {
    let mut reading = Reading::default();
    for path in files::below(paths, files::LOG_ENDINGS)? {
        let failed = |source| FlowLogError::Io { file: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        reading.counts.files += 1;
        reading.counts.bytes += bytes;
        within("files", reading.counts.files, limits.files)?;
        within("bytes", reading.counts.bytes, limits.bytes)?;
        let mut reader = packed::unpacked(file, bytes).map_err(failed)?.take(limits.bytes);
        let mut start = Vec::new();
        reader.by_ref().take(START_BYTES).read_to_end(&mut start).map_err(failed)?;
        let is_lines = are_lines(&start);
        let reader = BufReader::new(Cursor::new(start).chain(reader));
        let told = reading.counts;
        if is_lines {
            lines(reader, &path, limits, &mut reading, sink)?;
        } else {
            Walk::new(reader, &path, limits, &mut reading, sink).read()?;
        }
        if reading.counts.records == told.records && reading.counts.problems == told.problems {
            reading.problem(&path, 1, "it holds no flow log".to_owned());
        }
    }
    Ok((reading.counts, reading.problems))
}

/// Whether a file that begins so holds lines of our hosts. They have a time in milliseconds, or say what is missing.
fn are_lines(start: &[u8]) -> bool {
    let has = |part: &[u8]| start.windows(part.len()).any(|window| window == part);
    has(b"\"timeMs\"") || start.trim_ascii_start().starts_with(b"{\"kind\"")
}

fn lines(
    mut reader: impl BufRead,
    path: &Path,
    limits: Limits,
    reading: &mut Reading,
    sink: &mut impl FnMut(Told<'_>) -> Result<(), String>,
) -> Result<(), FlowLogError> {
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let read = reader.by_ref().take(STRING_MAX as u64 + 1).read_until(b'\n', &mut text);
        if read.map_err(|source| FlowLogError::Io { file: path.to_owned(), source })? == 0 {
            break;
        }
        let line = text.trim_ascii();
        if line.is_empty() {
            continue;
        }
        reading.counts.records += 1;
        let taken = match std::str::from_utf8(line) {
            _ if text.len() > STRING_MAX => Err(format!("it is longer than {STRING_MAX} bytes")),
            Ok(line) => sink(Told::Line(line)),
            Err(_) => Err("it is not UTF-8".to_owned()),
        };
        reading.took(path, number, taken, limits)?;
    }
    Ok(())
}

impl Reading {
    fn took(
        &mut self,
        path: &Path,
        line: u64,
        taken: Result<(), String>,
        limits: Limits,
    ) -> Result<(), FlowLogError> {
        match taken {
            Ok(()) => self.counts.flows += 1,
            Err(message) => {
                self.counts.malformed += 1;
                self.problem(path, line, message);
            }
        }
        within("flows", self.counts.flows, limits.flows)
    }

    fn problem(&mut self, file: &Path, line: u64, message: String) {
        self.counts.problems += 1;
        if self.problems.len() < PROBLEMS_KEPT {
            self.problems.push(Problem { file: file.to_owned(), line, path: String::new(), message });
        }
    }
}

const fn within(what: &'static str, got: u64, max: u64) -> Result<(), FlowLogError> {
    if got > max { Err(FlowLogError::TooMuch { what, max }) } else { Ok(()) }
}
