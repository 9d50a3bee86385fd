//! One question to all lists of a place, and the parts of its answer.
//!
//! It must not know what is looked for.

use palisade_model::Nic;
use palisade_net::{AddressSet, Direction, Flow, PortSet, Protocol};

use super::{
    Subject,
    sites::{self, Site},
    tell::{by_rule, half},
};
use crate::{AnalysisError, Block, Limits, Query, Reached, Region, reach};

/// Blocks of one answer; beyond, an answer is refused, for parts of it would be missing.
const BLOCKS: usize = 1 << 12;

/// A question to a place.
pub(super) struct Asked<'s, 'e> {
    pub(super) site: &'s Site<'e>,
    pub(super) direction: Direction,
    pub(super) query: Query,
    pub(super) now: u32,
    pub(super) limits: Limits,
}

impl Asked<'_, '_> {
    /// The answers, each whole.
    pub(super) fn ask(&self) -> Result<Vec<Reached>, AnalysisError> {
        let limits = Limits { blocks: BLOCKS, ..self.limits };
        let machine = self.site.machine();
        let found = reach(&self.site.policy, self.direction, &self.query, self.now, &machine, limits)?;
        match found.iter().all(|reached| reached.region.rest.is_zero()) {
            true => Ok(found),
            false => Err(AnalysisError::TooScattered { blocks: BLOCKS }),
        }
    }

    /// What an answer is about: the rule that decides, and the interfaces whose addresses are in a part of it.
    pub(super) fn subject(&self, reached: &Reached, part: &Region) -> Subject {
        let mut subject = self.site.subject(Some(self.direction));
        let is_concerned = |nic: &&&Nic| {
            let own = sites::own(self.site.estate, nic);
            part.blocks.iter().any(|block| self.local(block).intersects(&own))
        };
        subject.nics = self.site.nics.iter().filter(is_concerned).map(|nic| nic.id().clone()).collect();
        by_rule(subject, &self.site.policy, self.direction, reached.rule())
    }

    /// Whether no machine surely has an address of a part, so that it is the deployment which decides.
    pub(super) fn depends_on_assignment(&self, part: &Region) -> bool {
        let sure = self.site.nics.iter().map(|nic| self.site.estate.addresses_of(nic).must().clone());
        let sure: Vec<AddressSet> = sure.collect();
        let is_sure = |block: &Block| {
            let local = self.local(block);
            half(&self.site.own, block.family).difference(local).is_empty()
                || sure.iter().any(|own| own.intersects(local))
        };
        !self.site.nics.is_empty() && !part.blocks.iter().any(is_sure)
    }

    fn local<'b>(&self, block: &'b Block) -> &'b AddressSet {
        match self.direction {
            Direction::Inbound => &block.destinations,
            Direction::Outbound => &block.sources,
        }
    }

    /// A packet of a part, which fares as the answer says: the oracle is asked.
    pub(super) fn witness(&self, part: &Region, reached: &Reached) -> Result<Option<Flow>, AnalysisError> {
        let Some(block) = part.blocks.first() else { return Ok(None) };
        let flow = block.example(self.direction, &self.site.machine());
        reached.side.confirm(&self.site.policy, &flow, self.now)?;
        Ok(Some(flow))
    }
}

/// The blocks of a region that hold packets of a protocol to some of the ports.
fn blocks<'r>(region: &'r Region, protocol: Protocol, ports: &'r PortSet) -> impl Iterator<Item = &'r Block> {
    let is_in = move |block: &&Block| {
        block.protocols.contains(&protocol) && block.destination_ports.intersects(ports)
    };
    region.blocks.iter().filter(is_in)
}

/// Who sends packets of a protocol to some of the ports.
pub(super) fn sources(region: &Region, protocol: Protocol, ports: &PortSet) -> AddressSet {
    union(blocks(region, protocol, ports).map(|block| &block.sources))
}

/// The ports among some that packets of a protocol go to.
pub(super) fn ports(region: &Region, protocol: Protocol, among: &PortSet) -> PortSet {
    let found = blocks(region, protocol, among).map(|block| block.destination_ports.intersection(among));
    found.fold(PortSet::empty(), |all, ports| all.union(&ports))
}

/// Who sends packets of a protocol to every port.
pub(super) fn sources_of_all_ports(region: &Region, protocol: Protocol) -> AddressSet {
    at_all_ports(region, protocol, |block| &block.sources)
}

/// Who receives packets of a protocol at every port.
pub(super) fn destinations_of_all_ports(region: &Region, protocol: Protocol) -> AddressSet {
    at_all_ports(region, protocol, |block| &block.destinations)
}

/// The addresses that stand beside every port. Ports are cut where blocks begin or end.
fn at_all_ports(region: &Region, protocol: Protocol, side: impl Fn(&Block) -> &AddressSet) -> AddressSet {
    let full = PortSet::full();
    let of_protocol: Vec<&Block> = blocks(region, protocol, &full).collect();
    let ranges = of_protocol.iter().flat_map(|block| block.destination_ports.ranges());
    let mut cuts: Vec<u16> =
        ranges.flat_map(|&(first, last)| [first, last.saturating_add(1)]).chain([0]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let beside = |port: u16| {
        let here = of_protocol.iter().filter(|block| block.destination_ports.contains(port));
        union(here.map(|block| side(block)))
    };
    let mut common: Option<AddressSet> = None;
    for port in cuts {
        common = Some(match common {
            Some(common) if common.is_empty() => return common,
            Some(common) => common.intersection(&beside(port)),
            None => beside(port),
        });
    }
    common.unwrap_or_default()
}

fn union<'a>(sets: impl Iterator<Item = &'a AddressSet>) -> AddressSet {
    sets.fold(AddressSet::empty(), |all, set| all.union(set))
}

/// The packets of a region from some sources, of a protocol, to some of the ports.
pub(super) fn restricted(region: &Region, from: &AddressSet, protocol: Protocol, to: &PortSet) -> Region {
    let restrict = |block: &Block| {
        let sources = block.sources.intersection(from);
        (!sources.is_empty()).then(|| Block {
            protocols: vec![protocol],
            sources,
            destination_ports: block.destination_ports.intersection(to),
            ..block.clone()
        })
    };
    Region { blocks: blocks(region, protocol, to).filter_map(restrict).collect(), ..Region::default() }
}
