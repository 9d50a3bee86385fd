//! `palisade doctor`: what this host offers, what is missing, and how to get it; and where it can enforce nothing.

use std::io::{self, Write};

use palisade_agent::{Survey, survey};
use palisade_datapath::probe::{Check, probe};
use serde_json::json;

use super::agent::InstanceArgs;
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 1 means that this host cannot enforce as it is. NICs at devices that pass its network \
                        stack by are listed here; `palisade status` exits with 1 for them."
)]
pub struct Arguments {
    #[command(flatten)]
    instance: InstanceArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Looks and tells.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let checks = probe();
    let survey = survey(&arguments.instance.places()?).map_err(Failure::caused_by)?;
    let can_enforce = checks.iter().all(|check| check.is_met() || !check.required);
    match arguments.format.format {
        Format::Json => output::json(&document(&checks, &survey, can_enforce))?,
        Format::Table => table(&checks, &survey, can_enforce)?,
    }
    Ok(if can_enforce { Exit::Clean } else { Exit::Found })
}

fn document(checks: &[Check], survey: &Survey, can_enforce: bool) -> serde_json::Value {
    let checks: Vec<_> = checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "purpose": check.purpose,
                "found": check.found,
                "met": check.is_met(),
                "required": check.required,
                "remedy": check.remedy,
            })
        })
        .collect();
    let bypasses: Vec<_> = survey
        .bypasses
        .iter()
        .map(|device| {
            json!({
                "device": device.to_string(),
                "names": device.names,
                "mac": device.mac.map(|mac| mac.to_string()),
                "why": device.why(),
            })
        })
        .collect();
    json!({
        "canEnforce": can_enforce,
        "checks": checks,
        "bypasses": bypasses,
        "notEnforced": survey.not_enforced,
    })
}

fn table(checks: &[Check], survey: &Survey, can_enforce: bool) -> io::Result<()> {
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let verdict = match (check.is_met(), check.required) {
                (true, _) => "ok",
                (false, true) => "MISSING",
                (false, false) => "missing",
            };
            [verdict.to_owned(), check.name.to_owned(), check.found.clone(), check.purpose.to_owned()]
        })
        .collect();
    output::table(["", "NEEDS", "FOUND", "TO"], &rows)?;
    let mut out = io::stdout().lock();
    for check in checks {
        if let Some(remedy) = &check.remedy {
            writeln!(out, "{}: {remedy}", check.name)?;
        }
    }
    for device in &survey.bypasses {
        writeln!(out, "{device}: nothing can be enforced there, {}", device.why())?;
    }
    writeln!(
        out,
        "{}",
        if can_enforce { "\nThis host can enforce." } else { "\nThis host cannot enforce." }
    )?;
    for nic in &survey.not_enforced {
        writeln!(out, "NOT ENFORCED: {} at {}: {}", nic.nic.resource().name(), nic.at, nic.why)?;
    }
    Ok(())
}
