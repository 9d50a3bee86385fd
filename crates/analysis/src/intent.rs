//! Intents: what a network is meant to allow and to forbid, and whether its rules do.
//!
//! [`read`] takes a file of intents; [`prove`] answers for each whether it holds for every packet, with all violations and one
//! witness of each, which the oracle has confirmed. What a word of the file means, and what exactly is claimed, stands in
//! `docs/prove.md`. It must not know where estates and files come from, nor what is done about a violation.

mod cell;
mod class;
mod document;
mod end;
mod fields;
mod gather;
mod library;
mod party;
mod place;
mod problem;
mod proof;
mod prove;
mod read;
mod resolved;
mod service;
mod thing;

/// The JSON Schema of a file of intents.
pub const SCHEMA: &str = include_str!("intent/schema.json");

pub use document::{
    EXCEPTIONS_MAX, Effect, Exception, INTENTS_MAX, Intent, Intents, Severity, Shape, THINGS_MAX,
};
pub use library::{LIBRARY, Parameter, Recipe, Words};
pub use problem::IntentProblem;
pub use proof::{Doubt, End, Outcome, Proof, Violation};
pub use prove::{Prover, prove, prove_at};
pub use read::read;
pub use service::Service;
pub use thing::{Kind, Thing};
