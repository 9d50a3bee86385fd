//! Logs with nothing left out: each tuple as it was written, and the record around it.
//!
//! For who keeps logs and writes them again. What stands around tuples is kept as JSON without white space, in its own order, with
//! the lists of tuples empty; a tuple says in which of these lists it stood, and where. So what nobody understands is kept too. Lines
//! of our hosts are given as they are. It must not know what becomes of either.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use palisade_model::{FlowOrigin, FlowPhase, FlowTraffic, LoggedDecision};
use palisade_net::Flow;

use crate::{
    Counts, FlowLogError, Limits, Problem,
    draft::Names,
    files,
    limits::{DEPTH_MAX, PROBLEMS_KEPT, STRING_MAX},
    packed,
    scan::{ScanError, Scanner, Token},
    tuple::{self, Dialect},
};

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
    for path in files::below(paths)? {
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

/// A list of tuples, with the names around it.
struct List {
    names: Names,
    dialect: Dialect,
    tuples: Vec<(u64, Box<str>)>,
}

/// A walk through one file of Azure's.
struct Walk<'a, R, F> {
    scan: Scanner<R>,
    path: &'a Path,
    limits: Limits,
    reading: &'a mut Reading,
    sink: &'a mut F,
    /// The record that is being read, and its lists.
    around: String,
    lists: Vec<List>,
}

/// Why a walk ends.
enum Stop {
    File(ScanError),
    All(FlowLogError),
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self::File(error)
    }
}

impl From<FlowLogError> for Stop {
    fn from(error: FlowLogError) -> Self {
        Self::All(error)
    }
}

