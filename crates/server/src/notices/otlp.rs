//! OTLP over HTTP: each alert a log record, in the JSON encoding of OpenTelemetry's protocol.
//!
//! Reference: opentelemetry.io/docs/specs/otlp, "OTLP/HTTP"; 64-bit numbers are texts.

use palisade_client::Post;
use palisade_guard::Severity;
use serde_json::{Value, json};

use super::{Notice, Trouble, Way, webhook::answered};

/// A collector of logs.
#[derive(Debug)]
pub(super) struct Otlp {
    pub(super) post: Post,
}

impl Way for Otlp {
    fn tell(&mut self, notice: &Notice) -> Result<(), Trouble> {
        answered(self.post.send(&[], document(notice).to_string().as_bytes()))
    }
}

/// The request with one log record.
pub(super) fn document(notice: &Notice) -> Value {
    let attributes: Vec<Value> = notice
        .alert
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| json!({ "key": format!("palisade.alert.{name}"), "value": any(value) }))
        .collect();
    let nanoseconds = (u128::from(notice.at_ms) * 1_000_000).to_string();
    let record = json!({
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": severity(notice.severity),
        "severityText": notice.severity.to_string(),
        "eventName": "palisade.alert",
        "body": { "stringValue": format!("{}: {}", notice.text("name"), notice.text("evidence")) },
        "attributes": attributes,
    });
    let version = env!("CARGO_PKG_VERSION");
    let service = [("service.name", "palisade"), ("service.version", version)];
    let service = service.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }));
    json!({ "resourceLogs": [{
        "resource": { "attributes": service },
        "scopeLogs": [{ "scope": { "name": "palisade.alerts", "version": version }, "logRecords": [record] }],
    }] })
}

/// OpenTelemetry's numbers: INFO 9, WARN 13, ERROR 17, FATAL 21.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 9,
        Severity::Low => 10,
        Severity::Medium => 13,
        Severity::High => 17,
        Severity::Critical => 21,
    }
}

fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!({ "intValue": whole.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(items) => {
            json!({ "arrayValue": { "values": items.iter().map(any).collect::<Vec<_>>() } })
        }
        Value::Object(fields) => {
            let values = fields.iter().map(|(key, value)| json!({ "key": key, "value": any(value) }));
            json!({ "kvlistValue": { "values": values.collect::<Vec<_>>() } })
        }
    }
}
