//! `palisade endpoint`: public ports that lead to ports of machines, as inbound NAT rules of load balancers.
//!
//! A machine is named by the name or the id of its virtual machine, an endpoint by that of its rule. NSGs judge what comes through all
//! the same. Every write waits until the hosts concerned have it in force, unless it is told not to.

mod add;
mod book;
mod remove;

use super::{
    RequestArgs,
    jit::find,
    rows::{self, Column, text},
};
use crate::{exit::Exit, exit::Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Let a public port lead to a port of a machine
    Add(add::Arguments),
    /// All endpoints, and where they lead
    List(Of),
    /// Take an endpoint away
    Remove(remove::Arguments),
}

/// Of which machine.
#[derive(Debug, clap::Args)]
pub struct Of {
    /// Virtual machine, by name or id; without it, all
    #[arg(value_name = "VM")]
    machine: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
}

/// Runs one action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Add(arguments) => add::run(arguments),
        Action::List(of) => list(of),
        Action::Remove(arguments) => remove::run(arguments),
    }
}

const COLUMNS: [Column; 7] = [
    ("ENDPOINT", |endpoint| text(endpoint, "/name")),
    ("PROTOCOL", |endpoint| text(endpoint, "/protocol")),
    ("FROM", |endpoint| text(endpoint, "/sources")),
    ("ADDRESS", |endpoint| text(endpoint, "/address")),
    ("PUBLIC PORT", |endpoint| text(endpoint, "/publicPort")),
    ("MACHINE", |endpoint| text(endpoint, "/machine")),
    ("PORT", |endpoint| text(endpoint, "/port")),
];

fn list(of: &Of) -> Result<Exit, Failure> {
    let client = of.request.client()?;
    let book = book::Book::read(&client)?;
    let endpoints = book.endpoints(of.machine.as_deref());
    if let (Some(machine), []) = (&of.machine, endpoints.as_slice()) {
        find::must_be_known(&client, machine)?;
    }
    rows::list(of.request.form(), COLUMNS, &endpoints)?;
    Ok(Exit::Clean)
}
