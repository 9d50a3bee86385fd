//! Looks for one packet, and stops when it is found.
//!
//! Most questions about a rule are answered by one example, which is near; only where there is none must every state be
//! seen. States in which nothing was found are remembered. It must not know what is looked for.

use crate::{
    AnalysisError, Limits,
    bits::Bits,
    diagram::LAST,
    grid::{FIELDS, Product},
    rows::Rows,
    walk::Walk,
};

/// What is looked for.
pub(crate) struct Seek<'w, 'g, I, A> {
    pub(crate) walk: &'w Walk<'g>,
    /// Where.
    pub(crate) within: Product,
    /// Whether none of the packets can be the one that leave this row when so many fields have been looked at.
    pub(crate) ignore: I,
    /// The atom of the last field, of those within, with which a packet that leaves this row before it is the one.
    pub(crate) find: A,
    pub(crate) limits: Limits,
}

/// The search under way.
struct Search {
    /// Rows before each field that lead nowhere, or are being looked at.
    seen: [Rows; LAST],
    /// What is left before each field.
    rows: [Vec<u64>; FIELDS],
    states: usize,
    path: [u32; FIELDS],
}

impl<I, A> Seek<'_, '_, I, A>
where
    I: Fn(&[u64], usize) -> bool,
    A: Fn(&[u64], &Bits) -> Option<usize>,
{
    /// A packet, as one atom a field; `None` if there is none.
    pub(crate) fn find(&self) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
        let start = &self.walk.start;
        if self.within.iter().any(Bits::is_empty) || (self.ignore)(start, 0) {
            return Ok(None);
        }
        let mut search = Search {
            seen: std::array::from_fn(|_| Rows::new(start.len())),
            rows: std::array::from_fn(|_| start.clone()),
            states: 0,
            path: [0; FIELDS],
        };
        let found = self.look(0, &mut search)?;
        Ok(found.then_some(search.path))
    }

    fn look(&self, level: usize, search: &mut Search) -> Result<bool, AnalysisError> {
        search.states += 1;
        if search.states > self.limits.states {
            return Err(AnalysisError::TooComplex { states: self.limits.states });
        }
        if level == LAST {
            let Some(atom) = (self.find)(&search.rows[LAST], &self.within[LAST]) else { return Ok(false) };
            search.path[LAST] = number(atom);
            return Ok(true);
        }
        for atom in self.within[level].iter() {
            let [row, next] = &mut search.rows[level..level + 2] else { unreachable!("a field has a next") };
            self.walk.step(row, level, atom, next);
            if (self.ignore)(next, level + 1) || !search.seen[level].number(next).1 {
                continue;
            }
            search.path[level] = number(atom);
            if self.look(level + 1, search)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn number(atom: usize) -> u32 {
    u32::try_from(atom).expect("atoms are counted in 32 bits")
}
