//! Regions in words that people wrote: tags, subnets, application security groups.
//!
//! A name stands for addresses only where it means exactly them, in both policies alike; what is left is said in prefixes. So
//! words say neither more nor less than the region.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use palisade_model::{AddressField, Addresses, EffectivePolicy, Estate, ResourceId};
use palisade_net::{AddressSet, Family, PortSet, Protocol, RangeSet};

use crate::region::{Block, Region};

/// Names and what they mean.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: Vec<(String, AddressSet)>,
}

/// A block in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Families of which it is said.
    pub families: Vec<Family>,
    /// Protocols.
    pub protocols: Terms,
    /// Who sends the first packet.
    pub sources: Terms,
    /// Ports that it is sent from.
    pub source_ports: Terms,
    /// Who receives it.
    pub destinations: Terms,
    /// Ports that receive it, or ICMP types.
    pub destination_ports: Terms,
}

/// The parts of a set, or of what is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terms {
    /// Everything.
    All,
    /// These together.
    Of(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
    /// What a name stands for, but not these.
    But(String, Vec<String>),
}

impl Terms {
    /// How many words it takes.
    fn len(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Of(terms) | Self::AllBut(terms) => terms.len(),
            Self::But(_, terms) => 1 + terms.len(),
        }
    }
}

impl Names {
    /// The names that rules of two policies use, and subnets and networks of the estates. A name that means two things is
    /// left out.
    pub fn of(policies: [&EffectivePolicy; 2], estates: [&Estate; 2]) -> Self {
        let mut found: BTreeMap<String, Option<AddressSet>> = BTreeMap::new();
        let mut add = |name: String, addresses: &Addresses| {
            let meaning = addresses.is_certain().then(|| addresses.may().clone());
            let known = found.entry(name).or_insert_with(|| meaning.clone());
            if *known != meaning {
                *known = None;
            }
        };
        let layers = policies.into_iter().flat_map(|policy| policy.inbound.iter().chain(&policy.outbound));
        for rule in layers.flat_map(|layer| &layer.rules) {
            for (field, addresses) in
                [(&rule.source_field, &rule.source), (&rule.destination_field, &rule.destination)]
            {
                match field {
                    AddressField::Tag(tag) => add(tag.to_string(), addresses),
                    AddressField::Groups(groups) => add(group_words(groups), addresses),
                    _ => {}
                }
            }
        }
        for network in estates.into_iter().flat_map(Estate::virtual_networks) {
            add(network.name().to_owned(), network.addresses());
            for subnet in network.subnets() {
                add(format!("{}/{}", network.name(), subnet.name()), subnet.addresses());
            }
        }
        let meant = found.into_iter().filter_map(|(name, meaning)| Some((name, meaning?)));
        Self { known: meant.collect() }
    }

    /// The blocks of a region in words, families together where the same is said of both.
    pub fn words(&self, region: &Region) -> Vec<Words> {
        let mut all: Vec<Words> = Vec::new();
        for block in &region.blocks {
            let words = self.block(block);
            let same = |other: &&mut Words| {
                let families = other.families.clone();
                **other == Words { families, ..words.clone() } && !other.families.contains(&block.family)
            };
            match all.iter_mut().find(same) {
                Some(other) => other.families.push(block.family),
                None => all.push(words),
            }
        }
        all
    }

    fn block(&self, block: &Block) -> Words {
        Words {
            families: vec![block.family],
            protocols: protocols(&block.protocols),
            sources: self.addresses(&block.sources, block.family),
            source_ports: ports(&block.source_ports),
            destinations: self.addresses(&block.destinations, block.family),
            destination_ports: ports(&block.destination_ports),
        }
    }

    /// A set of addresses of one family in as few terms as are found.
    fn addresses(&self, set: &AddressSet, family: Family) -> Terms {
        let all = of_family(&AddressSet::full(), family);
        let rest = all.difference(set);
        if rest.is_empty() {
            return Terms::All;
        }
        let of_name = self.known.iter().filter_map(|(name, meaning)| {
            let meaning = of_family(meaning, family);
            let is_larger = set.difference(&meaning).is_empty();
            is_larger.then(|| Terms::But(name.clone(), self.cover(&meaning.difference(set), family)))
        });
        let plain = [Terms::Of(self.cover(set, family)), Terms::AllBut(self.cover(&rest, family))];
        let fewest = plain.into_iter().chain(of_name).min_by_key(Terms::len);
        fewest.expect("two ways are always there")
    }

    /// Names and prefixes that together are `set`: names while they save words, those first that save most.
    fn cover(&self, set: &AddressSet, family: Family) -> Vec<String> {
        let mut rest = set.clone();
        let mut terms = Vec::new();
        loop {
            let prefixes = rest.prefixes();
            let named = self.known.iter().filter_map(|(name, meaning)| {
                let meaning = of_family(meaning, family);
                let is_inside = !meaning.is_empty() && meaning.difference(set).is_empty();
                let left = is_inside.then(|| rest.difference(&meaning))?;
                let saved =
                    prefixes.len().checked_sub(left.prefixes().len() + usize::from(!left.is_empty()))?;
                (left != rest).then_some((saved, name, left))
            });
            match named.max_by_key(|(saved, name, _)| (*saved, std::cmp::Reverse(*name))) {
                Some((_, name, left)) => {
                    terms.push(name.clone());
                    rest = left;
                }
                None => {
                    terms.extend(prefixes.iter().map(ToString::to_string));
                    return terms;
                }
            }
        }
    }
}

fn group_words(groups: &[ResourceId]) -> String {
    groups.iter().map(ResourceId::name).collect::<Vec<_>>().join("+")
}

/// The half of a set that is of a family.
pub(crate) fn of_family(set: &AddressSet, family: Family) -> AddressSet {
    match family {
        Family::V4 => AddressSet::from_ranges(set.v4().clone(), RangeSet::empty()),
        Family::V6 => AddressSet::from_ranges(RangeSet::empty(), set.v6().clone()),
    }
}

/// Protocols by name; `Icmp` is that of both families, as in a rule.
fn protocols(set: &[Protocol]) -> Terms {
    let names = |protocols: &mut dyn Iterator<Item = Protocol>| {
        let found: Vec<Protocol> = protocols.collect();
        let both = found.contains(&Protocol::ICMP) && found.contains(&Protocol::ICMPV6);
        let said = found.iter().filter(|protocol| !(both && **protocol == Protocol::ICMPV6));
        said.map(ToString::to_string).collect::<Vec<_>>()
    };
    let inside = names(&mut set.iter().copied());
    let outside = names(&mut (0..=u8::MAX).map(Protocol).filter(|protocol| !set.contains(protocol)));
    terms(inside, outside)
}

fn ports(set: &PortSet) -> Terms {
    let names = |set: &PortSet| {
        let range = |&(first, last): &(u16, u16)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        set.ranges().iter().map(range).collect()
    };
    terms(names(set), names(&set.complement()))
}

fn terms(inside: Vec<String>, outside: Vec<String>) -> Terms {
    match outside.len() {
        0 => Terms::All,
        fewer if fewer < inside.len() => Terms::AllBut(outside),
        _ => Terms::Of(inside),
    }
}
