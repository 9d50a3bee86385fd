//! Whether a rule could be removed without a change.
//!
//! It could if, wherever it decides, what comes next does the same. Removing two rules that could each be removed may well change
//! something: each may rely on the other.

use palisade_model::{Access, EffectivePolicy, Maybe};
use palisade_net::Flow;

use crate::{
    AnalysisError,
    check::{Instead, refuted},
    grid::{FIELDS, Grid, Live, Taken},
    list::RuleList,
    seek::Seek,
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

impl RuleList<'_> {
    /// Whether a rule is needed. One that is not asked now is not.
    ///
    /// # Errors
    /// [`AnalysisError`].
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn need(&self, rule: usize) -> Result<Need, AnalysisError> {
        self.need_in(rule, &mut self.alone.clone())
    }

    /// The rules that are asked now and that could each be removed without a change.
    ///
    /// # Errors
    /// [`AnalysisError`].
    pub fn redundant(&self) -> Result<Vec<usize>, AnalysisError> {
        let mut copy = self.alone.clone();
        let mut redundant = Vec::new();
        for rule in (0..self.rules().len()).filter(|rule| self.is_asked(*rule)) {
            if self.need_in(rule, &mut copy)? == Need::Redundant {
                redundant.push(rule);
            }
        }
        Ok(redundant)
    }

    fn need_in(&self, rule: usize, copy: &mut EffectivePolicy) -> Result<Need, AnalysisError> {
        let mut perhaps = false;
        for grid in &self.grids {
            let start = grid.start(|cut| {
                let own = self.rule_of(grid, cut) == Some(rule);
                Some(if own { Taken::Perhaps } else { Taken::AsIs })
            });
            for cut in self.cuts_of(grid, rule) {
                let next = Next { list: self, grid, rule, cut };
                if let Some(path) = next.find(&start, true)? {
                    return self.needed(grid, rule, &path, copy);
                }
                perhaps |= !next.is_known() && next.find(&start, false)?.is_some();
            }
        }
        Ok(if perhaps { Need::Perhaps } else { Need::Redundant })
    }

    /// Puts it to the oracle, with the rule and without it.
    fn needed(
        &self,
        grid: &Grid,
        rule: usize,
        path: &[u32; FIELDS],
        copy: &mut EffectivePolicy,
    ) -> Result<Need, AnalysisError> {
        let (flow, list) = self.example(grid, path)?;
        let decides = list.first().and_then(|live| self.rule_of(grid, live.cut())) == Some(rule);
        let instead = self.without(copy, rule, &flow);
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
}

impl Next<'_, '_> {
    /// A packet of the entry that would fare differently without the rule: `surely`, or if open parts turn out so.
    fn find(&self, start: &[Live], surely: bool) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
        let own = self.list.rules()[self.rule].access.known();
        let certain = self.list.entry(self.grid, self.cut).is_certain();
        if surely && (own.is_none() || !certain) {
            return Ok(None);
        }
        let within = if surely { self.grid.must(self.cut) } else { self.grid.may(self.cut) };
        let accept = |list: &[Live]| match surely {
            true => self.surely_differs(list, own),
            // Where all that may come next does the same, it is ignored.
            false => true,
        };
        let ignore = |list: &[Live], level| !self.comes(list) || self.is_same(list, level, own);
        Seek { grid: self.grid, within, ignore, accept, limits: self.list.limits }.find(start)
    }

    /// Whether everything that can be asked about is known.
    fn is_known(&self) -> bool {
        (0..self.grid.cuts.len()).all(|cut| self.grid.is_exact(cut))
            && self.list.rules().iter().all(|rule| rule.access.known().is_some())
    }

    fn comes(&self, list: &[Live]) -> bool {
        list.iter().any(|live| live.cut() == self.cut)
    }

    /// What may come after the entry, other entries of the rule left out.
    fn others<'l>(&'l self, list: &'l [Live]) -> impl Iterator<Item = Live> + 'l {
        let is_other = |live: &Live| self.list.rule_of(self.grid, live.cut()) != Some(self.rule);
        list.iter().copied().filter(is_other)
    }

    /// Whether all that may come after the entry does the same as the rule.
    fn is_same(&self, list: &[Live], level: usize, own: Option<Access>) -> bool {
        let same = |access: Maybe<Access>| own.is_some() && access.known() == own;
        let mut after = self.others(list).filter(|live| live.cut() > self.cut);
        let ends = self.grid.is_closed(list, level) || (own.is_some() && self.list.silence() == own);
        ends && after.all(|live| same(self.list.access(self.grid, live)))
    }

    /// Whether the rule surely decides, and what comes next is surely something else.
    fn surely_differs(&self, list: &[Live], own: Option<Access>) -> bool {
        let mut others = self.others(list);
        match (others.next(), others.next()) {
            (None, _) => self.list.silence() != own,
            (Some(next), None) if !next.is_perhaps() => {
                let access = self.list.access(self.grid, next).known();
                access.is_some() && access != own
            }
            _ => false,
        }
    }
}
