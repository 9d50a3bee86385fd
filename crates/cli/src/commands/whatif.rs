//! `palisade whatif`: which flows of a log a change would break or open, and whether the rules say what the log says.

mod document;
mod edit;
mod text;

use std::{path::PathBuf, thread};

use palisade_agent::{clock::window_s, load};
use palisade_analysis::what_if::{Answer, Peers, WhatIf};
use palisade_model::Estate;
use serde_json::Value;

use self::edit::{Addition, Move, Removal};
use super::log::{self, Log, Untyped};
use crate::{
    args::{self, EstateArgs, FormatArgs},
    commands::estate,
    exit::{Exit, Failure},
    output::{self, Format},
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Logs are Azure's NSG flow logs (versions 1 and 2) and virtual network flow logs, and what `palisade flows tail \
                  --format json` prints; folders are read with all below. A flow is judged as it begins, at its interface: \
                  by hardware address, else by what logged it and its own address. Without a change only the log's own \
                  decisions are compared with the rules.\n\nA rule to add is a sentence: 'web-nsg/no-internet=4000 Outbound \
                  Deny * from * to Internet port 80,443'.\n\nExit code 1 means that verdicts change (without a change: that \
                  they differ from the log's), 2 that something could not be read."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    /// Flow logs: files or folders
    #[arg(long, value_name = "LOG", required = true, num_args = 1..)]
    flows: Vec<PathBuf>,
    /// The estate after the change: files or folders
    #[arg(long, value_name = "ESTATE", num_args = 1.., help_heading = "Change")]
    after: Vec<PathBuf>,
    /// Add a rule: a sentence, see below
    #[arg(long, value_name = "NSG/RULE=SENTENCE", value_parser = Addition::parse, help_heading = "Change")]
    add_rule: Vec<Addition>,
    /// Remove a rule
    #[arg(long, value_name = "NSG/RULE", value_parser = Removal::parse, help_heading = "Change")]
    remove_rule: Vec<Removal>,
    /// Give a rule another priority
    #[arg(long, value_name = "NSG/RULE=PRIORITY", value_parser = Move::parse, help_heading = "Change")]
    move_rule: Vec<Move>,
    /// The service tag file after the change, if it is another one
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    service_tags_after: Vec<PathBuf>,
    /// When to judge, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Arguments {
    /// Whether there is a change to judge.
    fn has_change(&self) -> bool {
        let has_edits =
            !(self.add_rule.is_empty() && self.remove_rule.is_empty() && self.move_rule.is_empty());
        has_edits || !self.after.is_empty() || !self.service_tags_after.is_empty()
    }
}

/// Judges the flows of logs before and after a change.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let before = estate::load(&arguments.estate)?.estate;
    let after = if arguments.has_change() { Some(changed(arguments)?) } else { None };
    let log = log::read(&arguments.flows, &before)?;
    let now = arguments.at.unwrap_or_else(window_s);
    weigh(&log, (&before, after.as_ref()), now, |told| {
        match arguments.format.format {
            Format::Json => output::json(&document::document(told))?,
            Format::Table => text::print(told)?,
        }
        let answer = told.answer;
        let found = match told.has_change {
            true => !answer.changes.is_empty() || answer.gone.flows > 0,
            false => answer.drift.disagreements.iter().any(|said| said.is_verdict),
        };
        Ok(if found { Exit::Found } else { Exit::Clean })
    })
}

/// Judges the flows of a log by the rules before and after, if there is a change, and lets the answer be told.
pub fn weigh<T>(
    log: &Log,
    (before, after): (&Estate, Option<&Estate>),
    now: u32,
    tell: impl FnOnce(&Told<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let what_if = WhatIf::new(&log.observed, before, after.unwrap_or(before), now).map_err(Failure::input)?;
    let answer = judge(&what_if, &Peers::of(before))?;
    tell(&Told { log, what_if: &what_if, answer: &answer, has_change: after.is_some() })
}

/// The estate after the change: other files if any are named, then the edits.
fn changed(arguments: &Arguments) -> Result<Estate, Failure> {
    let mut after = arguments.estate.clone();
    if !arguments.after.is_empty() {
        after.estate.clone_from(&arguments.after);
    }
    if !arguments.service_tags_after.is_empty() {
        after.reading.service_tags.clone_from(&arguments.service_tags_after);
    }
    let mut refused = Vec::new();
    let loaded = load::estate_with(&estate::sources(&after), |spec| {
        // What goes makes room for what comes.
        let removed = arguments.remove_rule.iter().map(|edit| edit.apply(spec)).collect::<Vec<_>>();
        let moved = arguments.move_rule.iter().map(|edit| edit.apply(spec)).collect::<Vec<_>>();
        let added = arguments.add_rule.iter().map(|edit| edit.apply(spec)).collect::<Vec<_>>();
        refused = removed.into_iter().chain(moved).chain(added).filter_map(Result::err).collect();
    });
    if !refused.is_empty() {
        return Err(Failure::inputs(refused));
    }
    let errors = |error: load::LoadError| {
        Failure::inputs(error.problems.into_iter().filter(|problem| problem.is_error))
    };
    loaded.map(|loaded| loaded.estate).map_err(errors)
}

/// Judges every flow, on all processors.
fn judge(what_if: &WhatIf<'_>, peers: &Peers) -> Result<Answer, Failure> {
    let count = what_if.observed().len();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let step = count.div_ceil(workers).max(1);
    let parts = thread::scope(|scope| {
        let starts = (0..count).step_by(step);
        let started: Vec<_> =
            starts.map(|start| scope.spawn(move || what_if.judge(start..count.min(start + step)))).collect();
        started.into_iter().map(|worker| worker.join().expect("judging does not panic")).collect::<Vec<_>>()
    });
    what_if.answer(parts, peers).map_err(Failure::input)
}

/// What is printed.
pub struct Told<'a> {
    log: &'a Log,
    what_if: &'a WhatIf<'a>,
    answer: &'a Answer,
    has_change: bool,
}

impl Told<'_> {
    /// Prints what the change would do, without what the log itself says of the rules before.
    pub fn print_changes(&self) -> std::io::Result<()> {
        text::print_changes(self)
    }

    /// The same as JSON.
    pub fn changes(&self) -> Value {
        document::changes(self)
    }

    /// What is to be known of the answer.
    fn caveats(&self) -> Vec<String> {
        let mut caveats = self.log.caveats(Untyped::AnyType);
        if self.answer.judged.attempts > 0 {
            caveats.push("a denied record is an attempt: whether more would follow, no log tells".to_owned());
        }
        caveats.push("replies belong to their flow, and are not judged".to_owned());
        caveats
    }
}
