//! Notices: alerts told to programs elsewhere, by signed webhooks, syslog with CEF, or OTLP.
//!
//! Each target has a queue and a thread of its own, so that one that is slow holds up no other. What cannot be told is tried again with
//! growing pauses; what does not fit the queue, or was tried too often, is lost, counted and told to the operator. It must not decide
//! what an alert means. Reference: docs/alerts.md, which is what receivers rely on.

mod cef;
mod otlp;
mod queue;
mod signature;
mod syslog;
mod target;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;

use palisade_guard::Severity;
use serde_json::{Map, Value};

use crate::{
    alerts::{Listener, Raised},
    event::Events,
};

use queue::Queue;
pub use target::{NotifyOptions, Target, TargetError};

/// What is told of an alert.
#[derive(Debug, Clone, PartialEq)]
struct Notice {
    /// The alert's id.
    id: String,
    severity: Severity,
    /// When the last connection that it took was told, in milliseconds since 1970.
    at_ms: u64,
    /// When the first one began that counts.
    since_ms: u64,
    /// The fields of the API's answer, as far as they are known when an alert is raised.
    alert: Map<String, Value>,
}

impl Notice {
    fn of(raised: &Raised) -> Self {
        let mut alert = raised.seen();
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
        alert.insert("id".to_owned(), raised.id.clone().into());
        alert.insert("host".to_owned(), raised.host.to_string().into());
        alert.insert("nic".to_owned(), text(&raised.nic));
        alert.insert("machine".to_owned(), text(&raised.machine));
        let (severity, at_ms) = (raised.alert.severity(), raised.alert.time_ms);
        Self { id: raised.id.clone(), severity, at_ms, since_ms: raised.alert.since_ms, alert }
    }

    fn text(&self, field: &str) -> &str {
        self.alert.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A way to tell one notice. It waits for the other side, but not for ever.
trait Way: Send {
    /// Tells it.
    fn tell(&mut self, notice: &Notice) -> Result<(), Trouble>;
}

/// Why a notice was not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Trouble {
    /// It may go better later.
    #[error("{0}")]
    Now(String),
    /// It never will.
    #[error("{0}")]
    Always(String),
}

/// The listener that tells all targets.
#[derive(Debug)]
pub(crate) struct Notices {
    least: Severity,
    queues: Vec<Queue>,
}

impl Notices {
    /// Opens every target.
    ///
    /// # Errors
    /// If a target cannot be told whatever happens: an address that is none, a missing secret.
    pub(crate) fn open(options: &NotifyOptions, events: &Events) -> Result<Self, TargetError> {
        let open = |target: &Target| {
            let way = target.open(options.secret.as_deref())?;
            Queue::start(target.to_string(), way, events.clone())
                .map_err(|source| TargetError::Thread { source })
        };
        options.check()?;
        let queues = options.targets.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { least: options.least, queues })
    }
}

impl Listener for Notices {
    fn raised(&self, raised: &Raised) {
        if raised.alert.severity() < self.least || self.queues.is_empty() {
            return;
        }
        let notice = Arc::new(Notice::of(raised));
        self.queues.iter().for_each(|queue| queue.put(&notice));
    }
}
