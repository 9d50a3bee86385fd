//! Every action of the control plane: planned against one state, committed whole, followed to the hosts.
//!
//! [`Control`] holds the [`World`], which is every resource and record of the store in memory. One task plans all actions, in order,
//! and commits them in transactions that several servers on one store cannot interleave. Invariant: what the world shows is
//! what the store holds at the world's revision. It must not speak a protocol, nor decide what anybody may do. Reference:
//! docs/adr/0024-one-planner-one-sequence.md.

pub mod access;
mod action;
pub mod alerts;
pub mod answers;
pub mod audit;
pub mod deploy;
mod error;
pub mod fleet;
mod gate;
pub mod kinds;
mod options;
mod plan;
mod preview;
mod render;
mod standing;
pub mod time;
pub mod watcher;
mod world;

mod commit;

pub use action::{
    Action, Caller, Committed, Effect, Expect, Health, Outcome, Override, Precondition, RecordChange,
};
pub use commit::{CURRENT_MAX, Control, LOST_ANSWER_MAX, drop_operations};
pub use error::{ControlError, Info};
pub use gate::Verdict;
pub use options::{Options, PublicAddresses};
pub use preview::Preview;
pub use world::{Document, World};
