//! `palisade flows`: what the kernel tells of flows, the flows that it knows, and the store of flow records.

mod cells;
mod list;
pub mod store;
mod tail;

use crate::{exit::Exit, exit::Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Print flows as they begin, go on, end, and are denied or cut, until interrupted
    Tail(tail::Arguments),
    /// Print the flows that the kernel knows now
    List(list::Arguments),
    /// Who talks most, of the records in a store
    Top(store::top::Arguments),
    /// Records of a store, or what groups of them come to
    Query(store::query::Arguments),
    /// Put flow logs into a store
    Import(store::import::Arguments),
    /// Write records of a store as a flow log
    Export(store::export::Arguments),
    /// Put small files of a store together, and remove old ones
    Compact(store::compact::Arguments),
}

/// Runs the command.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Tail(arguments) => tail::run(arguments),
        Action::List(arguments) => list::run(arguments),
        Action::Top(arguments) => store::top::run(arguments),
        Action::Query(arguments) => store::query::run(arguments),
        Action::Import(arguments) => store::import::run(arguments),
        Action::Export(arguments) => store::export::run(arguments),
        Action::Compact(arguments) => store::compact::run(arguments),
    }
}
