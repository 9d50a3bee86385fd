//! `palisade detach`: ends enforcement on this host.

use super::agent::InstanceArgs;
use crate::{exit::Exit, exit::Failure};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    instance: InstanceArgs,
}

/// Takes the programs from every interface, and removes pins and state.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    palisade_agent::remove(&arguments.instance.places()?).map_err(Failure::caused_by)?;
    Ok(Exit::Clean)
}
