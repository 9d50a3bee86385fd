//! Records into batches: what many share is looked up by its numbers, and named once a batch.

use std::collections::HashMap;

use palisade_abi::flow::{Direction, FlowState};
use palisade_abi::verdict::{LAYERS, Layer};
use palisade_net::packet::TcpFlags;
use palisade_sync::flows::FlowLine;
use palisade_sync::limits::{FLOW_RECORDS_MAX, FLOW_SHAPES_MAX};
use palisade_sync::{FlowBatch, FlowRule, FlowShape};

use crate::events::{Cause, Kind, NameBook, Record, line};

/// Room that a batch leaves for records about losses.
const LOSSES_MAX: usize = 4;
/// Bytes of names after which a batch is full.
const SHAPE_BYTES_MAX: usize = 1 << 20;
/// Bytes that a shape takes beside its texts, and a rule of it.
const SHAPE_BYTES: usize = 64;

/// Fills one batch after the other.
#[derive(Debug, Default)]
pub struct Encoder {
    batch: FlowBatch,
    shapes: HashMap<Shared, u32>,
    /// The record before: most are like it.
    last: Option<(Shared, u32)>,
    shape_bytes: usize,
}

/// What makes records of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shared {
    kind: Kind,
    reason: Option<&'static str>,
    layer: Option<Layer>,
    cause: Option<Cause>,
    state: Option<FlowState>,
    direction: Direction,
    protocol: u8,
    query: Option<u8>,
    slot: u32,
    generation: u64,
    rules: [Option<u16>; LAYERS],
    audited: bool,
    midstream: bool,
}

impl Encoder {
    /// Adds a record. The batch must not be full.
    pub fn add(&mut self, record: &Record, book: &NameBook) {
        let shape = self.shape_of(record, book);
        self.batch.push(shape, &line_of(record));
    }

    /// Adds that records were lost, and by whose fault.
    pub fn add_lost(&mut self, time_ms: u64, count: u64, by: &str) {
        self.batch.push_lost(time_ms, count, by);
    }

    /// Whether there is no room for another record.
    pub fn is_full(&self) -> bool {
        self.batch.records() + LOSSES_MAX >= FLOW_RECORDS_MAX
            || self.batch.shapes.len() + LOSSES_MAX >= FLOW_SHAPES_MAX
            || self.shape_bytes >= SHAPE_BYTES_MAX
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.batch.records() == 0
    }

    /// The batch; the next one is empty.
    pub fn take(&mut self) -> FlowBatch {
        self.shapes.clear();
        (self.last, self.shape_bytes) = (None, 0);
        std::mem::take(&mut self.batch)
    }

    fn shape_of(&mut self, record: &Record, book: &NameBook) -> u32 {
        let shared = Shared::of(record);
        if let Some((_, shape)) = self.last.filter(|(last, _)| *last == shared) {
            return shape;
        }
        let shape = self.shapes.get(&shared).copied().unwrap_or_else(|| {
            let shape = shape(record, book);
            self.shape_bytes += size(&shape);
            let number = u32::try_from(self.batch.shapes.len()).expect("shapes are few");
            self.batch.shapes.push(shape);
            self.shapes.insert(shared, number);
            number
        });
        self.last = Some((shared, shape));
        shape
    }
}

impl Shared {
    const fn of(record: &Record) -> Self {
        Self {
            kind: record.kind,
            reason: record.reason,
            layer: record.layer,
            cause: record.cause,
            state: record.state,
            direction: record.direction,
            protocol: record.protocol,
            query: record.query,
            slot: record.slot,
            generation: record.generation,
            rules: record.rules,
            audited: record.audited,
            midstream: record.midstream,
        }
    }
}

fn line_of(record: &Record) -> FlowLine {
    let (source, destination) = record.ends();
    let [there, back] = record.tcp_flags.unwrap_or_default();
    let (TcpFlags(there), TcpFlags(back)) = (there, back);
    FlowLine {
        time_ms: record.time_ms,
        began_ms: record.began_ms,
        last_ms: record.last_ms,
        source,
        destination,
        tcp_flags: [there, back],
        packets: record.packets,
        bytes: record.bytes,
    }
}

fn shape(record: &Record, book: &NameBook) -> FlowShape {
    let (nic, rules) = book.find(record.slot, record.generation).unzip();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let rule = |rule: line::Rule<'_>| FlowRule {
        layer: text(rule.layer),
        list: text(rule.list),
        rule: text(rule.rule),
        row: rule.row.into(),
    };
    FlowShape {
        kind: record.kind.word().to_owned(),
        reason: text(record.reason),
        layer: text(record.layer.map(Layer::name)),
        cause: text(record.cause.map(Cause::word)),
        state: text(record.state.map(FlowState::name)),
        direction: record.direction.name().to_owned(),
        protocol: record.protocol.into(),
        icmp_type: record.query.map_or(0, |kind| u32::from(kind) + 1),
        slot: record.slot,
        nic: text(nic.map(|nic| nic.name.as_str())),
        nic_id: nic.map(|nic| nic.id.to_string()).unwrap_or_default(),
        interface: text(nic.map(|nic| nic.interface.as_str())),
        generation: record.generation,
        audited: record.audited,
        midstream: record.midstream,
        rules: line::rules_of(record, rules.flatten()).into_iter().map(rule).collect(),
    }
}

/// About how many bytes a shape takes in a message.
fn size(shape: &FlowShape) -> usize {
    let rules: usize = shape.rules.iter().map(|rule| SHAPE_BYTES + rule.list.len() + rule.rule.len()).sum();
    SHAPE_BYTES + shape.nic.len() + shape.nic_id.len() + shape.interface.len() + rules
}
