//! What watching flows takes: the detectors over a day of connections, what they find in recordings, and the store that keeps flows.
//!
//! Times are of the processor. Recordings are not part of the repository; without them the score is left out, and the report says so. It must
//! not know a detector.

mod chain;
mod detectors;
mod scores;
mod store;
mod taken;

use std::path::PathBuf;

use crate::{
    error::Result,
    report::{Case, Report},
};

/// What to measure, and how thoroughly.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Fewer rounds, fewer connections.
    pub quick: bool,
    /// Groups to measure; all if there are none.
    pub groups: Vec<Group>,
    /// Folder of recordings, for the score.
    pub recordings: Option<PathBuf>,
    /// Folder for what is written and removed again: 3 GB, or 100 MB of the quick run. That for temporary files if it is not given.
    pub scratch: Option<PathBuf>,
}

impl Options {
    fn scratch(&self) -> PathBuf {
        self.scratch.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Cases that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// All detectors over a made-up day.
    Detectors,
    /// What they find in recorded attacks and in honest work.
    Scores,
    /// Records from the kernel to Parquet.
    Write,
    /// Questions about a day of them.
    Query,
}

impl Group {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 4] = [Self::Detectors, Self::Scores, Self::Write, Self::Query];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// As it is asked for, and as the names of its cases begin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detectors => "detectors",
            Self::Scores => "scores",
            Self::Write => "write",
            Self::Query => "query",
        }
    }
}

/// Measures what was asked for. `tell` is told what is measured now, and what is left out.
///
/// # Errors
/// The first thing that fails ends the run.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut report = Report::default();
    for group in Group::ALL {
        if !options.groups.is_empty() && !options.groups.contains(&group) {
            continue;
        }
        let cases: Vec<Case> = match group {
            Group::Detectors => detectors::measure(options, tell)?,
            Group::Scores => scores::measure(options, tell)?,
            Group::Write => write(options, tell)?,
            Group::Query => store::query(&options.scratch(), options.quick, tell)?,
        };
        report.cases.extend(cases);
    }
    Ok(report)
}

/// The last part of the way of records alone, and then the whole way.
fn write(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Vec<Case>> {
    tell("records to Parquet");
    let mut cases = store::write(&options.scratch(), options.quick)?;
    cases.push(chain::measure(&options.scratch(), options.quick, tell)?);
    Ok(cases)
}
