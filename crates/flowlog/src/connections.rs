//! Connections out of logs and captures: what detectors take.
//!
//! Reads Argus binetflow, Zeek's conn.log (as text and as JSON), captures (pcap and pcapng), and every flow log that
//! [`crate::read`] knows, told apart by content, also where gzip compressed them. All that is read becomes one log in the order of ends; the
//! records of flow logs are put together over all files, since a flow may begin in one and end in another. Other formats do not
//! say which end is guarded: a connection goes out if its source is at home. What guests tell of logons (Windows event logs,
//! sshd's messages) is read beside them. It must not judge what a connection is.

mod argus;
mod capture;
mod format;
mod zeek;

use std::{
    fs::File,
    io::{self, Cursor, Read},
    net::IpAddr,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use palisade_guard::{Connection, Fold, GuestEvent};
use palisade_model::{FlowOrigin, FlowRecord};
use palisade_net::{Direction, Flow, Prefix, Protocol};

use crate::{
    FlowLogError, Limits, Problem,
    document::Document,
    files,
    guests::{journal, syslog, windows},
    intake::Intake,
    limits,
    packed::unpacked,
};
use format::Format;

/// The second after the year 9999.
const SECONDS_END: f64 = 253_402_300_800.0;
/// Characters of a value that problems show.
const FIELD_SHOWN: usize = 64;

/// What was read of connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionLog {
    /// The connections, in the order of their ends.
    pub connections: Vec<Connection>,
    /// What guests tell of logons, in the order of time.
    pub events: Vec<GuestEvent>,
    /// What could not be read, the first [`limits::PROBLEMS_KEPT`].
    pub problems: Vec<Problem>,
    /// Lines and packets that could not be read.
    pub malformed: u64,
    /// Lines and packets that are about no flow: of other protocols, or about networks.
    pub passed_over: u64,
    /// Flows of which only the last record was used, because too many others were open.
    pub untracked: u64,
}

/// What is known of a stream beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its bytes; 0 where they are not known.
    pub bytes: u64,
    /// When it was written last: lines of syslog do not say in which year they are.
    pub written: SystemTime,
}

/// What one file gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Connections, logons, or records of flows.
    pub items: u64,
    /// What could not be read.
    pub problems: u64,
}

/// Reads one file. `home` are the prefixes of the guarded machines; if it is empty, addresses of private networks are.
///
/// # Errors
/// [`FlowLogError`]. What is wrong inside a file is in the log, and the rest is read.
pub fn read_connections(path: &Path, home: &[Prefix]) -> Result<ConnectionLog, FlowLogError> {
    let mut reader = ConnectionReader::new(home.to_vec(), limits::CONNECTIONS_MAX);
    reader.read_file(path)?;
    Ok(reader.finish())
}

/// The files that `paths` mean: those that are named, and of folders those whose names end as logs and captures do.
///
/// # Errors
/// [`FlowLogError`] of a folder that cannot be listed, or has none.
pub fn connection_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FlowLogError> {
    files::below(paths, files::CONNECTION_ENDINGS)
}

/// Reads files and streams of any of the formats into one log.
#[derive(Debug)]
pub struct ConnectionReader {
    home: Vec<Prefix>,
    max: usize,
    log: ConnectionLog,
    flow_logs: Intake,
    records: Vec<FlowRecord>,
}

