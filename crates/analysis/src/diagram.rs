//! The rule-list diagram: which packets leave which list.
//!
//! A state is what is left of the lists after some fields. Packets of different atoms that leave the same list are one state,
//! and so are paths that meet; a state knows how many packets reach it. The last field is not walked atom by atom but parted
//! by whole sets. It must not know what entries do: who asks says which states are of no interest. The number of states is
//! limited, since rules that no one would write can have more than memory.

use std::ops::{ControlFlow, Range};

use crate::{
    AnalysisError, Limits, atoms,
    bits::Bits,
    grid::{FIELDS, Live, Product},
    region,
    rows::{FastMap, Rows},
    volume::Volume,
    walk::Walk,
};

/// The field that is parted by sets.
pub(crate) const LAST: usize = FIELDS - 1;
/// So many atoms of it are sooner looked at one by one.
const FEW: usize = 64;
/// And so many where two policies are compared, since each atom then leaves a pair of lists.
const FEW_OF_TWO: usize = 4_096;

/// The states before one field.
#[derive(Debug)]
struct Level {
    /// What is left in each.
    rows: Rows,
    /// How many combinations of the fields before lead there.
    counts: Vec<Volume>,
    /// One of them.
    paths: Vec<[u32; LAST]>,
    /// Where from, and by which atoms; kept only if regions are asked for.
    parents: Vec<Vec<Way>>,
}

/// A state before, and the atoms that lead from it.
type Way = (u32, Vec<u32>);

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
    pub(crate) walk: Walk<'g>,
    pub(crate) within: Product,
    /// States before each field; without regions only those before the last.
    levels: Vec<Level>,
}

