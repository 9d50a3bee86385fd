//! What is measured, a file each; each answers with cases of the report.

mod connections;
mod flips;
mod flood;
mod forwarding;
mod hook;
mod lanes;
mod scale;

use std::path::PathBuf;

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

/// A run under way: what was asked for, and whom to tell how far it is.
pub struct Run<'r> {
    /// What was asked for.
    pub options: &'r Options,
    tell: &'r mut dyn FnMut(&str),
    report: Report,
}

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
}

/// Measures what was asked for. `tell` is told what is measured now.
///
/// # Errors
/// The first thing that fails ends the run.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut run = Run { options, tell, report: Report::default() };
    for group in Group::ALL {
        if !options.groups.is_empty() && !options.groups.contains(&group) {
            continue;
        }
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
