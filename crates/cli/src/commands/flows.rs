//! `palisade flows`: what the kernel tells of flows.

mod tail;

use crate::{exit::Exit, exit::Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Print flows as they begin, go on, end, and are denied or cut, until interrupted
    Tail(tail::Arguments),
}

/// Runs the command.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Tail(arguments) => tail::run(arguments),
    }
}
