//! Sets of packets, as few products as a simple search finds.
//!
//! Two products that differ in one field become one. That is not always the fewest; it is exact, and short enough to be read.
//! It must not know names of tags or subnets: a caller that has an estate finds them.

mod merge;

use std::net::IpAddr;

use palisade_net::{AddressSet, Direction, Family, Flow, Number, PortSet, Protocol, RangeSet};

pub(crate) use self::merge::{Side, merge};
use crate::{
    grid::{FIELDS, Grid, Product},
    space::{Field, Kind, Space},
    volume::Volume,
};

/// Packets that are a product: any of the protocols, from any of the sources, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The family of both addresses.
    pub family: Family,
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// Addresses that send the first packet, all of one family.
    pub sources: AddressSet,
    /// Ports it may come from; full where it does not matter, or protocols have none.
    pub source_ports: PortSet,
    /// Addresses it goes to.
    pub destinations: AddressSet,
    /// Ports it may go to, or types of ICMP; full where it does not matter, or protocols have neither.
    pub destination_ports: PortSet,
}

impl Block {
    /// A packet of the block, of values that people understand where it has any. `machine` are addresses of the machine's own.
    ///
    /// # Panics
    /// If a field of the block is empty.
    pub fn example(&self, direction: Direction, machine: &[IpAddr]) -> Flow {
        let usual = [Protocol::TCP, Protocol::UDP, Protocol::icmp_of(self.family)];
        let usual = usual.into_iter().find(|protocol| self.protocols.contains(protocol));
        let protocol = usual.or(self.protocols.first().copied()).expect("no field is empty");
        let space = Space::of(self.family, protocol);
        let port = |field: Field, ports: &PortSet| {
            pick(space, field, (direction, machine), &ports.intersection(&space.ports(field)))
        };
        let address = |field: Field, set: &AddressSet| match self.family {
            Family::V4 => pick(space, field, (direction, machine), set.v4()),
            Family::V6 => pick(space, field, (direction, machine), set.v6()),
        };
        let value = |field: Field| match field {
            Field::Protocol => u128::from(protocol.0),
            Field::DestinationPort => port(field, &self.destination_ports),
            Field::SourcePort => port(field, &self.source_ports),
            Field::Destination => address(field, &self.destinations),
            Field::Source => address(field, &self.sources),
        };
        space.flow(direction, Field::ALL.map(value))
    }
}

/// A preferred value of a field that is in a set, and otherwise its first.
fn pick<T: Number + TryFrom<u128> + Into<u128>>(
    space: Space,
    field: Field,
    (direction, machine): (Direction, &[IpAddr]),
    set: &RangeSet<T>,
) -> u128 {
    let preferred = space.preferred(field, direction, machine).into_iter();
    let is_in = |value: &u128| T::try_from(*value).is_ok_and(|value| set.contains(value));
    let first = || set.ranges().first().expect("no field is empty").0.into();
    preferred.into_iter().find(is_in).unwrap_or_else(first)
}

/// A set of packets: blocks that share no packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Region {
    /// The blocks.
    pub blocks: Vec<Block>,
    /// How many packets are in no block because there would be too many blocks ([`crate::Limits::blocks`]).
    pub rest: Volume,
}

/// Ranges of any field, wide enough for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ranges(RangeSet<u128>);

impl Side for Ranges {
    fn unite(&mut self, other: &Self) {
        self.0 = self.0.union(&other.0);
    }
}

/// Products of different spaces, with values in place of atoms.
#[derive(Debug, Default)]
pub(crate) struct Collected(Vec<(Family, Vec<Ranges>)>);

impl Collected {
    /// Takes products of one grid in.
    pub(crate) fn add(&mut self, grid: &Grid, products: &[Product]) {
        for product in products {
            let mut values: [Ranges; FIELDS] = std::array::from_fn(|_| Ranges(RangeSet::empty()));
            for (level, atoms) in product.iter().enumerate() {
                let field = grid.field(level);
                values[field as usize] =
                    Ranges(widened(grid.space, field, grid.atoms(level).ranges_of(atoms)));
            }
            self.0.push((grid.space.family, values.into()));
        }
    }

