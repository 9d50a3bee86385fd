//! Proofs as text for people: a line each, and a paragraph for each violation and doubt.

use std::io;

use palisade_analysis::intent::{Doubt, Proof, Violation};
use palisade_model::ResourceId;

use super::{Told, outcome, said};
use crate::{
    commands::{diff::text, said},
    output,
};

/// Interfaces of one class that are printed before the rest is only counted.
const MEMBERS_SHOWN: usize = 6;

/// Prints all proofs.
pub fn print(told: &Told<'_>) -> io::Result<()> {
    for proof in told.proofs {
        output::line(heading(proof))?;
        for violation in proof.violations() {
            paragraph(told, violation).into_iter().try_for_each(output::line)?;
        }
        for Doubt { why, possible } in &proof.doubts {
            output::line(format!("  unknown  {why}"))?;
            let possible = possible.iter().flat_map(|possible| paragraph(told, possible));
            possible.into_iter().try_for_each(output::line)?;
        }
    }
    Ok(())
}

fn heading(proof: &Proof) -> String {
    let outcome = outcome(proof);
    let asked = match proof.asked {
        0 => ", but the estate has nobody that it is about".to_owned(),
        _ => String::new(),
    };
    let bad = if outcome == "holds" {
        String::new()
    } else {
        format!(" ({}, {})", proof.severity.name(), proof.effect.name())
    };
    format!("{outcome:<12}  {}{bad}{asked}", proof.intent)
}

fn paragraph(told: &Told<'_>, violation: &Violation) -> Vec<String> {
    let ends = violation.ends.iter().map(|end| {
        let members: Vec<&str> = end.members.iter().map(ResourceId::name).collect();
        let said = said(end);
        let places = text::few(&members, MEMBERS_SHOWN);
        format!("  at       {places}  {}: {} by {}", end.direction, said.access, said.by())
    });
    let mut lines: Vec<String> = ends.collect();
    let words = told.names(violation).words(&violation.region);
    lines.extend(words.iter().map(|words| format!("  traffic  {}", text::block(words))));
    if !violation.region.rest.is_zero() {
        lines.push(format!("  traffic  and {} first packets more", violation.region.rest));
    }
    lines.push(format!("  example  {}", said::flow(&violation.example)));
    lines.push(format!("  volume   {}", text::volume(&violation.volume)));
    lines
}
