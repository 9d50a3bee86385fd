//! Batches of hosts as records of the store.
//!
//! Hosts count a flow as a whole, the store what has passed since the record before, so the counters of flows that go on are
//! remembered. Where what was before is not known, because the server has begun since or too many flows go on, what has
//! passed since is not told either: sums are never too large.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use palisade_control::fleet::HostName;
use palisade_flowstore::{Kind, Labels, ListedRule, Record};
use palisade_model::{FlowLogFormat, FlowTraffic};
use palisade_net::{Direction, Protocol};
use palisade_sync::{FlowBatch, FlowRule, FlowShape, flows::FlowLine};

/// Flows that go on and are remembered, of all hosts: about 200 bytes each.
const RUNNING_MAX: usize = 1 << 20;
/// Labels that are kept for records to come.
const LABELS_MAX: usize = 1 << 16;
/// A flow is told of again within this time, and a little more: what is younger was not told of before.
const CONTINUE_MS: u64 = 60_000;

/// One flow of one host.
type Place = (Arc<str>, u32, u32, (IpAddr, u16), (IpAddr, u16), u64);

/// Makes records, one host's after the other's.
#[derive(Debug, Default)]
pub(crate) struct Records {
    running: HashMap<Place, FlowTraffic>,
    labels: HashMap<Labels, Arc<Labels>>,
}

impl Records {
    /// The records of a batch, in order. What no column can hold is left out; a loss is no flow.
    pub(crate) fn of(&mut self, host: &HostName, batch: &FlowBatch) -> Vec<Record> {
        let host: Arc<str> = host.as_str().into();
        let shapes: Vec<_> = batch.shapes.iter().map(|shape| self.shape(shape)).collect();
        let lines = batch.lines().zip(&batch.shape);
        let one = |((shape, line), number): ((&FlowShape, FlowLine), &u32)| {
            let (kind, direction, labels) = shapes[*number as usize].as_ref()?;
            let record = self.record((*kind, *direction), Arc::clone(labels), &host, shape, &line);
            record.is_kept().is_ok().then_some(record)
        };
        lines.filter_map(one).collect()
    }

    fn record(
        &mut self,
        (kind, direction): (Kind, Direction),
        labels: Arc<Labels>,
        host: &Arc<str>,
        shape: &FlowShape,
        line: &FlowLine,
    ) -> Record {
        let total = FlowTraffic {
            packets_to_destination: line.packets[0],
            bytes_to_destination: line.bytes[0],
            packets_to_source: line.packets[1],
            bytes_to_source: line.bytes[1],
        };
        let (local, remote) = match direction {
            Direction::Outbound => (line.source, line.destination),
            Direction::Inbound => (line.destination, line.source),
        };
        let protocol = Protocol(u8::try_from(shape.protocol).unwrap_or(u8::MAX));
        let flags = line.tcp_flags.map(|flags| (protocol == Protocol::TCP).then_some(flags));
        Record {
            time_ms: line.time_ms,
            kind,
            began_ms: line.began_ms,
            last_ms: line.last_ms,
            direction,
            protocol,
            local,
            remote,
            icmp_type: shape.icmp_type.checked_sub(1).and_then(|kind| u8::try_from(kind).ok()),
            icmp_code: None,
            since: self.since(kind, (host, shape, line), total),
            total: Some(total),
            tcp_flags: flags,
            generation: Some(shape.generation),
            audited: Some(shape.audited),
            midstream: Some(shape.midstream),
            place: None,
            tuple: None,
            labels,
        }
    }

    /// What has passed since the record before.
    fn since(
        &mut self,
        kind: Kind,
        (host, shape, line): (&Arc<str>, &FlowShape, &FlowLine),
        total: FlowTraffic,
    ) -> Option<FlowTraffic> {
        // Packets that began no flow are told once.
        let Some(began) = line.began_ms else { return Some(total) };
        let place = (Arc::clone(host), shape.slot, shape.protocol, line.source, line.destination, began);
        let before = match kind {
            Kind::Continue if self.running.len() >= RUNNING_MAX && !self.running.contains_key(&place) => None,
            Kind::Continue => self.running.insert(place, total),
            // The end of a flow that was cut was told when that happened.
            Kind::End if shape.state == "Cut" => return None,
            Kind::End | Kind::Cut => self.running.remove(&place),
            _ => return None,
        };
        let is_young = line.time_ms.saturating_sub(began) < CONTINUE_MS;
        let before = before.or(is_young.then_some(FlowTraffic::default()))?;
        let since = |now: u64, before: u64| now.saturating_sub(before);
        Some(FlowTraffic {
            packets_to_destination: since(total.packets_to_destination, before.packets_to_destination),
            bytes_to_destination: since(total.bytes_to_destination, before.bytes_to_destination),
            packets_to_source: since(total.packets_to_source, before.packets_to_source),
            bytes_to_source: since(total.bytes_to_source, before.bytes_to_source),
        })
    }

    /// What records of a shape share; `None` for those that are about no flow.
    fn shape(&mut self, shape: &FlowShape) -> Option<(Kind, Direction, Arc<Labels>)> {
        let (kind, direction) = (Kind::named(&shape.kind)?, shape.direction.parse().ok()?);
        if self.labels.len() >= LABELS_MAX {
            self.labels.clear();
        }
        let labels = labels(shape);
        if let Some(known) = self.labels.get(&labels) {
            return Some((kind, direction, Arc::clone(known)));
        }
        let known = Arc::new(labels.clone());
        self.labels.insert(labels, Arc::clone(&known));
        Some((kind, direction, known))
    }
}

fn labels(shape: &FlowShape) -> Labels {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let decided = shape.rules.iter().find(|rule| !rule.layer.is_empty() && rule.layer == shape.layer);
    let rule = |rule: &FlowRule| ListedRule {
        layer: text(&rule.layer),
        list: text(&rule.list),
        rule: text(&rule.rule),
        row: Some(rule.row),
    };
    let rules: Vec<_> = shape.rules.iter().map(rule).collect();
    Labels {
        format: FlowLogFormat::Palisade,
        nic: text(&shape.nic),
        nic_id: text(&shape.nic_id),
        interface: text(&shape.interface),
        slot: Some(shape.slot),
        layer: text(&shape.layer),
        nsg: decided.and_then(|rule| text(&rule.list)),
        rule: decided.and_then(|rule| text(rule.rule.rsplit('/').next().unwrap_or_default())),
        rules: Some(serde_json::to_string(&rules).expect("it has text keys only")),
        reason: text(&shape.reason),
        state: text(&shape.state),
        cause: text(&shape.cause),
        ..Labels::default()
    }
}
