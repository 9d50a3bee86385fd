//! Connections out of logs and captures: what detectors take.
//!
//! Reads Argus binetflow, Zeek's conn.log (as text and as JSON), captures in the classic pcap format, and every flow log that
//! [`crate::read`] knows, told apart by content. A file is held in memory and its connections are given in the order of
//! their ends. These formats do not say which end is guarded: a connection goes out if its source is at home. It must not judge what
//! a connection is.

mod argus;
mod capture;
mod zeek;

use std::{
    fs::{self, File},
    net::IpAddr,
    path::{Path, PathBuf},
};

use palisade_guard::{Connection, Fold};
use palisade_net::{Direction, Flow, Prefix, Protocol};

use crate::{FlowLogError, Limits, Problem, limits};

/// What was read of connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionLog {
    /// The connections, in the order of their ends.
    pub connections: Vec<Connection>,
    /// What could not be read, the first [`limits::PROBLEMS_KEPT`].
    pub problems: Vec<Problem>,
    /// Lines and packets that could not be read.
    pub malformed: u64,
    /// Lines and packets that are about no flow: of other protocols, or about networks.
    pub passed_over: u64,
}

/// Reads one file. `home` are the prefixes of the guarded machines; if it is empty, addresses of private networks are.
///
/// # Errors
/// [`FlowLogError`]. What is wrong inside a file is in the log, and the rest is read.
pub fn read_connections(path: &Path, home: &[Prefix]) -> Result<ConnectionLog, FlowLogError> {
    let failed = |source| FlowLogError::Io { file: path.to_owned(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > limits::CONNECTION_FILE_MAX {
        return Err(FlowLogError::TooMuch { what: "bytes in one file", max: limits::CONNECTION_FILE_MAX });
    }
    let mut intake = ConnectionIntake { path, home, log: ConnectionLog::default() };
    let bytes = fs::read(path).map_err(failed)?;
    match Format::of(&bytes) {
        Format::Argus => argus::read(&bytes, &mut intake)?,
        Format::ZeekText => zeek::read_text(&bytes, &mut intake)?,
        Format::ZeekJson => zeek::read_json(File::open(path).map_err(failed)?, &mut intake)?,
        Format::Capture => capture::read(&bytes, &mut intake)?,
        Format::FlowLog => return flow_log(path),
    }
    let mut log = intake.log;
    log.connections.sort_by_key(|connection| (connection.end_ms, connection.start_ms));
    Ok(log)
}

/// A format of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Argus,
    ZeekText,
    ZeekJson,
    Capture,
    FlowLog,
}

impl Format {
    fn of(bytes: &[u8]) -> Self {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let has = |part: &[u8]| first.windows(part.len()).any(|window| window == part);
        match first {
            _ if capture::is_one(bytes) => Self::Capture,
            [b'#', ..] => Self::ZeekText,
            _ if first.starts_with(b"StartTime,") => Self::Argus,
            [b'{', ..] if has(b"\"id.orig_h\"") => Self::ZeekJson,
            _ => Self::FlowLog,
        }
    }
}

/// A flow log of Azure's or ours, whose records are put together.
fn flow_log(path: &Path) -> Result<ConnectionLog, FlowLogError> {
    let mut records = Vec::new();
    let report =
        crate::read(&[PathBuf::from(path)], Limits::default(), &mut |record, _| records.push(record))?;
    records.sort_by_key(|record| record.time_ms);
    let mut fold = Fold::new();
    let mut connections: Vec<Connection> = records.iter().filter_map(|record| fold.add(record)).collect();
    connections.extend(fold.finish());
    connections.sort_by_key(|connection| (connection.end_ms, connection.start_ms));
    Ok(ConnectionLog {
        connections,
        problems: report.problems,
        malformed: report.counts.malformed,
        passed_over: 0,
    })
}

/// Where readers put what they find.
#[derive(Debug)]
struct ConnectionIntake<'a> {
    path: &'a Path,
    home: &'a [Prefix],
    log: ConnectionLog,
}

impl ConnectionIntake<'_> {
    fn add(&mut self, connection: Connection) -> Result<(), FlowLogError> {
        if self.log.connections.len() >= limits::CONNECTIONS_MAX {
            return Err(FlowLogError::TooMuch { what: "connections", max: limits::CONNECTIONS_MAX as u64 });
        }
        self.log.connections.push(connection);
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

    /// A flow, seen from home; `None` if its addresses are of two families.
    fn flow(&self, protocol: Protocol, source: (IpAddr, u16), destination: (IpAddr, u16)) -> Option<Flow> {
        let direction = if self.is_home(source.0) { Direction::Outbound } else { Direction::Inbound };
        Flow::new(direction, protocol, source, destination)
    }

    fn is_home(&self, address: IpAddr) -> bool {
        match address {
            _ if !self.home.is_empty() => self.home.iter().any(|prefix| prefix.contains(address)),
            IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        }
    }
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
    (value.is_finite() && (0.0..1e12).contains(&value)).then_some((value * 1_000.0).round() as u64)
}
