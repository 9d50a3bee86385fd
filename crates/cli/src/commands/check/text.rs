//! Findings as text for people: a paragraph each, and the numbers.

use std::io;

use palisade_analysis::findings::Severity;

use super::{
    ask::{Answer, Told},
    document,
};
use crate::{
    commands::{diff::text::block, said},
    output,
};

/// Blocks of a region that are printed before the rest is only counted.
const BLOCKS_SHOWN: usize = 4;
/// Interfaces of a finding that are printed before the rest is only counted.
const NICS_SHOWN: usize = 6;

/// Prints everything that was found.
pub fn print(answer: &Answer) -> io::Result<()> {
    for told in &answer.told {
        paragraph(told).into_iter().try_for_each(output::line)?;
    }
    for open in &answer.open {
        let message = format!("unknown  {}: {}", open.what.place.name(), open.what.message);
        output::line(in_estate(&open.estate, message))?;
    }
    for unknown in &answer.unknowns {
        let message = format!("unknown  {}: {}", unknown.what.what, unknown.what.reason);
        output::line(in_estate(&unknown.estate, message))?;
    }
    for left in &answer.left_out {
        let message = format!("left out {}: {}", left.what.what, left.what.problem);
        output::line(in_estate(&left.estate, message))?;
    }
    let summary = document::summary(answer);
    let parts = ["errors", "warnings", "notes", "suppressed", "unknown"]
        .map(|part| format!("{part} {}", summary[part]));
    output::line(format!("{}, left out {}", parts.join(", "), summary["leftOut"]))
}

fn in_estate(estate: &Option<String>, text: String) -> String {
    match estate {
        Some(estate) => format!("{estate}: {text}"),
        None => text,
    }
}

fn paragraph(told: &Told) -> Vec<String> {
    let finding = &told.finding;
    let accepted = if told.is_open() { "" } else { " (suppressed)" };
    let place = told.place.as_ref().map(|place| format!("  {place}")).unwrap_or_default();
    let mut lines = vec![in_estate(
        &told.estate,
        format!("{:<8} {}{accepted}{place}", finding.severity.to_string(), finding.check.id),
    )];
    lines.push(format!("  {}", finding.message));
    let nics: Vec<&str> = finding.subject.nics.iter().map(palisade_model::ResourceId::name).collect();
    if !nics.is_empty() {
        let more = nics.len().saturating_sub(NICS_SHOWN);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("  at       {}{rest}", nics[..nics.len() - more].join(", ")));
    }
    let blocks = finding.region.iter().take(BLOCKS_SHOWN);
    lines.extend(blocks.map(|words| format!("  traffic  {}", block(words))));
    if finding.region.len() > BLOCKS_SHOWN {
        lines.push(format!("  traffic  and {} parts more", finding.region.len() - BLOCKS_SHOWN));
    }
    lines.extend(finding.witness.iter().map(|flow| format!("  example  {}", said::flow(flow))));
    if let Some(accepted) = &told.accepted {
        lines.push(format!("  accepted until {}: {}", accepted.until, accepted.reason));
    } else if finding.severity > Severity::Note {
        lines.push(format!("  remedy   {}", finding.check.remedy));
    }
    lines
}
