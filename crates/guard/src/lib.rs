//! Eyes on the flows: who scans, guesses passwords, asks for orders, or carries data away; and doors that close themselves.
//!
//! Every detector is a pure function of the stream of connections: it gives the same alerts for the same stream, each with the numbers
//! that made it, and remembers no more than it says. What each one does, its numbers and where they come from: `docs/guard.md`. It
//! must not read a file or a clock, judge by a rule, or act on what it finds. Time-limited access is [`access`], which knows no flows;
//! what is to be done about an alert is [`answer`], which knows no kernel.

mod about;
pub mod access;
mod alert;
pub mod answer;
mod baseline;
mod beacon;
mod block;
mod bounded;
mod connection;
mod crowd;
mod day;
mod deviation;
mod evidence;
mod fold;
mod guard;
mod guess;
mod guest;
pub mod limits;
mod logon;
mod numbers;
mod scope;
mod service;
mod tally;
#[cfg(test)]
mod testing;
mod volume;
mod walk;
mod window;

pub use about::About;
pub use alert::{Alert, Kind, Severity, Shape};
pub use baseline::{Departure, Usual};
pub use beacon::{BeaconEvidence, BeaconScore, RefusedEvidence, Rhythm};
pub use connection::{Connection, Outcome, Stage};
pub use crowd::CrowdEvidence;
pub use day::day;
pub use deviation::{DeviationEvidence, Measure};
pub use evidence::Evidence;
pub use fold::Fold;
pub use guard::{Guard, Losses};
pub use guess::{GuessEvidence, SessionEvidence};
pub use guest::{EntryEvidence, Guest, LogonEvidence};
pub use logon::{GuestEvent, GuestTold, Joined, Logon, LogonOutcome, Trace, join};
pub use service::Service;
pub use tally::Pace;
pub use volume::{VolumeEvidence, VolumeTest};
pub use walk::{WalkEvidence, WalkSettings};
pub use window::{Spread, WindowEvidence};
