//! `palisade prove`: do intents hold of an estate, and if not, what violates them.

mod document;
mod library;
mod text;

use std::path::{Path, PathBuf};

use palisade_agent::clock::window_s;
use palisade_analysis::{
    Limits, Names,
    intent::{self, Intents, Outcome, Proof, Violation},
};
use palisade_model::Estate;

use super::{diff, said::Said};
use crate::{
    args::{self, FormatArgs, ReadingArgs},
    commands::estate,
    exit::{Exit, Failure},
    output::{self, Format},
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An intent says of some packets that all pass (allowed), that none passes (forbidden), or that those that \
                  pass come only from some (only). It is proven for every packet; each violation comes with an example. \
                  The form of the file and the exact meaning are in docs/prove.md; --schema prints the file's JSON Schema.\
                  \n\nExit code 1 means that an intent is violated or that it depends on what is not known, 2 that a file \
                  could not be read."
)]
pub struct Arguments {
    /// Files or folders: ARM templates, `az ... -o json` output, REST bodies, Resource Graph exports, Terraform plans
    #[arg(value_name = "ESTATE", required_unless_present_any = ["list", "schema"])]
    estate: Vec<PathBuf>,
    /// A file of intents
    #[arg(long, value_name = "FILE", required_unless_present_any = ["library", "list", "schema"])]
    intents: Vec<PathBuf>,
    /// Intents of the library, by name
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    library: Vec<String>,
    /// What a parameter of the library's intents is: PARAMETER=WORD[,WORD]
    #[arg(long, value_name = "PARAMETER=WORDS", value_parser = library::parameter, requires = "library")]
    with: Vec<(String, Vec<String>)>,
    /// The intents of the library and their parameters
    #[arg(long, exclusive = true)]
    list: bool,
    /// The JSON Schema of a file of intents
    #[arg(long, exclusive = true)]
    schema: bool,
    /// When to ask, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    reading: ReadingArgs,
}

/// Proves the intents.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.list {
        library::print()?;
        return Ok(Exit::Clean);
    }
    if arguments.schema {
        output::line(intent::SCHEMA.trim_end())?;
        return Ok(Exit::Clean);
    }
    let intents = intents(arguments)?;
    let sources = estate::sources_of(&arguments.estate, &arguments.reading);
    let estate = estate::read(&sources)?.estate;
    let now = arguments.at.unwrap_or_else(window_s);
    let proofs = intent::prove(&estate, &intents, now, Limits::default()).map_err(Failure::input)?;
    let told = Told { estate: &estate, proofs: &proofs };
    match arguments.format.format {
        Format::Json => output::json(&document::document(&told))?,
        Format::Table => text::print(&told)?,
    }
    let holds = proofs.iter().all(|proof| proof.outcome == Outcome::Holds);
    Ok(if holds { Exit::Clean } else { Exit::Found })
}

/// The intents of all files and of the library.
fn intents(arguments: &Arguments) -> Result<Intents, Failure> {
    let mut all = Intents::default();
    let mut problems = Vec::new();
    let files = arguments.intents.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    for (name, text) in files.into_iter().chain(library::used(&arguments.library, &arguments.with)?) {
        match intent::read(&name, &text) {
            Ok(found) => all.intents.extend(found.intents),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::inputs(problems));
    }
    let mut names: Vec<String> = all.intents.iter().map(|intent| intent.name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Failure::input(format!(
            "two intents are named \"{}\" (give one of them another name)",
            pair[0]
        ))),
        None => Ok(all),
    }
}

fn read(path: &Path) -> Result<(String, String), Failure> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Failure::input(format!("{name}: {error}"))),
    }
}

/// What is printed.
struct Told<'a> {
    estate: &'a Estate,
    proofs: &'a [Proof],
}

impl Told<'_> {
    /// The names that packets are told in.
    fn names(&self, violation: &Violation) -> Names {
        let policies = [violation.ends.first(), violation.ends.last()];
        let policies = policies.map(|end| &*end.expect("something judged the packets").policy);
        Names::of(policies, [self.estate, self.estate])
    }
}

/// What the rules of one end say.
fn said(end: &intent::End) -> Said<'_> {
    diff::said(&end.policy, end.direction, end.side)
}

/// The word for an outcome.
const fn outcome(proof: &Proof) -> &'static str {
    match proof.outcome {
        Outcome::Holds => "holds",
        Outcome::Violated(_) => "violated",
        Outcome::Undetermined => "undetermined",
    }
}
