//! What is measured, a file each; each answers with cases of the report.

mod connections;
mod flips;
mod flood;
mod forwarding;
mod hook;
mod lanes;
mod scale;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    error::Result,
    report::{Case, Report},
};

/// What to measure, and how thoroughly.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Fewer rounds and shorter ones.
    pub quick: bool,
    /// Groups to measure; all if there are none.
    pub groups: Vec<Group>,
    /// Microsoft's file of service tags; without it tags of the same number are made up.
    pub service_tags: Option<PathBuf>,
}

/// Cases that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The kernel program alone, by test runs.
    Hook,
    /// A packet through a router, beside other firewalls.
    Forwarding,
    /// TCP connections through a router, beside other firewalls.
    Connections,
    /// Many interfaces on one NSG.
    Scale,
    /// Policy that changes under load.
    Flips,
    /// A flood beside open connections.
    Flood,
}

impl Group {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 6] =
        [Self::Hook, Self::Forwarding, Self::Connections, Self::Scale, Self::Flips, Self::Flood];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// What a quick run has for it. The sum leaves of a minute what building and removing takes.
    const fn quick_time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Forwarding => 15,
            Self::Hook | Self::Connections => 7,
            Self::Flips => 8,
            Self::Flood => 5,
            Self::Scale => 1,
        })
    }

    /// As it is asked for, and as the names of its cases begin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Forwarding => "forwarding",
            Self::Connections => "connections",
            Self::Scale => "scale",
            Self::Flips => "flips",
            Self::Flood => "flood",
        }
    }
}

/// A run under way: what was asked for, whom to tell how far it is, and until when.
struct Run<'r> {
    options: &'r Options,
    tell: &'r mut dyn FnMut(&str),
    report: Report,
    /// When a quick run should be over with the group.
    deadline: Instant,
}

/// Rounds without which a median says nothing. They are made however late it is.
const ROUNDS_MIN: usize = 3;

impl Run<'_> {
    /// Says what is measured now.
    fn tell(&mut self, what: &str) {
        (self.tell)(what);
    }

    fn add(&mut self, cases: impl IntoIterator<Item = Case>) {
        self.report.cases.extend(cases);
    }

    /// The thorough number, or the quick one.
    fn choose<T>(&self, thorough: T, quick: T) -> T {
        if self.options.quick { quick } else { thorough }
    }

    /// The rounds of a measurement, from 0: a quick run ends them when its time is over.
    fn rounds(&self, thorough: usize, quick: usize) -> impl Iterator<Item = usize> + use<> {
        let (quickly, deadline) = (self.options.quick, self.deadline);
        let is_late = move || quickly && Instant::now() > deadline;
        (0..self.choose(thorough, quick)).take_while(move |round| *round < ROUNDS_MIN || !is_late())
    }

    /// Whether a quick run has no time left for the group.
    fn is_late(&self) -> bool {
        self.options.quick && Instant::now() > self.deadline
    }
}

/// Measures what was asked for. `tell` is told what is measured now.
///
/// # Errors
/// The first thing that fails ends the run.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut run = Run { options, tell, report: Report::default(), deadline: Instant::now() };
    for group in Group::ALL {
        if !options.groups.is_empty() && !options.groups.contains(&group) {
            continue;
        }
        // What one group leaves of its time, the next has.
        run.deadline += group.quick_time();
        match group {
            Group::Hook => hook::measure(&mut run)?,
            Group::Forwarding => forwarding::measure(&mut run)?,
            Group::Connections => connections::measure(&mut run)?,
            Group::Scale => scale::measure(&mut run)?,
            Group::Flips => flips::measure(&mut run)?,
            Group::Flood => flood::measure(&mut run)?,
        }
    }
    Ok(run.report)
}
