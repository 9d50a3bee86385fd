//! `palisade evidence`: what machines were when they were taken.

use std::path::PathBuf;

use super::{StoreArgs, difference, meter::Meter, now, table, whoever};
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
    /// What differs from the clean state: accounts, services and the like, files, bytes; exit code 1 if something does
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
#[command(
    after_help = "Files of ext2 to ext4, NTFS and FAT are compared by what they hold: both sides of every file are hashed on partitions that differ \
                  at all. What cannot be compared is named.\n\nExit code 1 means that something differs.\n\nExamples:\n  palisade evidence diff \
                  web-01-revert-1700000100\n  palisade evidence diff web-01-revert-1700000100 --format json"
)]
pub struct DiffArgs {
    /// Name of the evidence
    #[arg(value_name = "EVIDENCE")]
    id: String,
    /// Take files of equal size, permissions, owner and time for alike, which who changes them can arrange
    #[arg(long)]
    quick: bool,
    /// Tell all bytes that differ, not only those outside of what was compared by files
    #[arg(long)]
    blocks: bool,
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
    let pairs = store.evidence_disks(&arguments.id, &arguments.store.check()?)?;
    let difference = difference::of(pairs, arguments.quick, &meter)?;
    meter.end();
    match arguments.format.format {
        Format::Json => output::json(&difference.document())?,
        Format::Table => difference.print(arguments.blocks)?,
    }
    Ok(if difference.is_any() { Exit::Found } else { Exit::Clean })
}
