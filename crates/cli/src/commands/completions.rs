//! `palisade completions`: a script for a shell.

use std::io::{self, Write};

use clap::CommandFactory;

use crate::{args::Cli, exit::Exit, exit::Failure};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "palisade", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Clean)
}
