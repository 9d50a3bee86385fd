//! One flow record as it is kept: all that a host or a log of Azure's tells of one moment of one flow.
//!
//! What is not told is `None`; nothing is guessed. Texts that many records share are in [`Labels`], once. Counters say what has
//! passed since the record before, so that sums over any time are right; those of the whole flow stand beside them where a host
//! told them. It must not know a file. The columns: `docs/flows.md`.

use std::{net::IpAddr, sync::Arc};

use palisade_model::{
    FlowLogFormat, FlowOrigin, FlowPhase, FlowRecord, FlowTraffic, LoggedDecision, ResourceId,
};
use palisade_net::{Direction, Flow, Protocol, packet::TcpFlags};
use serde::{Deserialize, Serialize};

/// What happened to a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It began.
    Begin,
    /// It goes on.
    Continue,
    /// It ended.
    End,
    /// Packets were denied.
    Deny,
    /// Policy, or the end of a rule's time, ended it.
    Cut,
    /// It passes only because what would deny it is in audit.
    WouldDeny,
    /// A limit refused it.
    Limit,
    /// It passed; the log does not tell which part of its life this is.
    Allow,
}

impl Kind {
    /// Every kind, in the order of [`Self::place`].
    pub const ALL: [Self; 8] = [
        Self::Begin,
        Self::Continue,
        Self::End,
        Self::Deny,
        Self::Cut,
        Self::WouldDeny,
        Self::Limit,
        Self::Allow,
    ];

    /// The word for it: in the store, and in lines of `palisade flows tail`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Continue => "continue",
            Self::End => "end",
            Self::Deny => "deny",
            Self::Cut => "cut",
            Self::WouldDeny => "wouldDeny",
            Self::Limit => "limit",
            Self::Allow => "allow",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word))
    }

    /// Its place in [`Self::ALL`].
    pub(crate) const fn place(self) -> usize {
        self as usize
    }
}

/// A rule that a layer decided by, as the texts of [`Labels::rules`] and lines of hosts have it.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct ListedRule {
    /// The layer: `Admin`, `Subnet` or `NetworkInterface`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Id of the list that the rule is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Path of the rule in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Row of the compiled list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u32>,
}

/// Texts that many records share, beside the numbers of each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Labels {
    /// Format of the log that told; what our own hosts tell has none of Azure's.
    pub format: FlowLogFormat,
    /// Name of the interface's resource.
    pub nic: Option<String>,
    /// Its resource id.
    pub nic_id: Option<String>,
    /// Name of the device on its host.
    pub interface: Option<String>,
    /// Its number on its host.
    pub slot: Option<u32>,
    /// Its hardware address.
    pub mac: Option<String>,
    /// Resource that the log is of: an NSG, a network, a subnet or an interface.
    pub resource: Option<String>,
    /// Layer that decided: `Admin`, `Subnet` or `NetworkInterface`.
    pub layer: Option<String>,
    /// NSG that decided, as the log calls it; `None` where something else decided.
    pub nsg: Option<String>,
    /// Name of the rule that decided, without what a log puts before it.
    pub rule: Option<String>,
    /// What every layer decided, as it was told: an array of JSON of our hosts, the rule's name of Azure.
    pub rules: Option<String>,
    /// Reason code.
    pub reason: Option<String>,
    /// What cut the flow: `policy` or `time`.
    pub cause: Option<String>,
    /// How far the flow had come.
    pub state: Option<String>,
    /// Word for the encryption, in virtual network flow logs.
    pub encryption: Option<String>,
    /// The record of Azure's log that it stood in, as JSON without the tuples.
    pub log: Option<String>,
}

/// One flow record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What happened.
    pub kind: Kind,
    /// When the flow began, in milliseconds since 1970.
    pub began_ms: Option<u64>,
    /// When a packet last prolonged the flow, in milliseconds since 1970.
    pub last_ms: Option<u64>,
    /// Direction of the flow's first packet, seen from the interface.
    pub direction: Direction,
    /// IANA protocol number.
    pub protocol: Protocol,
    /// Address and port behind the interface; the port of an ICMP query is its identifier.
    pub local: (IpAddr, u16),
    /// The other address and port.
    pub remote: (IpAddr, u16),
    /// Type of an ICMP message.
    pub icmp_type: Option<u8>,
    /// Code of an ICMP message.
    pub icmp_code: Option<u8>,
    /// What has passed since the record before.
    pub since: Option<FlowTraffic>,
    /// What has passed of the whole flow.
    pub total: Option<FlowTraffic>,
    /// TCP flags seen to the destination, and to the source.
    pub tcp_flags: [Option<u8>; 2],
    /// The policy that judged.
    pub generation: Option<u64>,
    /// It passes only because what would deny it is in audit.
    pub audited: Option<bool>,
    /// The flow was met in the middle of a connection.
    pub midstream: Option<bool>,
    /// Where it stood in its record of Azure's log: number of the list of tuples, then of the tuple.
    pub place: Option<(u32, u32)>,
    /// The tuple as it was written, if these fields would be written otherwise.
    pub tuple: Option<Box<str>>,
    /// Everything that other records say too.
    pub labels: Arc<Labels>,
}

