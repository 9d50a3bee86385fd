//! Whether a rule could be removed without a change.
//!
//! It could if, wherever it decides, what comes next does the same. Removing two rules that could each be removed may well change
//! something: each may rely on the other.

use std::ops::ControlFlow;

use palisade_model::Access;
use palisade_net::Flow;

use crate::{
    AnalysisError,
    bits::Bits,
    check::{Instead, refuted},
    gap::{Gap, Role},
    grid::{FIELDS, Grid, Live, Product},
    list::RuleList,
    seek::Seek,
    walk::Walk,
};

/// Whether a rule is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing changes without it.
    Redundant,
    /// It depends on something that the estate does not tell.
    Perhaps,
    /// Something changes without it.
    Needed(Example),
}

/// A packet that would fare differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The packet.
    pub flow: Flow,
    /// What would happen to it; `None` if the list would leave the word to others.
    pub instead: Option<Access>,
    /// The rule that would decide; `None` if none would.
    pub rule: Option<usize>,
}

/// What would be without a rule, before anything is said of it.
enum Without<'g> {
    Same,
    Open,
    /// The packet of this path would fare differently.
    Other(&'g Grid, [u32; FIELDS]),
}

impl RuleList<'_> {
    /// Whether a rule is needed. One that is not asked now is not.
    ///
    /// # Errors
    /// [`AnalysisError`].
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn need(&self, rule: usize) -> Result<Need, AnalysisError> {
        Ok(match self.outcome_without(rule)? {
            Without::Same => Need::Redundant,
            Without::Open => Need::Perhaps,
            Without::Other(grid, path) => self.needed(grid, rule, &path)?,
        })
    }

    /// The rules that are asked now and that could each be removed without a change. Nothing is told of rules that could not, so
    /// no example is made of what they are needed for.
    ///
    /// # Errors
    /// [`AnalysisError`].
    pub fn redundant(&self) -> Result<Vec<usize>, AnalysisError> {
        let mut redundant = Vec::new();
        for rule in (0..self.rules().len()).filter(|rule| self.is_asked(*rule)) {
            if matches!(self.outcome_without(rule)?, Without::Same) {
                redundant.push(rule);
            }
        }
        Ok(redundant)
    }

    fn outcome_without(&self, rule: usize) -> Result<Without<'_>, AnalysisError> {
        let own = self.rules()[rule].access.known();
        let mut perhaps = false;
        for (grid, others) in self.grids.iter().zip(&self.others) {
            let cuts: Vec<usize> = self.cuts_of(grid, rule).collect();
            if cuts.is_empty() {
                continue;
            }
            let walk = Walk::opened(grid, cuts.iter().copied());
            let others = others.than(own);
            for cut in cuts {
                let next = Next { list: self, grid, rule, cut, own, others };
                if let Some(path) = next.find(&walk, true)? {
                    return Ok(Without::Other(grid, path));
                }
                perhaps |= !next.is_known() && next.find(&walk, false)?.is_some();
            }
        }
        Ok(if perhaps { Without::Open } else { Without::Same })
    }

    /// Puts it to the oracle, with the rule and without it.
    fn needed(&self, grid: &Grid, rule: usize, path: &[u32; FIELDS]) -> Result<Need, AnalysisError> {
        let (flow, list) = self.example(grid, path)?;
        let decides = list.first().and_then(|live| self.rule_of(grid, live.cut())) == Some(rule);
        let instead = self.without(&mut self.alone.clone(), rule, &flow);
        let own = self.rules()[rule].access.known();
        if !decides || instead == Instead::Unknown || instead.access() == own {
            return Err(refuted(&format!("rule {rule} is needed"), &flow));
        }
        let rule = if let Instead::Rule(rule, _) = instead { Some(rule) } else { None };
        Ok(Need::Needed(Example { flow, instead: instead.access(), rule }))
    }
}

/// The question what comes after an entry of a rule.
struct Next<'q, 'a> {
    list: &'q RuleList<'a>,
    grid: &'q Grid,
    rule: usize,
    cut: usize,
    /// What the rule does.
    own: Option<Access>,
    /// Entries that may do something else.
    others: &'q Bits,
}

