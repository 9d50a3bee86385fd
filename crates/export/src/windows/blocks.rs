//! Blocks of flows: addresses and ports of both ends, and what is left of them when others are taken away.

use palisade_net::{AddressSet, PortSet};

use super::{BLOCKS_MAX, TooManyBlocks};

/// All flows between some addresses and ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) source: AddressSet,
    pub(super) source_ports: PortSet,
    pub(super) destination: AddressSet,
    pub(super) destination_ports: PortSet,
}

impl Block {
    pub(super) fn full() -> Self {
        Self {
            source: AddressSet::full(),
            source_ports: PortSet::full(),
            destination: AddressSet::full(),
            destination_ports: PortSet::full(),
        }
    }

    fn is_empty(&self) -> bool {
        self.source.is_empty()
            || self.destination.is_empty()
            || self.source_ports.is_empty()
            || self.destination_ports.is_empty()
    }

    fn intersection(&self, other: &Self) -> Self {
        Self {
            source: self.source.intersection(&other.source),
            source_ports: self.source_ports.intersection(&other.source_ports),
            destination: self.destination.intersection(&other.destination),
            destination_ports: self.destination_ports.intersection(&other.destination_ports),
        }
    }

    /// What is left without another: at most one block a field, none of which share a flow.
    fn difference(&self, other: &Self) -> [Self; 4] {
        let common = self.intersection(other);
        let source = Self { source: self.source.difference(&other.source), ..self.clone() };
        let destination = Self {
            source: common.source.clone(),
            destination: self.destination.difference(&other.destination),
            ..self.clone()
        };
        let source_ports = Self {
            source: common.source.clone(),
            destination: common.destination.clone(),
            source_ports: self.source_ports.difference(&other.source_ports),
            destination_ports: self.destination_ports.clone(),
        };
        let destination_ports =
            Self { destination_ports: self.destination_ports.difference(&other.destination_ports), ..common };
        [source, destination, source_ports, destination_ports]
    }
}

/// Blocks, none of them empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Blocks(pub(super) Vec<Block>);

impl Blocks {
    fn of(blocks: impl Iterator<Item = Block>) -> Result<Self, TooManyBlocks> {
        let blocks: Vec<Block> = blocks.filter(|block| !block.is_empty()).take(BLOCKS_MAX + 1).collect();
        if blocks.len() > BLOCKS_MAX { Err(TooManyBlocks) } else { Ok(Self(blocks)) }
    }

    pub(super) fn within(&self, other: &Block) -> Result<Self, TooManyBlocks> {
        Self::of(self.0.iter().map(|block| block.intersection(other)))
    }

    pub(super) fn without(&self, other: &Block) -> Result<Self, TooManyBlocks> {
        Self::of(self.0.iter().flat_map(|block| {
            // One that shares nothing stays whole.
            if block.intersection(other).is_empty() {
                vec![block.clone()]
            } else {
                block.difference(other).into()
            }
        }))
    }

    pub(super) fn extend(&mut self, other: Self) -> Result<(), TooManyBlocks> {
        self.0.extend(other.0);
        if self.0.len() > BLOCKS_MAX { Err(TooManyBlocks) } else { Ok(()) }
    }
}
