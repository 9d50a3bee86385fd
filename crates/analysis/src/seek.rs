//! Looks for one packet, and stops when it is found.
//!
//! Most questions about a rule are answered by one example, which is near; only where there is none must every state be
//! seen. States in which nothing was found are remembered. It must not know what is looked for.

use std::{collections::HashSet, ops::ControlFlow};

use crate::{
    AnalysisError, Limits,
    bits::Bits,
    grid::{FIELDS, Grid, Live, Product},
};

const LAST: usize = FIELDS - 1;

/// What is looked for.
pub(crate) struct Seek<'g, I, A> {
    pub(crate) grid: &'g Grid,
    /// Where.
    pub(crate) within: Product,
    /// Whether none of the packets can be the one that leave this list when so many fields have been looked at.
    pub(crate) ignore: I,
    /// Whether a packet that leaves this list in the end, and is not to be ignored, is the one.
    pub(crate) accept: A,
    pub(crate) limits: Limits,
}

/// The search under way.
struct Search {
    /// Lists before each field that lead nowhere, or are being looked at.
    seen: [HashSet<Vec<Live>>; FIELDS],
    states: usize,
    path: [u32; FIELDS],
}

impl<I: Fn(&[Live], usize) -> bool, A: Fn(&[Live]) -> bool> Seek<'_, I, A> {
    /// A packet, as one atom a field; `None` if there is none.
    pub(crate) fn find(&self, start: &[Live]) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
        if self.within.iter().any(Bits::is_empty) || (self.ignore)(start, 0) {
            return Ok(None);
        }
        let start = self.grid.meeting(start, &self.within);
        let mut search = Search { seen: Default::default(), states: 0, path: [0; FIELDS] };
        let found = self.look(&start, 0, &mut search)?;
        Ok(found.then_some(search.path))
    }

    fn look(&self, list: &[Live], level: usize, search: &mut Search) -> Result<bool, AnalysisError> {
        search.states += 1;
        if search.states > self.limits.states {
            return Err(AnalysisError::TooComplex { states: self.limits.states });
        }
        if level == LAST {
            let found = self.grid.split(list, self.within[LAST].clone(), &mut |list, atoms| match atoms
                .iter()
                .next()
            {
                Some(atom) if !(self.ignore)(list, FIELDS) && (self.accept)(list) => ControlFlow::Break(atom),
                _ => ControlFlow::Continue(()),
            });
            let ControlFlow::Break(atom) = found else { return Ok(false) };
            search.path[LAST] = u32::try_from(atom).expect("atoms are counted in 32 bits");
            return Ok(true);
        }
        for (next, atoms) in self.grid.children(list, level, &self.within[level]) {
            if (self.ignore)(&next, level + 1) || search.seen[level].contains(&next) {
                continue;
            }
            search.path[level] = atoms[0];
            if self.look(&next, level + 1, search)? {
                return Ok(true);
            }
            search.seen[level].insert(next);
        }
        Ok(false)
    }
}
