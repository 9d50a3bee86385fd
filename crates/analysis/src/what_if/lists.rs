//! The rules before and after as rows of bits: for each atom of a field, the rules that may match and those that surely do.
//!
//! A rule is a bit, and each list of a policy has words of its own, in the order in which its rules are asked. Whether a rule
//! matches a protocol or a port is the oracle's to say; it is asked for each service once. It must not know what follows from a
//! match.

use std::{collections::HashMap, hash::Hash, ops::Range};

use palisade_classify::oracle::Comparison;
use palisade_model::{Addresses, EffectivePolicy, EffectiveRule, Mode, PlatformService, Ports, Truth};
use palisade_net::{AddressSet, Direction, Flow, PortSet, RangeSet};

use super::cuts::{Cuts, Leading};
use crate::{atoms::Atoms, bits::Bits};

/// For some values, atoms or services, the rules that match them.
#[derive(Debug, Default)]
pub(super) struct Matching {
    words: usize,
    may: Vec<u64>,
    /// Those that surely match; none if all that may do.
    must: Vec<u64>,
}

impl Matching {
    fn new(words: usize, count: usize) -> Self {
        let none = vec![0; words * count];
        Self { words, may: none.clone(), must: none }
    }

    fn set(&mut self, value: usize, bit: usize, truth: Truth) {
        let (place, mask) = (value * self.words + bit / 64, 1 << (bit % 64));
        self.may[place] |= if truth == Truth::No { 0 } else { mask };
        self.must[place] |= if truth == Truth::Yes { mask } else { 0 };
    }

    /// Gives back the memory of what is said twice.
    fn close(mut self) -> Self {
        if self.may == self.must {
            self.must = Vec::new();
        }
        self
    }

    /// The rules that may match a value.
    pub(super) fn may(&self, value: usize) -> &[u64] {
        &self.may[value * self.words..][..self.words]
    }

    /// Whether a rule that may match a value surely does.
    pub(super) fn is_sure(&self, value: usize, bit: usize) -> bool {
        let must = self.must.get(value * self.words + bit / 64);
        must.is_none_or(|word| word >> (bit % 64) & 1 == 1)
    }
}

/// Values of a field and the rules that match them.
#[derive(Debug)]
pub(super) struct Field<T> {
    cuts: Cuts<T>,
    pub(super) rules: Matching,
}

impl<T: Leading> Field<T> {
    /// The atom of a value.
    pub(super) fn atom(&self, value: T) -> usize {
        self.cuts.atom(value) as usize
    }
}

/// Both address fields of a family.
#[derive(Debug)]
pub(super) struct Sides<T> {
    pub(super) source: Field<T>,
    pub(super) destination: Field<T>,
}

/// The lists of one direction, of both sides; those that both have stand here once.
#[derive(Debug)]
pub(super) struct Lists {
    /// Which policy and which of its layers, and its words.
    lists: Vec<((usize, usize), Range<usize>)>,
    /// The platform's services, of each policy, as if they were rules.
    pub(super) platform: Range<usize>,
    pub(super) words: usize,
    /// The rules that end the search of a list if they surely match.
    ends: Vec<u64>,
    pub(super) v4: Sides<u32>,
    pub(super) v6: Sides<u128>,
    pub(super) source_ports: Field<u16>,
    destination_ports: Cuts<u16>,
}

/// What a bit stands for.
enum Asked<'p> {
    Rule(&'p EffectiveRule),
    Platform(PlatformService, Addresses),
}

