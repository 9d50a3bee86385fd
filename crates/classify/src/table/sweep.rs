//! From the sets that rows name to the intervals whose members no row tells apart.
//!
//! All edges of all sets are sorted once and walked in order; at each one the bits of the rows that begin or end
//! there are flipped. Rows that name equal sets are walked as one, so that a service tag of ten thousand prefixes
//! costs the same in one rule and in a hundred.
//! Invariant: intervals are ascending, the first starts at the smallest number, and neighbours differ in class.

use std::collections::HashMap;

use palisade_net::{Number, RangeSet};

use super::{
    error::CompileError,
    vectors::{Bits, Interner, flip},
};

/// The whole space of a number type, cut into intervals of one class each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Intervals<T> {
    pub(crate) starts: Vec<T>,
    pub(crate) classes: Vec<u32>,
}

/// Rows that name equal sets.
struct Group<'a, T> {
    set: &'a RangeSet<T>,
    rows: Vec<usize>,
}

/// Cuts the space at the edges of `sets`, each given with its row.
pub(super) fn sweep<'a, T: Number + 'a>(
    sets: impl Iterator<Item = (usize, &'a RangeSet<T>)>,
    interner: &mut Interner,
    max: usize,
) -> Result<Intervals<T>, CompileError> {
    let groups = group(sets);
    let edges = sorted_edges(&groups);
    // One interval starts at the smallest number whether or not a set begins there.
    let begins_at_min = edges.first().is_some_and(|&(at, _)| at == T::MIN);
    let count = edges.chunk_by(|a, b| a.0 == b.0).count() + usize::from(!begins_at_min);
    if count > max {
        return Err(CompileError::Intervals { field: interner.field(), intervals: count, max });
    }
    let mut bits = Bits::default();
    let mut intervals = Intervals { starts: Vec::with_capacity(count), classes: Vec::with_capacity(count) };
    let mut emit = |start, bits: &Bits| {
        intervals.classes.push(interner.class(bits, count)?);
        intervals.starts.push(start);
        Ok(())
    };
    if !begins_at_min {
        emit(T::MIN, &bits)?;
    }
    for edges in edges.chunk_by(|a, b| a.0 == b.0) {
        for &(_, group) in edges {
            groups[group as usize].rows.iter().for_each(|&row| flip(&mut bits, row));
        }
        emit(edges[0].0, &bits)?;
    }
    Ok(intervals)
}

fn group<'a, T: Number>(sets: impl Iterator<Item = (usize, &'a RangeSet<T>)>) -> Vec<Group<'a, T>> {
    let mut groups: Vec<Group<'a, T>> = Vec::new();
    let mut known: HashMap<&RangeSet<T>, usize> = HashMap::new();
    for (row, set) in sets {
        let index = *known.entry(set).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { set, rows: vec![row] }),
        }
    }
    groups
}

/// Where groups begin and where they have ended, ascending. A group has at most one edge at a place, because the
/// ranges of a set do not touch.
fn sorted_edges<T: Number>(groups: &[Group<'_, T>]) -> Vec<(T, u32)> {
    let ranges = groups.iter().map(|group| group.set.ranges().len()).sum::<usize>();
    let mut edges = Vec::with_capacity(2 * ranges);
    for (index, group) in (0u32..).zip(groups) {
        for &(first, last) in group.set.ranges() {
            edges.push((first, index));
            edges.extend(last.next().map(|end| (end, index)));
        }
    }
    edges.sort_unstable();
    edges
}
