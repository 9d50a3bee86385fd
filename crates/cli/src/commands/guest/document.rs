//! Findings about a machine as JSON.

use palisade_analysis::findings::Severity;
use palisade_guest::{Finding, Report};
use serde_json::{Value, json};

/// All that was found, as one document.
pub fn document(report: &Report) -> Value {
    json!({
        "about": report.about.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "unknown": report.unknown.iter().map(|unknown| json!({
            "what": unknown.what,
            "reason": unknown.reason,
        })).collect::<Vec<_>>(),
        "summary": summary(report),
    })
}

/// One finding.
pub fn finding(finding: &Finding) -> Value {
    json!({
        "id": finding.check.id,
        "severity": finding.severity.to_string(),
        "title": finding.check.title,
        "tags": finding.check.aliases,
        "subject": finding.subject,
        "message": finding.message,
        "evidence": { "path": finding.evidence.path, "value": finding.evidence.value },
        "wanted": finding.wanted,
        "remedy": finding.check.remedy,
    })
}

/// How much there is of everything.
pub fn summary(report: &Report) -> Value {
    let of =
        |severity: Severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    json!({
        "errors": of(Severity::Error),
        "warnings": of(Severity::Warning),
        "notes": of(Severity::Note),
        "unknown": report.unknown.len(),
    })
}
