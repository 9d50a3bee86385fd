//! Findings about a machine as text for people: what it is, a paragraph each, and the numbers.

use std::io;

use palisade_guest::{Finding, Report};

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
    let summary = document::summary(report);
    let parts = ["errors", "warnings", "notes", "unknown"].map(|part| format!("{part} {}", summary[part]));
    output::line(parts.join(", "))
}

fn paragraph(finding: &Finding) -> [String; 5] {
    let tags = finding.check.aliases.join(", ");
    let head = format!("{:<8} {}  {tags}", finding.severity.to_string(), finding.check.id);
    [
        head.trim_end().to_owned(),
        format!("  {}", finding.message),
        format!("  evidence {}: {}", finding.evidence.path, finding.evidence.value),
        format!("  wanted   {}", finding.wanted),
        format!("  remedy   {}", finding.check.remedy),
    ]
}
