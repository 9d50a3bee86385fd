//! `palisade audit`: the log of who did what, taken away and checked.
//!
//! Entries are chained by hashes; the check is done here and not by the server that wrote them.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use palisade_client::{Client, ClientError};
use palisade_control::audit::{Entry, Head, verify};
use serde_json::{Value, json};

use super::{RequestArgs, ServerArgs};
use crate::{exit::Exit, exit::Failure, output, output::Format, whole};

/// So many entries are asked for at a time.
const PAGE: u64 = 1_000;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Print the log, one entry a line, oldest first
    Export(ExportArgs),
    /// Check that no entry was changed, taken out, put in or moved; exit code 1 names the first that was
    Verify(VerifyArgs),
}

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Only entries after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// File to write to, instead of standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Options of `verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// File that `export` wrote, from the first entry on; without it, the server's log
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Hash of an entry that is known to be the last: only this tells that the end was cut off
    #[arg(long, value_name = "SEQ:HASH", value_parser = head)]
    head: Option<Head>,
    #[command(flatten)]
    request: RequestArgs,
}

fn head(text: &str) -> Result<Head, String> {
    let parsed = text
        .split_once(':')
        .and_then(|(seq, hash)| Some(Head { seq: seq.parse().ok()?, hash: hash.to_lowercase() }));
    parsed.ok_or_else(|| "write it as SEQ:HASH, as `palisade audit verify` prints it".to_owned())
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Export(arguments) => export(arguments),
        Action::Verify(arguments) => check(arguments),
    }
}

fn export(arguments: &ExportArgs) -> Result<Exit, Failure> {
    let client = arguments.server.client()?;
    let entries = |out: &mut dyn Write| -> Result<u64, Failure> {
        let mut count = 0;
        for entry in &mut Log::new(&client, arguments.after) {
            serde_json::to_writer(&mut *out, &entry?)?;
            out.write_all(b"\n")?;
            count += 1;
        }
        out.flush()?;
        Ok(count)
    };
    let count = match &arguments.output {
        Some(path) => whole::write(path, entries)?,
        None => entries(&mut BufWriter::new(io::stdout().lock()))?,
    };
    eprintln!("{count} entries");
    Ok(Exit::Clean)
}

fn check(arguments: &VerifyArgs) -> Result<Exit, Failure> {
    let read = |entry: Value| serde_json::from_value::<Entry>(entry).map_err(|error| error.to_string());
    let mut known = arguments.head.clone();
    let verified = match &arguments.file {
        Some(path) => {
            let lines = BufReader::new(File::open(path).map_err(|error| unreadable(path, &error))?).lines();
            verify(lines.map(|line| {
                let line = line.map_err(|error| error.to_string())?;
                serde_json::from_str::<Entry>(&line).map_err(|error| error.to_string())
            }))
        }
        None => {
            let client = arguments.request.client()?;
            let mut log = Log::new(&client, 0);
            let mut failed = None;
            let verified = verify((&mut log).map_while(|entry| match entry {
                Ok(entry) => Some(read(entry)),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }));
            if let Some(error) = failed {
                return Err(error.into());
            }
            known = known.or_else(|| log.head.take());
            verified
        }
    };
    let verified = verified.and_then(|verified| match &known {
        Some(head) => verified.ends_at(head),
        None => Ok(verified),
    });
    match (verified, arguments.request.form()) {
        (Ok(verified), Format::Table) => output::line(format_args!(
            "{} entries, none changed; the last is {}:{}",
            verified.entries, verified.head.seq, verified.head.hash
        ))?,
        (Ok(verified), Format::Json) => {
            output::json(&json!({ "entries": verified.entries, "head": verified.head, "break": null }))?;
        }
        (Err(broken), form) => {
            match form {
                Format::Table => output::line(&broken)?,
                Format::Json => {
                    output::json(&json!({ "break": { "seq": broken.seq, "why": broken.why.to_string() } }))?;
                }
            }
            return Ok(Exit::Found);
        }
    }
    Ok(Exit::Clean)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::input(format!("{}: {error}", path.display()))
}

/// The entries of a server, page after page.
struct Log<'a> {
    client: &'a Client,
    after: u64,
    page: std::vec::IntoIter<Value>,
    /// The end of the chain, as the server said with the first page: later entries may follow meanwhile.
    head: Option<Head>,
    done: bool,
}

impl<'a> Log<'a> {
    fn new(client: &'a Client, after: u64) -> Self {
        Self { client, after, page: Vec::new().into_iter(), head: None, done: false }
    }

    fn turn(&mut self) -> Result<(), ClientError> {
        let mut page = self.client.audit(self.after, PAGE)?;
        if self.head.is_none() {
            self.head = serde_json::from_value(page["head"].take()).ok();
        }
        let entries = match page["value"].take() {
            Value::Array(entries) => entries,
            _ => Vec::new(),
        };
        self.done = entries.is_empty();
        if let Some(seq) = entries.last().and_then(|entry| entry["seq"].as_u64()) {
            self.after = seq;
        }
        self.page = entries.into_iter();
        Ok(())
    }
}

impl Iterator for Log<'_> {
    type Item = Result<Value, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            if self.done {
                return None;
            }
            if let Err(error) = self.turn() {
                self.done = true;
                return Some(Err(error));
            }
        }
    }
}
