//! Names of the other sides of flows.
//!
//! An address is called by the narrowest thing of the estate that holds it: a subnet, an application security group that a rule
//! names, a service tag, a network. What is only in `Internet`, or in nothing, is called by a prefix.

use std::{collections::BTreeMap, net::IpAddr};

use palisade_model::{ComputedTag, Estate, Nic};
use palisade_net::{AddressSet, Family, Prefix, RangeSet};

use crate::atoms::Atoms;

/// Length of the prefix that stands for an address without a name, by family.
const PREFIX_V4: u8 = 24;
/// The same of IPv6.
const PREFIX_V6: u8 = 48;

/// Names of addresses.
#[derive(Debug)]
pub struct Peers {
    names: Vec<String>,
    v4: Vec<(u128, Option<usize>)>,
    v6: Vec<(u128, Option<usize>)>,
}

impl Peers {
    /// The names of an estate: subnets, networks, application security groups of rules, tags of the tag file.
    pub fn of(estate: &Estate) -> Self {
        let mut named: BTreeMap<String, AddressSet> = BTreeMap::new();
        let internet = ComputedTag::Internet.name();
        for (tag, addresses) in
            estate.tags().iter().filter(|(tag, _)| !tag.as_str().eq_ignore_ascii_case(internet))
        {
            named.insert(tag.as_str().to_owned(), addresses.clone());
        }
        for tag in ComputedTag::ALL.into_iter().filter(|tag| *tag != ComputedTag::Internet) {
            if let Some(addresses) = tag.fixed_addresses() {
                named.entry(tag.name().to_owned()).or_insert(addresses);
            }
        }
        for network in estate.virtual_networks() {
            named.insert(network.name().to_owned(), network.addresses().must().clone());
            for subnet in network.subnets() {
                let name = format!("{}/{}", network.name(), subnet.name());
                named.insert(name, subnet.addresses().must().clone());
            }
        }
        for configuration in estate.nics().flat_map(Nic::ip_configurations) {
            for group in configuration.groups() {
                let members = named.entry(group.name().to_owned()).or_default();
                *members = members.union(&configuration.address().into_iter().collect());
            }
        }
        let (names, sets): (Vec<String>, Vec<AddressSet>) = named.into_iter().unzip();
        let v4: Vec<&RangeSet<u32>> = sets.iter().map(AddressSet::v4).collect();
        let v6: Vec<&RangeSet<u128>> = sets.iter().map(AddressSet::v6).collect();
        Self { names, v4: narrowest(&v4), v6: narrowest(&v6) }
    }

    /// What an address is called.
    pub fn name(&self, address: IpAddr) -> String {
        let (intervals, value, length) = match address {
            IpAddr::V4(a) => (&self.v4, u128::from(u32::from(a)), PREFIX_V4),
            IpAddr::V6(a) => (&self.v6, u128::from(a), PREFIX_V6),
        };
        let after = intervals.partition_point(|(first, _)| *first <= value);
        match after.checked_sub(1).and_then(|at| intervals[at].1) {
            Some(name) => self.names[name].clone(),
            None => {
                debug_assert!(length <= Family::of(address).width());
                Prefix::truncated(address, length).expect("the length is below the width").to_string()
            }
        }
    }
}

/// For each interval of addresses, the smallest set that holds it.
fn narrowest<T: palisade_net::Number + Into<u128>>(sets: &[&RangeSet<T>]) -> Vec<(u128, Option<usize>)> {
    let atoms = Atoms::of(sets, &RangeSet::full(), &[]);
    let size = |set: usize| {
        let spans = sets[set].ranges().iter().map(|&(first, last)| last.into() - first.into());
        spans.fold(0u128, |sum, span| sum.saturating_add(span).saturating_add(1))
    };
    let mut order: Vec<usize> = (0..sets.len()).collect();
    order.sort_by_cached_key(|set| size(*set));
    let mut best: Vec<Option<usize>> = vec![None; atoms.len()];
    for set in order {
        let number = u32::try_from(set).expect("names are fewer than lines of files");
        for atom in atoms.members(number).iter() {
            best[atom].get_or_insert(set);
        }
    }
    atoms.starts().map(|(first, atom)| (first, best[atom as usize])).collect()
}
