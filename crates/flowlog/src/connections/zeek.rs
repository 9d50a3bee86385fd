//! Zeek's conn.log, as tab-separated text with a header or as one JSON object a line.
//!
//! Bytes are those of IP packets where the log has them, else of their contents. It must not know other logs of Zeek's.

use std::{io::Read, net::IpAddr};

use palisade_guard::{Connection, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::Protocol;

use super::{ConnectionIntake, Field, milliseconds, protocol};
use crate::{
    FlowLogError,
    guests::syslog,
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

/// How a log writes its lines, as its header says.
#[derive(Debug)]
struct Style {
    separator: String,
    unset: String,
    columns: Vec<Option<usize>>,
}

impl Style {
    /// Takes a line of the header.
    fn take(&mut self, line: &str) {
        if let Some(separator) = line.strip_prefix("#separator ") {
            self.separator = unescaped(separator);
        }
        let (key, rest) = line.split_once(&self.separator).unwrap_or((line, ""));
        let column = |name: &str| NAMES.iter().position(|known| *known == name);
        match key {
            "#fields" => self.columns = rest.split(&self.separator).map(column).collect(),
            "#unset_field" => rest.clone_into(&mut self.unset),
            _ => {}
        }
    }

    fn line(&self, line: &str) -> Line {
        let mut found = Line::default();
        for (at, value) in self.columns.iter().zip(line.split(&self.separator)) {
            if let Some(at) = at
                && *value != self.unset
            {
                found.fields[*at] = Some(value.to_owned());
            }
        }
        found
    }
}

/// A separator, of which bytes may be written as `\x09`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(code.map_or('\t', char::from));
        plain.push_str(part.get(2..).unwrap_or_default());
    }
    if plain.is_empty() { "\t".to_owned() } else { plain }
}

pub(super) fn read_text(bytes: &[u8], intake: &mut ConnectionIntake<'_>) -> Result<(), FlowLogError> {
    let text = String::from_utf8_lossy(bytes);
    let mut style = Style { separator: "\t".to_owned(), unset: "-".to_owned(), columns: Vec::new() };
    for (line, number) in text.lines().zip(1_u64..) {
        match line.bytes().next() {
            None => {}
            Some(b'#') => style.take(line),
            Some(_) => take(&style.line(line), number, intake)?,
        }
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
                match scan.skip_line() {
                    Ok(true) => {}
                    Ok(false) => return Ok(()),
                    Err(ScanError::Io(source)) => {
                        return Err(FlowLogError::Io { file: intake.path.to_owned(), source });
                    }
                    Err(error) => {
                        intake.problem(scan.line(), error.to_string());
                        return Ok(());
                    }
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
        Err(what) => intake.problem(number, what.to_string()),
    }
    Ok(())
}

impl Line {
    fn get(&self, name: &'static str) -> Result<&str, Field> {
        let at = NAMES.iter().position(|known| *known == name);
        at.and_then(|at| self.fields[at].as_deref()).ok_or(Field::Missing(name))
    }

    /// A value as `of` reads it.
    fn value<T>(&self, name: &'static str, of: impl FnOnce(&str) -> Option<T>) -> Result<T, Field> {
        let text = self.get(name)?;
        of(text).ok_or_else(|| Field::wrong(name, text))
    }

    fn count(&self, name: &'static str) -> Option<u64> {
        self.get(name).ok()?.parse().ok()
    }

    /// The connection; `None` if it is of a protocol without one.
    fn connection(&self, intake: &ConnectionIntake<'_>) -> Result<Option<Connection>, Field> {
        let Some(protocol) = protocol(self.get("proto")?) else { return Ok(None) };
        let address = |name| self.value(name, |text| Some(text.parse::<IpAddr>().ok()?.to_canonical()));
        let port = |name| self.value(name, |text| text.parse::<u16>().ok());
        let (source, destination) = (address("id.orig_h")?, address("id.resp_h")?);
        // Zeek writes the type of an ICMP message as the source's port.
        let protocol =
            if source.is_ipv6() && protocol == Protocol::ICMP { Protocol::ICMPV6 } else { protocol };
        let ports = if protocol.is_icmp() {
            (0, port("id.orig_p")?)
        } else {
            (port("id.orig_p")?, port("id.resp_p")?)
        };
        let flow = intake.flow(protocol, (source, ports.0), (destination, ports.1))?;
        let start_ms = self.value("ts", moment)?;
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

/// Seconds, milliseconds or RFC 3339, as the writer was told; in milliseconds since 1970.
fn moment(text: &str) -> Option<u64> {
    // In the year 5138 of seconds, and in 1973 of milliseconds.
    const MILLISECONDS_FROM: u64 = 100_000_000_000;
    match text.parse::<u64>() {
        Ok(ms @ MILLISECONDS_FROM..) => {
            milliseconds(&(ms / 1_000).to_string()).map(|second| second + ms % 1_000)
        }
        _ => milliseconds(text).or_else(|| syslog::moment(text)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let expected = Some(1_575_413_096_036);
        for text in
            ["1575413096.036", "1575413096036", "2019-12-03T22:44:56.036000Z", "2019-12-03T22:44:56.036Z"]
        {
            assert_eq!(moment(text), expected, "{text}");
        }
        for text in ["-1", "", "yesterday", "253402300800000", "1e300", "NaN"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn separators() {
        let cases = [("\\x09", "\t"), (",", ","), ("\\x7c\\x7c", "||"), ("", "\t"), ("\\xzz", "\t")];
        for (text, expected) in cases {
            assert_eq!(unescaped(text), expected, "{text}");
        }
    }
}