impl Record {
    /// The longest time that can be kept: the end of the year 9999.
    pub const TIME_MS_MAX: u64 = 253_402_300_799_999;

    /// Address and port that the flow began from.
    pub const fn source(&self) -> (IpAddr, u16) {
        match self.direction {
            Direction::Inbound => self.remote,
            Direction::Outbound => self.local,
        }
    }

    /// Address and port that it went to.
    pub const fn destination(&self) -> (IpAddr, u16) {
        match self.direction {
            Direction::Inbound => self.local,
            Direction::Outbound => self.remote,
        }
    }

    /// What it says to whoever puts the lives of flows together: of the interface that the caller numbers so. `None` if it is
    /// about no packet that passed or was denied, or said already.
    pub fn logged(&self, origin: u32) -> Option<FlowRecord> {
        let (phase, passed) = match self.kind {
            Kind::Begin => (FlowPhase::Begin, true),
            Kind::Continue => (FlowPhase::Continue, true),
            // The end of a flow that was cut was told when that happened.
            Kind::End if self.labels.state.as_deref() == Some("Cut") => return None,
            Kind::End => (FlowPhase::End, true),
            Kind::Cut => (FlowPhase::End, false),
            Kind::Deny | Kind::Limit => (FlowPhase::Begin, false),
            Kind::WouldDeny => return None,
            Kind::Allow => (FlowPhase::Unstated, true),
        };
        let decision = match (self.labels.format, passed) {
            (FlowLogFormat::Palisade, _) => {
                LoggedDecision::of_reason(self.labels.reason.as_deref().unwrap_or_default(), passed)
            }
            (_, true) => LoggedDecision::Allowed,
            (_, false) => LoggedDecision::Denied,
        };
        let ((from, from_port), (to, to_port)) = (self.source(), self.destination());
        let has_ports = self.protocol.has_ports();
        let ports = if has_ports { [from_port, to_port] } else { [0, self.icmp_type.unwrap_or(0).into()] };
        let flow = Flow::new(self.direction, self.protocol, (from, ports[0]), (to, ports[1]))?;
        let [there, back] = self.tcp_flags;
        let tcp_flags = there.zip(back).map(|(there, back)| [TcpFlags(there), TcpFlags(back)]);
        Some(FlowRecord {
            time_ms: self.time_ms,
            flow,
            phase,
            decision,
            traffic: self.since,
            tcp_flags,
            origin,
        })
    }

    /// Who logged it, and by which rule it was decided.
    pub fn origin(&self) -> FlowOrigin {
        let Labels { format, mac, resource, nic_id, nsg, rule, .. } = &*self.labels;
        let id = |text: &Option<String>| text.as_deref().map(ResourceId::new);
        FlowOrigin {
            format: *format,
            mac: mac.as_deref().and_then(|mac| mac.parse().ok()),
            target: id(nic_id).or_else(|| id(resource)),
            nsg: id(nsg),
            rule: rule.clone(),
        }
    }

    /// Whether a store can keep it: times up to the year 9999, numbers up to 63 bits.
    ///
    /// # Errors
    /// [`Unkept`] names the field.
    pub fn is_kept(&self) -> Result<(), Unkept> {
        let signed = i64::MAX as u64;
        let within =
            |field, value: u64, max| if value > max { Err(Unkept { field, value, max }) } else { Ok(()) };
        within("time", self.time_ms, Self::TIME_MS_MAX)?;
        within("began", self.began_ms.unwrap_or(0), Self::TIME_MS_MAX)?;
        within("last", self.last_ms.unwrap_or(0), Self::TIME_MS_MAX)?;
        within("generation", self.generation.unwrap_or(0), signed)?;
        for traffic in [self.since, self.total].into_iter().flatten() {
            within("packets_to_destination", traffic.packets_to_destination, signed)?;
            within("bytes_to_destination", traffic.bytes_to_destination, signed)?;
            within("packets_to_source", traffic.packets_to_source, signed)?;
            within("bytes_to_source", traffic.bytes_to_source, signed)?;
        }
        Ok(())
    }
}

/// A number that no column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, more than {max} (correct the record)")]
pub struct Unkept {
    /// The column.
    pub field: &'static str,
    /// What it was to hold.
    pub value: u64,
    /// The most that it can hold.
    pub max: u64,
}

/// The word for a format in the store.
pub const fn format_word(format: FlowLogFormat) -> &'static str {
    match format {
        FlowLogFormat::Nsg1 => "nsg1",
        FlowLogFormat::Nsg2 => "nsg2",
        FlowLogFormat::VirtualNetwork => "vnet4",
        FlowLogFormat::Palisade => "palisade",
    }
}

/// The format of a word.
pub fn format_named(word: &str) -> Option<FlowLogFormat> {
    FlowLogFormat::ALL.into_iter().find(|format| format_word(*format).eq_ignore_ascii_case(word))
}
