//! Rule lists as binary decision diagrams of OxiDD: one variable a bit, first match by and-not.
//!
//! It shares nothing with the analysis but the meaning of a rule's fields (`docs/semantics.md`, Decisions): no atoms, no
//! spaces, no states. Everything must be known, and nothing exempt.

use std::{cell::RefCell, hash::BuildHasherDefault};

use oxidd::{
    BooleanFunction, Manager, ManagerRef,
    bcdd::{BCDDFunction, BCDDManagerRef, new_manager},
    util::{FxHasher, SatCountCache, num::Natural},
};
use palisade_model::{Access, EffectiveRule, Maybe, Ports};
use palisade_net::{AddressSet, Family, PortSet, Protocol, ProtocolMatch};

/// Inner nodes; a list of 1,000 rules with tags needs about a million.
const NODES: usize = 1 << 23;
const CACHE: usize = 1 << 22;
/// Protocol, destination port, source port; the addresses follow.
const SMALL_BITS: u32 = 8 + 16 + 16;

/// A set of packets.
pub type Set = BCDDFunction;

/// All packets of one family.
pub struct Diagrams {
    manager: BCDDManagerRef,
    family: Family,
    /// The packets that there are: ports where there are ports, a type where there is one.
    pub universe: Set,
    ports: Set,
    types: Set,
    /// Volumes of the parts of sets that were counted before.
    counted: RefCell<SatCountCache<Natural, BuildHasherDefault<FxHasher>>>,
}

/// Where a field begins, and how many bits it has.
type Field = (u32, u32);

impl Diagrams {
    pub fn new(family: Family) -> Self {
        let manager = new_manager(NODES, CACHE, 1);
        let all = manager.with_manager_exclusive(|manager| {
            manager.add_vars(SMALL_BITS + 2 * width(family));
            Set::t(manager)
        });
        let counted = RefCell::default();
        let mut new =
            Self { manager, family, ports: all.clone(), types: all.clone(), universe: all, counted };
        let protocols = |protocols: &[Protocol]| -> Vec<(u128, u128)> {
            protocols.iter().map(|protocol| (protocol.0.into(), protocol.0.into())).collect()
        };
        new.ports = new.of(PROTOCOL, &protocols(&[Protocol::TCP, Protocol::UDP]));
        new.types = new.of(PROTOCOL, &protocols(&[Protocol::ICMP, Protocol::ICMPV6]));
        let no_source = new.of(SOURCE_PORT, &[(0, 0)]);
        let types = and(&new.types, &new.of(DESTINATION_PORT, &[(0, 255)]));
        let bare = and(&not(&or(&new.ports, &new.types)), &new.of(DESTINATION_PORT, &[(0, 0)]));
        new.universe = or(&new.ports, &and(&no_source, &or(&types, &bare)));
        new
    }

    /// What a rule matches.
    pub fn matched(&self, rule: &EffectiveRule) -> Set {
        let Maybe::Known(protocol) = rule.protocol else { panic!("{} is known", rule.name) };
        let numbers = (0..=u8::MAX).filter(|number| protocol.matches(Protocol(*number)));
        let numbers: Vec<(u128, u128)> = numbers.map(|number| (number.into(), number.into())).collect();
        let mut set = and(&self.universe, &self.of(PROTOCOL, &merged(&numbers)));
        let source_ports = known(&rule.source_ports);
        if !source_ports.is_full() {
            set = and(&set, &and(&self.ports, &self.of(SOURCE_PORT, &wide(source_ports))));
        }
        let destination_ports = known(&rule.destination_ports);
        if !destination_ports.is_full() {
            let by_value = match protocol {
                ProtocolMatch::Any => self.ports.clone(),
                _ => or(&self.ports, &self.types),
            };
            set = and(&set, &and(&by_value, &self.of(DESTINATION_PORT, &wide(destination_ports))));
        }
        let bits = width(self.family);
        for (side, place) in [(&rule.destination, SMALL_BITS), (&rule.source, SMALL_BITS + bits)] {
            assert_eq!(side.must(), side.may(), "{} is known", rule.name);
            set = and(&set, &self.of((place, bits), &self.addresses(side.must())));
        }
        set
    }

    fn addresses(&self, set: &AddressSet) -> Vec<(u128, u128)> {
        match self.family {
            Family::V4 => {
                set.v4().ranges().iter().map(|&(first, last)| (first.into(), last.into())).collect()
            }
            Family::V6 => set.v6().ranges().to_vec(),
        }
    }

    /// The packets whose field lies in one of some sorted ranges.
    fn of(&self, field: Field, ranges: &[(u128, u128)]) -> Set {
        self.part(field, 0, ranges)
    }

