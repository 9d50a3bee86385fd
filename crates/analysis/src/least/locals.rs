//! How a rule names the machines that it is for.
//!
//! Any machine, where all behind the NSG are meant; else groups or subnets that hold exactly the machines that are meant, of
//! those behind the NSG; else single addresses, or any machine after all, as is asked for. It must not know peers.

use std::{collections::BTreeSet, net::IpAddr};

use palisade_model::{ResourceId, limits::ASGS_PER_RULE_SIDE_MAX};
use palisade_net::{AddressSet, Family};

use super::{
    cover::{Candidate, greedy},
    estate::{Machines, Named},
};
use crate::words::of_family;

/// How narrowly rules name the machines that they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sources {
    /// Every rule is for any machine behind the NSG.
    Any,
    /// Groups and subnets where they hold exactly the machines; any machine otherwise.
    #[default]
    Named,
    /// Groups and subnets where they hold exactly the machines; single addresses otherwise.
    Exact,
}

/// The machines' side of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Local {
    /// Any machine that the NSG governs.
    Any,
    /// Members of application security groups.
    Groups(Vec<ResourceId>),
    /// Addresses of one family.
    Prefixes(AddressSet),
}

/// What can be named behind one NSG.
#[derive(Debug)]
pub(crate) struct Locals {
    pub(crate) machines: Machines,
    pub(crate) groups: Vec<Named<ResourceId>>,
    pub(crate) subnets: Vec<Named<String>>,
    pub(crate) sources: Sources,
}

impl Locals {
    /// How a rule names the machines at `used`, addresses of one family.
    pub(crate) fn name(&self, used: &BTreeSet<IpAddr>, family: Family) -> Local {
        let points: Vec<IpAddr> = used.iter().copied().collect();
        let used: AddressSet = used.iter().copied().collect();
        let all = of_family(&self.machines.addresses, family);
        let otherwise = match self.sources {
            Sources::Exact => Local::Prefixes(used.clone()),
            Sources::Any | Sources::Named => Local::Any,
        };
        if self.sources == Sources::Any || !self.machines.complete {
            return otherwise;
        }
        if all.difference(&used).is_empty() && used.difference(&all).is_empty() {
            return Local::Any;
        }
        if let Some(groups) = pieces(&self.groups, &all, &points, ASGS_PER_RULE_SIDE_MAX) {
            return Local::Groups(groups.into_iter().map(|group| group.name.clone()).collect());
        }
        match pieces(&self.subnets, &all, &points, usize::MAX) {
            Some(subnets) => Local::Prefixes(
                subnets
                    .into_iter()
                    .fold(AddressSet::empty(), |set, subnet| set.union(&of_family(&subnet.set, family))),
            ),
            None => otherwise,
        }
    }

    /// The addresses that a name stands for.
    pub(crate) fn meaning(&self, local: &Local) -> AddressSet {
        match local {
            Local::Any => AddressSet::full(),
            Local::Prefixes(set) => set.clone(),
            Local::Groups(groups) => {
                let named = self.groups.iter().filter(|group| groups.contains(&group.name));
                named.fold(AddressSet::empty(), |set, group| set.union(&group.set))
            }
        }
    }
}

/// The fewest names, at most `max`, that hold of `all` exactly `used`.
fn pieces<'n, T>(
    named: &'n [Named<T>],
    all: &AddressSet,
    used: &[IpAddr],
    max: usize,
) -> Option<Vec<&'n Named<T>>> {
    let only: AddressSet = used.iter().copied().collect();
    let is_inside = |piece: &&Named<T>| piece.set.intersection(all).difference(&only).is_empty();
    let inside: Vec<&Named<T>> = named.iter().filter(is_inside).collect();
    let candidates: Vec<Candidate> = inside
        .iter()
        .map(|piece| {
            let held = (0..).zip(used).filter(|(_, address)| piece.set.contains(**address));
            Candidate { weight: 1.0, points: held.map(|(point, _)| point).collect() }
        })
        .collect();
    let chosen = greedy(used.len(), &candidates);
    let is_held = |address: &IpAddr| chosen.iter().any(|index| inside[*index].set.contains(*address));
    let is_whole = !chosen.is_empty() && chosen.len() <= max && used.iter().all(is_held);
    is_whole.then(|| chosen.iter().map(|index| inside[*index]).collect())
}
