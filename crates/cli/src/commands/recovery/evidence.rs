//! `palisade evidence`: what machines were when they were taken.

use std::path::PathBuf;

use super::{StoreArgs, meter::Meter, now, table, whoever};
use crate::{
    args::FormatArgs,
    exit::{Exit, Failure},
    output::{self, Format},
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Everything that was taken, if the custody log is whole
    List(ListArgs),
    /// Copy evidence with its custody into a new folder, once it has been compared with what was taken
    Export(ExportArgs),
    /// Which bytes of its disks differ from the clean state; exit code 1 if some do
    Diff(DiffArgs),
}

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Name of the evidence
    #[arg(value_name = "EVIDENCE")]
    id: String,
    /// Folder to make
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Who takes it; without it, who runs this
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Options of `diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// Name of the evidence
    #[arg(value_name = "EVIDENCE")]
    id: String,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::List(arguments) => list(arguments),
        Action::Export(arguments) => {
            let by = arguments.by.clone().unwrap_or_else(whoever);
            let store = arguments.store.open()?;
            let written = store.export_evidence(&arguments.id, &arguments.to, &by, now())?;
            written.iter().try_for_each(|path| output::line(path.display()))?;
            eprintln!("custody head: {}", store.custody_head()?);
            Ok(Exit::Clean)
        }
        Action::Diff(arguments) => diff(arguments),
    }
}

fn list(arguments: &ListArgs) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let all = store.evidence()?;
    let custody = store.custody()?;
    match arguments.format.format {
        Format::Json => output::json(
            &serde_json::json!({"evidence": all, "custody": custody, "head": store.custody_head()?}),
        )?,
        Format::Table => {
            output::table(table::EVIDENCE, &all.iter().map(table::evidence).collect::<Vec<_>>())?;
        }
    }
    Ok(Exit::Clean)
}

fn diff(arguments: &DiffArgs) -> Result<Exit, Failure> {
    let store = arguments.store.open()?;
    let meter = Meter::new();
    let differences =
        store.evidence_ranges(&arguments.id, &arguments.store.check()?, &|bytes| meter.add(bytes))?;
    meter.end();
    match arguments.format.format {
        Format::Json => output::json(&differences)?,
        Format::Table => {
            for disk in &differences {
                for range in &disk.ranges {
                    output::line(format_args!(
                        "{}: bytes {}-{}",
                        disk.disk.display(),
                        range.start,
                        range.end - 1
                    ))?;
                }
            }
        }
    }
    let differs = differences.iter().any(|disk| !disk.ranges.is_empty());
    Ok(if differs { Exit::Found } else { Exit::Clean })
}
