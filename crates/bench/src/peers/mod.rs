//! What a user would pick instead, each given the same rule set in its own language.
//!
//! Every one accepts packets of established connections first, as its documentation advises, and then asks its rules
//! about new connections to the machine. The texts are pure; [`Peer::enforce`] hands them to the tools inside a router's
//! namespace. It must not decide what is measured.

mod flower;
mod iptables;
mod nft;
#[cfg(test)]
mod tests;

use std::process::Command;

use palisade_lab::netns::{Namespace, ip, is_installed};
use palisade_net::Family;

use crate::{error::Error, rules::RuleSet};

/// Router's interface to the machine.
pub const TO_MACHINE: &str = "vm";

/// A firewall that the datapath is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// nftables, one rule after the other.
    NftLinear,
    /// nftables, one verdict map over address, protocol and port intervals.
    NftSets,
    /// iptables of the x_tables kind with an ipset for each action.
    IptablesLegacy,
    /// iptables that writes nftables rules, with the same sets.
    IptablesNft,
    /// Filters at the interface. They know no connections.
    Flower,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NftLinear, Self::NftSets, Self::IptablesLegacy, Self::IptablesNft, Self::Flower];

    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NftLinear => "nftables, linear chain",
            Self::NftSets => "nftables, verdict map",
            Self::IptablesLegacy => "iptables-legacy with ipset",
            Self::IptablesNft => "iptables-nft with ipset",
            Self::Flower => "tc flower",
        }
    }

    /// What it says its version is; nothing where it is not installed.
    pub fn version(self) -> Option<String> {
        let versions: Vec<String> =
            self.tools().iter().map(|(tool, _)| version(tool)).collect::<Option<_>>()?;
        Some(versions.join(", "))
    }

    /// Puts the rules in force in a router's namespace.
    ///
    /// # Errors
    /// [`Error::PeerMissing`] if a tool is not installed; [`Error::Lab`] if it refuses, for example because the kernel lacks
    /// the feature.
    pub fn enforce(self, router: &Namespace, set: &RuleSet) -> Result<(), Error> {
        if let Some((tool, package)) = self.tools().iter().find(|(tool, _)| !is_installed(tool)) {
            return Err(Error::PeerMissing { peer: self.name(), tool, package });
        }
        let feed = |program: &str, arguments: &[&str], input: String| {
            ip::feed_in(router, program, arguments, &input).map(drop).map_err(Error::from)
        };
        match self {
            Self::NftLinear => feed("nft", &["-f", "-"], nft::linear(set)),
            Self::NftSets => feed("nft", &["-f", "-"], nft::sets(set)),
            Self::IptablesLegacy | Self::IptablesNft => {
                feed("ipset", &["restore"], iptables::sets(set))?;
                feed(self.restore(set.family), &[], iptables::chain())
            }
            Self::Flower => feed("tc", &["-batch", "-"], flower::filters(set)),
        }
    }

    const fn restore(self, family: Family) -> &'static str {
        match (self, family) {
            (Self::IptablesLegacy, Family::V4) => "iptables-legacy-restore",
            (Self::IptablesLegacy, Family::V6) => "ip6tables-legacy-restore",
            (_, Family::V4) => "iptables-nft-restore",
            (_, Family::V6) => "ip6tables-nft-restore",
        }
    }

    /// Programs that it needs, and the Debian packages that have them.
    const fn tools(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::NftLinear | Self::NftSets => &[("nft", "nftables")],
            Self::IptablesLegacy => &[("iptables-legacy", "iptables"), ("ipset", "ipset")],
            Self::IptablesNft => &[("iptables-nft", "iptables"), ("ipset", "ipset")],
            Self::Flower => &[("tc", "iproute2")],
        }
    }
}

/// The first line of what a tool says to `--version` or, as `tc` wants it, `-V`.
fn version(tool: &str) -> Option<String> {
    let flag = if tool == "tc" { "-V" } else { "--version" };
    let output = Command::new(tool).arg(flag).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}
