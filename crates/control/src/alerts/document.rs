//! An alert in the shape that scripts rely on: of `palisade detect --format json`, of the server's API and of notices alike.
//!
//! It must not work out more than names: the numbers are the detectors'.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_guard::{About, Alert, Guest};
use serde_json::{Map, Value, json};

use crate::time::rfc3339;

/// Addresses of one alert that are listed; all are counted.
pub const ADDRESSES_LISTED_MAX: usize = 100;

/// An alert, with the connections that it is about.
pub fn document(alert: &Alert, about: &About) -> Value {
    let list = |addresses: &BTreeSet<IpAddr>| -> Vec<String> {
        addresses.iter().take(ADDRESSES_LISTED_MAX).map(ToString::to_string).collect()
    };
    let explain: Map<String, Value> =
        alert.evidence.numbers().into_iter().map(|(name, value)| (name.to_owned(), number(value))).collect();
    let victims = alert.victims(about);
    let mut document = json!({
        "kind": alert.kind.word(),
        "name": alert.name(),
        "subject": alert.subject(about),
        "victims": list(&victims),
        "victimCount": victims.len(),
        "port": alert.port,
        "protocol": alert.protocol.to_string(),
        "direction": alert.direction.to_string(),
        "first": moment(alert.since_ms),
        "last": moment(alert.time_ms),
        "severity": alert.severity().to_string(),
        "score": number(alert.evidence.score()),
        "explain": explain,
        "evidence": alert.evidence.to_string(),
        "flows": about.flows,
    });
    if let Some(Guest { machine, account }) = &alert.guest {
        document["machine"] = json!(machine);
        document["account"] = json!(account);
        document["victims"] = json!([machine]);
        document["victimCount"] = json!(1);
    } else if alert.is_many_to_one() {
        document["sources"] = json!(list(&about.sources));
        document["sourceCount"] = json!(about.sources.len());
    }
    document
}

/// To a thousandth; a whole number as one.
fn number(value: f64) -> Value {
    let rounded = (value * 1_000.0).round() / 1_000.0;
    if rounded.fract() == 0.0 && rounded.abs() < 9e15 { json!(rounded as i64) } else { json!(rounded) }
}

/// `2026-01-31T08:00:00.250Z`, of milliseconds since 1970.
pub fn moment(ms: u64) -> String {
    let seconds = rfc3339(ms / 1_000);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), ms % 1_000)
}
