//! Which rule decides.
//!
//! [`oracle`] is the truth, written to be read; [`Engine`] gives the same answers fast; [`enforce`] makes the blobs that the
//! kernel program gives the same answers by. In between, [`lower`] turns effective rules into [`Row`]s, [`table`] compiles
//! rows to equivalence classes and bit vectors, [`blob`] encodes them, and [`proof`] shows that nothing went wrong on the way. It must not do I/O or read a clock.

pub mod blob;
mod decision;
pub mod enforce;
mod engine;
pub mod generate;
pub mod lower;
pub mod oracle;
pub mod proof;
mod row;
pub mod table;

pub use decision::{Decision, Explanation, Hit, Reason, Shadow, Verdict};
pub use engine::Engine;
pub use row::Row;