    /// The same of the values from `base` on that the bits of `field` can still tell apart.
    fn part(&self, (place, bits): Field, base: u128, ranges: &[(u128, u128)]) -> Set {
        let last = if bits == 128 { u128::MAX } else { base + ((1 << bits) - 1) };
        let within: &[(u128, u128)] = {
            let from = ranges.partition_point(|range| range.1 < base);
            let to = ranges.partition_point(|range| range.0 <= last);
            &ranges[from.min(to)..to]
        };
        match within {
            [] => self.manager.with_manager_shared(Set::f),
            [(first, end)] if *first <= base && last <= *end => self.manager.with_manager_shared(Set::t),
            _ => {
                let low = self.part((place + 1, bits - 1), base, within);
                let high = self.part((place + 1, bits - 1), base + (1 << (bits - 1)), within);
                let bit = self.manager.with_manager_shared(|manager| Set::var(manager, place));
                bit.and_then(|bit| bit.ite(&high, &low)).expect("there is room for the field's nodes")
            }
        }
    }

    /// How many packets there are in a set, in decimal digits.
    pub fn volume(&self, set: &Set) -> String {
        set.sat_count(SMALL_BITS + 2 * width(self.family), &mut self.counted.borrow_mut()).to_string()
    }

    /// No packet.
    pub fn nothing(&self) -> Set {
        self.manager.with_manager_shared(Set::f)
    }
}

const PROTOCOL: Field = (0, 8);
const DESTINATION_PORT: Field = (8, 16);
const SOURCE_PORT: Field = (24, 16);

/// A list by first match.
pub struct Walked {
    /// What each rule matches.
    pub matched: Vec<Set>,
    /// What each rule decides.
    pub decided: Vec<Set>,
    /// What the list allows.
    pub allowed: Set,
}

impl Walked {
    pub fn of(diagrams: &Diagrams, rules: &[EffectiveRule]) -> Self {
        let mut rest = diagrams.universe.clone();
        let mut walked = Self { matched: Vec::new(), decided: Vec::new(), allowed: diagrams.nothing() };
        for rule in rules {
            let matched = diagrams.matched(rule);
            let decided = and(&rest, &matched);
            rest = and(&rest, &not(&matched));
            if allows(rule) {
                walked.allowed = or(&walked.allowed, &decided);
            }
            walked.matched.push(matched);
            walked.decided.push(decided);
        }
        walked
    }

    /// The rules that decide nothing.
    pub fn idle(&self) -> Vec<usize> {
        (0..self.decided.len()).filter(|rule| !self.decided[*rule].satisfiable()).collect()
    }

    /// Whether a rule matches a packet.
    pub fn is_matched(&self, rule: usize) -> bool {
        self.matched[rule].satisfiable()
    }

    /// The rules without which the same packets would be allowed.
    pub fn redundant(&self, diagrams: &Diagrams, rules: &[EffectiveRule]) -> Vec<usize> {
        let mut after = diagrams.nothing();
        let mut redundant = Vec::new();
        for (number, rule) in rules.iter().enumerate().rev() {
            let other = if allows(rule) { not(&after) } else { after.clone() };
            if !and(&self.decided[number], &other).satisfiable() {
                redundant.push(number);
            }
            let matched = &self.matched[number];
            after = if allows(rule) { or(matched, &after) } else { and(&not(matched), &after) };
        }
        redundant.reverse();
        redundant
    }
}

fn allows(rule: &EffectiveRule) -> bool {
    rule.access == Maybe::Known(Access::Allow)
}

const fn width(family: Family) -> u32 {
    match family {
        Family::V4 => 32,
        Family::V6 => 128,
    }
}

fn known(ports: &Ports) -> &PortSet {
    let Ports::Known(set) = ports else { panic!("ports are known") };
    set
}

fn wide(ports: &PortSet) -> Vec<(u128, u128)> {
    ports.ranges().iter().map(|&(first, last)| (first.into(), last.into())).collect()
}

/// Sorted ranges, those that touch joined.
fn merged(ranges: &[(u128, u128)]) -> Vec<(u128, u128)> {
    let mut result: Vec<(u128, u128)> = Vec::new();
    for &(first, last) in ranges {
        match result.last_mut() {
            Some(before) if before.1 + 1 == first => before.1 = last,
            _ => result.push((first, last)),
        }
    }
    result
}

pub fn and(one: &Set, other: &Set) -> Set {
    one.and(other).expect("there is room for the nodes")
}

fn or(one: &Set, other: &Set) -> Set {
    one.or(other).expect("there is room for the nodes")
}

pub fn not(set: &Set) -> Set {
    set.not().expect("there is room for the nodes")
}
