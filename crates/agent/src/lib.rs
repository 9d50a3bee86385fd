//! The reconcile loop of one host: makes the kernel agree with the estate.

mod agent;
pub mod compile;
mod error;
mod event;
pub mod identity;
mod instance;
pub mod interfaces;
pub mod load;
pub mod plan;
mod remove;
mod run;
pub mod slots;
pub mod state;
pub mod status;

pub use agent::Agent;
pub use error::AgentError;
pub use event::Event;
pub use instance::{DEFAULT_NAME, Instance, NAME_LENGTH_MAX};
pub use remove::remove;
pub use run::{Applied, Options, apply_once, run};
