//! The `palisade` command: parses what was asked, calls the crate that knows, prints the answer.
//!
//! Data goes to stdout and talk to stderr. Exit codes: 0 done and nothing found wrong; 1 done and something found; 2 bad usage
//! or input, nothing changed; 3 the other side failed (kernel, guest, file system). It must not hold logic of its own.

mod args;
mod commands;
mod exit;
mod nearest;
mod output;
mod secret;
mod whole;

use clap::Parser;

use args::Cli;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => code.into(),
        Err(failure) => {
            failure.print();
            failure.code().into()
        }
    }
}
