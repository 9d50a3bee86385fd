//! Flows as logs show them, for lockdown and learn.

use palisade_model::{LoggedDecision, ResourceId};
use palisade_net::{Flow, Protocol};

use crate::observed::Observed;

/// A flow that a log shows at a place, with all that was logged of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The interface; or the NSG, where the log does not tell at which of its interfaces it was.
    pub place: ResourceId,
    /// The flow in its original orientation.
    pub flow: Flow,
    /// What was decided when it was logged.
    pub decision: LoggedDecision,
    /// How often it was logged.
    pub records: u64,
    /// Bytes in both ways.
    pub bytes: u64,
    /// When it was last seen, in milliseconds since 1970.
    pub last_ms: u64,
}

impl Seen {
    /// Every flow of some logs. Where a log does not tell the type of an ICMP flow, it is taken to be an echo request: that is how
    /// nearly all begin.
    pub fn all(observed: &Observed) -> Vec<Self> {
        let one = |flow: crate::observed::ObservedFlow| {
            let saying = &observed.sayings()[flow.saying];
            Self {
                place: observed.places()[flow.place].id().clone(),
                flow: if saying.by.format.tells_types() { flow.flow } else { typed(flow.flow) },
                decision: saying.decision,
                records: flow.tally.records,
                bytes: flow.tally.bytes,
                last_ms: flow.tally.last_ms,
            }
        };
        observed.flows().map(one).collect()
    }
}

/// The flow as an echo request, if it is of ICMP.
fn typed(flow: Flow) -> Flow {
    const REQUEST_V4: u16 = 8;
    const REQUEST_V6: u16 = 128;
    let kind = match flow.protocol() {
        Protocol::ICMP => REQUEST_V4,
        Protocol::ICMPV6 => REQUEST_V6,
        _ => return flow,
    };
    let ends = ((flow.source(), 0), (flow.destination(), kind));
    Flow::new(flow.direction(), flow.protocol(), ends.0, ends.1).unwrap_or(flow)
}
