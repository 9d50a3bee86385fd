//! What `lockdown` and `learn` share: options, the template that they write, and how rules and flows are told.

mod template;
mod words;

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use clap::Args;
use palisade_analysis::{Sources, TagChoice};
use palisade_model::TagName;
use palisade_net::{AddressSet, Prefix};

pub use template::{Contents, save, template};
pub use words::{Flows, document, opened, print_flows, print_opened, proof, rule_rows, rules};

/// How exceptions and rules are chosen.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Choice")]
pub struct ChoiceArgs {
    /// Use this tag wherever it holds what is needed, also AzureCloud, which is used on request only
    #[arg(long, value_name = "TAG")]
    allow_tag: Vec<TagName>,
    /// Never use this tag; without a region, none of its regional ones either
    #[arg(long, value_name = "TAG")]
    never_tag: Vec<TagName>,
    /// Prefixes that nothing may open, whatever the log shows
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    forbid: Vec<Prefix>,
    /// Widest IPv4 prefix that may stand for several addresses
    #[arg(long, value_name = "BITS", default_value_t = 32, value_parser = clap::value_parser!(u8).range(1..=32))]
    prefix_length: u8,
    /// Widest IPv6 prefix that may stand for several addresses
    #[arg(long, value_name = "BITS", default_value_t = 128, value_parser = clap::value_parser!(u8).range(1..=128))]
    prefix_length_v6: u8,
    /// Make a range of ports with at most so many unused ones between them
    #[arg(long, value_name = "PORTS", default_value_t = 0)]
    port_gap: u16,
}

impl ChoiceArgs {
    /// Tags to use and not to use.
    pub fn tags(&self) -> TagChoice {
        TagChoice { allow: self.allow_tag.clone(), never: self.never_tag.clone() }
    }

    /// Addresses that nothing may open.
    pub fn forbidden(&self) -> AddressSet {
        self.forbid.iter().copied().collect()
    }

    /// Least lengths of prefixes, of IPv4 and of IPv6.
    pub const fn widest(&self) -> [u8; 2] {
        [self.prefix_length, self.prefix_length_v6]
    }

    /// Unused ports between two of a range.
    pub const fn port_gap(&self) -> u16 {
        self.port_gap
    }
}

/// Where the template goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Result")]
pub struct ResultArgs {
    /// Write the ARM template to this file
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How narrowly rules name the machines that they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Machines {
    /// Every rule is for all machines behind the NSG
    Any,
    /// Groups and subnets where they hold exactly the machines, else all
    Named,
    /// Groups and subnets where they hold exactly the machines, else addresses
    Exact,
}

impl From<Machines> for Sources {
    fn from(machines: Machines) -> Self {
        match machines {
            Machines::Any => Self::Any,
            Machines::Named => Self::Named,
            Machines::Exact => Self::Exact,
        }
    }
}

/// Tells on a terminal what is being done.
pub fn progress(step: &str) {
    if io::stderr().is_terminal() {
        eprintln!("{step} ...");
    }
}
