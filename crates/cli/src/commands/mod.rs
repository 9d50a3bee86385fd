//! One file a command: its options, and how its answer is printed.

pub mod agent;
pub mod bench;
pub mod check;
pub mod completions;
pub mod detach;
pub mod detect;
pub mod diff;
pub mod doctor;
pub mod effective;
mod estate;
pub mod export;
pub mod flows;
pub mod guest;
pub mod lab;
pub mod learn;
mod least;
pub mod lockdown;
mod log;
pub mod matrix;
pub mod password;
pub mod prove;
pub mod recovery;
pub mod remote;
mod said;
pub mod server;
mod standing;
pub mod status;
pub mod store;
pub mod target;
pub mod up;
pub mod verify;
pub mod version;
pub mod whatif;

use crate::{args::Command, exit::Exit, exit::Failure};

/// Runs one command.
pub fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Effective(arguments) => effective::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Prove(arguments) => prove::run(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments),
        Command::Lockdown(arguments) => lockdown::run(&arguments),
        Command::Learn(arguments) => learn::run(&arguments),
        Command::Whatif(arguments) => whatif::run(&arguments),
        Command::Up(arguments) => up::run(&arguments),
        Command::Server(arguments) => server::run(&arguments),
        Command::Store(action) => store::run(&action),
        Command::Apply(arguments) => remote::apply::run(&arguments),
        Command::Get(arguments) => remote::get::run(&arguments),
        Command::Delete(arguments) => remote::delete::run(&arguments),
        Command::Watch(arguments) => remote::watch::run(&arguments),
        Command::Login(arguments) => remote::login::login(&arguments),
        Command::Logout(arguments) => remote::login::logout(&arguments),
        Command::Hosts(action) => remote::hosts::run(&action),
        Command::Connect(arguments) => remote::connect::run(&arguments),
        Command::Endpoint(action) => remote::endpoint::run(&action),
        Command::Jit(action) => remote::jit::run(&action),
        Command::Quarantine(arguments) => remote::answers::isolate(&arguments),
        Command::Release(arguments) => remote::answers::release(&arguments),
        Command::Lockouts(action) => remote::answers::lockouts(&action),
        Command::Throttles(action) => remote::answers::throttles(&action),
        Command::Answers(action) => remote::answers::policies(&action),
        Command::Alerts(action) => remote::alerts::run(&action),
        Command::JoinToken(action) => remote::join_token::run(&action),
        Command::Principal(action) => remote::principal::run(&action),
        Command::Role(action) => remote::role::run(&action),
        Command::Audit(action) => remote::audit::run(&action),
        Command::Agent(arguments) => agent::run(&arguments),
        Command::Detach(arguments) => detach::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Flows(action) => flows::run(&action),
        Command::Detect(arguments) => detect::run(&arguments),
        Command::Guest(action) => guest::run(&action),
        Command::CleanState(action) => recovery::clean_state::run(&action),
        Command::Evidence(action) => recovery::evidence::run(&action),
        Command::Password(arguments) => password::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Lab(arguments) => lab::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Version(arguments) => version::run(&arguments),
    }
}
