//! Zeek's conn.log, as tab-separated text with a header or as one JSON object a line.
//!
//! Bytes are those of IP packets where the log has them, else of their contents. It must not know other logs of Zeek's.

use std::{io::Read, net::IpAddr};

use palisade_guard::{Connection, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::Protocol;

use super::{ConnectionIntake, milliseconds, protocol};
use crate::{
    FlowLogError,
    scan::{ScanError, Scanner},
};

/// The fields of a line that matter, as text.
#[derive(Debug, Default)]
struct Line {
    fields: [Option<String>; NAMES.len()],
}

const NAMES: [&str; 13] = [
    "ts",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "duration",
    "conn_state",
    "orig_pkts",
    "resp_pkts",
    "orig_ip_bytes",
    "resp_ip_bytes",
    "orig_bytes",
];

pub(super) fn read_text(bytes: &[u8], intake: &mut ConnectionIntake<'_>) -> Result<(), FlowLogError> {
    let text = String::from_utf8_lossy(bytes);
    let mut columns: Vec<Option<usize>> = Vec::new();
    for (line, number) in text.lines().zip(1_u64..) {
        if let Some(names) = line.strip_prefix("#fields\t") {
            columns = names.split('\t').map(|name| NAMES.iter().position(|known| *known == name)).collect();
        }
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let mut found = Line::default();
        for (at, value) in columns.iter().zip(line.split('\t')) {
            if let Some(at) = at
                && value != "-"
            {
                found.fields[*at] = Some(value.to_owned());
            }
        }
        take(&found, number, intake)?;
    }
    Ok(())
}

pub(super) fn read_json(reader: impl Read, intake: &mut ConnectionIntake<'_>) -> Result<(), FlowLogError> {
    let mut scan = Scanner::new(reader);
    loop {
        let number = scan.line();
        match json_line(&mut scan) {
            Ok(Some(line)) => take(&line, number, intake)?,
            Ok(None) => return Ok(()),
            Err(error) => {
                intake.problem(scan.line(), error.to_string());
                let failed = |source| FlowLogError::Io { file: intake.path.to_owned(), source };
                if !scan.skip_line().map_err(failed)? {
                    return Ok(());
                }
            }
        }
    }
}

fn json_line<R: Read>(scan: &mut Scanner<R>) -> Result<Option<Line>, ScanError> {
    if scan.peek()?.is_none() {
        return Ok(None);
    }
    let mut line = Line::default();
    if scan.enter(b'{')? {
        while let Some(at) = scan.key(|key| NAMES.iter().position(|name| *name == key))? {
            match at {
                Some(at) => line.fields[at] = scan.scalar(str::to_owned)?,
                None => scan.skip()?,
            }
        }
    }
    Ok(Some(line))
}

fn take(line: &Line, number: u64, intake: &mut ConnectionIntake<'_>) -> Result<(), FlowLogError> {
    match line.connection(intake) {
        Ok(Some(connection)) => intake.add(connection)?,
        Ok(None) => intake.log.passed_over += 1,
        Err(what) => intake.problem(number, format!("it has no {what}, or one that cannot be read")),
    }
    Ok(())
}

impl Line {
    fn get(&self, name: &'static str) -> Result<&str, &'static str> {
        let at = NAMES.iter().position(|known| *known == name).ok_or(name)?;
        self.fields[at].as_deref().ok_or(name)
    }

    fn count(&self, name: &'static str) -> Option<u64> {
        self.get(name).ok()?.parse().ok()
    }

    /// The connection; `None` if it is of a protocol without one.
    fn connection(&self, intake: &ConnectionIntake<'_>) -> Result<Option<Connection>, &'static str> {
        let Some(protocol) = protocol(self.get("proto")?) else { return Ok(None) };
        let address = |name| self.get(name)?.parse::<IpAddr>().map_err(|_| name);
        let port = |name| self.get(name)?.parse::<u16>().map_err(|_| name);
        let (source, destination) = (address("id.orig_h")?, address("id.resp_h")?);
        // Zeek writes the type of an ICMP message as the source's port.
        let protocol =
            if source.is_ipv6() && protocol == Protocol::ICMP { Protocol::ICMPV6 } else { protocol };
        let ports = if protocol.is_icmp() {
            (0, port("id.orig_p")?)
        } else {
            (port("id.orig_p")?, port("id.resp_p")?)
        };
        let flow = intake.flow(protocol, (source, ports.0), (destination, ports.1));
        let flow = flow.ok_or("id.resp_h of one family")?;
        let start_ms = milliseconds(self.get("ts")?).ok_or("ts")?;
        let duration_ms = self.get("duration").ok().and_then(milliseconds).unwrap_or(0);
        let traffic = self.traffic();
        let state = self.get("conn_state").unwrap_or_default();
        let outcome = outcome(protocol, state, traffic.as_ref());
        let end_ms = start_ms.saturating_add(duration_ms);
        Ok(Some(Connection { start_ms, end_ms, flow, outcome, traffic, stage: Stage::Over }))
    }

    fn traffic(&self) -> Option<FlowTraffic> {
        Some(FlowTraffic {
            packets_to_destination: self.count("orig_pkts")?,
            bytes_to_destination: self.count("orig_ip_bytes").or_else(|| self.count("orig_bytes"))?,
            packets_to_source: self.count("resp_pkts")?,
            bytes_to_source: self.count("resp_ip_bytes").unwrap_or(0),
        })
    }
}

/// What Zeek's states say; of ICMP, which has none, the packets.
fn outcome(protocol: Protocol, state: &str, traffic: Option<&FlowTraffic>) -> Outcome {
    match (state, traffic) {
        (_, Some(traffic)) if protocol.is_icmp() && traffic.packets_to_source > 0 => Outcome::Answered,
        (_, Some(_)) if protocol.is_icmp() => Outcome::Unanswered,
        ("S0" | "RSTOS0" | "SH", _) => Outcome::Unanswered,
        ("REJ", _) => Outcome::Refused,
        ("S1" | "S2" | "S3" | "SF" | "RSTO" | "RSTR", _) => Outcome::Answered,
        _ => Outcome::Unknown,
    }
}