impl ConnectionReader {
    /// One that has read nothing. `home` are the prefixes of the guarded machines; if it is empty, addresses of private networks
    /// are. More connections than `max`, or records of flow logs, are an error.
    pub fn new(home: Vec<Prefix>, max: usize) -> Self {
        let of_flow_logs = Limits { flows: max as u64, ..Limits::default() };
        let (log, flow_logs) = (ConnectionLog::default(), Intake::new(of_flow_logs));
        Self { home, max, log, flow_logs, records: Vec::new() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`FlowLogError`]. What is wrong inside it is in the log, and the rest is read.
    pub fn read_file(&mut self, path: &Path) -> Result<Taken, FlowLogError> {
        let failed = |source| FlowLogError::Io { file: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let written = metadata.modified().unwrap_or_else(|_| SystemTime::now());
        self.read_stream(file, path, Origin { bytes: metadata.len(), written })
    }

    /// Reads a stream; `name` is what problems call it.
    ///
    /// # Errors
    /// [`FlowLogError`].
    pub fn read_stream(
        &mut self,
        stream: impl Read,
        name: &Path,
        origin: Origin,
    ) -> Result<Taken, FlowLogError> {
        let failed = |source| FlowLogError::Io { file: name.to_owned(), source };
        let mut stream = unpacked(stream, origin.bytes).map_err(failed)?;
        let mut head = Vec::new();
        match stream.by_ref().take(format::HEAD_MAX).read_to_end(&mut head) {
            Err(source) if cut_short(&source) => stream = Box::new(Broken(Some(source))),
            read => {
                read.map_err(failed)?;
            }
        }
        let format = Format::of(&head);
        let before = self.counted();
        let whole = Cursor::new(head).chain(stream);
        match format {
            Format::FlowLog => self.flow_log(whole, origin.bytes, name)?,
            Format::Other(what) => self.intake(name).problem(1, what),
            format => self.whole(format, whole, name, origin)?,
        }
        let after = self.counted();
        Ok(Taken { items: after.items - before.items, problems: after.problems - before.problems })
    }

    /// Takes a record that was read elsewhere, such as from a flow store, and who logged it.
    ///
    /// # Errors
    /// [`FlowLogError`] of too many.
    pub fn take(&mut self, record: FlowRecord, origin: FlowOrigin) -> Result<(), FlowLogError> {
        self.flow_logs.admit()?;
        let origin = self.flow_logs.number(origin)?;
        self.records.push(FlowRecord { origin, ..record });
        Ok(())
    }

    /// All that was read.
    pub fn finish(self) -> ConnectionLog {
        let Self { mut log, flow_logs, mut records, .. } = self;
        records.sort_by_key(|record| record.time_ms);
        let mut fold = Fold::new();
        log.connections.extend(records.iter().filter_map(|record| fold.add(record)));
        log.untracked = fold.untracked();
        log.connections.extend(fold.finish());
        log.connections.sort_by_key(|connection| (connection.end_ms, connection.start_ms, connection.flow));
        log.events.sort_by(|a, b| (a.time_ms, &a.machine).cmp(&(b.time_ms, &b.machine)));
        let report = flow_logs.finish();
        log.malformed += report.counts.problems;
        log.problems.extend(report.problems);
        log.problems.truncate(limits::PROBLEMS_KEPT);
        log
    }

    fn counted(&self) -> Taken {
        Taken {
            items: (self.log.connections.len() + self.log.events.len() + self.records.len()) as u64,
            problems: self.log.malformed + self.flow_logs.counts.problems,
        }
    }

    /// A flow log of Azure's or ours, whose records are put together in the end.
    fn flow_log(&mut self, stream: impl Read, bytes: u64, name: &Path) -> Result<(), FlowLogError> {
        self.flow_logs.open(bytes)?;
        let rest = self.flow_logs.rest().saturating_add(1);
        let records = &mut self.records;
        Document::new(stream.take(rest), name, &mut self.flow_logs, &mut |record, _| records.push(record))
            .read()?;
        self.flow_logs.is_within()
    }

    fn intake<'a>(&'a mut self, path: &'a Path) -> ConnectionIntake<'a> {
        ConnectionIntake { path, home: &self.home, max: self.max, log: &mut self.log }
    }

    /// A file that is held in memory.
    fn whole(
        &mut self,
        format: Format,
        stream: impl Read,
        name: &Path,
        Origin { bytes: size, written }: Origin,
    ) -> Result<(), FlowLogError> {
        let mut bytes = Vec::new();
        let max = limits::CONNECTION_FILE_MAX;
        let too_large = || FlowLogError::FileTooLarge { file: name.to_owned(), max };
        // None becomes smaller by being unpacked.
        if size > max {
            return Err(too_large());
        }
        let ended = stream.take(max + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > max {
            return Err(too_large());
        }
        // Some writers begin text so.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let mut intake = self.intake(name);
        match format {
            Format::Argus => argus::read(bytes, written, &mut intake)?,
            Format::ZeekText => zeek::read_text(bytes, &mut intake)?,
            Format::ZeekJson => zeek::read_json(bytes, &mut intake)?,
            Format::Capture => capture::read(bytes, &mut intake)?,
            Format::EventLog | Format::Journal | Format::Syslog => intake.guests(format, bytes, written)?,
            Format::Other(_) | Format::FlowLog => {}
        }
        // A compressed file that ends too early: what came before is read.
        match ended {
            Ok(_) => Ok(()),
            Err(source) if cut_short(&source) => {
                intake.problem(0, format!("it ends too early: {source}"));
                Ok(())
            }
            Err(source) => Err(FlowLogError::Io { file: name.to_owned(), source }),
        }
    }
}

/// What is left of a stream that has failed: its error, once more.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Whether a compressed stream is at fault, and not who reads it.
fn cut_short(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput)
}

/// Where readers put what they find.
#[derive(Debug)]
struct ConnectionIntake<'a> {
    path: &'a Path,
    home: &'a [Prefix],
    max: usize,
    log: &'a mut ConnectionLog,
}

impl ConnectionIntake<'_> {
    fn add(&mut self, connection: Connection) -> Result<(), FlowLogError> {
        self.has_room(1)?;
        self.log.connections.push(connection);
        Ok(())
    }

