//! `palisade flows`: what the kernel tells of flows, and the flows that it knows.

mod cells;
mod list;
mod tail;

use crate::{exit::Exit, exit::Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Print flows as they begin, go on, end, and are denied or cut, until interrupted
    Tail(tail::Arguments),
    /// Print the flows that the kernel knows now
    List(list::Arguments),
}

/// Runs the command.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Tail(arguments) => tail::run(arguments),
        Action::List(arguments) => list::run(arguments),
    }
}
