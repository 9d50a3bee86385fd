//! Deployments: whole templates, checked before the first write, made in order, told as Azure tells them.
//!
//! [`Request`] is a body that can be evaluated, [`validate`] and [`what_if`] say what would happen, and [`begin`] and [`Running::finish`] do it.
//! Templates are read by `palisade_arm::template`; the world is behind [`Executor`]. Invariant: nothing is written if anything that can be
//! known beforehand is wrong, and each resource is written whole or not at all. Reference: docs/arm.md, "Deployments", and
//! docs/adr/0025-deployments-in-steps.md.

mod active;
mod change;
mod document;
mod executor;
mod export;
mod plan;
mod preflight;
mod request;
mod run;
#[cfg(test)]
mod tests;

pub use active::end_silent;
pub use change::what_if;
pub use document::operations;
pub use executor::{Executor, Made, OnControl, Permission, Rehearsed};
pub use export::template as export;
pub use preflight::RESOURCES_MAX;
pub use request::{Place, Request};
pub use run::{Running, begin, create, validate};
