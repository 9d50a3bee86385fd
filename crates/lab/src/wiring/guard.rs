//! The detectors and answers of a lab's control plane, asked for as any client asks.

use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use palisade_client::{Client, Operation, Patience, Precondition};
use serde_json::{Value, json};

use super::control::{self, ControlPlane, group};
use crate::guard::{Alert, Event, ForensicPath, Guard};

/// How long an alert may take to come: flows are told of as they end, and judged when nothing can come before them any more.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long somebody is locked out.
const LOCKED_OUT: &str = "PT10M";

impl Guard for ControlPlane {
    fn alert(&mut self, name: &str, subject: IpAddr) -> anyhow::Result<Option<Alert>> {
        let subject = subject.to_string();
        self.ask(|client| {
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline {
                let alerts = client.alerts(&[])?;
                if let Some(alert) =
                    alerts.iter().find(|one| one["name"] == name && one["subject"] == *subject)
                {
                    return Ok(Some(Alert {
                        severity: text(alert, "severity"),
                        evidence: text(alert, "evidence"),
                    }));
                }
                thread::sleep(LOOK_EVERY);
            }
            Ok(None)
        })
    }

    fn lock_out(&mut self, source: IpAddr) -> anyhow::Result<()> {
        self.ask(|client| {
            let properties =
                json!({ "source": source.to_string(), "duration": LOCKED_OUT, "reason": "guesses passwords" });
            put(client, "lockouts/intruder", &properties)
        })
    }

    fn isolate_scanners(&mut self, forensic: &[ForensicPath]) -> anyhow::Result<()> {
        let path = |path: &ForensicPath| json!({ "source": path.source.to_string(), "port": path.port });
        let forensic: Vec<Value> = forensic.iter().map(path).collect();
        self.ask(|client| {
            let rule = json!({ "alerts": ["PortScanning"], "direction": "Outbound", "step": "quarantine" });
            put(client, "answerPolicies/default", &json!({ "rules": [rule], "forensic": forensic }))
        })
    }

    fn release(&mut self) -> anyhow::Result<()> {
        self.ask(|client| {
            for quarantine in client.list(&network(client, "quarantines"))? {
                let deleted = client.delete(&text(&quarantine, "id"), Precondition::Always)?;
                settle(client, deleted.operation.as_ref())?;
            }
            Ok(())
        })
    }

    fn timeline(&mut self, machine: &str) -> anyhow::Result<Vec<Event>> {
        self.ask(|client| {
            let told = client.timeline(&[("machine", machine)])?;
            let event = |item: &Value| Event {
                time: text(item, "time"),
                what: text(item, "what"),
                summary: text(item, "summary"),
            };
            Ok(told["value"].as_array().into_iter().flatten().map(event).collect())
        })
    }
}

/// A resource or a list of answers, in the lab's group.
fn network(client: &Client, path: &str) -> String {
    format!("{}/providers/Palisade.Network/{path}", group(client))
}

fn put(client: &Client, path: &str, properties: &Value) -> anyhow::Result<()> {
    let body = json!({ "properties": properties });
    let written = client.put(&network(client, path), &body, Precondition::Always)?;
    settle(client, written.operation.as_ref())
}

/// Waits until what was written is in force.
fn settle(client: &Client, operation: Option<&Operation>) -> anyhow::Result<()> {
    if let Some(operation) = operation {
        client.wait(operation, Patience(control::PATIENCE), |_| ())?;
    }
    Ok(())
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
