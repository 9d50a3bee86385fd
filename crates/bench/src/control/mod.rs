//! What the control plane takes: from a rule that is written to a kernel that enforces it, and with a thousand hosts.
//!
//! Everything is measured from outside: the server is a process of its own, clients speak HTTPS, hosts speak gRPC over
//! mutual TLS. What is simulated is only what a host has below its agent's protocol, where a case says so. There are no peers
//! to stand beside; a figure stands beside its goal.

mod crash;
mod estate;
mod fanout;
mod fleet;
mod force;
mod gate;
mod reconnect;
mod server;
mod start;
mod writes;

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    error::Result,
    report::{Case, Report},
    scratch::Scratch,
};

/// What to measure, and how thoroughly.
#[derive(Debug, Clone)]
pub struct Options {
    /// Fewer rounds, fewer hosts, a smaller estate.
    pub quick: bool,
    /// Groups to measure; all if there are none.
    pub groups: Vec<Group>,
    /// The `palisade` program.
    pub program: PathBuf,
    /// Where data folders are made; on a disk, or nothing durable is measured.
    pub scratch: PathBuf,
}

/// Cases that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// One rule, from the request until the kernel enforces it.
    Force,
    /// Many clients that write rules.
    Writes,
    /// One change that concerns every host.
    Fanout,
    /// All hosts at once after the server was away.
    Reconnect,
    /// A large estate: start, effective rules, memory.
    Start,
    /// Processes that are killed under writes.
    Crash,
}

impl Group {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 6] =
        [Self::Force, Self::Writes, Self::Fanout, Self::Reconnect, Self::Start, Self::Crash];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// As it is asked for, and as the names of its cases begin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Force => "force",
            Self::Writes => "writes",
            Self::Fanout => "fanout",
            Self::Reconnect => "reconnect",
            Self::Start => "start",
            Self::Crash => "crash",
        }
    }
}

/// A run under way: what was asked for, and whom to tell how far it is.
struct Run<'r> {
    options: &'r Options,
    tell: &'r mut dyn FnMut(&str),
}

impl Run<'_> {
    /// The thorough number, or the quick one.
    const fn choose(&self, thorough: usize, quick: usize) -> usize {
        if self.options.quick { quick } else { thorough }
    }

    /// An empty folder that is gone with its value.
    fn folder(&self) -> Result<Scratch> {
        Scratch::make(&self.options.scratch)
    }
}

/// Measures what was asked for. `tell` is told what is measured now.
///
/// # Errors
/// The first thing that fails ends the run.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut run = Run { options, tell };
    let mut report = Report::default();
    for group in Group::ALL {
        if !options.groups.is_empty() && !options.groups.contains(&group) {
            continue;
        }
        let cases: Vec<Case> = match group {
            Group::Force => force::measure(&mut run)?,
            Group::Writes => writes::measure(&mut run)?,
            Group::Fanout => fanout::measure(&mut run)?,
            Group::Reconnect => reconnect::measure(&mut run)?,
            Group::Start => start::measure(&mut run)?,
            Group::Crash => crash::measure(&mut run)?,
        };
        report.cases.extend(cases);
    }
    Ok(report)
}

/// Rules by the NSG that they were acknowledged in.
type Acknowledged = BTreeMap<String, std::collections::BTreeSet<String>>;
