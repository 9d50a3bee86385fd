//! The two ends of packets, and what is sure of their addresses.
//!
//! A block of packets is cut into those that surely are of both ends and those that may be, because an address is not known or a
//! name does not tell. Then exceptions are taken out, and what they may be about is kept apart.

use palisade_model::Addresses;
use palisade_net::AddressSet;

use super::{
    Service,
    cell::{Cutter, cut},
    class::Class,
    party::{Near, Party},
    place::{Places, between, united},
};
use crate::{Block, Side};

/// Why something is not sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Why {
    /// The rules do not tell the verdict.
    Rules,
    /// The deployment assigns an address.
    Address,
    /// What a name means is not known.
    Name,
    /// What an exception means is not known.
    Exception,
}

/// Packets, what the rules at each end that was asked say of them, and why they may be none of the intent's.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) block: Block,
    pub(super) sides: Vec<Side>,
    pub(super) why: Option<Why>,
}

/// Addresses at an end whose rules are not asked.
#[derive(Debug, Clone)]
pub(super) struct Far {
    pub(super) addresses: Addresses,
    /// Machines among them whose address is not known.
    pub(super) assigned: Vec<Near>,
}

/// One end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Point<'a> {
    /// Its rules are asked; the place at the other end, if rules are asked there too.
    Near(&'a Class, Option<usize>),
    /// They are not; the place at the other end.
    Far(&'a Far, usize),
}

/// An exception with its sides resolved; `None` is anybody.
#[derive(Debug)]
pub(super) struct Except<'i> {
    pub(super) from: Option<Party<'i>>,
    pub(super) to: Option<Party<'i>>,
    pub(super) services: &'i [Service],
}

impl Far {
    fn surely(&self, of: &AddressSet) -> AddressSet {
        let assigned: Vec<AddressSet> = self.assigned.iter().map(|near| near.surely(of)).collect();
        united(assigned.iter().chain([&of.intersection(self.addresses.must())]))
    }
}

impl Point<'_> {
    fn surely(self, of: &AddressSet) -> AddressSet {
        match self {
            Self::Near(class, _) => class.near.surely(of),
            Self::Far(far, _) => far.surely(of),
        }
    }

    const fn doubt(self) -> Why {
        match self {
            Self::Near(class, _) if class.near.is_assigned => Why::Address,
            Self::Far(far, _) if !far.assigned.is_empty() => Why::Address,
            _ => Why::Name,
        }
    }

    /// The addresses of this end that a side of an exception means.
    fn excepted(self, side: Option<&Party<'_>>, places: &Places<'_>) -> Addresses {
        let Some(side) = side else { return Addresses::any() };
        match self {
            Self::Near(class, other) => {
                let named = class.part(side, places);
                if !side.is_relative() {
                    return named;
                }
                let network = other.map_or_else(Addresses::any, |other| places.virtual_network(other));
                let own = &class.near.addresses;
                let must = own.must().intersection(network.must());
                named.union(&between(&must, &own.may().intersection(network.may())))
            }
            Self::Far(_, other) => side.meant(other, places).union(&side.all_near(places)),
        }
    }
}

/// Cuts packets by what is sure of their two ends.
pub(super) fn settled(found: Vec<Found>, [from, to]: [Point<'_>; 2]) -> Vec<Found> {
    let cut_one = |found: Found| {
        let sources = from.surely(&found.block.sources);
        let destinations = to.surely(&found.block.destinations);
        let doubt = if sources == found.block.sources { to.doubt() } else { from.doubt() };
        let (sure, open) = cut(&found.block, &Cutter { sources, destinations, services: &[] });
        let sure = found.with(sure, None);
        sure.into_iter().chain(found.with(open, Some(doubt))).collect::<Vec<_>>()
    };
    found.into_iter().flat_map(cut_one).collect()
}

/// Packets without those that an exception is surely about.
pub(super) fn without(
    found: Vec<Found>,
    except: &Except<'_>,
    [from, to]: [Point<'_>; 2],
    places: &Places<'_>,
) -> Vec<Found> {
    let sources = from.excepted(except.from.as_ref(), places);
    let destinations = to.excepted(except.to.as_ref(), places);
    let cutter = |of: fn(&Addresses) -> &AddressSet| Cutter {
        sources: of(&sources).clone(),
        destinations: of(&destinations).clone(),
        services: except.services,
    };
    let (must, may) = (cutter(Addresses::must), cutter(Addresses::may));
    let is_open = !sources.is_certain() || !destinations.is_certain();
    let cut_one = |found: Found| {
        let (inside, outside) = cut(&found.block, &may);
        let mut left = found.with(outside, None);
        if is_open {
            let open: Vec<Block> = inside.iter().flat_map(|block| cut(block, &must).1).collect();
            left.extend(found.with(open, Some(Why::Exception)));
        }
        left
    };
    found.into_iter().flat_map(cut_one).collect()
}

impl Found {
    /// Parts of it, with a doubt more; the first doubt counts.
    fn with(&self, blocks: Vec<Block>, why: Option<Why>) -> Vec<Self> {
        let part = |block| Self { block, sides: self.sides.clone(), why: self.why.or(why) };
        blocks.into_iter().map(part).collect()
    }
}
