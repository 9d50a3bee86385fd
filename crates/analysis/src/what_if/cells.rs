//! Flows that no rule of some policies tells apart are in one cell.
//!
//! Each field is cut into atoms by all sets that the rules name, must and may bounds both, and those of the platform's services. So
//! the answer for one flow of a cell is the answer for all, three-valued like any other, and is found once. It must not know an
//! answer.

use std::collections::HashSet;

use palisade_model::{EffectivePolicy, EffectiveRule, Ports};
use palisade_net::{AddressSet, Direction, Number, PortSet, Protocol, RangeSet};

use crate::{atoms::Atoms, observed::Key};

/// Values of a field by their atoms.
#[derive(Debug)]
struct Cuts<T> {
    starts: Vec<T>,
    atoms: Vec<u32>,
    /// For each value of the first 16 bits, the interval in which such values begin; one more at the end.
    index: Vec<u32>,
    count: u64,
}

/// A number whose first 16 bits lead to an interval.
pub(super) trait Leading: Number + Into<u128> + TryFrom<u128> {
    /// The first 16 bits.
    fn leading(self) -> usize;
}

impl Leading for u32 {
    fn leading(self) -> usize {
        (self >> 16) as usize
    }
}

impl Leading for u128 {
    fn leading(self) -> usize {
        (self >> 112) as usize
    }
}

impl<T: Leading> Cuts<T> {
    fn of<'s>(sets: impl Iterator<Item = &'s RangeSet<T>>) -> Self
    where
        T: 's,
    {
        let different: HashSet<&RangeSet<T>> = sets.collect();
        let sets: Vec<_> = different.into_iter().collect();
        let found = Atoms::of(&sets, &RangeSet::full(), &[]);
        let number = |value: u128| T::try_from(value).ok().expect("atoms are of the field");
        let (starts, atoms): (Vec<T>, Vec<u32>) =
            found.starts().map(|(start, atom)| (number(start), atom)).unzip();
        let mut index = Vec::with_capacity((1 << 16) + 1);
        let mut at = 0;
        for leading in 0..1 << 16 {
            // The last interval that begins at or before the first value of the block.
            while starts.get(at + 1).is_some_and(|start| is_at_or_before(*start, leading)) {
                at += 1;
            }
            index.push(u32::try_from(at).expect("intervals are fewer than endpoints of sets"));
        }
        index.push(u32::try_from(starts.len() - 1).expect("as above"));
        Self { starts, atoms, index, count: found.len() as u64 }
    }

    fn atom(&self, value: T) -> u64 {
        let block = value.leading();
        let (from, to) = (self.index[block] as usize, self.index[block + 1] as usize);
        let inside = self.starts[from..=to].partition_point(|start| *start <= value);
        self.atoms[from + inside - 1].into()
    }
}

/// Whether a value is at or before the first one with these leading bits.
fn is_at_or_before<T: Leading>(value: T, leading: usize) -> bool {
    value.leading() < leading
        || (value.leading() == leading && value.previous().is_none_or(|before| before.leading() < leading))
}

/// Both address fields of a family.
#[derive(Debug)]
struct Sides<T> {
    source: Cuts<T>,
    destination: Cuts<T>,
}

/// The cells of one direction.
#[derive(Debug)]
pub(super) struct Cells {
    v4: Sides<u32>,
    v6: Sides<u128>,
    source_ports: PortCuts,
    destination_ports: PortCuts,
}

/// The ports by their atoms, one by one.
#[derive(Debug)]
struct PortCuts {
    atoms: Vec<u16>,
    count: u64,
}

impl PortCuts {
    fn of<'s>(sets: impl Iterator<Item = &'s PortSet>) -> Self {
        let different: HashSet<&PortSet> = sets.collect();
        let sets: Vec<_> = different.into_iter().collect();
        let found = Atoms::of(&sets, &PortSet::full(), &[]);
        let mut atoms = vec![0; 1 << 16];
        let mut starts = found.starts().peekable();
        while let Some((first, atom)) = starts.next() {
            let end = starts.peek().map_or(1 << 16, |(next, _)| *next as usize);
            atoms[first as usize..end].fill(u16::try_from(atom).expect("atoms are at most as many as ports"));
        }
        Self { atoms, count: found.len() as u64 }
    }
}

impl Cells {
    /// The cells that the rules of some policies make.
    pub(super) fn of(policies: &[&EffectivePolicy], direction: Direction) -> Self {
        let layers = || policies.iter().flat_map(|policy| policy.layers(direction));
        let rules = || layers().flat_map(|layer| &layer.rules);
        let services = || policies.iter().flat_map(|policy| &policy.services);
        let platform: Vec<PortSet> = services().map(|(service, _)| service.ports()).collect();
        let known = |ports: fn(&EffectiveRule) -> &Ports| {
            rules().filter_map(move |rule| match ports(rule) {
                Ports::Known(set) => Some(set),
                Ports::Unknown => None,
            })
        };
        let sources = || rules().flat_map(|rule| [rule.source.must(), rule.source.may()]);
        let destinations = || {
            let named = rules().flat_map(|rule| [rule.destination.must(), rule.destination.may()]);
            named.chain(services().map(|(_, addresses)| addresses))
        };
        Self {
            v4: Sides {
                source: Cuts::of(sources().map(AddressSet::v4)),
                destination: Cuts::of(destinations().map(AddressSet::v4)),
            },
            v6: Sides {
                source: Cuts::of(sources().map(AddressSet::v6)),
                destination: Cuts::of(destinations().map(AddressSet::v6)),
            },
            source_ports: PortCuts::of(known(|rule| &rule.source_ports)),
            destination_ports: PortCuts::of(known(|rule| &rule.destination_ports).chain(&platform)),
        }
    }

    /// The cell of an IPv4 flow; `None` if it has none, and is to be judged by itself.
    pub(super) fn v4(&self, key: &Key<u32>) -> Option<u64> {
        self.cell(&self.v4, key)
    }

    /// The cell of an IPv6 flow.
    pub(super) fn v6(&self, key: &Key<u128>) -> Option<u64> {
        self.cell(&self.v6, key)
    }

    fn cell<T: Leading>(&self, sides: &Sides<T>, key: &Key<T>) -> Option<u64> {
        /// Services of the link have ports below, at both ends; what passes for their sake no rule tells.
        const WELL_KNOWN: u16 = 1024;
        let is_low = key.source_port < WELL_KNOWN && key.destination_port < WELL_KNOWN;
        if key.protocol == Protocol::ICMPV6 || (key.protocol == Protocol::UDP && is_low) {
            return None;
        }
        let fields = [
            (sides.source.atom(key.source), sides.source.count),
            (sides.destination.atom(key.destination), sides.destination.count),
            (self.source_ports.atoms[usize::from(key.source_port)].into(), self.source_ports.count),
            (
                self.destination_ports.atoms[usize::from(key.destination_port)].into(),
                self.destination_ports.count,
            ),
            (key.protocol.0.into(), 256),
        ];
        fields.into_iter().try_fold(0u64, |cell, (atom, count)| cell.checked_mul(count)?.checked_add(atom))
    }
}
