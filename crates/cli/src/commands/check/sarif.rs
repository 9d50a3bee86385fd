//! Findings as SARIF 2.1.0 (OASIS Standard), for tools that show them beside the files.
//!
//! A result has the check as its rule, the place of its cause, a fingerprint that does not depend on lines, and, if somebody
//! accepted it, the suppression. Files are named as the user named them; what is left out is a notification of the run.

use std::collections::BTreeMap;

use palisade_analysis::findings::{Check, Severity, Subject};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ask::{Answer, Told},
    document, select,
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What NSGs are, by who made them.
const HELP: &str = "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview";

const TAGS: [&str; 2] = ["security", "network"];

/// What a run of a tool says.
pub struct Run {
    /// Everything that it looks for, as [`rule`] says it.
    pub rules: Vec<Value>,
    /// Whether all of the input was read.
    pub is_successful: bool,
    /// What was left out, and what could not be told.
    pub notifications: Vec<Value>,
    /// What was found.
    pub results: Vec<Value>,
}

/// One run as a log.
pub fn of(run: Run) -> Value {
    let Run { rules, is_successful, notifications, results } = run;
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "palisade",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": is_successful,
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

/// Findings of an estate as a log.
pub fn log(answer: &Answer) -> Value {
    let rules: Vec<&Check> = select::all().collect();
    let numbers: BTreeMap<&str, usize> =
        rules.iter().enumerate().map(|(number, check)| (check.id, number)).collect();
    of(Run {
        rules: rules.iter().map(|check| rule(check, HELP, &TAGS)).collect(),
        is_successful: answer.left_out.is_empty(),
        notifications: notifications(answer),
        results: answer.told.iter().map(|told| result(told, numbers[told.finding.check.id])).collect(),
    })
}

/// The level of a severity.
pub const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A check, with a page about its subject and what it belongs to.
pub fn rule(check: &Check, help: &str, tags: &[&str]) -> Value {
    json!({
        "id": check.id,
        "shortDescription": { "text": check.title },
        "fullDescription": { "text": format!("{}.", check.title) },
        "help": { "text": check.remedy },
        "helpUri": help,
        "defaultConfiguration": { "level": level(check.severity) },
        "properties": { "tags": tags, "aliases": check.aliases },
    })
}

fn result(told: &Told, rule_index: usize) -> Value {
    let finding = &told.finding;
    let suppressions = told.accepted.iter().map(|accepted| {
        json!({
            "kind": "external",
            "status": "accepted",
            "justification": accepted.reason,
            "properties": { "until": accepted.until },
        })
    });
    json!({
        "ruleId": finding.check.id,
        "ruleIndex": rule_index,
        "level": level(finding.severity),
        "message": { "text": message(told) },
        "locations": location(told).into_iter().collect::<Vec<_>>(),
        "partialFingerprints": { "palisade/v1": fingerprint(told) },
        "suppressions": suppressions.collect::<Vec<_>>(),
        "properties": document::finding(told),
    })
}

/// The claim, and the packets that it is about.
fn message(told: &Told) -> String {
    let region = document::region(told);
    if region.is_empty() {
        told.finding.message.clone()
    } else {
        format!("{} ({region})", told.finding.message)
    }
}

fn location(told: &Told) -> Option<Value> {
    let place = told.place.as_ref().filter(|place| !place.file.is_empty())?;
    let mut physical = json!({ "artifactLocation": { "uri": uri(&place.file) } });
    if place.line > 0 {
        physical["region"] = json!({ "startLine": place.line });
    }
    let subject = &told.finding.subject;
    let name = subject.anchor().map(|id| {
        let rule = subject.rule.as_ref().map(|rule| format!("/{rule}")).unwrap_or_default();
        format!("{id}{rule}")
    });
    let logical: Vec<Value> =
        name.map(|name| json!({ "fullyQualifiedName": name, "kind": "resource" })).into_iter().collect();
    Some(json!({ "physicalLocation": physical, "logicalLocations": logical }))
}

/// A path as a reference: bytes that a URI cannot hold are escaped.
pub fn uri(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
    let bytes = path.bytes().map(|byte| match byte {
        plain if is_plain(plain) => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    });
    let escaped: String = bytes.collect();
    if path.starts_with('/') { format!("file://{escaped}") } else { escaped }
}

/// What stays the same when lines move: the check, and what it is about.
fn fingerprint(told: &Told) -> String {
    let subject = &told.finding.subject;
    // A finding about a suppression is about no resource; what it says names the suppression.
    let message = (*subject == Subject::default()).then(|| told.finding.message.clone());
    let ids = subject
        .nsg
        .iter()
        .chain(&subject.endpoint)
        .chain(&subject.subnet)
        .chain(&subject.nics)
        .map(ToString::to_string);
    let parts: Vec<String> = [told.finding.check.id.to_owned()]
        .into_iter()
        .chain(told.estate.clone())
        .chain(ids)
        .chain(subject.rule.clone())
        .chain(subject.direction.map(|direction| direction.to_string()))
        .chain(told.finding.covered_by.iter().cloned())
        .chain(message)
        .collect();
    Uuid::new_v5(&Uuid::NAMESPACE_URL, parts.join("\n").to_lowercase().as_bytes()).to_string()
}

/// What was left out, and what could not be told.
fn notifications(answer: &Answer) -> Vec<Value> {
    let left_out = answer.left_out.iter().map(|left| {
        let problem = &left.what.problem;
        json!({
            "level": "error",
            "descriptor": { "id": problem.code },
            "message": { "text": format!("{} is left out: {problem}", left.what.what) },
        })
    });
    let open = answer.open.iter().map(|open| {
        json!({ "level": "note", "message": { "text": format!("{}: {}", open.what.place, open.what.message) } })
    });
    left_out.chain(open).collect()
}
