//! `palisade guest audit`: findings about a machine, from a folder of its files, its hives, or its disk.

use std::{fs, path::PathBuf};

use palisade_agent::clock::window_s;
use palisade_analysis::findings::Severity;
use palisade_guest::{Acceptance, Finding, Profile, audit, checks};

use super::{document, sarif, source, text};
use crate::{
    commands::check::Selection,
    exit::{Exit, Failure},
    nearest, output,
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A folder is the root of the machine's files, or holds hives; a file is a hive or a disk: raw, or qcow2 \
                  with all that it stands on, by its ending or as qcow2:PATH. Transaction logs beside a hive (SAM.LOG1) are read with it. Nothing is written, and no hash of a password is read out or printed. \
                  A profile may accept findings: {\"accepted\": [{\"id\", \"path\", \"subject\", \"reason\", \"until\", \"by\"}]}, of which \"id\" and \"reason\" are \
                  required; they are told as accepted until the end, and an acceptance that fits nothing is told as a note.\n\nExit code 1 \
                  means findings of the severity of --min-severity or worse that are not accepted, 2 that nothing could be audited.\n\nExamples:\n  palisade \
                  guest audit web1.qcow2\n  palisade guest audit SAM SYSTEM SOFTWARE --format json\n  palisade guest audit /mnt \
                  --profile own.json --min-severity warning"
)]
pub struct Arguments {
    /// A disk, a folder, or the hives of one machine
    #[arg(value_name = "IMAGE|HIVE|FOLDER", required = true)]
    paths: Vec<PathBuf>,
    /// The least severity that is told, and makes the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Least::Note)]
    min_severity: Least,
    /// File of numbers that are wanted, and of findings that are accepted, in JSON: {"lockoutThresholdMax": 10, ...}
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Only these findings: ids, beginnings of ids such as PAL-GUEST-SSH, or rules such as "CIS 1.2.1"
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// All but these findings
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    skip: Vec<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Text for people.
    Table,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for tools that show findings.
    Sarif,
}

/// The least severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Least {
    Note,
    Warning,
    Error,
}

impl From<Least> for Severity {
    fn from(least: Least) -> Self {
        match least {
            Least::Note => Self::Note,
            Least::Warning => Self::Warning,
            Least::Error => Self::Error,
        }
    }
}

/// Audits a machine.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let page = "docs/guest-audit.md";
    let selection = Selection::of(checks::all, page, &arguments.only, &arguments.skip)?;
    let profile = arguments.profile.as_deref().map_or_else(|| Ok(Profile::default()), profile)?;
    let files = source::open(&arguments.paths)?;
    let mut report = audit(files.as_ref(), &profile);
    if !report.is_read {
        let unknown = report.unknown.iter().map(|unknown| format!("{}: {}", unknown.what, unknown.reason));
        return Err(Failure::inputs(unknown));
    }
    report.accept(&profile.accepted, window_s());
    let least = Severity::from(arguments.min_severity);
    report.findings.retain(|finding: &Finding| finding.severity >= least && selection.wants(finding.check));
    match arguments.format {
        Form::Json => output::json(&document::document(&report))?,
        Form::Sarif => output::json(&sarif::log(&report, &arguments.paths))?,
        Form::Table => text::print(&report)?,
    }
    Ok(if report.findings.iter().any(Finding::is_open) { Exit::Found } else { Exit::Clean })
}

fn profile(path: &std::path::Path) -> Result<Profile, Failure> {
    let bad = |error: String| Failure::input(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let profile: Profile = serde_json::from_str(&text)
        .map_err(|error| bad(format!("not a profile (docs/guest-audit.md): {error}")))?;
    let unknown: Vec<String> = profile
        .accepted
        .iter()
        .filter(|one| !one.names_any())
        .map(Acceptance::id)
        .map(|id| {
            let hint = nearest::hint(id, checks::all().map(|check| check.id));
            format!(
                "{}: there is no finding \"{id}\" to accept{hint} (docs/guest-audit.md lists them)",
                path.display()
            )
        })
        .collect();
    if unknown.is_empty() { Ok(profile) } else { Err(Failure::inputs(unknown)) }
}
