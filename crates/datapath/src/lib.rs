//! Loads the kernel program, attaches it, publishes policy to it, and reads what it counted.
//!
//! [`Datapath`] is the one writer of a pin directory, [`Observer`] reads a datapath that another process runs, and
//! [`Simulator`] stands in for it in tests; [`Plane`] and [`Watch`] are what they share. The crate must not know rules:
//! a policy is a blob of `palisade_abi::policy` for each layer, checked for soundness and not for meaning. Everything
//! that enforces is pinned, so it outlives this process; design: `docs/adr/0003-classes-and-bit-vectors.md`,
//! `docs/adr/0004-one-arena-one-store.md`.

mod arena;
pub mod bench;
mod datapath;
mod error;
mod flows;
mod links;
mod object;
mod observer;
mod pins;
mod plane;
mod policy;
pub mod probe;
mod run;
mod simulator;
mod sys;
#[cfg(test)]
mod tests;

pub use datapath::{Config, Datapath};
pub use error::Error;
pub use flows::FlowEntry;
pub use object::Sizes;
pub use observer::Observer;
pub use plane::{Plane, Watch};
pub use policy::{
    Attachment, DirectionCounters, LAYERS_INBOUND, LAYERS_OUTBOUND, NicKind, NicPolicy, NicState,
    SlotCounters, Sweep, Timeouts,
};
pub use run::{Outcome, TestPacket};
pub use simulator::Simulator;
