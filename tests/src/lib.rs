//! End to end: what the tests in `tests/` share.
//!
//! Without an interface: [`kernel`] is a loaded kernel program that judges frames, [`judge`] predicts its answers from the
//! policy blobs, [`origins`] leads from their rows back to rules, [`mutate`] changes policies and [`fate`] says what that does to
//! flows, [`wire`] turns flows into frames, and [`outcomes`] and [`tally`] prove that a test reached what it says.
//! With real packets: [`agent`] is the real agent in a process of its own, [`template`] writes estates for it, and [`traffic`]
//! goes on while a test changes things. It must not decide what a rule means: that is
//! `palisade_classify`'s business, and a test that decides it again would agree with itself.

pub mod agent;
pub mod fate;
pub mod judge;
pub mod kernel;
pub mod mutate;
pub mod origins;
pub mod outcomes;
pub mod pins;
pub mod skip;
pub mod tally;
pub mod template;
pub mod traffic;
pub mod wait;
pub mod wire;
