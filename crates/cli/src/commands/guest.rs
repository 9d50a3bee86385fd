//! `palisade guest`: what a machine's own files tell, without an agent in it.

mod audit;
pub mod disk;
pub mod document;
mod folder;
mod sarif;
mod source;
mod text;
pub mod timeline;

use crate::exit::{Exit, Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// How a machine is guarded: accounts, lockout, remote desktop, SSH, firewall
    Audit(audit::Arguments),
    /// What a Windows machine's event logs tell: logons, lockouts, accounts, policies, cleared logs
    Timeline(timeline::Arguments),
}

/// Runs the action.
pub fn run(action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Audit(arguments) => audit::run(arguments),
        Action::Timeline(arguments) => timeline::run(arguments),
    }
}
