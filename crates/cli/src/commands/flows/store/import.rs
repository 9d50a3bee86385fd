//! `palisade flows import`: flow logs of Azure's and lines of our hosts into a store.

use std::path::PathBuf;

use palisade_flowstore::exchange::{self, ImportError, Imported};
use serde_json::json;

use super::{failure, open};
use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Problems that are printed before the rest is only counted.
const PROBLEMS_SHOWN: usize = 5;

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "All is imported or nothing, but for what cannot be read: that is told with its place, and the exit code is 1. What is \
                  imported twice is there twice. Of an import that is interrupted nothing is in view; files that it leaves in \
                  the store's folder `importing` are removed by `palisade flows compact` a day later."
)]
pub struct Arguments {
    /// Flow logs of Azure's (NSG, versions 1 and 2; virtual network) or lines of `palisade flows tail --format json`; files, or folders of them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The store: a folder, s3://BUCKET/PATH or az://CONTAINER/PATH
    #[arg(long, value_name = "STORE")]
    to: String,
    #[command(flatten)]
    format: FormatArgs,
}

/// Imports and says what was.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let store = open(&arguments.to)?;
    let imported = exchange::import(&store, &arguments.files).map_err(failed)?;
    for problem in imported.problems.iter().take(PROBLEMS_SHOWN) {
        eprintln!("warning: {problem}");
    }
    let shown = imported.problems.len().min(PROBLEMS_SHOWN) as u64;
    if imported.counts.problems > shown {
        eprintln!("warning: and {} more", imported.counts.problems - shown);
    }
    match arguments.format.format {
        Format::Json => output::json(&document(&imported))?,
        Format::Table => output::line(sentence(&imported, &arguments.to))?,
    }
    Ok(if imported.counts.problems > 0 { Exit::Found } else { Exit::Clean })
}

fn failed(error: ImportError) -> Failure {
    match error {
        ImportError::Store(error) => failure(error),
        input => Failure::input(format!("{:#}", anyhow::Error::new(input))),
    }
}

fn sentence(imported: &Imported, store: &str) -> String {
    let (counts, written) = (&imported.counts, &imported.written);
    let mut sentence = format!(
        "{} records of {} files are in {store}: {} files, {} bytes",
        written.records, counts.files, written.files, written.bytes
    );
    if counts.malformed > 0 {
        sentence += &format!("; {} tuples or lines could not be read", counts.malformed);
    }
    if counts.lost > 0 {
        sentence += &format!("; the files say that {} lines are missing", counts.lost);
    }
    sentence
}

fn document(imported: &Imported) -> serde_json::Value {
    let (counts, written) = (&imported.counts, &imported.written);
    json!({
        "read": { "files": counts.files, "bytes": counts.bytes, "records": counts.flows, "malformed": counts.malformed, "lost": counts.lost },
        "written": { "files": written.files, "bytes": written.bytes, "records": written.records },
        "problems": imported.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