impl Next<'_, '_> {
    /// A packet of the entry that would fare differently without the rule: `surely`, or if open parts turn out so.
    fn find(&self, walk: &Walk<'_>, surely: bool) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
        let certain = self.list.entry(self.grid, self.cut).is_certain();
        if surely && (self.own.is_none() || !certain) {
            return Ok(None);
        }
        let within = if surely { self.grid.must(self.cut) } else { self.grid.may(self.cut) };
        let mut walk = walk.clone();
        walk.meet(&within);
        if surely && self.grid.is_all_exact() {
            return self.gap(&walk, &within).find(&self.list.limits);
        }
        // Where all that may come next does the same, nothing is looked at.
        let ignore = |row: &[u64], level| !walk.has(row, self.cut) || self.is_same(&walk, row, level);
        let find = |row: &[u64], within: &Bits| self.in_last_field(&walk, row, within, surely);
        Seek { walk: &walk, within, ignore, find, limits: self.list.limits }.find()
    }

    /// The same in the last field.
    fn in_last_field(&self, walk: &Walk<'_>, row: &[u64], within: &Bits, surely: bool) -> Option<usize> {
        let comes = |list: &[Live]| list.iter().any(|live| live.cut() == self.cut);
        let is_it = |list: &[Live]| match surely {
            true => self.surely_differs(list),
            false => self.may_differ(list),
        };
        let found =
            self.grid.split(&walk.lives(row), within.clone(), &mut |list, atoms| match atoms.first() {
                Some(atom) if comes(list) && is_it(list) => ControlFlow::Break(atom),
                _ => ControlFlow::Continue(()),
            });
        found.break_value()
    }

    /// Where everything is known: what comes to the entry, and then to one that does something else, or to none.
    fn gap(&self, walk: &Walk<'_>, within: &Product) -> Gap {
        let mut gap = Gap::within(within);
        for cut in walk.cuts(&walk.start).filter(|cut| self.list.rule_of(self.grid, *cut) != Some(self.rule))
        {
            let access = self.list.entry(self.grid, cut).access.known();
            let differs = cut > self.cut && access.is_some() && access != self.own;
            gap.add(self.grid.holds(cut, |(_, may)| may), if differs { Role::Gives } else { Role::Takes });
            if gap.is_closed() {
                return gap;
            }
        }
        if self.list.silence() != self.own {
            gap.add(within.each_ref(), Role::Gives);
        }
        gap
    }

    /// Whether everything that can be asked about is known.
    fn is_known(&self) -> bool {
        self.grid.is_all_exact() && self.list.rules().iter().all(|rule| rule.access.known().is_some())
    }

    /// What may come after the entry, other entries of the rule left out.
    fn others<'l>(&'l self, list: &'l [Live]) -> impl Iterator<Item = Live> + 'l {
        let is_other = |live: &Live| self.list.rule_of(self.grid, live.cut()) != Some(self.rule);
        list.iter().copied().filter(is_other)
    }

    /// Whether all that may come after the entry does the same as the rule.
    fn is_same(&self, walk: &Walk<'_>, row: &[u64], level: usize) -> bool {
        let Some(own) = self.own else { return false };
        let ends = self.list.silence() == Some(own) || walk.is_closed(row, level);
        ends && !walk.has_any_after(row, self.cut, self.others)
    }

    /// Whether something that may come after the entry may do something else.
    fn may_differ(&self, list: &[Live]) -> bool {
        let same = |live: &Live| {
            self.own.is_some() && self.list.entry(self.grid, live.cut()).access.known() == self.own
        };
        let mut after = self.others(list).filter(|live| live.cut() > self.cut);
        let ends = list.last().is_some_and(|last| !last.is_perhaps())
            || (self.own.is_some() && self.list.silence() == self.own);
        !(ends && after.all(|live| same(&live)))
    }

    /// Whether the rule surely decides, and what comes next is surely something else.
    fn surely_differs(&self, list: &[Live]) -> bool {
        let mut others = self.others(list);
        match (others.next(), others.next()) {
            (None, _) => self.list.silence() != self.own,
            (Some(next), None) if !next.is_perhaps() => {
                let access = self.list.entry(self.grid, next.cut()).access.known();
                access.is_some() && access != self.own
            }
            _ => false,
        }
    }
}
