//! The timeline of a machine: flows, grants, changes, alerts and answers, in the order in which they happened.
//!
//! Here items are made and put in order; who may ask, and what is read for it, is the API's. It must not decide what an item led to.
//! Reference: docs/alerts.md.

mod flows;
#[cfg(test)]
mod tests;
mod told;

use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use flows::read;
pub(crate) use told::{of_alert, of_entry, of_expiry};

/// Items of one answer, at most: the newest.
pub(crate) const ITEMS_MAX: usize = 10_000;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// Flows that are alike.
    Flow,
    /// A change of what judges the machine, or of the machine itself.
    Policy,
    /// Access was asked for, approved, ended, or has run out.
    Grant,
    /// The detectors raised something.
    Alert,
    /// Somebody has looked at an alert.
    Acknowledgement,
    /// Something was done against an attack: a source was locked out, the machine was isolated or released.
    Answer,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Item {
    /// Its place in the order: when, in milliseconds since 1970.
    #[serde(skip)]
    pub(crate) at_ms: u64,
    /// When, RFC 3339, as exactly as it is known.
    pub(crate) time: String,
    /// What it is.
    pub(crate) what: What,
    /// A sentence for people.
    pub(crate) summary: String,
    /// The rest, by kind.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// Puts items in order; whether there were too many, of which the newest are left.
pub(crate) fn ordered(mut items: Vec<Item>) -> (Vec<Item>, bool) {
    items.sort_by_key(|item| (item.at_ms, item.what));
    let surplus = items.len().saturating_sub(ITEMS_MAX);
    items.drain(..surplus);
    (items, surplus > 0)
}
