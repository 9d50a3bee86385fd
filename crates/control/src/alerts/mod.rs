//! Alerts as the control plane keeps them: records under [`PREFIX`], so that they survive restarts and all servers see the same.
//!
//! Here is what an alert becomes in the store, which ones are the same, and which are forgotten; who raises alerts and who is told is
//! the server's. Invariant: of one series at most one alert is open, unless two servers saw it in the same moment, and there are never more
//! than [`ALERTS_MAX`]. Reference: docs/alerts.md.

mod concern;
mod document;
mod kept;
mod raise;
#[cfg(test)]
mod tests;

pub use concern::{Concern, machine_of};
pub use document::{ADDRESSES_LISTED_MAX, document, moment};
pub use kept::{AlertState, KeptAlert, all, end, find};
pub use raise::{NewAlert, acknowledge, open_of, raise, series};

/// Where alerts are in the store.
pub const PREFIX: &str = "alert/";
/// Alerts that are kept; of more, the oldest acknowledged ones are forgotten, then the oldest open ones.
pub const ALERTS_MAX: usize = 2_000;
/// An alert is forgotten so many days after it was seen last, acknowledged or not.
pub const ALERT_DAYS: u64 = 90;
/// Characters of a note.
pub const NOTE_MAX: usize = 1_024;
