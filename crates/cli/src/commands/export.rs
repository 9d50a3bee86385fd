//! `palisade export`: the effective rules of an interface as those of the machine's own firewall, a second wall in the guest.

use std::io::{self, Write as _};

use palisade_agent::clock::window_s;
use palisade_export::{Plain, nftables, windows};

use super::{
    standing::Standing,
    target::{Target, TargetArgs},
};
use crate::{
    args::{self, EstateArgs},
    commands::estate,
    exit::{Exit, Failure},
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The rules are those of one moment: windows are not exported. What is only in audit is left out, and so are quarantines, lock-outs, blocked pairs and throttles: those in force are named on stderr and at the head of what is printed.\n\nExamples:\n  \
                  palisade export estate/ --nic web1-nic --format nftables >palisade.nft\n  palisade export estate/ --nic web1-nic --format windows-firewall >palisade.ps1"
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Whose rules they become
    #[arg(long, value_enum)]
    format: Firewall,
    /// Moment at which they hold: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
}

/// A machine's own firewall.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Firewall {
    /// A table for `nft -f`
    Nftables,
    /// A script of PowerShell for Windows' own firewall
    WindowsFirewall,
}

/// Prints the rules.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let loaded = estate::load(&arguments.estate)?;
    let target = Target::named(&loaded.estate, &arguments.target)?;
    let now = arguments.at.unwrap_or_else(window_s);
    let policy = target.effective(&loaded.estate, &arguments.target);
    let left_out = left_out(&Standing::of(&policy, target.throttle(), now));
    let lasting = loaded.estate.without_answers();
    let target = Target::named(&lasting, &arguments.target)?;
    let policy = target.effective(&lasting, &arguments.target);
    let plain = Plain::of(&policy, now).map_err(Failure::input)?;
    let text = match arguments.format {
        Firewall::Nftables => nftables::table(&plain),
        Firewall::WindowsFirewall => windows::script(&plain).map_err(Failure::input)?,
    };
    left_out.iter().for_each(|line| eprintln!("warning: {line}"));
    let mut out = io::stdout().lock();
    left_out.iter().try_for_each(|line| writeln!(out, "# {line}"))?;
    out.write_all(text.as_bytes())?;
    Ok(Exit::Clean)
}

/// What is said of answers in force. A machine's own firewall would keep them when they have ended.
fn left_out(standing: &[Standing]) -> Vec<String> {
    let line = |answer: &Standing| format!("not part of this, the host enforces it: {}", answer.text());
    standing.iter().map(line).collect()
}
