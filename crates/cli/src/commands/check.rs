//! `palisade check`: what an estate opens, what in it never holds, and what does not mean what it seems to.

mod ask;
mod document;
pub mod sarif;
mod select;
mod suppressions;
mod text;

use std::path::PathBuf;

use palisade_agent::{clock::window_s, load};
use palisade_analysis::findings::Severity;
use palisade_model::TagCatalog;

pub use self::select::Selection;
use self::{ask::Answer, suppressions::Suppressions};
use crate::{
    args::{self, EstateArgs},
    commands::estate,
    exit::{Exit, Failure},
    output,
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Everything is asked through all lists of each interface, by exact sets of packets; an NSG at no interface is \
                  asked alone. What the input leaves open is listed as unknown, and what is in error as left out: \
                  the rest is still checked. A suppression file holds {\"suppressions\": [{\"id\", \"resource\", \"rule\", \
                  \"reason\", \"until\"}]}; all but \"rule\" are required, and one that has ended is a finding.\n\nExit code 1 \
                  means findings of the severity of --fail-on or worse, 2 that something could not be read."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    /// Check each ESTATE alone, and not all of them as one
    #[arg(long)]
    each: bool,
    /// When to ask, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    /// The least severity that makes the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Threshold::Warning)]
    fail_on: Threshold,
    /// Only these findings: ids, or beginnings of ids such as PAL-EXPOSURE, or ids of other tools' checks
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// All but these findings
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    skip: Vec<String>,
    /// File of findings that are accepted for a time
    #[arg(long, value_name = "FILE")]
    suppressions: Vec<PathBuf>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Aligned text for people.
    Table,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for tools that show findings beside the files.
    Sarif,
}

/// From which severity on a finding makes the exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Threshold {
    /// Errors.
    Error,
    /// Warnings and errors.
    Warning,
    /// Every finding.
    Note,
    /// No finding.
    None,
}

impl Threshold {
    const fn is_reached_by(self, severity: Severity) -> bool {
        match self {
            Self::Error => matches!(severity, Severity::Error),
            Self::Warning => matches!(severity, Severity::Error | Severity::Warning),
            Self::Note => true,
            Self::None => false,
        }
    }
}

/// Checks an estate or many.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let selection = Selection::of(select::all, "docs/check.md", &arguments.only, &arguments.skip)?;
    let suppressions = Suppressions::read(&arguments.suppressions)?;
    let now = arguments.at.unwrap_or_else(window_s);
    let sources = estates(arguments);
    let tags = tags(arguments)?;
    let mut answer = Answer::of(&sources, &tags, now)?;
    answer.select(&selection);
    answer.suppress(&suppressions, now);
    match arguments.format {
        Form::Json => output::json(&document::document(&answer))?,
        Form::Sarif => output::json(&sarif::log(&answer))?,
        Form::Table => text::print(&answer)?,
    }
    let fails = answer
        .told
        .iter()
        .any(|told| told.is_open() && arguments.fail_on.is_reached_by(told.finding.severity));
    Ok(match (answer.left_out.is_empty(), fails) {
        (false, _) => Exit::Input,
        (true, true) => Exit::Found,
        (true, false) => Exit::Clean,
    })
}

/// The estates, each with the name by which findings tell it from others.
fn estates(arguments: &Arguments) -> Vec<(Option<String>, load::EstateSources)> {
    if !arguments.each {
        return vec![(None, estate::sources(&arguments.estate))];
    }
    let one = |path: &PathBuf| {
        let arguments = EstateArgs { estate: vec![path.clone()], reading: arguments.estate.reading.clone() };
        (Some(path.display().to_string()), estate::sources(&arguments))
    };
    arguments.estate.estate.iter().map(one).collect()
}

/// The tags of all files, read once for all estates.
fn tags(arguments: &Arguments) -> Result<TagCatalog, Failure> {
    let files = &arguments.estate.reading.service_tags;
    if files.is_empty() {
        return Ok(TagCatalog::default());
    }
    load::tags(files).map_err(|error| Failure::inputs(error.problems))
}
