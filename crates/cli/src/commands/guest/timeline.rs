//! `palisade guest timeline`: what a Windows machine's event logs tell, in the order of time.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use palisade_control::alerts::moment;
use palisade_flowlog::{Chronicle, Happening, chronicle, event_log_files, limits};
use palisade_guest::windows;
use serde_json::json;

use super::{disk, source};
use crate::{
    args::FormatArgs,
    exit::{Exit, Failure},
    output::{self, Format},
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "In a machine the logs are in Windows/System32/winevt/Logs; of a disk (raw or qcow2) all that are there are read. With \
                  --format json, an object a line.\n\nExit code 0; 2 \
                  if a file cannot be read or is no event log.\n\nExamples:\n  palisade guest timeline Security.evtx\n  palisade guest \
                  timeline /mnt/Windows/System32/winevt/Logs --format json"
)]
pub struct Arguments {
    /// Event logs (.evtx), folders of them, or disks
    #[arg(value_name = "LOG|IMAGE", required = true)]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Tells what happened.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let happenings = happenings(&arguments.logs)?;
    match arguments.format.format {
        Format::Json => happenings.iter().try_for_each(|happening| output::line(line(happening)))?,
        Format::Table => {
            let rows: Vec<[String; 7]> = happenings.iter().map(row).collect();
            output::table(["TIME", "MACHINE", "WHAT", "ACCOUNT", "BY", "FROM", "MORE"], &rows)?;
        }
    }
    Ok(Exit::Clean)
}

/// What logs, those of folders, and those on disks tell, in the order of time. What cannot be read of them is said.
pub fn happenings(logs: &[PathBuf]) -> Result<Vec<Happening>, Failure> {
    let mut happenings = Vec::new();
    for path in logs {
        for Chronicle { happenings: told, problems, .. } in chronicles(path)? {
            happenings.extend(told);
            problems.iter().for_each(|problem| eprintln!("warning: {problem}"));
        }
    }
    happenings.sort();
    Ok(happenings)
}

/// What a log, the logs of a folder, or those on a disk tell.
fn chronicles(path: &Path) -> Result<Vec<Chronicle>, Failure> {
    if disk::is_said(path) {
        return of_disk(path);
    }
    event_log_files(&[path.to_owned()]).map_err(Failure::input)?.iter().map(|path| read(path)).collect()
}

fn of_disk(path: &Path) -> Result<Vec<Chronicle>, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::input(format!("{}: {error}", path.display()));
    let files = source::of_disk(path)?;
    let logs = windows::event_logs(files.as_ref()).map_err(|error| bad(&error))?;
    if logs.is_empty() {
        return Err(bad(&"it has no event logs of Windows"));
    }
    let most = usize::try_from(limits::CONNECTION_FILE_MAX).unwrap_or(usize::MAX);
    let of = |log: &String| {
        let bytes = files.read(log, most).map_err(|error| bad(&error))?.unwrap_or_default();
        chronicle(&bytes, Path::new(log)).ok_or_else(|| bad(&format!("{log} is no event log of Windows")))
    };
    logs.iter().map(of).collect()
}

fn read(path: &Path) -> Result<Chronicle, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::input(format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    let most = limits::CONNECTION_FILE_MAX;
    let file = File::open(path).map_err(|error| bad(&error))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| bad(&error))?;
    if bytes.len() as u64 > most {
        return Err(bad(&format!("it has more than {most} bytes")));
    }
    chronicle(&bytes, path).ok_or_else(|| bad(&"it is no event log of Windows"))
}

/// A happening as JSON.
pub fn line(happening: &Happening) -> serde_json::Value {
    json!({
        "time": moment(happening.time_ms),
        "machine": happening.machine,
        "event": happening.event,
        "what": happening.what,
        "account": happening.account,
        "by": happening.by,
        "source": happening.source.map(|source| source.to_string()),
        "more": happening.more,
    })
}

/// Cells without characters that terminals obey.
fn row(happening: &Happening) -> [String; 7] {
    let text = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or("-");
        text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
    };
    [
        moment(happening.time_ms),
        text(&Some(happening.machine.clone())),
        happening.what.to_owned(),
        text(&happening.account),
        text(&happening.by),
        happening.source.map_or_else(|| "-".to_owned(), |source| source.to_string()),
        text(&happening.more),
    ]
}
