//! The reconcile loop of one host: makes the kernel agree with the estate.
//!
//! Files become an estate ([`load`]), an estate becomes what the kernel is given ([`compile`]), interfaces become those
//! of NICs ([`interfaces`]), and the difference between what should be and what is becomes a list of steps ([`plan`]),
//! which the [`Agent`] takes. A server may give the estate instead of files ([`remote`]). [`run()`] is the loop around it, [`status`](mod@status) what there is to see from outside.
//!
//! It must not judge a packet or a rule, and nothing may depend on it being alive: what enforces is in the kernel. A file
//! that it cannot understand whole changes nothing.

mod agent;
pub mod clock;
pub mod compile;
mod disk;
pub mod endpoints;
mod error;
mod event;
pub mod events;
#[cfg(test)]
#[path = "../tests/support/fleet.rs"]
mod fleet;
mod flow_list;
pub mod identity;
mod instance;
pub mod interfaces;
pub mod load;
pub mod machines;
pub mod plan;
pub mod records;
pub mod remote;
mod remove;
mod run;
pub mod slots;
pub mod state;
pub mod status;
mod survey;
mod tuning;

pub use agent::Agent;
pub use error::AgentError;
pub use event::Event;
pub use flow_list::list_flows;
pub use instance::{DEFAULT_NAME, Instance, NAME_LENGTH_MAX};
pub use remove::remove;
pub use run::{Applied, Options, Sources, apply_once, run};
pub use survey::{Survey, machines as running_machines, survey};
pub use tuning::Tuning;
