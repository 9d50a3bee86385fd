//! Sets of packets, as few products as a simple search finds.
//!
//! Two products that differ in one field become one. That is not always the fewest; it is exact, and short enough to be read.
//! It must not know names of tags or subnets: a caller that has an estate finds them.

mod merge;

use palisade_net::{AddressSet, Family, Number, PortSet, Protocol, RangeSet};

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
