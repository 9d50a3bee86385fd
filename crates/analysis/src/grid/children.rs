//! The lists that the atoms of one field leave.
//!
//! Most entries match every atom of a field, or few of them. So an atom is told by those entries alone that match it and not
//! every atom; what matches every atom is not looked at atom by atom, and atoms of which nothing is told are one group.

use std::collections::HashMap;

use super::{Grid, Live};
use crate::bits::Bits;

/// So many atoms are looked at one by one.
const FEW: usize = 16;

/// A place in a list, and whether its entry matches only perhaps.
type Told = (u32, bool);

impl Grid {
    /// Distinct lists that some atoms of the field at `level` leave, with the atoms, in the order of the first atom.
    pub(crate) fn children(&self, list: &[Live], level: usize, within: &Bits) -> Vec<(Vec<Live>, Vec<u32>)> {
        if within.len() <= FEW {
            return self.children_of_few(list, level, within);
        }
        let mut told = self.told(list, level, within);
        told.sort_unstable();
        let mut rest = within.clone();
        let mut groups: HashMap<Vec<Told>, Vec<u32>> = HashMap::new();
        for of_atom in told.chunk_by(|(one, _), (other, _)| one == other) {
            let atom = of_atom[0].0;
            rest.remove(atom as usize);
            let key = of_atom.iter().map(|(_, told)| *told).collect();
            groups.entry(key).or_default().push(atom);
        }
        if !rest.is_empty() {
            let atoms = rest.iter().map(|atom| u32::try_from(atom).expect("atoms are counted in 32 bits"));
            groups.insert(Vec::new(), atoms.collect());
        }
        joined(groups.into_iter().map(|(key, atoms)| (self.left(list, level, &key), atoms)))
    }

    /// The same, atom by atom.
    fn children_of_few(&self, list: &[Live], level: usize, within: &Bits) -> Vec<(Vec<Live>, Vec<u32>)> {
        let number = |atom: usize| u32::try_from(atom).expect("atoms are counted in 32 bits");
        joined(within.iter().map(|atom| (self.step(list, level, atom), vec![number(atom)])))
    }

    /// For each atom and each entry that matches it and not every atom: both.
    fn told(&self, list: &[Live], level: usize, within: &Bits) -> Vec<(u32, Told)> {
        let field = &self.atoms[level];
        let mut told = Vec::new();
        for (place, live) in (0u32..).zip(list) {
            let (must, may) = self.cuts[live.cut()].sets[level];
            if field.is_full(must) {
                continue;
            }
            for atom in field.members(may).common(within) {
                let perhaps = must != may && !field.members(must).contains(atom);
                told.push((u32::try_from(atom).expect("atoms are counted in 32 bits"), (place, perhaps)));
            }
        }
        told
    }

    /// What is left of `list` for an atom of which this was told.
    fn left(&self, list: &[Live], level: usize, told: &[Told]) -> Vec<Live> {
        let mut told = told.iter().copied().peekable();
        let matched =
            (0u32..).zip(list).filter_map(|(place, live)| match told.next_if(|(at, _)| *at == place) {
                Some((_, perhaps)) => Some(live.or_perhaps(perhaps)),
                None => self.atoms[level].is_full(self.cuts[live.cut()].sets[level].0).then_some(*live),
            });
        self.shortened(matched, level + 1)
    }
}

/// Equal lists as one, with the atoms of all.
fn joined(found: impl Iterator<Item = (Vec<Live>, Vec<u32>)>) -> Vec<(Vec<Live>, Vec<u32>)> {
    let mut lists: HashMap<Vec<Live>, Vec<u32>> = HashMap::new();
    for (list, atoms) in found {
        lists.entry(list).or_default().extend(atoms);
    }
    let mut lists: Vec<_> = lists.into_iter().collect();
    lists.iter_mut().for_each(|(_, atoms)| atoms.sort_unstable());
    lists.sort_unstable_by_key(|(_, atoms)| atoms[0]);
    lists
}
