//! A line of `palisade flows tail --format json` as a record, and a record as such a line.
//!
//! The fields and their order are those of the agent's lines; a field that is not known is passed over.

use std::net::IpAddr;

use palisade_flowlog::deciding_layers;
use palisade_model::FlowTraffic;
use palisade_net::packet::TcpFlags;
use palisade_net::{Direction, Flow, Protocol, ProtocolMatch};
use serde::{Deserialize, Serialize};

use super::{names::Known, running::Running};
use crate::record::{Kind, Labels, ListedRule, Record};

/// What a line turns out to be.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// Something that happened to a flow.
    Record(Box<Record>),
    /// So many lines are missing.
    Lost(u64),
    /// Nothing about a flow.
    Other,
}

/// A line that is not about a flow.
#[derive(Deserialize)]
struct About {
    kind: String,
    #[serde(default)]
    count: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    kind: String,
    time_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nic_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<u32>,
    direction: String,
    protocol: String,
    source: IpAddr,
    #[serde(default)]
    source_port: u16,
    destination: IpAddr,
    #[serde(default)]
    destination_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ms: Option<u64>,
    #[serde(default)]
    rules: Vec<ListedRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audited: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    midstream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets_to_destination: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets_to_source: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_to_destination: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_to_source: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags_to_destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags_to_source: Option<String>,
}

/// Reads a line.
pub(crate) fn read(text: &str, known: &mut Known, running: &mut Running) -> Result<Meaning, String> {
    let about: About = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let kind = match about.kind.as_str() {
        "lost" => return Ok(Meaning::Lost(about.count)),
        "refused" => return Ok(Meaning::Other),
        word => Kind::named(word).ok_or_else(|| format!("its kind is \"{}\"", word.escape_debug()))?,
    };
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    line.record(kind, known, running).map(|record| Meaning::Record(record.into()))
}

impl Line {
    fn record(self, kind: Kind, known: &mut Known, running: &mut Running) -> Result<Record, String> {
        let direction: Direction = self
            .direction
            .parse()
            .map_err(|()| wrong("direction", &self.direction, "Inbound or Outbound"))?;
        let protocol =
            protocol(&self.protocol).ok_or_else(|| wrong("protocol", &self.protocol, "a protocol"))?;
        let (source, destination) =
            ((self.source, self.source_port), (self.destination, self.destination_port));
        let flow = Flow::new(direction, protocol, source, destination)
            .ok_or_else(|| "its addresses are of different families".to_owned())?;
        let total = self.traffic();
        let id = self.began_ms.map(|began| (self.slot.unwrap_or(0), flow, began));
        let flags = |letters: &Option<String>| {
            let letters = letters.as_deref();
            letters
                .map(|letters| {
                    let flags = TcpFlags::from_letters(letters).map(|flags| flags.0);
                    flags.ok_or_else(|| wrong("TCP flags", letters, "letters of FSRPAUEC"))
                })
                .transpose()
        };
        let tcp_flags = [flags(&self.tcp_flags_to_destination)?, flags(&self.tcp_flags_to_source)?];
        Ok(Record {
            time_ms: self.time_ms,
            kind,
            began_ms: self.began_ms,
            last_ms: self.last_ms,
            direction,
            protocol,
            local: (flow.local(), flow.local_port()),
            remote: (flow.remote(), flow.remote_port()),
            icmp_type: self.icmp_type,
            icmp_code: self.icmp_code,
            since: total.and_then(|total| running.since(id, kind, total)),
            total,
            tcp_flags,
            generation: self.generation,
            audited: self.audited,
            midstream: self.midstream,
            place: None,
            tuple: None,
            labels: known.of(self.labels(direction)),
        })
    }

    fn traffic(&self) -> Option<FlowTraffic> {
        Some(FlowTraffic {
            packets_to_destination: self.packets_to_destination?,
            bytes_to_destination: self.bytes_to_destination.unwrap_or(0),
            packets_to_source: self.packets_to_source.unwrap_or(0),
            bytes_to_source: self.bytes_to_source.unwrap_or(0),
        })
    }

    fn labels(self, direction: Direction) -> Labels {
        let decided = self.decided(direction);
        let name = |rule: &ListedRule| {
            rule.rule.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned())
        };
        let (layer, nsg, rule) = match decided {
            Some(decided) => (decided.layer.clone(), decided.list.clone(), name(decided)),
            None => (None, None, None),
        };
        Labels {
            layer: self.layer.clone().or(layer),
            nsg,
            rule,
            rules: Some(serde_json::to_string(&self.rules).expect("it has text keys only")),
            nic: self.nic,
            nic_id: self.nic_id,
            interface: self.interface,
            slot: self.slot,
            reason: self.reason,
            cause: self.cause,
            state: self.state,
            ..Labels::default()
        }
    }

    fn decided(&self, direction: Direction) -> Option<&ListedRule> {
        let of = |layer: &str| self.rules.iter().find(|rule| rule.layer.as_deref() == Some(layer));
        match &self.layer {
            Some(layer) => of(layer),
            None => deciding_layers(self.reason.as_deref(), direction).iter().find_map(|layer| of(layer)),
        }
    }
}

fn wrong(field: &str, value: &str, expected: &str) -> String {
    format!("{field} is \"{}\", not {expected}", value.escape_debug())
}

fn protocol(text: &str) -> Option<Protocol> {
    text.parse().ok().and_then(ProtocolMatch::of_packet)
}

/// The line of a record.
pub(crate) fn write(record: &Record) -> String {
    let ((source, source_port), (destination, destination_port)) = (record.source(), record.destination());
    let labels = &*record.labels;
    let traffic = record.total.or(record.since);
    let line = Line {
        kind: record.kind.word().to_owned(),
        time_ms: record.time_ms,
        nic: labels.nic.clone(),
        nic_id: labels.nic_id.clone(),
        interface: labels.interface.clone(),
        slot: labels.slot,
        direction: record.direction.to_string(),
        protocol: record.protocol.to_string(),
        source,
        source_port,
        destination,
        destination_port,
        icmp_type: record.icmp_type,
        icmp_code: record.icmp_code,
        reason: labels.reason.clone(),
        layer: labels.layer.clone(),
        cause: labels.cause.clone(),
        state: labels.state.clone(),
        began_ms: record.began_ms,
        last_ms: record.last_ms,
        rules: rules(labels),
        audited: record.audited,
        midstream: record.midstream,
        generation: record.generation,
        packets_to_destination: traffic.map(|traffic| traffic.packets_to_destination),
        packets_to_source: traffic.map(|traffic| traffic.packets_to_source),
        bytes_to_destination: traffic.map(|traffic| traffic.bytes_to_destination),
        bytes_to_source: traffic.map(|traffic| traffic.bytes_to_source),
        tcp_flags_to_destination: record.tcp_flags[0].map(letters),
        tcp_flags_to_source: record.tcp_flags[1].map(letters),
    };
    serde_json::to_string(&line).expect("it has text keys only")
}

/// What each layer decided; of a log of Azure's the one rule that it tells.
fn rules(labels: &Labels) -> Vec<ListedRule> {
    let told = labels.rules.as_deref().unwrap_or("[]");
    serde_json::from_str(told).unwrap_or_else(|_| {
        vec![ListedRule {
            layer: labels.layer.clone(),
            list: labels.nsg.clone(),
            rule: Some(told.to_owned()),
            row: None,
        }]
    })
}

fn letters(flags: u8) -> String {
    TcpFlags(flags).to_string()
}
