//! Which rules a flow meets: flows that meet the same are alike.
//!
//! Of each list these are the rules that may match, down to the first that surely does; so the answer for one flow is the answer
//! for all that meet the same, three-valued like any other, and is found once. A flow to a service of the platform is asked about
//! rules further down, and meets all that may match. It must not know an answer.

use std::ops::Range;

use palisade_net::{Direction, Protocol};

use super::{
    cuts::Leading,
    lists::{Lists, Matching, Sides},
};
use crate::{observed::Key, rows::FastMap};

/// What flows may meet, as a tree: each path from a root names the rules of one meeting, list by list.
#[derive(Debug, Default)]
pub(super) struct Meetings {
    steps: FastMap<(u32, u32), u32>,
    /// Roots by protocol: where all types of ICMP are asked about at once, what matches depends on it.
    roots: FastMap<Option<Protocol>, u32>,
    count: u32,
}

/// The end of a list in which nothing surely matched.
const NOTHING: u32 = u32::MAX;

impl Meetings {
    /// How many numbers were given.
    pub(super) const fn len(&self) -> usize {
        self.count as usize
    }

    /// Where the meetings begin of flows whose type is known, or of all types of a protocol.
    pub(super) fn root(&mut self, of_all_types: Option<Protocol>) -> u32 {
        *self.roots.entry(of_all_types).or_insert_with(|| next(&mut self.count))
    }

    fn step(&mut self, from: u32, met: u32) -> u32 {
        *self.steps.entry((from, met)).or_insert_with(|| next(&mut self.count))
    }
}

fn next(count: &mut u32) -> u32 {
    *count = count.checked_add(1).expect("meetings are fewer than flows and rules");
    *count - 1
}

/// Flows of one place, direction, protocol and port, asked about one after the other.
#[derive(Debug)]
pub(super) struct Meeting<'a, T> {
    lists: &'a Lists,
    sides: &'a Sides<T>,
    service: &'a Matching,
    direction: Direction,
    has_ports: bool,
    root: u32,
    /// The rules that may match the service at an atom of the machine's own address and of the source port.
    own: Vec<u64>,
    own_at: Option<(usize, usize)>,
}

/// The atoms of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    source: usize,
    destination: usize,
    source_port: usize,
}

impl<'a, T: Leading> Meeting<'a, T> {
    /// Prepares for flows of the key's protocol and port, which the rules of `service` may match.
    pub(super) fn new(
        (lists, sides): (&'a Lists, &'a Sides<T>),
        service: &'a Matching,
        (direction, protocol): (Direction, Protocol),
        root: u32,
    ) -> Self {
        let has_ports = protocol.has_ports();
        Self { lists, sides, service, direction, has_ports, root, own: Vec::new(), own_at: None }
    }

    /// Whether rules tell two flows with these source ports apart.
    pub(super) fn is_alike(&self, one: u16, other: u16) -> bool {
        one == other || self.source_port(one) == self.source_port(other)
    }

    fn source_port(&self, port: u16) -> usize {
        if self.has_ports { self.lists.source_ports.atom(port) } else { 0 }
    }

    /// The number of what a flow meets.
    pub(super) fn of(&mut self, key: &Key<T>, meetings: &mut Meetings) -> u32 {
        let at = At {
            source: self.sides.source.atom(key.source),
            destination: self.sides.destination.atom(key.destination),
            source_port: self.source_port(key.source_port),
        };
        let (own, own_atom, remote, remote_atom) = match self.direction {
            Direction::Inbound => (&self.sides.destination, at.destination, &self.sides.source, at.source),
            Direction::Outbound => (&self.sides.source, at.source, &self.sides.destination, at.destination),
        };
        if self.own_at != Some((own_atom, at.source_port)) {
            self.own_at = Some((own_atom, at.source_port));
            self.own.clear();
            let pairs = self.service.may(0).iter().zip(own.rules.may(own_atom));
            self.own.extend(pairs.map(|(service, own)| service & own));
            if self.has_ports {
                let ports = self.lists.source_ports.rules.may(at.source_port);
                self.own.iter_mut().zip(ports).for_each(|(own, port)| *own &= port);
            }
        }
        self.walk(remote.rules.may(remote_atom), at, meetings)
    }

    fn walk(&self, remote: &[u64], at: At, meetings: &mut Meetings) -> u32 {
        let platform = self.lists.platform.clone();
        let is_platform = platform.clone().any(|word| self.own[word] & remote[word] != 0);
        let mut met = self.root;
        if is_platform {
            met = self.list(platform, (remote, at), true, met, meetings);
        }
        for words in self.lists.each() {
            met = self.list(words, (remote, at), is_platform, met, meetings);
        }
        met
    }

    /// What is met of one list.
    fn list(
        &self,
        words: Range<usize>,
        (remote, at): (&[u64], At),
        is_whole: bool,
        mut met: u32,
        meetings: &mut Meetings,
    ) -> u32 {
        for word in words {
            let mut rest = self.own[word] & remote[word];
            while rest != 0 {
                let bit = word * 64 + rest.trailing_zeros() as usize;
                let (serves, holds) = (self.service.is_sure(0, bit), self.holds(at, bit));
                let code = bit << 2 | usize::from(serves) << 1 | usize::from(holds);
                met = meetings.step(met, u32::try_from(code).expect("lists have fewer rules"));
                if serves && holds && !is_whole && self.lists.ends(bit) {
                    return met;
                }
                rest &= rest - 1;
            }
        }
        meetings.step(met, NOTHING)
    }

    /// Whether the addresses and the source port of a rule surely match.
    fn holds(&self, at: At, bit: usize) -> bool {
        self.sides.source.rules.is_sure(at.source, bit)
            && self.sides.destination.rules.is_sure(at.destination, bit)
            && (!self.has_ports || self.lists.source_ports.rules.is_sure(at.source_port, bit))
    }
}
