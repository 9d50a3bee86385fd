//! End to end: what the tests in `tests/` share.
//!
//! [`kernel`] is a loaded kernel program that judges frames without an interface, [`judge`] predicts its answers from the
//! policy blobs, [`wire`] turns flows into frames, and [`tally`] proves that a test reached what it says it reached. Nothing here
//! is part of the product, and nothing here decides what a rule means: that is the oracle's business.

pub mod judge;
pub mod kernel;
pub mod tally;
pub mod wire;