    /// The blocks; protocols whose packets carry ports in different ways are joined where ports do not matter.
    pub(crate) fn blocks(self) -> Vec<Block> {
        let mut blocks = Vec::new();
        for family in Family::ALL {
            let of_family = self.0.iter().filter(|(found, _)| *found == family);
            let products = merge(of_family.map(|(_, values)| values.clone()).collect());
            blocks.extend(products.into_iter().map(|values| block(family, &values)));
        }
        blocks
    }
}

/// Blocks that share no packet, as few as the search finds.
pub(crate) fn joined(blocks: &[Block]) -> Vec<Block> {
    Collected(blocks.iter().map(|block| (block.family, values(block))).collect()).blocks()
}

/// The values of a block's fields, in the order of [`Field::ALL`].
fn values(block: &Block) -> Vec<Ranges> {
    let is_types = block.protocols.iter().all(|protocol| protocol.is_icmp());
    let ports = |set: &PortSet| {
        let apart = if is_types && !set.is_full() { TYPE } else { 0 };
        let ranges = set.ranges().iter();
        Ranges(ranges.map(|&(first, last)| (u128::from(first) | apart, u128::from(last) | apart)).collect())
    };
    let addresses = |set: &AddressSet| {
        let v4 = set.v4().ranges().iter().map(|&(first, last)| (first.into(), last.into()));
        Ranges(v4.chain(set.v6().ranges().iter().copied()).collect())
    };
    let number = |protocol: &Protocol| (u128::from(protocol.0), u128::from(protocol.0));
    vec![
        Ranges(block.protocols.iter().map(number).collect()),
        ports(&block.destination_ports),
        ports(&block.source_ports),
        addresses(&block.destinations),
        addresses(&block.sources),
    ]
}

/// The values of a field. A port field that does not matter is the same in every space.
fn widened(space: Space, field: Field, ranges: impl Iterator<Item = (u128, u128)>) -> RangeSet<u128> {
    let found: RangeSet<u128> = ranges.collect();
    let is_port = matches!(field, Field::SourcePort | Field::DestinationPort);
    let whole = match (is_port, space.kind) {
        (true, Kind::Ports) => u16::MAX,
        (true, Kind::Types) if field == Field::DestinationPort => u8::MAX.into(),
        (true, _) => 0,
        (false, _) => return found,
    };
    if found.ranges() != [(0, whole.into())] {
        // Types are kept apart from ports by a bit that neither has.
        let apart = if space.kind == Kind::Types { TYPE } else { 0 };
        return found.ranges().iter().map(|&(first, last)| (first | apart, last | apart)).collect();
    }
    [(0, u16::MAX.into())].into_iter().collect()
}

/// Marks a type while blocks are joined, so that type 8 is not taken for port 8.
const TYPE: u128 = 1 << 16;

fn block(family: Family, values: &[Ranges]) -> Block {
    let ranges = |field: Field| values[field as usize].0.ranges().iter().copied();
    let port = |value: u128| u16::try_from(value & !TYPE).expect("a port field has 16 bits");
    let ports = |field| ranges(field).map(|(first, last)| (port(first), port(last))).collect();
    let addresses = |field| match family {
        Family::V4 => AddressSet::from_ranges(narrowed(ranges(field)), RangeSet::empty()),
        Family::V6 => AddressSet::from_ranges(RangeSet::empty(), ranges(field).collect()),
    };
    let numbers = ranges(Field::Protocol).flat_map(|(first, last)| first..=last);
    let protocol = |number| Protocol(u8::try_from(number).expect("protocols are numbers to 255"));
    Block {
        family,
        protocols: numbers.map(protocol).collect(),
        sources: addresses(Field::Source),
        source_ports: ports(Field::SourcePort),
        destinations: addresses(Field::Destination),
        destination_ports: ports(Field::DestinationPort),
    }
}

fn narrowed<T: Number + TryFrom<u128>>(ranges: impl Iterator<Item = (u128, u128)>) -> RangeSet<T> {
    let number = |value| T::try_from(value).ok().expect("the field's values fit its type");
    ranges.map(|(first, last)| (number(first), number(last))).collect()
}
