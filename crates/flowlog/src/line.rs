//! A line of `palisade flows tail --format json`: what our own hosts tell.
//!
//! Their counters are of the whole flow; a [`FlowTraffic`] is of the time since the record before. So the counters of flows that
//! go on are remembered.

use std::{collections::HashMap, io::Read, net::IpAddr};

use palisade_model::{FlowLogFormat, FlowOrigin, FlowPhase, FlowTraffic, LoggedDecision, ResourceId};
use palisade_net::{Direction, Flow, Protocol, ProtocolMatch, packet::TcpFlags};

use crate::{
    limits::RUNNING_MAX,
    scan::{ScanError, Scanner},
    tuple,
};

/// What a line says, field by field as it is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    kind: Option<String>,
    time_ms: Option<u64>,
    nic: Option<String>,
    nic_id: Option<String>,
    slot: Option<u64>,
    direction: Option<Direction>,
    protocol: Option<Protocol>,
    addresses: [Option<IpAddr>; 2],
    ports: [u16; 2],
    icmp_type: Option<u8>,
    reason: Option<String>,
    state: Option<String>,
    began_ms: Option<u64>,
    rules: Vec<Rule>,
    /// Packets and bytes to the destination, then to the source.
    counters: [u64; 4],
    /// To the destination, then to the source.
    tcp_flags: [Option<TcpFlags>; 2],
    count: u64,
}

/// The rule that a layer decided by.
#[derive(Debug, Clone, Default)]
struct Rule {
    layer: Option<String>,
    list: Option<String>,
    rule: Option<String>,
}

/// What a line turns out to be.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// Something that happened to a flow.
    Flow(Box<Told>),
    /// So many lines are missing.
    Lost(u64),
    /// Nothing about a flow that passed or was denied.
    Other,
}

/// What a line tells of a flow.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) time_ms: u64,
    pub(crate) flow: Flow,
    pub(crate) phase: FlowPhase,
    pub(crate) decision: LoggedDecision,
    pub(crate) traffic: Option<FlowTraffic>,
    pub(crate) tcp_flags: Option<[TcpFlags; 2]>,
    pub(crate) origin: FlowOrigin,
}

/// Counters of flows that go on, by slot, flow and when it began.
pub(crate) type Running = HashMap<(u64, Flow, u64), [u64; 4]>;

impl Line {
    /// Whether it is a line of ours.
    pub(crate) const fn is_one(&self) -> bool {
        self.kind.is_some()
    }

