//! `palisade version`.

use crate::{args::FormatArgs, exit::Exit, exit::Failure, output, output::Format};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    format: FormatArgs,
}

/// Prints the versions.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (version, abi) = (env!("CARGO_PKG_VERSION"), palisade_abi::ABI_VERSION);
    match arguments.format.format {
        Format::Table => output::line(format_args!("palisade {version} (kernel layout {abi})"))?,
        Format::Json => output::json(&serde_json::json!({ "version": version, "kernelLayout": abi }))?,
    }
    Ok(Exit::Clean)
}
