//! Pairs of rules whose order matters.
//!
//! Two rules that do different things and share packets: were the later one asked before the earlier one, it would take
//! packets from it. An exception before a general rule is the usual case and intended; rules of which neither contains the
//! other are worth a look.

use palisade_model::{EffectivePolicy, Maybe, Truth};
use palisade_net::Flow;

use crate::{
    AnalysisError,
    check::{Instead, refuted},
    grid::{FIELDS, Grid, Product},
    list::RuleList,
};

/// Two rules whose order matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The rule that is asked first.
    pub earlier: usize,
    /// The other.
    pub later: usize,
    /// How what they match lies.
    pub overlap: Overlap,
    /// A packet that the earlier one decides and the later one would; `None` if that depends on something that the estate does
    /// not tell.
    pub example: Option<Flow>,
}

/// How what two rules may match lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Overlap {
    /// The earlier one matches a part of what the later one matches: an exception.
    Exception,
    /// Each matches something that the other does not.
    Partial,
    /// The later one matches a part of what the earlier one matches, or the same, so that it is hidden.
    Hidden,
}

impl RuleList<'_> {
    /// The pairs of rules whose order matters, by the earlier and then by the later one.
    ///
    /// # Errors
    /// [`AnalysisError`].
    pub fn order_sensitive(&self) -> Result<Vec<Pair>, AnalysisError> {
        self.order_sensitive_where(|_, _, _| true)
    }

    /// The same, of the pairs that are wanted: `wanted` is asked about the earlier and the later rule and how they lie, which
    /// is known before anything is searched.
    ///
    /// # Errors
    /// [`AnalysisError`].
    pub fn order_sensitive_where(
        &self,
        wanted: impl Fn(usize, usize, Overlap) -> bool,
    ) -> Result<Vec<Pair>, AnalysisError> {
        let mut copy = self.alone.clone();
        let mut pairs = Vec::new();
        let asked: Vec<usize> = (0..self.rules().len()).filter(|rule| self.is_asked(*rule)).collect();
        for (place, &earlier) in asked.iter().enumerate() {
            for &later in &asked[place + 1..] {
                if self.may_do_other(earlier, later) && wanted(earlier, later, self.overlap(earlier, later)) {
                    pairs.extend(self.pair(earlier, later, &mut copy)?);
                }
            }
        }
        Ok(pairs)
    }

    /// Whether two rules share what they may match, and do different things or may.
    fn may_do_other(&self, earlier: usize, later: usize) -> bool {
        let access = |rule: usize| self.rules()[rule].access;
        let known = access(earlier) != Maybe::Unknown && access(later) != Maybe::Unknown;
        let meets = |grid: &Grid| self.common(grid, earlier, later).next().is_some();
        !(known && access(earlier) == access(later)) && self.grids.iter().any(meets)
    }

    fn pair(
        &self,
        earlier: usize,
        later: usize,
        copy: &mut EffectivePolicy,
    ) -> Result<Option<Pair>, AnalysisError> {
        let access = |rule: usize| self.rules()[rule].access;
        let known = access(earlier) != Maybe::Unknown && access(later) != Maybe::Unknown;
        let mut perhaps = false;
        for grid in &self.grids {
            for (first, second) in self.common(grid, earlier, later) {
                let sure = known && self.entry(grid, second).is_certain();
                if sure
                    && let Some(path) =
                        self.shared(grid, first, grid.must(first), &grid.must(second), Truth::Yes)?
                {
                    let example = Some(self.confirmed(grid, (earlier, later), &path, copy)?);
                    return Ok(Some(Pair { earlier, later, overlap: self.overlap(earlier, later), example }));
                }
                let exact = known && grid.is_exact(second) && (0..=first).all(|cut| grid.is_exact(cut));
                perhaps |= !exact
                    && self.shared(grid, first, grid.may(first), &grid.may(second), Truth::Maybe)?.is_some();
            }
        }
        let overlap = || self.overlap(earlier, later);
        Ok(perhaps.then(|| Pair { earlier, later, overlap: overlap(), example: None }))
    }

    /// Entries of two rules that stand beside each other and may share a packet.
    fn common<'s>(
        &'s self,
        grid: &'s Grid,
        earlier: usize,
        later: usize,
    ) -> impl Iterator<Item = (usize, usize)> + 's {
        let beside = move |first: usize| {
            self.cuts_of(grid, later).filter_map(move |second| {
                let beside = self.entry(grid, first).stands_beside(self.entry(grid, second));
                (beside && grid.may_meet(first, second)).then_some((first, second))
            })
        };
        self.cuts_of(grid, earlier).flat_map(beside)
    }

    /// A packet of both products that comes to an entry, surely or perhaps.
    fn shared(
        &self,
        grid: &Grid,
        cut: usize,
        mut within: Product,
        other: &Product,
        truth: Truth,
    ) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
        within.iter_mut().zip(other).for_each(|(atoms, other)| atoms.intersect(other));
        self.reach(grid, cut, &within, truth)
    }

    /// Puts it to the oracle, in this order and with the later rule moved before the earlier one.
    fn confirmed(
        &self,
        grid: &Grid,
        (earlier, later): (usize, usize),
        path: &[u32; FIELDS],
        copy: &mut EffectivePolicy,
    ) -> Result<Flow, AnalysisError> {
        let (flow, list) = self.example(grid, path)?;
        let decides = list.first().and_then(|live| self.rule_of(grid, live.cut())) == Some(earlier);
        let moved = self.moved(copy, (earlier, later), &flow);
        if decides && matches!(moved, Instead::Rule(rule, _) if rule == later) {
            return Ok(flow);
        }
        Err(refuted(&format!("the order of rules {earlier} and {later} matters"), &flow))
    }

    fn overlap(&self, earlier: usize, later: usize) -> Overlap {
        let inside = |inner: usize, outer: usize| {
            self.grids.iter().all(|grid| match (self.whole(grid, inner), self.whole(grid, outer)) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(inner), Some(outer)) => grid.may_contain(outer, inner),
            })
        };
        match (inside(later, earlier), inside(earlier, later)) {
            (true, _) => Overlap::Hidden,
            (false, true) => Overlap::Exception,
            (false, false) => Overlap::Partial,
        }
    }
}