impl<'a, R: Read, F: FnMut(Told<'_>) -> Result<(), String>> Walk<'a, R, F> {
    fn new(reader: R, path: &'a Path, limits: Limits, reading: &'a mut Reading, sink: &'a mut F) -> Self {
        let (around, lists) = (String::new(), Vec::new());
        Self { scan: Scanner::new(reader), path, limits, reading, sink, around, lists }
    }

    fn read(mut self) -> Result<(), FlowLogError> {
        match self.documents() {
            Ok(()) => Ok(()),
            Err(Stop::All(error)) => Err(error),
            Err(Stop::File(error)) => {
                let line = self.scan.line();
                self.reading.problem(self.path, line, format!("{error}; what follows is not read"));
                Ok(())
            }
        }
    }

    fn documents(&mut self) -> Result<(), Stop> {
        /// Some writers begin UTF-8 so.
        const MARK: &[u8] = "\u{feff}".as_bytes();
        if self.scan.begins_with(MARK).map_err(ScanError::Io)? {
            MARK.iter().for_each(|_| self.scan.bump());
        }
        while let Some(byte) = self.scan.peek()? {
            match byte {
                b'{' => self.record(0)?,
                b'[' => {
                    self.scan.bump();
                    self.records(0)?;
                }
                b',' => self.scan.bump(),
                found => return Err(ScanError::Unexpected { expected: "a record", found }.into()),
            }
        }
        Ok(())
    }

    fn records(&mut self, depth: usize) -> Result<(), Stop> {
        while self.scan.element()? {
            self.record(depth)?;
        }
        Ok(())
    }

    /// A record, or an object that holds records. What was read before it broke is given all the same.
    fn record(&mut self, depth: usize) -> Result<(), Stop> {
        self.around.clear();
        self.lists.clear();
        if !self.scan.enter(b'{')? {
            return Ok(());
        }
        let read = self.members(Dialect::Nsg, depth, true);
        self.give()?;
        read
    }

    fn give(&mut self) -> Result<(), Stop> {
        if self.lists.is_empty() {
            return Ok(());
        }
        self.reading.counts.records += 1;
        let around: Arc<str> = self.around.as_str().into();
        for (number, list) in (0..).zip(std::mem::take(&mut self.lists)) {
            let mut origin: Option<FlowOrigin> = None;
            for (place, (line, text)) in (0..).zip(&list.tuples) {
                let taken =
                    tuple::read(text, list.dialect).map_err(|error| error.to_string()).and_then(|tuple| {
                        if origin.as_ref().is_none_or(|origin| origin.format != tuple.format) {
                            origin = Some(list.names.origin(tuple.format));
                        }
                        let is_long = list.dialect == Dialect::VirtualNetwork;
                        (self.sink)(Told::Tuple(Logged {
                            time_ms: tuple.time_ms,
                            flow: tuple.flow,
                            phase: tuple.phase,
                            decision: tuple.decision,
                            traffic: tuple.traffic,
                            encryption: is_long
                                .then(|| text.split(',').nth(8))
                                .flatten()
                                .map(str::trim_ascii),
                            origin: origin.as_ref().expect("it was made"),
                            rule: list.names.rule.as_deref(),
                            text,
                            around: &around,
                            place: (number, place),
                        }))
                    });
                self.reading.took(self.path, *line, taken, self.limits)?;
            }
        }
        Ok(())
    }

    /// The members of an object that was entered, copied with their brackets.
    fn members(&mut self, dialect: Dialect, depth: usize, is_outermost: bool) -> Result<(), Stop> {
        if depth > DEPTH_MAX {
            return Err(ScanError::TooDeep.into());
        }
        let first = self.lists.len();
        let mut names = Names::default();
        self.around.push('{');
        let mut comma = "";
        while let Some(key) = self.scan.key(str::to_owned)? {
            if is_outermost && key == "records" {
                if self.scan.enter(b'[')? {
                    self.records(depth + 1)?;
                    self.lists.clear();
                }
                continue;
            }
            self.around.push_str(comma);
            comma = ",";
            quote(&key, &mut self.around);
            self.around.push(':');
            let dialect = if key == "flowRecords" { Dialect::VirtualNetwork } else { dialect };
            self.member(&key, dialect, depth, &mut names)?;
        }
        self.around.push('}');
        self.lists[first..].iter_mut().for_each(|list| list.names.fill_from(&names));
        Ok(())
    }

    fn member(&mut self, key: &str, dialect: Dialect, depth: usize, names: &mut Names) -> Result<(), Stop> {
        if key == "flowTuples" && self.scan.peek()? == Some(b'[') {
            self.scan.bump();
            return self.tuples(dialect);
        }
        let Some(text) = self.value(dialect, depth)? else { return Ok(()) };
        match key {
            "mac" | "macAddress" => names.mac = text.parse().ok(),
            "targetResourceID" | "targetResourceId" => names.target = Some(text),
            "resourceId" | "resourceID" => names.nsg = Some(text),
            "aclID" | "aclId" => names.list = Some(text),
            "rule" => names.rule = Some(text),
            _ => {}
        }
        Ok(())
    }

    fn tuples(&mut self, dialect: Dialect) -> Result<(), Stop> {
        self.around.push_str("[]");
        let mut tuples = Vec::new();
        while self.scan.element()? {
            let line = self.scan.line();
            match self.scan.scalar(|text| -> Box<str> { text.into() })? {
                Some(text) => tuples.push((line, text)),
                None => self.reading.took(self.path, line, Err("it is no text".to_owned()), self.limits)?,
            }
        }
        self.lists.push(List { names: Names::default(), dialect, tuples });
        Ok(())
    }

    /// Copies a value; what it says if it is a text.
    fn value(&mut self, dialect: Dialect, depth: usize) -> Result<Option<String>, Stop> {
        let around = &mut self.around;
        let (opened, text) = self.scan.token(|token| match token {
            Token::Open(bracket) => (Some(bracket), None),
            Token::Text(text) => {
                quote(text, around);
                (None, Some(text.to_owned()))
            }
            Token::Word(word) => {
                around.push_str(word);
                (None, None)
            }
        })?;
        match opened {
            Some(b'{') => self.members(dialect, depth + 1, false)?,
            Some(_) => {
                self.around.push('[');
                let mut comma = "";
                while self.scan.element()? {
                    if depth > DEPTH_MAX {
                        return Err(ScanError::TooDeep.into());
                    }
                    self.around.push_str(comma);
                    comma = ",";
                    self.value(dialect, depth + 1)?;
                }
                self.around.push(']');
            }
            None => {}
        }
        Ok(text)
    }
}

/// Writes a text as JSON.
fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a text is JSON"));
}
