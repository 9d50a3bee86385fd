//! The model: what a network security group, a tag and a virtual network are, and which rules hold at an interface.
//!
//! [`spec`] is what a user wrote, [`Estate`] is what survived validation, and [`effective`] says which rules hold at a
//! network interface, with names resolved to sets of addresses. It must not decide what a packet's fate is (that is
//! `classify`), do I/O, or read a clock. Semantics and deviations from Azure: `docs/semantics.md`.

mod id;
pub mod limits;
mod problem;
pub mod spec;

pub use id::{NAME_LENGTH_MAX, ResourceId, is_valid_name};
pub use problem::{Code, Problem, Severity};
pub use spec::Place;