impl Asked<'_> {
    fn source(&self) -> Option<&Addresses> {
        match self {
            Self::Rule(rule) => Some(&rule.source),
            Self::Platform(..) => None,
        }
    }

    fn destination(&self) -> Option<&Addresses> {
        match self {
            Self::Rule(rule) => Some(&rule.destination),
            Self::Platform(_, addresses) => Some(addresses),
        }
    }

    /// Whether everything but addresses and, where there are any, source ports matches a flow.
    fn serves(&self, flow: &Flow, now: u32) -> Truth {
        let truth = |holds: bool| if holds { Truth::Yes } else { Truth::No };
        match self {
            Self::Rule(rule) => {
                let compared = Comparison::of(rule, flow);
                let exists = if rule.certain { Truth::Yes } else { Truth::Maybe };
                let from = if flow.protocol().has_ports() { Truth::Yes } else { compared.source_port };
                let ports = compared.destination_port.and(from);
                exists.and(truth(rule.window.contains(now))).and(compared.protocol).and(ports)
            }
            Self::Platform(service, _) => truth(
                service.protocols().contains(&flow.protocol())
                    && service.ports().contains(flow.destination_port()),
            ),
        }
    }
}

impl Lists {
    /// The lists of some policies.
    pub(super) fn of(policies: &[&EffectivePolicy], direction: Direction) -> Self {
        let mut lists = Vec::new();
        let mut words = 0;
        for (policy, layer) in layers(policies, direction) {
            let own = policies[policy].layers(direction)[layer].rules.len().div_ceil(64);
            lists.push(((policy, layer), words..words + own));
            words += own;
        }
        let services = asked_services(policies, direction).count();
        let platform = words..words + services.div_ceil(64);
        let words = platform.end;
        let asked: Vec<_> = asked(policies, direction, &lists, &platform).collect();
        let mut ends = vec![0; words];
        for (bit, rule) in rules(&asked) {
            ends[bit / 64] |= u64::from(rule.certain && rule.mode == Mode::Enforce) << (bit % 64);
        }
        let any = Addresses::any();
        let sources: Vec<_> =
            asked.iter().map(|(bit, asked)| (*bit, asked.source().unwrap_or(&any))).collect();
        let destinations: Vec<_> =
            asked.iter().map(|(bit, asked)| (*bit, asked.destination().unwrap_or(&any))).collect();
        let platform_ports: Vec<PortSet> =
            asked_services(policies, direction).map(|(service, _)| service.ports()).collect();
        let ports = rules(&asked).filter_map(|(_, rule)| known(&rule.destination_ports));
        let destination_ports = Cuts::of(&atoms(ports.chain(&platform_ports)).0);
        Self {
            v4: Sides {
                source: addresses(&sources, AddressSet::v4, words),
                destination: addresses(&destinations, AddressSet::v4, words),
            },
            v6: Sides {
                source: addresses(&sources, AddressSet::v6, words),
                destination: addresses(&destinations, AddressSet::v6, words),
            },
            source_ports: source_ports(&asked, words),
            destination_ports,
            lists,
            platform,
            words,
            ends,
        }
    }

    /// The words of each list, in order.
    pub(super) fn each(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.lists.iter().map(|(_, words)| words.clone())
    }

    /// Whether nothing after a rule of its list is asked if it surely matches.
    pub(super) fn ends(&self, bit: usize) -> bool {
        self.ends[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// The atom of a destination port or type.
    pub(super) fn port(&self, port: u16) -> u32 {
        self.destination_ports.atom(port)
    }

    /// The rules of the policies that the lists are of which match what some flows of one protocol and port have in common: one
    /// flow, or one of each type.
    pub(super) fn serving(
        &self,
        (policies, direction): (&[&EffectivePolicy], Direction),
        flows: &[Flow],
        now: u32,
    ) -> Matching {
        let mut matching = Matching::new(self.words, 1);
        for (bit, asked) in asked(policies, direction, &self.lists, &self.platform) {
            let mut truths = flows.iter().map(|flow| asked.serves(flow, now));
            let first = truths.next().unwrap_or(Truth::No);
            let same = truths.all(|truth| truth == first);
            matching.set(0, bit, if same { first } else { Truth::Maybe });
        }
        matching.close()
    }
}

/// The layers of all policies, but for those that one before has too.
fn layers(policies: &[&EffectivePolicy], direction: Direction) -> impl Iterator<Item = (usize, usize)> {
    let all = policies.iter().enumerate();
    let all =
        all.flat_map(move |(at, policy)| (0..policy.layers(direction).len()).map(move |layer| (at, layer)));
    all.filter(move |&(at, layer)| {
        let own = &policies[at].layers(direction)[layer];
        !policies[..at].iter().any(|before| before.layers(direction).contains(own))
    })
}

/// The services of the platform that a flow may be to.
fn asked_services<'p>(
    policies: &'p [&EffectivePolicy],
    direction: Direction,
) -> impl Iterator<Item = &'p (PlatformService, AddressSet)> {
    let asked = if direction == Direction::Outbound { policies } else { &[] };
    asked.iter().flat_map(|policy| &policy.services)
}

