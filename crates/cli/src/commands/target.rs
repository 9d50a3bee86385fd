//! What a question is about: a network interface, or an NSG alone.

use std::net::IpAddr;

use clap::Args;
use palisade_model::{EffectivePolicy, Estate, Nic, Nsg, Throttle};
use palisade_net::{AddressSet, Family, Prefix};

use crate::{exit::Failure, nearest};

/// The interface or NSG that a question is about.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// Network interface, by name or id
    #[arg(long, value_name = "NAME", conflicts_with = "nsg")]
    pub nic: Option<String>,
    /// NSG, by name or id, asked about alone
    #[arg(long, value_name = "NAME")]
    pub nsg: Option<String>,
    /// With an NSG: what its VirtualNetwork tag means
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    pub virtual_network: Vec<Prefix>,
    /// Address of the machine, where a flow gives none; the rules themselves do not depend on it
    #[arg(long, value_name = "ADDR")]
    pub address: Option<IpAddr>,
}

/// Why a name leads to no single resource: a code and a message.
#[derive(Debug)]
pub struct TargetError {
    /// `ResourceNotFound` or `AmbiguousResourceName`.
    pub code: &'static str,
    /// What was asked for and what to do.
    pub message: String,
}

/// A resource that was found.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A network interface.
    Nic(&'a Nic),
    /// An NSG alone.
    Nsg(&'a Nsg),
}

impl<'a> Target<'a> {
    /// Finds what the options name.
    pub fn named(estate: &'a Estate, arguments: &TargetArgs) -> Result<Self, Failure> {
        match (&arguments.nic, &arguments.nsg) {
            (Some(nic), _) => Self::nic(estate, nic),
            (None, Some(nsg)) => Self::nsg(estate, nsg),
            (None, None) => return Err(Failure::input("nothing is named (give --nic or --nsg)")),
        }
        .map_err(|error| Failure::input(error.message))
    }

    /// Finds the interface of this name or id.
    pub fn nic(estate: &'a Estate, name: &str) -> Result<Self, TargetError> {
        let all = || estate.nics().map(Nic::name).collect();
        one(&estate.nics_named(name), name, "network interface", all).map(Self::Nic)
    }

    /// Finds the NSG of this name or id.
    pub fn nsg(estate: &'a Estate, name: &str) -> Result<Self, TargetError> {
        let all = || estate.nsgs().map(Nsg::name).collect();
        one(&estate.nsgs_named(name), name, "NSG", all).map(Self::Nsg)
    }

    /// The rules that hold there.
    pub fn effective(self, estate: &Estate, arguments: &TargetArgs) -> EffectivePolicy {
        match self {
            Self::Nic(nic) => estate.effective(nic),
            Self::Nsg(nsg) => {
                let given = !arguments.virtual_network.is_empty();
                let network: AddressSet = arguments.virtual_network.iter().copied().collect();
                estate.effective_alone(nsg, given.then_some(network))
            }
        }
    }

    /// How fast the machine may find new destinations, if that is limited.
    pub const fn throttle(self) -> Option<&'a Throttle> {
        match self {
            Self::Nic(nic) => nic.throttle(),
            Self::Nsg(_) => None,
        }
    }

    /// The address of the machine in a family, if the estate tells it: the first of its IP configurations.
    pub fn address(self, family: Family) -> Option<IpAddr> {
        let Self::Nic(nic) = self else { return None };
        let addresses = nic.ip_configurations().iter().filter_map(palisade_model::IpConfiguration::address);
        addresses.map(Prefix::address).find(|address| Family::of(*address) == family)
    }
}

fn one<'a, T>(
    found: &[&'a T],
    name: &str,
    kind: &str,
    all: impl Fn() -> Vec<&'a str>,
) -> Result<&'a T, TargetError> {
    match found {
        [one] => Ok(one),
        [] => Err(TargetError {
            code: "ResourceNotFound",
            message: format!(
                "there is no {kind} \"{name}\"{} ({})",
                nearest::hint(name, all()),
                listed(&all())
            ),
        }),
        several => Err(TargetError {
            code: "AmbiguousResourceName",
            message: format!("{} of kind {kind} are named \"{name}\" (give the resource id)", several.len()),
        }),
    }
}

fn listed(names: &[&str]) -> String {
    /// Names that a message lists.
    const SHOWN: usize = 8;
    match names {
        [] => "the estate has none".to_owned(),
        few if few.len() <= SHOWN => format!("the estate has {}", few.join(", ")),
        many => format!("the estate has {} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
