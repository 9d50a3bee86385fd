//! The live detectors: they watch the flow records that hosts send, and tell listeners of every alert.
//!
//! A thread of its own folds records into connections, puts those of several hosts in order and gives them to one `Guard`. It
//! knows who listens and not what they do: the store of alerts, answers and notices are listeners. Invariant: neither the
//! detectors nor a listener makes the stream of flow records wait; what does not fit is counted and told. Reference: docs/alerts.md.

mod kept;
mod order;
mod places;
mod stream;
#[cfg(test)]
mod tests;
mod told;
mod warm;
mod watch;

use std::fmt::Debug;

use palisade_control::{alerts, fleet::HostName};
use palisade_guard::{About, Alert};
use serde_json::{Map, Value};

pub(crate) use kept::{Kept, keep};
pub(crate) use told::Told;
pub(crate) use watch::{Watch, WatchCounts, WatchedSink};

/// An alert of the live detectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// Its name among the alerts of this server: 12 hexadecimal digits.
    pub id: String,
    /// What was seen.
    pub alert: Alert,
    /// The connections that it is about, of those that the detectors saw last.
    pub about: About,
    /// The host that told of the flows.
    pub host: HostName,
    /// The interface of the guarded machine, as its resource's id; `None` if many machines are concerned.
    pub nic: Option<String>,
    /// The machine, as the id of the virtual machine that the interface names; `None` if it names none.
    pub machine: Option<String>,
}

impl Raised {
    /// What was seen, in the shape of `palisade detect --format json`.
    pub fn seen(&self) -> Map<String, Value> {
        match alerts::document(&self.alert, &self.about) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

/// Somebody who is told of every alert, once, in their order.
pub trait Listener: Debug + Send + Sync {
    /// Takes an alert. It returns at once.
    fn raised(&self, raised: &Raised);
}