/// Everything that has a bit.
fn asked<'p>(
    policies: &'p [&EffectivePolicy],
    direction: Direction,
    lists: &[((usize, usize), Range<usize>)],
    platform: &Range<usize>,
) -> impl Iterator<Item = (usize, Asked<'p>)> {
    let rules = lists.iter().flat_map(move |((policy, layer), words)| {
        let rules = &policies[*policy].layers(direction)[*layer].rules;
        (words.start * 64..).zip(rules.iter().map(Asked::Rule))
    });
    let services = asked_services(policies, direction);
    let services = services.map(|(service, own)| Asked::Platform(*service, Addresses::exactly(own.clone())));
    rules.chain((platform.start * 64..).zip(services))
}

fn rules<'p>(asked: &[(usize, Asked<'p>)]) -> impl Iterator<Item = (usize, &'p EffectiveRule)> {
    asked.iter().filter_map(|(bit, asked)| match asked {
        Asked::Rule(rule) => Some((*bit, *rule)),
        Asked::Platform(..) => None,
    })
}

const fn known(ports: &Ports) -> Option<&PortSet> {
    match ports {
        Ports::Known(set) => Some(set),
        Ports::Unknown => None,
    }
}

/// The atoms that some sets make, and the number of each set.
fn atoms<'s, T: Leading + Hash + 's>(
    sets: impl Iterator<Item = &'s RangeSet<T>>,
) -> (Atoms, HashMap<&'s RangeSet<T>, u32>) {
    let (mut different, mut numbers) = (Vec::new(), HashMap::new());
    for set in sets {
        numbers.entry(set).or_insert_with(|| {
            different.push(set);
            u32::try_from(different.len() - 1).expect("sets are fewer than rules")
        });
    }
    (Atoms::of(&different, &RangeSet::full(), &[]), numbers)
}

fn addresses<T: Leading + Hash>(
    rules: &[(usize, &Addresses)],
    half: fn(&AddressSet) -> &RangeSet<T>,
    words: usize,
) -> Field<T> {
    let sets = rules.iter().flat_map(|(_, addresses)| [addresses.must(), addresses.may()]);
    let (atoms, numbers) = atoms(sets.map(half));
    let mut matching = Matching::new(words, atoms.len());
    for (bit, addresses) in rules {
        let members = |set| atoms.members(numbers[half(set)]).iter();
        members(addresses.may()).for_each(|atom| matching.set(atom, *bit, Truth::Maybe));
        members(addresses.must()).for_each(|atom| matching.set(atom, *bit, Truth::Yes));
    }
    Field { cuts: Cuts::of(&atoms), rules: matching.close() }
}

/// Source ports of protocols that have any.
fn source_ports(asked: &[(usize, Asked<'_>)], words: usize) -> Field<u16> {
    let (atoms, numbers) = atoms(rules(asked).filter_map(|(_, rule)| known(&rule.source_ports)));
    let all = Bits::all(atoms.len());
    let mut matching = Matching::new(words, atoms.len());
    for (bit, asked) in asked {
        let (members, truth) = match asked {
            Asked::Rule(EffectiveRule { source_ports: Ports::Known(set), .. }) => {
                (atoms.members(numbers[set]), Truth::Yes)
            }
            Asked::Rule(_) => (&all, Truth::Maybe),
            Asked::Platform(..) => (&all, Truth::Yes),
        };
        members.iter().for_each(|atom| matching.set(atom, *bit, truth));
    }
    Field { cuts: Cuts::of(&atoms), rules: matching.close() }
}
