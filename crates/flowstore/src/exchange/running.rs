//! What has passed since the record before, of hosts that count the whole flow.

use std::collections::HashMap;

use palisade_model::FlowTraffic;
use palisade_net::Flow;

use crate::record::Kind;

/// Flows that go on and whose counters are remembered; those beyond are counted when they end.
const RUNNING_MAX: usize = 1 << 20;

/// A flow of one interface of one host, by when it began.
type Id = (u32, Flow, u64);

/// Counters of flows that go on.
#[derive(Debug, Default)]
pub(crate) struct Running(HashMap<Id, FlowTraffic>);

impl Running {
    /// What has passed since the record before; `None` where that is not known.
    pub(crate) fn since(&mut self, id: Option<Id>, kind: Kind, total: FlowTraffic) -> Option<FlowTraffic> {
        let Some(id) = id else { return Some(total) };
        let before = match kind {
            Kind::End => self.0.remove(&id),
            Kind::Continue | Kind::Cut => {
                if self.0.len() >= RUNNING_MAX && !self.0.contains_key(&id) {
                    return None;
                }
                self.0.insert(id, total)
            }
            // What began has passed nothing yet, as in Azure's logs: its first packet is in the next record.
            Kind::Begin => return None,
            Kind::Deny | Kind::WouldDeny | Kind::Limit | Kind::Allow => return Some(total),
        };
        let before = before.unwrap_or_default();
        Some(FlowTraffic {
            packets_to_destination: total
                .packets_to_destination
                .saturating_sub(before.packets_to_destination),
            bytes_to_destination: total.bytes_to_destination.saturating_sub(before.bytes_to_destination),
            packets_to_source: total.packets_to_source.saturating_sub(before.packets_to_source),
            bytes_to_source: total.bytes_to_source.saturating_sub(before.bytes_to_source),
        })
    }
}
