//! Two lists put side by side, what is in both at the same place.
//!
//! It must not know what the things are. Invariant: each stands at one place, in the order of its list; which of several ways to
//! pair them is found is no promise.

use std::ops::Range;

/// So far ahead a twin is looked for.
const AHEAD: usize = 64;

/// Places with the numbers of what stands there; `same` says of a number of each list whether they are twins.
pub(crate) fn side_by_side(
    mut before: Range<usize>,
    mut after: Range<usize>,
    same: impl Fn(usize, usize) -> bool,
) -> Vec<[Option<usize>; 2]> {
    let mut places = Vec::with_capacity(before.len().max(after.len()));
    while !before.is_empty() && !after.is_empty() {
        let (one, other) = (before.start, after.start);
        let found = (0..AHEAD).find_map(|ahead| {
            let (skip, add) = (one + ahead, other + ahead);
            match (skip < before.end && same(skip, other), add < after.end && same(one, add)) {
                (true, _) => Some((ahead, 0)),
                (_, true) => Some((0, ahead)),
                _ => None,
            }
        });
        let (skipped, added) = found.unwrap_or((1, 1));
        places.extend((0..skipped).map(|ahead| [Some(one + ahead), None]));
        places.extend((0..added).map(|ahead| [None, Some(other + ahead)]));
        (before.start, after.start) = (one + skipped, other + added);
        if found.is_some() {
            places.push([Some(before.start), Some(after.start)]);
            (before.start, after.start) = (before.start + 1, after.start + 1);
        }
    }
    places.extend(before.map(|number| [Some(number), None]));
    places.extend(after.map(|number| [None, Some(number)]));
    places
}
