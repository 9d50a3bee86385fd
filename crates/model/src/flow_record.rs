//! One line of a flow log, whatever its format was.
//!
//! Readers of logs make these, analysis and detectors take them. What a format does not tell is `None` or
//! [`FlowPhase::Unstated`]; nothing is guessed. Formats: Microsoft's NSG flow logs, versions 1
//! and 2, and virtual network flow logs, schema 4. It must not know a file, or what the rules of today would say.

use std::fmt;

use palisade_net::{Flow, Mac, packet::TcpFlags};

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
    /// TCP flags seen from the flow's source and from its destination until then; `None` where they are not told.
    pub tcp_flags: Option<[TcpFlags; 2]>,
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

impl LoggedDecision {
    /// What our hosts mean by a reason code, of a packet that passed or did not.
    pub fn of_reason(reason: &str, passed: bool) -> Self {
        match (passed, reason) {
            (true, "LinkControl" | "Related") => Self::Elsewhere,
            (true, _) => Self::Allowed,
            (
                _,
                "AdminDeny"
                | "SubnetDeny"
                | "NetworkInterfaceDeny"
                | "PublicAddressClosed"
                | "PolicyCut"
                | "Throttled",
            ) => Self::Denied,
            // A guard, a limit, or a packet that fits no connection.
            (false, _) => Self::Elsewhere,
        }
    }
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

/// The format of a log, which says what it can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum FlowLogFormat {
    /// NSG flow log, version 1: no phases, no counters.
    Nsg1,
    /// NSG flow log, version 2.
    Nsg2,
    /// Virtual network flow log, schema 4.
    VirtualNetwork,
    /// What Palisade's own hosts tell.
    #[default]
    Palisade,
}

impl FlowLogFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Nsg1, Self::Nsg2, Self::VirtualNetwork, Self::Palisade];

    /// Whether it tells when a flow begins and ends, and counts what passes.
    pub const fn tells_lives(self) -> bool {
        !matches!(self, Self::Nsg1)
    }

    /// Whether it tells the type of an ICMP message.
    pub const fn tells_types(self) -> bool {
        matches!(self, Self::Palisade)
    }
}

impl fmt::Display for FlowLogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nsg1 => "NSG flow log, version 1",
            Self::Nsg2 => "NSG flow log, version 2",
            Self::VirtualNetwork => "virtual network flow log",
            Self::Palisade => "flows of Palisade's hosts",
        })
    }
}

/// Who logged flows, and by which rule they were decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FlowOrigin {
    /// Format of the log.
    pub format: FlowLogFormat,
    /// Hardware address of the interface.
    pub mac: Option<Mac>,
    /// Resource that the log is of: an NSG, a network, a subnet or an interface.
    pub target: Option<ResourceId>,
    /// NSG that decided: its id, or what else the log calls it (virtual network flow logs have an id of their own for it, our
    /// hosts its name).
    pub nsg: Option<ResourceId>,
    /// Rule that decided, without the log's `UserRule_` or `DefaultRule_`.
    pub rule: Option<String>,
}

/// Longest rule name in a log of Azure's, without its prefix: longer ones are cut.
pub const LOGGED_RULE_MAX: usize = 56;

impl FlowOrigin {
    /// Whether the rule that decided may be the one of this name: it is, or the log cut its name.
    pub fn may_name(&self, rule: &str) -> bool {
        let Some(logged) = &self.rule else { return false };
        let is_cut = logged.len() >= LOGGED_RULE_MAX;
        let begins = rule.get(..logged.len()).is_some_and(|start| start.eq_ignore_ascii_case(logged));
        begins && (is_cut || rule.len() == logged.len())
    }
}
