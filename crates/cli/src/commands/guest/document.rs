//! Findings about a machine as JSON.

use palisade_analysis::findings::Severity;
use palisade_guest::{Acceptance, Accepted, Finding, Report};
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
        "unusedAcceptances": report.unused.iter().map(|unused| json!({
            "id": unused.id(),
            "message": unused_message(unused),
        })).collect::<Vec<_>>(),
        "summary": summary(report),
    })
}

/// That an acceptance is about nothing, in words.
pub fn unused_message(unused: &Acceptance) -> String {
    format!("{unused} fits no finding (remove it, or correct what it names)")
}

/// One finding.
pub fn finding(finding: &Finding) -> Value {
    let (holding, ended) = match &finding.accepted {
        Some(accepted) if accepted.holds => (Some(accepted), None),
        accepted => (None, accepted.as_ref()),
    };
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
        "accepted": holding.map(acceptance),
        "acceptanceEnded": ended.map(acceptance),
    })
}

fn acceptance(accepted: &Accepted) -> Value {
    json!({ "reason": accepted.reason, "until": accepted.until, "by": accepted.by })
}

/// How much there is of everything; what is accepted is counted apart.
pub fn summary(report: &Report) -> Value {
    let open = || report.findings.iter().filter(|finding| finding.is_open());
    let of = |severity: Severity| open().filter(|finding| finding.severity == severity).count();
    json!({
        "errors": of(Severity::Error),
        "warnings": of(Severity::Warning),
        "notes": of(Severity::Note),
        "accepted": report.findings.len() - open().count(),
        "unknown": report.unknown.len(),
    })
}
