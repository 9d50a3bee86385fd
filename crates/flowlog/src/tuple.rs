//! One flow tuple: a text with commas, of which a log has millions.
//!
//! Formats: "NSG flow logs overview" and "Virtual network flow logs" of Microsoft's Network Watcher; `docs/flow-logs.md`. It must
//! not know what is around the tuple. Nothing is guessed: a field that is not what the format says refuses the tuple.

use std::net::{IpAddr, Ipv4Addr};

use palisade_model::{FlowLogFormat, FlowPhase, FlowTraffic, LoggedDecision};
use palisade_net::{Direction, Flow, Protocol};

/// Which of the two families of formats a tuple is of. What is around it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// NSG flow logs: 8 or 13 fields, time in seconds.
    Nsg,
    /// Virtual network flow logs: 13 fields, time in milliseconds.
    VirtualNetwork,
}

/// What a tuple tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) format: FlowLogFormat,
    pub(crate) time_ms: u64,
    pub(crate) flow: Flow,
    pub(crate) phase: FlowPhase,
    pub(crate) decision: LoggedDecision,
    pub(crate) traffic: Option<FlowTraffic>,
}

/// Why a tuple is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TupleError {
    /// A field is missing or not what it should be.
    #[error("{field} is \"{value}\", not {expected}")]
    Field {
        /// What the field is.
        field: &'static str,
        /// What stands there, cut to a few characters.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// It is too short or too long.
    #[error("it has {got} fields, not {expected}")]
    Fields {
        /// How many.
        got: usize,
        /// How many it should have.
        expected: &'static str,
    },
    /// IPv4 and IPv6 in one flow.
    #[error("its addresses are of different families")]
    Families,
}

/// Fields of a tuple with phases and counters.
const LONG: usize = 13;
/// Fields of a tuple of version 1.
const SHORT: usize = 8;

/// Reads a tuple.
pub(crate) fn read(text: &str, dialect: Dialect) -> Result<Tuple, TupleError> {
    let mut fields = [""; LONG];
    let mut count = 0;
    for field in text.split(',') {
        if let Some(place) = fields.get_mut(count) {
            *place = field.trim_ascii();
        }
        count += 1;
    }
    match (dialect, count) {
        (Dialect::Nsg, SHORT) => nsg(&fields, FlowLogFormat::Nsg1),
        (Dialect::Nsg, LONG) => nsg(&fields, FlowLogFormat::Nsg2),
        (Dialect::VirtualNetwork, LONG) => virtual_network(&fields),
        (Dialect::Nsg, got) => Err(TupleError::Fields { got, expected: "8 (version 1) or 13 (version 2)" }),
        (Dialect::VirtualNetwork, got) => Err(TupleError::Fields { got, expected: "13" }),
    }
}

/// `time, source, destination, source port, destination port, T|U, I|O, A|D [, B|C|E, four counters]`.
fn nsg(fields: &[&str; LONG], format: FlowLogFormat) -> Result<Tuple, TupleError> {
    let seconds = number(fields[0]).and_then(|seconds: u64| seconds.checked_mul(1000));
    let time_ms = seconds.ok_or_else(|| wrong("the time", fields[0], "seconds since 1970"))?;
    let protocol = match fields[5] {
        "T" => Protocol::TCP,
        "U" => Protocol::UDP,
        other => return Err(wrong("the protocol", other, "T or U")),
    };
    let decision = match fields[7] {
        "A" => LoggedDecision::Allowed,
        "D" => LoggedDecision::Denied,
        other => return Err(wrong("the decision", other, "A or D")),
    };
    let (phase, traffic) = match format {
        FlowLogFormat::Nsg1 => (FlowPhase::Unstated, None),
        _ => (phase(fields[8])?, counters(&fields[9..])?),
    };
    Ok(Tuple { format, time_ms, flow: flow(fields, protocol)?, phase, decision, traffic })
}

/// `time, source, destination, source port, destination port, number, I|O, B|C|E|D, encryption, four counters`.
fn virtual_network(fields: &[&str; LONG]) -> Result<Tuple, TupleError> {
    let time_ms = number(fields[0]).ok_or_else(|| wrong("the time", fields[0], "milliseconds since 1970"))?;
    let protocol = number(fields[5]).ok_or_else(|| wrong("the protocol", fields[5], "a number up to 255"))?;
    let (phase, decision) = match fields[7] {
        "D" => (FlowPhase::Begin, LoggedDecision::Denied),
        state => (phase(state)?, LoggedDecision::Allowed),
    };
    Ok(Tuple {
        format: FlowLogFormat::VirtualNetwork,
        time_ms,
        flow: flow(fields, Protocol(protocol))?,
        phase,
        decision,
        traffic: counters(&fields[9..])?,
    })
}

/// Fields 1 to 4 and 6, which all formats share. A flow without ports has none, whatever stands there.
fn flow(fields: &[&str; LONG], protocol: Protocol) -> Result<Flow, TupleError> {
    let address = |field, text| address(text).ok_or_else(|| wrong(field, text, "an IP address"));
    let source = address("the source", fields[1])?;
    let destination = address("the destination", fields[2])?;
    let direction = match fields[6] {
        "I" => Direction::Inbound,
        "O" => Direction::Outbound,
        other => return Err(wrong("the direction", other, "I or O")),
    };
    let port = |field, text| match protocol.has_ports() {
        true => number(text).ok_or_else(|| wrong(field, text, "a port")),
        false => Ok(0),
    };
    let source = (source, port("the source port", fields[3])?);
    let destination = (destination, port("the destination port", fields[4])?);
    Flow::new(direction, protocol, source, destination).ok_or(TupleError::Families)
}

fn phase(text: &str) -> Result<FlowPhase, TupleError> {
    match text {
        "B" => Ok(FlowPhase::Begin),
        "C" => Ok(FlowPhase::Continue),
        "E" => Ok(FlowPhase::End),
        other => Err(wrong("the state", other, "B, C, E or, in a virtual network's log, D")),
    }
}

/// The four counters; `None` where none is given, as while a flow begins.
fn counters(fields: &[&str]) -> Result<Option<FlowTraffic>, TupleError> {
    if fields.iter().all(|field| field.is_empty()) {
        return Ok(None);
    }
    let counter = |place: usize| match fields[place] {
        "" => Ok(0),
        text => number(text).ok_or_else(|| wrong("a counter", text, "a number")),
    };
    Ok(Some(FlowTraffic {
        packets_to_destination: counter(0)?,
        bytes_to_destination: counter(1)?,
        packets_to_source: counter(2)?,
        bytes_to_source: counter(3)?,
    }))
}

/// A decimal number without a sign.
fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut value = 0;
    for byte in text.bytes() {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = 10 * value + u64::from(byte - b'0');
    }
    value.try_into().ok()
}

/// An address. Most are IPv4, for which the standard reader takes twice the time.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        match part.as_bytes() {
            // A leading zero is octal to some readers; the standard one refuses it.
            [b'0', _, ..] => return None,
            _ if part.contains(':') => return text.parse().ok(),
            _ => *octet = number(part)?,
        }
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets).into())
}

fn wrong(field: &'static str, value: &str, expected: &'static str) -> TupleError {
    /// Characters of a wrong value that a message shows.
    const SHOWN: usize = 40;
    TupleError::Field { field, value: value.chars().take(SHOWN).collect(), expected }
}
