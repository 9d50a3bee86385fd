//! The rule-list diagram: which packets leave which list.
//!
//! A state is what is left of the lists after some fields. Packets of different atoms that leave the same list are one state,
//! and so are paths that meet; a state knows how many packets reach it. The last field is not walked atom by atom but parted
//! by whole sets. It must not know what entries do: who asks says which states are of no interest. The number of states is
//! limited, since rules that no one would write can have more than memory.

use std::{collections::HashMap, ops::ControlFlow};

use crate::{
    AnalysisError, Limits,
    bits::Bits,
    grid::{FIELDS, Grid, Live, Product},
    region,
    volume::Volume,
};

/// The field that is parted by sets.
const LAST: usize = FIELDS - 1;

/// One state.
#[derive(Debug)]
struct Node {
    list: Vec<Live>,
    /// How many combinations of the fields before lead here.
    count: Volume,
    /// One of them.
    path: [u32; LAST],
    /// Where from, and by which atoms; kept only if regions are asked for.
    parents: Vec<(u32, Vec<u32>)>,
}

/// Packets that leave one list.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// What is left: in each list the entries that may match before one that surely does, and that one.
    pub(crate) list: &'a [Live],
    /// How many packets there are.
    pub(crate) volume: Volume,
    /// One of them: an atom a field.
    pub(crate) path: [u32; FIELDS],
    /// The state before the last field.
    pub(crate) node: usize,
    /// Their atoms of the last field.
    pub(crate) atoms: &'a Bits,
}

/// The states of one walk.
#[derive(Debug)]
pub(crate) struct Diagram<'g> {
    grid: &'g Grid,
    within: Product,
    /// States before each field; without regions only those before the last.
    levels: Vec<Vec<Node>>,
}

impl<'g> Diagram<'g> {
    /// Walks the packets of `within`. `ignore` says, of a list and the number of fields that were looked at, that what becomes of
    /// its packets is of no interest. `trace` keeps what [`Self::products`] needs.
    pub(crate) fn of(
        grid: &'g Grid,
        within: Product,
        start: Vec<Live>,
        ignore: impl Fn(&[Live], usize) -> bool,
        trace: bool,
        limits: &Limits,
    ) -> Result<Self, AnalysisError> {
        let is_empty = within.iter().any(Bits::is_empty) || ignore(&start, 0);
        let root = Node { list: start, count: Volume::ONE, path: [0; LAST], parents: Vec::new() };
        let mut this = Self { grid, within, levels: vec![if is_empty { Vec::new() } else { vec![root] }] };
        for level in 0..LAST {
            let next = this.next(level, &ignore, trace, limits)?;
            if !trace {
                this.levels.clear();
            }
            this.levels.push(next);
        }
        Ok(this)
    }

    fn next(
        &self,
        level: usize,
        ignore: &impl Fn(&[Live], usize) -> bool,
        trace: bool,
        limits: &Limits,
    ) -> Result<Vec<Node>, AnalysisError> {
        let field = self.grid.atoms(level);
        let mut known: HashMap<Vec<Live>, usize> = HashMap::new();
        let mut nodes: Vec<Node> = Vec::new();
        for (number, parent) in self.last().iter().enumerate() {
            for (list, atoms) in self.grid.children(&parent.list, level, &self.within[level]) {
                if ignore(&list, level + 1) {
                    continue;
                }
                let weight: Volume = atoms.iter().map(|atom| field.weight(*atom as usize)).sum();
                let place = *known.entry(list).or_insert_with_key(|list| {
                    let mut path = parent.path;
                    path[level] = atoms[0];
                    nodes.push(Node { list: list.clone(), count: Volume::ZERO, path, parents: Vec::new() });
                    nodes.len() - 1
                });
                nodes[place].count += parent.count * weight;
                if trace {
                    let number = u32::try_from(number).expect("states are limited");
                    nodes[place].parents.push((number, atoms));
                }
                if nodes.len() > limits.states {
                    return Err(AnalysisError::TooComplex { states: limits.states });
                }
            }
        }
        Ok(nodes)
    }

    fn last(&self) -> &[Node] {
        self.levels.last().expect("a walk has a first level")
    }

    /// Calls `visit` with packets that leave one list, until all were visited.
    pub(crate) fn parts(&self, mut visit: impl FnMut(&Part<'_>)) {
        let field = self.grid.atoms(LAST);
        for (number, node) in self.last().iter().enumerate() {
            let done = self.grid.split::<()>(&node.list, self.within[LAST].clone(), &mut |list, atoms| {
                let mut path = [0; FIELDS];
                path[..LAST].copy_from_slice(&node.path);
                let first = atoms.iter().next().expect("a part is not empty");
                path[LAST] = u32::try_from(first).expect("atoms are counted in 32 bits");
                let volume = node.count * field.weight_of(atoms);
                visit(&Part { list, volume, path, node: number, atoms });
                ControlFlow::Continue(())
            });
            assert!(done.is_continue(), "nobody asked to stop");
        }
    }

    /// The packets that reach states before the last field, as products with the atoms of that field, of which no two share a
    /// packet; at most `limit` of them. Needs a walk that was traced.
    pub(crate) fn products(&self, ends: &[(usize, Bits)], limit: usize) -> Vec<Product> {
        let mut known = HashMap::new();
        let mut products = Vec::new();
        for (node, atoms) in ends {
            let prefixes = self.prefixes(LAST, *node, limit, &mut known);
            products.extend(prefixes.into_iter().map(|mut prefix| {
                prefix.push(atoms.clone());
                prefix
            }));
        }
        let mut products = region::merge(products);
        products.truncate(limit);
        let array = |product: Vec<Bits>| Product::try_from(product).expect("a path has all fields");
        products.into_iter().map(array).collect()
    }

    /// The ways that lead to a state, as products of the fields before it.
    fn prefixes(
        &self,
        level: usize,
        node: usize,
        limit: usize,
        known: &mut HashMap<(usize, usize), Vec<Vec<Bits>>>,
    ) -> Vec<Vec<Bits>> {
        if level == 0 {
            return vec![Vec::new()];
        }
        if let Some(found) = known.get(&(level, node)) {
            return found.clone();
        }
        let mut found = Vec::new();
        for (parent, atoms) in &self.levels[level][node].parents {
            let mut set = Bits::none(self.grid.atoms(level - 1).len());
            atoms.iter().for_each(|atom| set.insert(*atom as usize));
            for mut prefix in self.prefixes(level - 1, *parent as usize, limit, known) {
                prefix.push(set.clone());
                found.push(prefix);
            }
        }
        let mut found = region::merge(found);
        found.truncate(limit);
        known.insert((level, node), found.clone());
        found
    }
}