impl<'g> Diagram<'g> {
    /// Walks the packets of `within`. `ignore` says, of a row and the number of fields that were looked at, that what becomes of
    /// its packets is of no interest. `trace` keeps what [`Self::products`] needs.
    pub(crate) fn of(
        walk: Walk<'g>,
        within: Product,
        ignore: impl Fn(&Walk<'_>, &[u64], usize) -> bool,
        trace: bool,
        limits: &Limits,
    ) -> Result<Self, AnalysisError> {
        let is_empty = within.iter().any(Bits::is_empty) || ignore(&walk, &walk.start, 0);
        let mut root = Level::new(walk.start.len());
        if !is_empty {
            root.add(&walk.start, || [0; LAST]);
            root.counts[0] = Volume::ONE;
        }
        let mut this = Self { walk, within, levels: vec![root] };
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
        ignore: &impl Fn(&Walk<'_>, &[u64], usize) -> bool,
        trace: bool,
        limits: &Limits,
    ) -> Result<Level, AnalysisError> {
        let (field, last) = (self.walk.grid.atoms(level), self.last());
        let mut next = Level::new(self.walk.start.len());
        let mut row = vec![0; self.walk.start.len()];
        // For each new state what the atoms weigh that lead there from the state at hand.
        let mut weights: Vec<Option<u128>> = Vec::new();
        let mut touched: Vec<usize> = Vec::new();
        for parent in 0..last.rows.len() {
            let parent_number = u32::try_from(parent).expect("states are limited");
            let atoms = self.walk.differing(last.rows.row(parent), level, &self.within[level]);
            for atom in atoms.iter() {
                self.walk.step(last.rows.row(parent), level, atom, &mut row);
                if ignore(&self.walk, &row, level + 1) {
                    continue;
                }
                let atom_number = number(atom);
                let state = next.add(&row, || {
                    let mut path = last.paths[parent];
                    path[level] = atom_number;
                    path
                });
                weights.resize(next.rows.len(), None);
                if weights[state].is_none() {
                    touched.push(state);
                }
                weights[state] = Some(weights[state].unwrap_or(0).wrapping_add(field.weight(atom)));
                if trace {
                    next.trace(state, parent_number, atom_number);
                }
                if next.rows.len() > limits.states {
                    return Err(AnalysisError::TooComplex { states: limits.states });
                }
            }
            for state in touched.drain(..) {
                let sum = weights[state].take().expect("a touched state has a weight");
                next.counts[state] += last.counts[parent] * atoms::volume(sum);
            }
        }
        Ok(next)
    }

    fn last(&self) -> &Level {
        self.levels.last().expect("a walk has a first level")
    }

    /// The states before the last field: what is left, and how many packets reach it, for each value of that field.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (&[u64], Volume)> {
        (0..self.last().rows.len()).map(|state| self.end(state))
    }

    /// One of them.
    pub(crate) fn end(&self, state: usize) -> (&[u64], Volume) {
        (self.last().rows.row(state), self.last().counts[state])
    }

    /// Their numbers, those together that were first reached from one state, so that much of what is left is the same.
    pub(crate) fn kin(&self) -> impl Iterator<Item = Range<usize>> {
        let mut next = 0;
        self.last().paths.chunk_by(|one, other| one[..LAST - 1] == other[..LAST - 1]).map(move |paths| {
            next += paths.len();
            next - paths.len()..next
        })
    }

    /// Calls `visit` with packets that leave one list, until all were visited; where two policies stand side by side, only with
    /// those that may not leave the same of both.
    pub(crate) fn parts(&self, visit: impl FnMut(&Part<'_>)) {
        let is_two = self.walk.grid.second().is_some();
        let few = if is_two { FEW_OF_TWO } else { FEW };
        self.parts_by(visit, |row, atoms, found| {
            let atoms = match is_two && self.walk.grid.is_all_exact() {
                true => self.walk.decided_apart(row, &atoms),
                false => atoms,
            };
            if atoms.len() <= few {
                self.parts_of_few(row, &atoms, found);
                return;
            }
            let done = self.walk.grid.split::<()>(&self.walk.lives(row), atoms, &mut |list, atoms| {
                found(list, atoms);
                ControlFlow::Continue(())
            });
            assert!(done.is_continue(), "nobody asked to stop");
        });
    }

    /// The same, with `part` to part the atoms of the last field: it is given what is left before it, and the atoms.
    pub(crate) fn parts_by(
        &self,
        mut visit: impl FnMut(&Part<'_>),
        part: impl Fn(&[u64], Bits, &mut dyn FnMut(&[Live], &Bits)),
    ) {
        let last = self.last();
        let field = self.walk.grid.atoms(LAST);
        for (node, (row, count)) in self.ends().enumerate() {
            let mut found = |list: &[Live], atoms: &Bits| {
                let mut path = [0; FIELDS];
                path[..LAST].copy_from_slice(&last.paths[node]);
                path[LAST] = number(atoms.first().expect("a part is not empty"));
                let volume = count * field.weight_of(atoms);
                visit(&Part { list, volume, path, node, atoms });
            };
            part(row, self.walk.differing(row, LAST, &self.within[LAST]), &mut found);
        }
    }

    /// The same atom by atom.
    fn parts_of_few(&self, row: &[u64], atoms: &Bits, found: &mut dyn FnMut(&[Live], &Bits)) {
        let exact = self.walk.grid.is_all_exact();
        let width = if exact { self.walk.grid.lists().len() } else { row.len() };
        let (mut rows, mut next) = (Rows::new(width), vec![0; width]);
        let mut parts: Vec<Bits> = Vec::new();
        for atom in atoms.iter() {
            if exact {
                self.walk.firsts(row, atom, &mut next);
                if self.walk.firsts_are_same(&next) {
                    continue;
                }
            } else {
                self.walk.step(row, LAST, atom, &mut next);
            }
            let (part, is_new) = rows.number(&next);
            if is_new {
                parts.push(Bits::none(self.walk.grid.atoms(LAST).len()));
            }
            parts[part].insert(atom);
        }
        for (part, atoms) in parts.iter().enumerate() {
            let left = rows.row(part);
            if exact {
                let firsts = left.iter().filter(|bit| **bit != Walk::NOTHING);
                let lives = firsts.map(|bit| Live::new(self.walk.grid.cut_at(*bit as usize), false));
                found(&lives.collect::<Vec<_>>(), atoms);
            } else {
                found(&self.walk.lives(left), atoms);
            }
        }
    }

    /// The packets that reach states before the last field, as products with the atoms of that field, of which no two share a
    /// packet; at most `limit` of them. Needs a walk that was traced.
    pub(crate) fn products(&self, ends: &[(usize, Bits)], limit: usize) -> Vec<Product> {
        if limit == 0 {
            return Vec::new();
        }
        let mut known = FastMap::default();
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
        known: &mut FastMap<(usize, usize), Vec<Vec<Bits>>>,
    ) -> Vec<Vec<Bits>> {
        if level == 0 {
            return vec![Vec::new()];
        }
        if let Some(found) = known.get(&(level, node)) {
            return found.clone();
        }
        let mut found = Vec::new();
        for (parent, atoms) in &self.levels[level].parents[node] {
            let mut set = Bits::none(self.walk.grid.atoms(level - 1).len());
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

fn number(atom: usize) -> u32 {
    u32::try_from(atom).expect("atoms are counted in 32 bits")
}

impl Level {
    const fn new(width: usize) -> Self {
        let rows = Rows::new(width);
        Self { rows, counts: Vec::new(), paths: Vec::new(), parents: Vec::new() }
    }

    /// The number of the state of a row.
    fn add(&mut self, row: &[u64], path: impl FnOnce() -> [u32; LAST]) -> usize {
        let (state, is_new) = self.rows.number(row);
        if is_new {
            self.counts.push(Volume::ZERO);
            self.paths.push(path());
        }
        state
    }

    /// Remembers that an atom leads to a state.
    fn trace(&mut self, state: usize, parent: u32, atom: u32) {
        self.parents.resize_with(self.rows.len(), Vec::new);
        match self.parents[state].last_mut() {
            Some((same, atoms)) if *same == parent => atoms.push(atom),
            _ => self.parents[state].push((parent, vec![atom])),
        }
    }
}
