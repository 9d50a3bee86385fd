//! Loads the kernel program, attaches it, publishes policy to it, and reads what it counted.
//!
//! [`Datapath`] is the one writer of a pin directory, [`Observer`] reads a datapath that another process runs, and
//! [`Simulator`] stands in for it in tests; [`Plane`] and [`Watch`] are what they share. The crate must not know rules:
//! a policy is a blob of `palisade_abi::policy` for each layer, checked for soundness and not for meaning. Everything
//! that enforces is pinned, so it outlives this process; design: `docs/adr/0004-one-arena-one-store.md`,
//! `docs/adr/0016-flows-in-shared-memory.md`, `docs/adr/0022-upgrade-takes-over.md`.

mod again;
mod clock;
mod counters;
mod datapath;
mod error;
mod events;
mod flows;
mod links;
mod memory;
mod object;
mod observer;
mod pins;
mod plane;
mod policy;
pub mod probe;
mod publish;
mod run;
mod simulator;
mod sweep;
mod sys;
#[cfg(test)]
mod tests;
mod upgrade;

pub use clock::{ticks_per_second, wall_clock_anchor};
pub use counters::{BlobDigest, DirectionCounters, RuleCounts, SlotCounters};
pub use datapath::{Config, Datapath};
pub use error::Error;
pub use events::Event;
pub use flows::{FlowEntry, FlowId};
pub use memory::{MemoryChoice, MemoryKind, regions::Sizes};
pub use observer::Observer;
pub use plane::{Attachment, NicState, Plane, Watch};
pub use policy::{
    Guards, LAYER_NAME_BYTES_MAX, LAYERS_INBOUND, LAYERS_OUTBOUND, LayerPolicy, Limits, NicKind, NicPolicy,
    Throttle, Timeouts,
};
pub use run::{Outcome, TestPacket, time_program};
pub use simulator::Simulator;
pub use sweep::{Ending, FlowRecord, Report, Sweep};
