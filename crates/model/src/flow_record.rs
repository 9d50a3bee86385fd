//! One line of a flow log, whatever its format was.
//!
//! Readers of logs make these, analysis and detectors take them. What a format does not tell is `None` or
//! [`FlowPhase::Unstated`]; nothing is guessed. Formats: Microsoft's NSG flow logs, versions 1
//! and 2, and virtual network flow logs, schema 4. It must not know a file, or what the rules of today would say.

use palisade_net::{Flow, Mac};

use crate::ResourceId;

/// What a log says of one flow at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRecord {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The flow in its original orientation, seen from the interface that logged it.
    pub flow: Flow,
    /// Which part of its life this is.
    pub phase: FlowPhase,
    /// What was decided when it was logged.
    pub decision: LoggedDecision,
    /// What has passed since the record before; `None` where the format does not count.
    pub traffic: Option<FlowTraffic>,
    /// Who logged it and by which rule: an index into the log's [`FlowOrigin`]s.
    pub origin: u32,
}

/// A part of a flow's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowPhase {
    /// It began, or an attempt was denied.
    Begin,
    /// It goes on; counters are of the time since the record before.
    Continue,
    /// It ended.
    End,
    /// The format has no phases.
    Unstated,
}

/// What was decided when a flow was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoggedDecision {
    /// It passed.
    Allowed,
    /// It was an attempt that did not pass.
    Denied,
    /// Something other than a security group decided: a rule of the platform, or encryption.
    Elsewhere,
}

/// Packets and bytes of a flow, by way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowTraffic {
    /// Packets from the source of the flow to its destination.
    pub packets_to_destination: u64,
    /// Bytes of them.
    pub bytes_to_destination: u64,
    /// Packets back.
    pub packets_to_source: u64,
    /// Bytes of them.
    pub bytes_to_source: u64,
}

/// Who logged flows, and by which rule they were decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FlowOrigin {
    /// Hardware address of the interface.
    pub mac: Option<Mac>,
    /// Resource that the log is of: an NSG, a network, a subnet or an interface.
    pub target: Option<ResourceId>,
    /// NSG that decided.
    pub nsg: Option<ResourceId>,
    /// Rule that decided, without the log's `UserRule_` or `DefaultRule_`.
    pub rule: Option<String>,
}
