//! Packets of a walk gathered by what they have in common: how many, one of them, and all of them as few products.
//!
//! It must not know what they have in common. Invariant: an example is put to the caller, who asks the oracle, before it is taken.

use std::collections::BTreeMap;

use palisade_net::Flow;

use crate::{
    AnalysisError, Limits, PerFamily, Region,
    bits::Bits,
    diagram::{Diagram, Part},
    grid::{FIELDS, Grid},
    region::Collected,
    volume::Volume,
};

/// Parts of one grid's packets, by what they have in common.
pub(crate) struct Parts<K>(BTreeMap<K, Ends>);

/// What has one thing in common.
struct Ends {
    volume: Volume,
    path: [u32; FIELDS],
    ends: Vec<(usize, Bits)>,
}

impl<K> Default for Parts<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Parts<K> {
    pub(crate) fn add(&mut self, key: K, part: &Part<'_>) {
        let nothing = || Ends { volume: Volume::ZERO, path: part.path, ends: Vec::new() };
        let ends = self.0.entry(key).or_insert_with(nothing);
        ends.volume += part.volume;
        ends.ends.push((part.node, part.atoms.clone()));
    }
}

/// Packets of several grids.
pub(crate) struct Gathered<K>(BTreeMap<K, Growing>);

/// Packets with one thing in common, of which not all grids have been looked at.
struct Growing {
    volume: PerFamily<Volume>,
    example: Flow,
    region: Collected,
    rest: Volume,
}

/// All packets with one thing in common.
pub(crate) struct Group {
    pub(crate) volume: PerFamily<Volume>,
    pub(crate) example: Flow,
    pub(crate) region: Region,
}

impl<K> Default for Gathered<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Copy> Gathered<K> {
    /// Takes the parts of a walk that was traced. `confirm` is asked about an example of each.
    pub(crate) fn take(
        &mut self,
        (grid, diagram): (&Grid, &Diagram<'_>),
        parts: Parts<K>,
        limits: &Limits,
        confirm: impl Fn(K, &Flow) -> Result<(), AnalysisError>,
    ) -> Result<(), AnalysisError> {
        for (key, Ends { volume, path, ends }) in parts.0 {
            let products = diagram.products(&ends, limits.blocks);
            let example = grid.flow(&grid.best(&products).unwrap_or(path));
            confirm(key, &example)?;
            let shown: Volume = products.iter().map(|product| grid.volume(product)).sum();
            let growing = self.0.entry(key).or_insert_with(|| Growing {
                volume: PerFamily::default(),
                example,
                region: Collected::default(),
                rest: Volume::ZERO,
            });
            *growing.volume.of_mut(grid.space.family) += volume;
            growing.region.add(grid, &products);
            growing.rest += volume - shown;
        }
        Ok(())
    }

    /// What was found, in the order of what it has in common.
    pub(crate) fn finish(self) -> impl Iterator<Item = (K, Group)> {
        self.0.into_iter().map(|(key, found)| {
            let region = Region { blocks: found.region.blocks(), rest: found.rest };
            (key, Group { volume: found.volume, example: found.example, region })
        })
    }
}
