//! Findings about a machine as text for people: what it is, a paragraph each, and the numbers.

use std::io;

use palisade_guest::{Accepted, Finding, Report};

use super::document;
use crate::output;

/// Prints everything that was found.
pub fn print(report: &Report) -> io::Result<()> {
    for (name, value) in &report.about {
        output::line(format_args!("{name:<14} {value}"))?;
    }
    for finding in &report.findings {
        paragraph(finding).into_iter().try_for_each(output::line)?;
    }
    for unknown in &report.unknown {
        output::line(format_args!("unknown  {}: {}", unknown.what, unknown.reason))?;
    }
    for unused in &report.unused {
        output::line(format_args!("note     {}", document::unused_message(unused)))?;
    }
    let summary = document::summary(report);
    let parts = ["errors", "warnings", "notes", "accepted", "unknown"]
        .map(|part| format!("{part} {}", summary[part]));
    output::line(parts.join(", "))
}

fn paragraph(finding: &Finding) -> Vec<String> {
    let tags = finding.check.aliases.join(", ");
    let mark = if finding.is_open() { "" } else { " (accepted)" };
    let head = format!("{:<8} {}{mark}  {tags}", finding.severity.to_string(), finding.check.id);
    let mut lines = vec![
        head.trim_end().to_owned(),
        format!("  {}", finding.message),
        format!("  evidence {}: {}", finding.evidence.path, finding.evidence.value),
        format!("  wanted   {}", finding.wanted),
    ];
    lines.extend(finding.accepted.as_ref().map(|accepted| format!("  {}", acceptance(accepted))));
    if finding.is_open() {
        lines.push(format!("  remedy   {}", finding.check.remedy));
    }
    lines
}

/// `accepted until 2027-01-31 by ops: why`, or that it was until then.
pub fn acceptance(accepted: &Accepted) -> String {
    let Accepted { reason, until, by, holds } = accepted;
    let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    match until {
        Some(until) if *holds => format!("accepted until {until}{by}: {reason}"),
        Some(until) => format!("was accepted until {until}{by}, which has passed: {reason}"),
        None => format!("accepted{by}: {reason}"),
    }
}
