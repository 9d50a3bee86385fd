//! A record as a tuple of Azure's flow logs.
//!
//! Formats: "NSG flow logs overview" and "Virtual network flow logs" of Microsoft's Network Watcher.

use palisade_model::{FlowLogFormat, FlowTraffic};
use palisade_net::{Direction, Protocol};

use crate::record::{Kind, Record};

/// The tuple of a record in a format; `None` if the format has none for it: other protocols in NSG flow logs, and what has
/// not happened but would have.
pub(crate) fn of(record: &Record, format: FlowLogFormat) -> Option<String> {
    if record.kind == Kind::WouldDeny {
        return None;
    }
    match format {
        FlowLogFormat::Nsg1 => Some(format!("{},{}", nsg(record)?, decision(record))),
        FlowLogFormat::Nsg2 => {
            let phase = phase(record);
            let counters = match (phase, record.since) {
                ("B", _) | (_, None) => ",,,".to_owned(),
                (_, Some(since)) => counters(since),
            };
            Some(format!("{},{},{phase},{counters}", nsg(record)?, decision(record)))
        }
        FlowLogFormat::VirtualNetwork => {
            let state = if decision(record) == "D" { "D" } else { phase(record) };
            let counters = match (state, record.since) {
                ("B" | "D", _) | (_, None) => "0,0,0,0".to_owned(),
                (_, Some(since)) => counters(since),
            };
            let encryption = record.labels.encryption.as_deref().unwrap_or("NX");
            let (protocol, direction) = (record.protocol.0, direction(record));
            Some(format!(
                "{},{},{protocol},{direction},{state},{encryption},{counters}",
                record.time_ms,
                ends(record)
            ))
        }
        FlowLogFormat::Palisade => None,
    }
}

/// What both versions of NSG flow logs begin with.
fn nsg(record: &Record) -> Option<String> {
    let protocol = match record.protocol {
        Protocol::TCP => "T",
        Protocol::UDP => "U",
        _ => return None,
    };
    Some(format!("{},{},{protocol},{}", record.time_ms / 1_000, ends(record), direction(record)))
}

fn ends(record: &Record) -> String {
    let ((source, source_port), (destination, destination_port)) = (record.source(), record.destination());
    let [source_port, destination_port] = match record.protocol.has_ports() {
        true => [source_port, destination_port],
        false => [0, 0],
    };
    format!("{source},{destination},{source_port},{destination_port}")
}

const fn direction(record: &Record) -> &'static str {
    match record.direction {
        Direction::Inbound => "I",
        Direction::Outbound => "O",
    }
}

const fn decision(record: &Record) -> &'static str {
    match record.kind {
        Kind::Deny | Kind::Limit => "D",
        _ => "A",
    }
}

const fn phase(record: &Record) -> &'static str {
    match record.kind {
        Kind::Continue => "C",
        Kind::End | Kind::Cut => "E",
        _ => "B",
    }
}

fn counters(since: FlowTraffic) -> String {
    let FlowTraffic { packets_to_destination, bytes_to_destination, packets_to_source, bytes_to_source } =
        since;
    format!("{packets_to_destination},{bytes_to_destination},{packets_to_source},{bytes_to_source}")
}
