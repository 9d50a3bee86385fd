//! What exact analysis takes: questions about rule lists of several shapes, each as one thread answers it.
//!
//! Times are of the processor, since an analysis waits for nothing and a machine does other things beside it. With each goes
//! the most memory that the process held meanwhile. A case says which question it asks of which rules; engines that stand
//! beside ours are given the same policies ([`workload`]).

mod check;
mod edit;
mod estate;
mod flows;
mod lists;
mod matrix;
mod peers;
pub mod workload;

use std::{path::PathBuf, time::Duration};

use palisade_arm::service_tags;

use self::workload::Tags;
use crate::{
    clock::processor_time,
    error::{Context, Error, Result},
    memory,
    report::{Case, Report},
    stats,
};

/// What to measure, and how thoroughly.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Fewer rounds.
    pub quick: bool,
    /// Groups to measure; all if there are none.
    pub groups: Vec<Group>,
    /// Microsoft's file of service tags; without it tags of about the same number are made up.
    pub service_tags: Option<PathBuf>,
    /// A folder whose entries are estates to check; without it that is not measured.
    pub estates: Option<PathBuf>,
}

/// Cases that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// 1,000 rules of a busy NSG.
    Busy,
    /// 1,000 rules of 4,000 prefixes each.
    Wide,
    /// 1,000 rules of random ranges.
    Adversarial,
    /// Every pair of 10,000 interfaces.
    Matrix,
    /// One rule edited among many NSGs.
    Edit,
    /// Ten million flows against a change of 1,000 rules.
    Flows,
    /// Every finding of the user's estates.
    Check,
}

impl Group {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 7] =
        [Self::Busy, Self::Wide, Self::Adversarial, Self::Edit, Self::Matrix, Self::Flows, Self::Check];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// As it is asked for, and as the names of its cases begin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Wide => "wide",
            Self::Adversarial => "adversarial",
            Self::Matrix => "matrix",
            Self::Edit => "edit",
            Self::Flows => "flows",
            Self::Check => "check",
        }
    }
}

/// A run under way: what was asked for, whom to tell how far it is, and what rules may name.
struct Run<'r> {
    options: &'r Options,
    tell: &'r mut dyn FnMut(&str),
    tags: Tags,
}

impl Run<'_> {
    /// The thorough number, or the quick one.
    const fn choose(&self, thorough: usize, quick: usize) -> usize {
        if self.options.quick { quick } else { thorough }
    }
}

/// Measures what was asked for. `tell` is told what is measured now.
///
/// # Errors
/// The first thing that fails ends the run.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut run = Run { options, tell, tags: tags(options)? };
    let mut report = Report::default();
    for group in Group::ALL {
        if !options.groups.is_empty() && !options.groups.contains(&group) {
            continue;
        }
        report.cases.extend(match group {
            Group::Busy => lists::busy(&mut run)?,
            Group::Wide => lists::wide(&mut run)?,
            Group::Adversarial => lists::adversarial(&mut run)?,
            Group::Matrix => matrix::matrix(&mut run)?,
            Group::Edit => edit::edit(&mut run)?,
            Group::Flows => flows::cases(&mut run)?,
            Group::Check => check::check(&mut run)?,
        });
    }
    Ok(report)
}

/// Tags of the user's file, as lists of prefixes; without one made-up ones.
fn tags(options: &Options) -> Result<Tags> {
    let Some(path) = &options.service_tags else { return Ok(Tags::made_up()) };
    let refused = |reason: String| Error::File { path: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let file = service_tags::read(&text).map_err(|error| refused(error.to_string()))?;
    Ok(Tags(file.tags.into_iter().map(|tag| tag.prefixes).collect()))
}

/// What one question took.
struct Taken {
    /// Milliseconds of the processor, the median of all rounds.
    time: f64,
    /// The most memory that the process held meanwhile, in MB.
    memory: f64,
}

impl Taken {
    /// As a case of the report.
    fn case(&self, name: &'static str) -> Case {
        Case::new(name, self.time, "ms").with("memory at most, MB", (self.memory * 10.0).round() / 10.0)
    }
}

/// Asks the same question `rounds` times; the last answer, and what it took.
fn measure<T, E: Into<Error>>(
    rounds: usize,
    mut ask: impl FnMut() -> std::result::Result<T, E>,
) -> Result<(T, Taken)> {
    memory::forget_peak();
    let mut times = Vec::new();
    loop {
        let begun = time()?;
        let answer = ask().map_err(Into::into)?;
        times.push((time()? - begun).as_secs_f64() * 1e3);
        if times.len() >= rounds {
            return Ok((answer, Taken { time: stats::median(&times), memory: memory::peak()? }));
        }
    }
}

fn time() -> Result<Duration> {
    processor_time().context(|| "read the processor's time".into())
}
