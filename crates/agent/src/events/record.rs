//! From what the datapath tells to records: ticks become times, codes become words.

use palisade_abi::event::EventKind;
use palisade_abi::flow::{Direction, FlowState};
use palisade_abi::verdict::{LAYERS, Layer, Reason};
use palisade_datapath::{Ending, Event, FlowRecord, LAYERS_INBOUND, LAYERS_OUTBOUND};
use palisade_net::Protocol;
use palisade_net::packet::TcpFlags;

use super::{Cause, Kind, Record};

/// One moment by both clocks, to tell when a tick was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The kernel's tick.
    pub tick: u64,
    /// Ticks a second.
    pub ticks_per_second: u32,
    /// The wall clock, in milliseconds since 1970.
    pub wall_ms: u64,
}

impl Moment {
    /// When a tick was. One that is yet to come is now.
    fn at(&self, tick: u64) -> u64 {
        let ago =
            self.tick.saturating_sub(tick).saturating_mul(1000) / u64::from(self.ticks_per_second.max(1));
        self.wall_ms.saturating_sub(ago)
    }
}

impl Record {
    /// What the kernel told.
    pub fn of_event(event: &Event, moment: &Moment) -> Self {
        let is_flow = event.created > 0;
        let is_half_close = event.kind == EventKind::HalfClose;
        Self {
            kind: match event.kind {
                EventKind::Begin => Kind::Begin,
                EventKind::End => Kind::End,
                EventKind::Deny => Kind::Deny,
                EventKind::Cut => Kind::Cut,
                EventKind::WouldDeny => Kind::WouldDeny,
                EventKind::Limit => Kind::Limit,
                // One side is done; the flow goes on until the other is.
                EventKind::HalfClose => Kind::Continue,
            },
            time_ms: moment.at(event.tick),
            reason: (!is_half_close).then(|| event.reason.name()),
            layer: layer_of(event.reason, event.direction, &event.rules),
            cause: (event.kind == EventKind::Cut || (is_flow && event.state == FlowState::Cut))
                .then(|| cause(event.ended_by_time)),
            slot: event.flow.slot,
            generation: event.generation,
            direction: event.direction,
            protocol: event.flow.protocol,
            query: event.flow.query.map(|(kind, _)| kind),
            local: event.flow.local,
            remote: event.flow.remote,
            state: is_flow.then_some(event.state),
            began_ms: is_flow.then(|| moment.at(event.created)),
            last_ms: is_half_close.then(|| moment.at(event.tick)),
            rules: event.rules,
            audited: event.audited,
            midstream: event.midstream,
            packets: event.packets,
            bytes: event.bytes,
            tcp_flags: tcp_flags(event.flow.protocol, event.tcp_flags),
        }
    }

    /// What the sweep found.
    pub fn of_flow(found: &FlowRecord, moment: &Moment) -> Self {
        let flow = &found.flow;
        Self {
            kind: if found.ending.is_some() { Kind::End } else { Kind::Continue },
            time_ms: moment.wall_ms,
            reason: found.ending.map(|ending| match ending {
                Ending::Over => "TimedOut",
                Ending::NicLeft => "NicLeft",
                Ending::Cleared => "Cleared",
            }),
            layer: layer_of(Reason::Established, flow.direction, &flow.rules),
            cause: (flow.state == FlowState::Cut).then(|| cause(flow.ended_by_time)),
            slot: flow.id.slot,
            generation: flow.generation,
            direction: flow.direction,
            protocol: flow.id.protocol,
            query: flow.id.query.map(|(kind, _)| kind),
            local: flow.id.local,
            remote: flow.id.remote,
            state: Some(flow.state),
            began_ms: Some(moment.at(flow.created)),
            last_ms: Some(moment.at(flow.last_seen)),
            rules: flow.rules,
            audited: flow.audited,
            midstream: flow.midstream,
            packets: flow.packets,
            bytes: flow.bytes,
            tcp_flags: tcp_flags(flow.id.protocol, flow.tcp_flags),
        }
    }
}

const fn cause(is_time: bool) -> Cause {
    if is_time { Cause::Time } else { Cause::Policy }
}

fn tcp_flags(protocol: u8, flags: [u8; 2]) -> Option<[TcpFlags; 2]> {
    (Protocol(protocol) == Protocol::TCP).then(|| flags.map(TcpFlags))
}

/// The layer that denied, else the last one that was asked.
fn layer_of(reason: Reason, direction: Direction, rules: &[Option<u16>; LAYERS]) -> Option<Layer> {
    let order = match direction {
        Direction::Inbound => LAYERS_INBOUND,
        Direction::Outbound => LAYERS_OUTBOUND,
    };
    match reason {
        Reason::AdminDeny | Reason::Throttled => Some(Layer::Admin),
        Reason::SubnetDeny => Some(Layer::Subnet),
        Reason::NetworkInterfaceDeny => Some(Layer::NetworkInterface),
        Reason::PublicAddressClosed => None,
        _ => rules.iter().rposition(Option::is_some).map(|place| order[place]),
    }
}
