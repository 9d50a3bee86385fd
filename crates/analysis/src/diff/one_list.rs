//! What edits of one list change, edit by edit.
//!
//! Of all entries that match a packet that is decided differently, the first in the order of both lists together is in one of
//! them only. So each such entry is asked for itself: of its packets that nothing before it matches, what comes next in the
//! other list? That takes a list of the entries that meet it and atoms inside of it. Everything that meets an edit must be
//! known; otherwise both policies are walked at once. Invariant: each packet is found with one edit.

use std::net::IpAddr;

use palisade_net::Direction;

use super::Oracle;
use crate::{
    AnalysisError, Limits, Side,
    bits::Bits,
    diagram::Diagram,
    entry::{Entry, Lists},
    gather::{Gathered, Parts},
    grid::{Grid, Live, Taken},
    verdict,
    walk::Walk,
};

/// An entry that one of two lists has and the other has not.
pub(super) struct Edit {
    /// Whether it is in the list before or after.
    policy: usize,
    /// Entries that match some of its packets, by their numbers: those of both lists before it, itself, and those after it in
    /// the other list.
    near: Vec<usize>,
    /// Its place among them.
    place: usize,
}

/// The edits that lead from one list to another; nothing unless there is one list on each side, and all is known.
pub(super) fn edits(lists: &Lists<'_>, places: &[[Option<usize>; 2]]) -> Option<Vec<Edit>> {
    if lists.layers.len() != 2 || !lists.layers.iter().all(|layer| layer.certain) || places.is_empty() {
        return None;
    }
    let mut edits = Vec::new();
    for (place, entries) in places.iter().enumerate() {
        let (policy, number) = match *entries {
            [Some(number), None] => (0, number),
            [None, Some(number)] => (1, number),
            _ => continue,
        };
        let own = &lists.entries[number];
        let near = |number: &usize| own.is_near(&lists.entries[*number]);
        let before = places[..place].iter().filter_map(|[one, other]| one.or(*other)).filter(near);
        let before: Vec<usize> = before.collect();
        let after = places[place + 1..].iter().filter_map(|entries| entries[1 - policy]).filter(near);
        let after: Vec<usize> = after.collect();
        if ![number].iter().chain(&before).chain(&after).all(|number| lists.entries[*number].is_exact()) {
            return None;
        }
        edits.extend(edit(lists, policy, number, (before, after)));
    }
    Some(edits)
}

/// The edit of an entry, if it can make a difference: nothing before it matches all that it matches, and not all that may come
/// next does the same. What stands behind an entry that matches all is left out.
fn edit(
    lists: &Lists<'_>,
    policy: usize,
    number: usize,
    (mut near, mut after): (Vec<usize>, Vec<usize>),
) -> Option<Edit> {
    let own = &lists.entries[number];
    let contains = |other: &usize| lists.entries[*other].contains(own);
    if near.iter().any(contains) {
        return None;
    }
    let last = after.iter().position(contains);
    after.truncate(last.map_or(after.len(), |last| last + 1));
    let does_same = |other: &usize| lists.entries[*other].access == own.access;
    if last.is_some() && after.iter().all(does_same) {
        return None;
    }
    let place = near.len();
    near.push(number);
    near.extend(after);
    Some(Edit { policy, near, place })
}

impl Edit {
    /// Finds what becomes of its packets.
    pub(super) fn compare(
        &self,
        lists: &Lists<'_>,
        (direction, machine, limits): (Direction, &[IpAddr], Limits),
        oracle: Oracle<'_>,
        found: &mut Gathered<(Side, Side)>,
    ) -> Result<(), AnalysisError> {
        let entry = |number: &usize| Entry { list: 0, ..lists.entries[*number].clone() };
        let bounds = (0..self.near.len()).map(|place| place == self.place).collect();
        let near = Lists {
            layers: lists.layers.clone(),
            entries: self.near.iter().map(entry).collect(),
            bounds: Some(bounds),
        };
        for grid in Grid::all(&near, direction, machine, None, |space| near.is_in(self.place, space)) {
            let Some(own) = grid.place(self.place) else { continue };
            self.compare_in(&grid, own, &near, limits, oracle, found)?;
        }
        Ok(())
    }

    fn compare_in(
        &self,
        grid: &Grid,
        own: usize,
        lists: &Lists<'_>,
        limits: Limits,
        oracle: Oracle<'_>,
        found: &mut Gathered<(Side, Side)>,
    ) -> Result<(), AnalysisError> {
        let access = |cut: usize| lists.entries[grid.cuts[cut].entry].access;
        let others = grid.row_of((0..grid.cuts.len()).filter(|cut| access(*cut) != access(own)));
        let walk = Walk::of(grid, |cut| Some(if cut == own { Taken::Perhaps } else { Taken::AsIs }));
        // Where something before it surely matches, or all that comes next does the same, nothing is looked at.
        let ignore = |walk: &Walk<'_>, row: &[u64], level: usize| {
            !walk.has(row, own) || (walk.is_closed(row, level) && !walk.has_any_after(row, own, &others))
        };
        let diagram = Diagram::of(walk, grid.everything(), ignore, limits.blocks > 0, &limits)?;
        let side = |policy: usize, list: &[Live]| {
            let layers = &lists.layers[policy..=policy];
            Side::from(verdict::answer((lists, grid), layers, 0, list))
        };
        let here = side(self.policy, &[Live::new(own, false)]);
        let mut parts = Parts::default();
        let part = |row: &[u64], atoms: Bits, found: &mut dyn FnMut(&[Live], &Bits)| {
            diagram.walk.parts_after(row, own, atoms, |next, atoms| {
                let next = next.map(|cut| Live::new(cut, false));
                found(next.as_slice(), atoms);
            });
        };
        let visit = |part: &crate::diagram::Part<'_>| {
            let there = side(1 - self.policy, part.list);
            if here.verdict != there.verdict {
                parts.add(if self.policy == 0 { (here, there) } else { (there, here) }, part);
            }
        };
        diagram.parts_by(visit, part);
        found.take((grid, &diagram), parts, &limits, |sides, example| oracle.confirm(sides, example))
    }
}
