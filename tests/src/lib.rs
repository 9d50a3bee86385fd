//! End to end: what the tests in `tests/` share.
//!
//! Without an interface: [`kernel`] is a loaded kernel program that judges frames, [`judge`] predicts its answers from the
//! policy blobs, [`wire`] turns flows into frames, and [`outcomes`] and [`tally`] prove that a test reached what it says.
//! With real packets: [`agent`] is the real agent in a process of its own, and [`template`] writes estates for it. Nothing here
//! is part of the product, and nothing here decides what a rule means: that is the oracle's business.

pub mod agent;
pub mod judge;
pub mod kernel;
pub mod oracle;
pub mod outcomes;
pub mod pins;
pub mod skip;
pub mod tally;
pub mod template;
pub mod traffic;
pub mod wait;
pub mod wire;
