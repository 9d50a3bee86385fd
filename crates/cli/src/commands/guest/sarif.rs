//! Findings about a machine as SARIF 2.1.0: the image or folder is the artifact, and the place in the machine the logical location.

use std::{collections::BTreeMap, path::PathBuf};

use palisade_analysis::findings::Check;
use palisade_guest::{Finding, Report, checks};
use serde_json::{Value, json};
use uuid::Uuid;

use super::document;
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
    let notifications = report.unknown.iter().map(|unknown| {
        json!({ "level": "note", "message": { "text": format!("{}: {}", unknown.what, unknown.reason) } })
    });
    sarif::of(Run {
        rules: rules.iter().map(|check| sarif::rule(check, HELP, &TAGS)).collect(),
        is_successful: true,
        notifications: notifications.collect(),
        results: report.findings.iter().map(result).collect(),
    })
}

fn result(finding: &Finding, rule_index: usize, paths: &[PathBuf]) -> Value {
    let artifact = paths.first().map(|path| sarif::uri(&path.display().to_string()));
    json!({
        "ruleId": finding.check.id,
        "ruleIndex": rule_index,
        "level": sarif::level(finding.severity),
        "message": { "text": format!("{} ({}: {})", finding.message, finding.evidence.path, finding.evidence.value) },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": artifact } },
            "logicalLocations": [{ "fullyQualifiedName": finding.evidence.path, "kind": "resource" }],
        }],
        "partialFingerprints": { "palisade/v1": fingerprint(finding) },
        "properties": document::finding(finding),
    })
}

/// What stays the same when lines move: the check, what it is about, and the place without its line.
fn fingerprint(finding: &Finding) -> String {
    let path = &finding.evidence.path;
    let is_line = |line: &str| line.bytes().all(|byte| byte.is_ascii_digit());
    let path =
        path.rsplit_once(':').filter(|(_, line)| is_line(line)).map_or(path.as_str(), |(path, _)| path);
    let subject = finding.subject.as_deref().unwrap_or_default();
    let parts = [finding.check.id, subject, path].join("\n");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, parts.to_lowercase().as_bytes()).to_string()
}
