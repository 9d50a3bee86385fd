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
    let instance = arguments.instance.places()?;
    let is_there = instance.pin_dir.exists();
    palisade_agent::remove(&instance).map_err(Failure::caused_by)?;
    if !is_there {
        let pins = instance.pin_dir.display();
        eprintln!("nothing was enforced: there is nothing at {pins} (--instance names another agent)");
    }
    Ok(Exit::Clean)
}