    /// Refuses so many more connections if they were too many.
    fn has_room(&self, more: usize) -> Result<(), FlowLogError> {
        if self.log.connections.len() + more > self.max {
            return Err(FlowLogError::TooMuch { what: "connections", max: self.max as u64 });
        }
        Ok(())
    }

    fn guests(&mut self, format: Format, bytes: &[u8], written: SystemTime) -> Result<(), FlowLogError> {
        let (mut events, mut others, mut bad) = (Vec::new(), 0, Vec::new());
        let text = || String::from_utf8_lossy(bytes);
        // A line may stand for many: no more are kept than tell that they are too many.
        let give = |event| {
            if events.len() <= self.max {
                events.push(event);
            }
        };
        let other = || others += 1;
        match format {
            Format::EventLog => windows::read(bytes, give, other, |at, what| bad.push((at, what))),
            Format::Journal => journal::read(&text(), give, other, |at, what| bad.push((at, what))),
            _ => syslog::read(&text(), seconds(written), give, other, |at, what| bad.push((at, what))),
        }
        self.log.passed_over += others;
        bad.into_iter().for_each(|(at, what)| self.problem(at, what));
        self.log.events.extend(events);
        if self.log.events.len() > self.max {
            return Err(FlowLogError::TooMuch { what: "logons", max: self.max as u64 });
        }
        Ok(())
    }

    /// Notes what could not be read; `line` is its line, or the number of its packet.
    fn problem(&mut self, line: u64, message: impl Into<String>) {
        self.log.malformed += 1;
        if self.log.problems.len() < limits::PROBLEMS_KEPT {
            let (file, path) = (self.path.to_owned(), String::new());
            self.log.problems.push(Problem { file, line, path, message: message.into() });
        }
    }

    /// A flow, seen from home.
    fn flow(
        &self,
        protocol: Protocol,
        source: (IpAddr, u16),
        destination: (IpAddr, u16),
    ) -> Result<Flow, Field> {
        let direction = if self.is_home(source.0) { Direction::Outbound } else { Direction::Inbound };
        Flow::new(direction, protocol, source, destination).ok_or(Field::Families(source.0, destination.0))
    }

    fn is_home(&self, address: IpAddr) -> bool {
        match address {
            _ if !self.home.is_empty() => self.home.iter().any(|prefix| prefix.contains(address)),
            IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        }
    }
}

/// Since 1970.
fn seconds(time: SystemTime) -> i64 {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// A protocol by the name that Argus and Zeek call it.
fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "tcp" => Some(Protocol::TCP),
        "udp" => Some(Protocol::UDP),
        "icmp" => Some(Protocol::ICMP),
        "icmp6" | "ipv6-icmp" => Some(Protocol::ICMPV6),
        _ => None,
    }
}

/// Seconds with a fraction, as milliseconds; `None` of what is no time.
fn milliseconds(seconds: &str) -> Option<u64> {
    let value: f64 = seconds.parse().ok()?;
    (0.0..SECONDS_END).contains(&value).then_some((value * 1_000.0).round() as u64)
}

/// Why a field of a line is of no use.
#[derive(Debug, thiserror::Error)]
enum Field {
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error("its {0} cannot be read: {1:?}")]
    Wrong(&'static str, String),
    #[error("its addresses are of two families: {0} and {1}")]
    Families(IpAddr, IpAddr),
}

impl Field {
    /// A value that cannot be read, as much of it as says what it is.
    fn wrong(name: &'static str, value: &str) -> Self {
        Self::Wrong(name, value.chars().take(FIELD_SHOWN).collect())
    }
}