    /// Takes a field; false if the name is none of ours, and nothing was read.
    pub(crate) fn take<R: Read>(&mut self, key: &str, scan: &mut Scanner<R>) -> Result<bool, ScanError> {
        let mut counter = |place: usize, scan: &mut Scanner<R>| -> Result<(), ScanError> {
            self.counters[place] = scan.scalar(parsed)?.flatten().unwrap_or(0);
            Ok(())
        };
        match key {
            "packetsToDestination" => counter(0, scan)?,
            "bytesToDestination" => counter(1, scan)?,
            "packetsToSource" => counter(2, scan)?,
            "bytesToSource" => counter(3, scan)?,
            "kind" => self.kind = scan.scalar(str::to_owned)?,
            "timeMs" => self.time_ms = scan.scalar(parsed)?.flatten(),
            "nic" => self.nic = scan.scalar(str::to_owned)?,
            "nicId" => self.nic_id = scan.scalar(str::to_owned)?,
            "slot" => self.slot = scan.scalar(parsed)?.flatten(),
            "direction" => self.direction = scan.scalar(parsed)?.flatten(),
            "protocol" => self.protocol = scan.scalar(protocol)?.flatten(),
            "source" => self.addresses[0] = scan.scalar(tuple::address)?.flatten(),
            "destination" => self.addresses[1] = scan.scalar(tuple::address)?.flatten(),
            "sourcePort" => self.ports[0] = scan.scalar(parsed)?.flatten().unwrap_or(0),
            "destinationPort" => self.ports[1] = scan.scalar(parsed)?.flatten().unwrap_or(0),
            "icmpType" => self.icmp_type = scan.scalar(parsed)?.flatten(),
            "reason" => self.reason = scan.scalar(str::to_owned)?,
            "beganMs" => self.began_ms = scan.scalar(parsed)?.flatten(),
            "state" => self.state = scan.scalar(str::to_owned)?,
            "tcpFlagsToDestination" => self.tcp_flags[0] = scan.scalar(TcpFlags::from_letters)?.flatten(),
            "tcpFlagsToSource" => self.tcp_flags[1] = scan.scalar(TcpFlags::from_letters)?.flatten(),
            "rules" => self.rules = rules(scan)?,
            "count" => self.count = scan.scalar(parsed)?.flatten().unwrap_or(0),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What it says as a whole.
    pub(crate) fn meaning(self, running: &mut Running) -> Result<Meaning, String> {
        let (phase, is_allowed) = match self.kind.as_deref().unwrap_or_default() {
            "begin" => (FlowPhase::Begin, true),
            "continue" => (FlowPhase::Continue, true),
            // The end of a flow that was cut was told when that happened.
            "end" if self.state.as_deref() == Some("Cut") => return Ok(Meaning::Other),
            "end" => (FlowPhase::End, true),
            "cut" => (FlowPhase::End, false),
            "deny" | "limit" => (FlowPhase::Begin, false),
            "lost" => return Ok(Meaning::Lost(self.count)),
            // What would be denied passed, and has a line of its own; a reader that was refused has none.
            "wouldDeny" | "refused" => return Ok(Meaning::Other),
            other => return Err(format!("its kind is \"{}\"", other.escape_default())),
        };
        let missing = |what: &str| format!("it has no {what}, or one that cannot be read");
        let time_ms = self.time_ms.ok_or_else(|| missing("timeMs"))?;
        let flow = self.flow().map_err(missing)?;
        let decision = LoggedDecision::of_reason(self.reason.as_deref().unwrap_or_default(), is_allowed);
        let traffic = self.traffic(&flow, phase, running);
        let tcp_flags = match self.tcp_flags {
            [Some(there), Some(back)] => Some([there, back]),
            _ => None,
        };
        let origin = self.origin(flow.direction());
        Ok(Meaning::Flow(Told { time_ms, flow, phase, decision, traffic, tcp_flags, origin }.into()))
    }

    fn flow(&self) -> Result<Flow, &'static str> {
        let direction = self.direction.ok_or("direction")?;
        let protocol = self.protocol.ok_or("protocol")?;
        let source = self.addresses[0].ok_or("source")?;
        let destination = self.addresses[1].ok_or("destination")?;
        let [from, to] = match (protocol.has_ports(), self.icmp_type) {
            (true, _) => self.ports,
            (false, kind) => [0, kind.unwrap_or(0).into()],
        };
        Flow::new(direction, protocol, (source, from), (destination, to)).ok_or("destination of its family")
    }

    /// What passed since the line before. Where too many flows go on, those beyond are counted when they end.
    fn traffic(&self, flow: &Flow, phase: FlowPhase, running: &mut Running) -> Option<FlowTraffic> {
        let began_ms = self.began_ms?;
        let id = (self.slot.unwrap_or(0), *flow, began_ms);
        let before = match phase {
            FlowPhase::Begin | FlowPhase::Unstated => None,
            FlowPhase::End => running.remove(&id),
            FlowPhase::Continue if running.len() >= RUNNING_MAX && !running.contains_key(&id) => return None,
            FlowPhase::Continue => running.insert(id, self.counters),
        };
        let before = before.unwrap_or_default();
        let since = |place: usize| self.counters[place].saturating_sub(before[place]);
        (phase != FlowPhase::Begin).then(|| FlowTraffic {
            packets_to_destination: since(0),
            bytes_to_destination: since(1),
            packets_to_source: since(2),
            bytes_to_source: since(3),
        })
    }

    fn origin(&self, direction: Direction) -> FlowOrigin {
        let decided = self.decided(direction);
        let name =
            |rule: &Rule| rule.rule.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned());
        FlowOrigin {
            format: FlowLogFormat::Palisade,
            mac: None,
            target: self.nic_id.as_ref().or(self.nic.as_ref()).map(|id| ResourceId::new(id)),
            nsg: decided.and_then(|rule| rule.list.as_deref()).map(ResourceId::new),
            rule: decided.and_then(name),
        }
    }

    fn decided(&self, direction: Direction) -> Option<&Rule> {
        let of = |layer: &&str| self.rules.iter().find(|rule| rule.layer.as_deref() == Some(*layer));
        deciding_layers(self.reason.as_deref(), direction).iter().find_map(of)
    }
}

/// The layers of which the first that has a rule decided: the one that denied, else the last that was asked, which outbound is the
/// subnet's. The reason is that of a line.
pub fn deciding_layers(reason: Option<&str>, direction: Direction) -> &'static [&'static str] {
    match (reason, direction) {
        // A throttle is told as a rule among them.
        (Some("AdminDeny" | "Throttled"), _) => &["Admin"],
        (Some("SubnetDeny"), _) => &["Subnet"],
        (Some("NetworkInterfaceDeny"), _) => &["NetworkInterface"],
        (_, Direction::Inbound) => &["NetworkInterface", "Subnet", "Admin"],
        (_, Direction::Outbound) => &["Subnet", "NetworkInterface", "Admin"],
    }
}

fn rules<R: Read>(scan: &mut Scanner<R>) -> Result<Vec<Rule>, ScanError> {
    /// A rule list a layer, and no more.
    const RULES_MAX: usize = 8;
    let mut rules = Vec::new();
    if !scan.enter(b'[')? {
        return Ok(rules);
    }
    while scan.element()? {
        if rules.len() == RULES_MAX {
            scan.skip()?;
            continue;
        }
        if !scan.enter(b'{')? {
            continue;
        }
        let mut rule = Rule::default();
        while let Some(key) = scan.key(str::to_owned)? {
            match key.as_str() {
                "layer" => rule.layer = scan.scalar(str::to_owned)?,
                "list" => rule.list = scan.scalar(str::to_owned)?,
                "rule" => rule.rule = scan.scalar(str::to_owned)?,
                _ => scan.skip()?,
            }
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn parsed<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn protocol(text: &str) -> Option<Protocol> {
    text.parse().ok().and_then(ProtocolMatch::of_packet)
}
