//! Later.
use crate::{exit::Exit, exit::Failure};
/// Options.
#[derive(Debug, clap::Args)]
pub struct Arguments {}
/// Runs.
pub fn run(_: &Arguments) -> Result<Exit, Failure> {
    Ok(Exit::Clean)
}
