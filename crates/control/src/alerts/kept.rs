//! One alert as it is in the store, and how it is found there.

use palisade_model::calendar::Moment;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ALERT_DAYS, PREFIX};
use crate::World;

/// An alert in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptAlert {
    /// Its name: 12 hexadecimal digits.
    pub id: String,
    /// What alerts have in common that are about the same: while one is open, the next ones raise its count.
    pub series: String,
    /// How it stands.
    pub state: AlertState,
    /// How often it was raised.
    pub count: u64,
    /// When it was raised first: what was `last` then.
    pub raised_at: String,
    /// The host that told of the flows.
    pub host: String,
    /// The interface that is concerned, if it is one.
    pub nic: Option<String>,
    /// The machine that it belongs to.
    pub machine: Option<String>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When, RFC 3339.
    pub acknowledged_at: Option<String>,
    /// What he said.
    pub note: Option<String>,
    /// What was seen: the fields of [`super::document`], as they were the last time; `first` as it was the first time.
    #[serde(flatten)]
    pub seen: Map<String, Value>,
}

/// How an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertState {
    /// Nobody has looked at it.
    Open,
    /// Somebody has.
    Acknowledged,
}

impl KeptAlert {
    /// One in the store; `None` if it cannot be read, which counts for nobody.
    pub(super) fn read(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }

    /// Where it is in the store.
    pub(super) fn key(id: &str) -> String {
        format!("{PREFIX}{id}")
    }

    /// A text of what was seen.
    pub fn text(&self, field: &str) -> &str {
        self.seen.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// As the store has it.
    ///
    /// # Panics
    /// Never: it consists of texts, numbers and JSON.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("an alert is made of texts, numbers and JSON")
    }
}

/// All alerts, those seen last first.
pub fn all(world: &World) -> Vec<KeptAlert> {
    let mut all: Vec<KeptAlert> =
        world.records(PREFIX).filter_map(|(_, value)| KeptAlert::read(value)).collect();
    all.sort_by(|a, b| (b.text("last"), &b.id).cmp(&(a.text("last"), &a.id)));
    all
}

/// The alert of an id.
pub fn find(world: &World, id: &str) -> Option<KeptAlert> {
    world.record(&KeptAlert::key(id)).and_then(KeptAlert::read)
}

/// When an alert of the store is forgotten, in seconds since 1970; `None` if it cannot be read.
pub fn end(value: &Value) -> Option<u64> {
    let last = Moment::parse(value["last"].as_str()?)?.seconds;
    Some(u64::try_from(last).ok()? + ALERT_DAYS * 86_400)
}
