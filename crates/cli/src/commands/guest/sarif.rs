//! Findings about a machine as SARIF 2.1.0: the image or folder is the artifact, and the place in the machine the logical location.

use std::{collections::BTreeMap, path::PathBuf};

use palisade_analysis::findings::Check;
use palisade_guest::{Accepted, Evidence, Finding, Report, checks};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{document, text};
use crate::commands::check::sarif::{self, Run};

/// What hardening of machines is, by who describes it.
const HELP: &str = "https://learn.microsoft.com/windows-server/identity/laps/laps-overview";
const TAGS: [&str; 2] = ["security", "configuration"];

/// One run as a log.
pub fn log(report: &Report, paths: &[PathBuf]) -> Value {
    let rules: Vec<&Check> = checks::all().collect();
    let numbers: BTreeMap<&str, usize> =
        rules.iter().enumerate().map(|(number, check)| (check.id, number)).collect();
    let result = |finding: &Finding| result(finding, numbers[finding.check.id], paths);
    let unknown = report.unknown.iter().map(|unknown| format!("{}: {}", unknown.what, unknown.reason));
    let said = unknown.chain(report.unused.iter().map(document::unused_message));
    let notifications = said.map(|text| json!({ "level": "note", "message": { "text": text } }));
    sarif::of(Run {
        rules: rules.iter().map(|check| sarif::rule(check, HELP, &TAGS)).collect(),
        is_successful: true,
        notifications: notifications.collect(),
        results: report.findings.iter().map(result).collect(),
    })
}

fn result(finding: &Finding, rule_index: usize, paths: &[PathBuf]) -> Value {
    let artifact = paths.first().map(|path| sarif::uri(&path.display().to_string()));
    // One that has ended is no suppression: tools hide what has any. The message says that there was one.
    let ended = finding.accepted.as_ref().filter(|accepted| !accepted.holds);
    let ended = ended.map(|accepted| format!("; {}", text::acceptance(accepted))).unwrap_or_default();
    let Evidence { path, value } = &finding.evidence;
    json!({
        "ruleId": finding.check.id,
        "ruleIndex": rule_index,
        "level": sarif::level(finding.severity),
        "message": { "text": format!("{} ({path}: {value}){ended}", finding.message) },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": artifact } },
            "logicalLocations": [{ "fullyQualifiedName": path, "kind": "resource" }],
        }],
        "partialFingerprints": { "palisade/v1": fingerprint(finding) },
        "suppressions": suppressions(finding),
        "properties": document::finding(finding),
    })
}

/// That somebody accepts it now.
fn suppressions(finding: &Finding) -> Vec<Value> {
    let accepted = finding.accepted.iter().filter(|accepted| accepted.holds);
    let suppression = |accepted: &Accepted| {
        json!({
            "kind": "external",
            "status": "accepted",
            "justification": accepted.reason,
            "properties": { "until": accepted.until, "by": accepted.by },
        })
    };
    accepted.map(suppression).collect()
}

/// What stays the same when lines move: the check, what it is about, and the place without its line.
fn fingerprint(finding: &Finding) -> String {
    let subject = finding.subject.as_deref().unwrap_or_default();
    let parts = [finding.check.id, subject, finding.evidence.file()].join("\n");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, parts.to_lowercase().as_bytes()).to_string()
}
