//! How many packets each rule decides, all at once.
//!
//! Invariant: where everything is known, what the rules, the exemption and silence decide adds up to the universe.

use palisade_classify::Hit;
use palisade_net::Family;

use crate::{
    AnalysisError, PerFamily,
    diagram::Diagram,
    grid::{Grid, Live},
    list::RuleList,
    tally,
    volume::{Bounds, Volume},
    walk::Walk,
};

/// How much a rule matches and how much of it is left to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Packets that it matches.
    pub matched: PerFamily<Bounds>,
    /// Packets that it decides.
    pub decided: PerFamily<Bounds>,
}

impl Share {
    /// The part of what a rule may match in a family that it surely does not decide, from 0 to 1. For people: it is rounded.
    pub fn hidden(&self, family: Family) -> f64 {
        let (matched, decided) = (self.matched.of(family).most, self.decided.of(family).most);
        (matched - decided).share_of(&matched)
    }

    /// Whether rules before it surely take something from it, and leave it something.
    pub fn is_partly_hidden(&self) -> bool {
        let families = Family::ALL;
        let left = families.iter().any(|family| !self.decided.of(*family).most.is_zero());
        left && families.iter().any(|family| self.decided.of(*family).most < self.matched.of(*family).most)
    }
}

/// What decides how many packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// Of each rule, in the order of the list; nothing of rules that are not asked.
    pub rules: Vec<Share>,
    /// Packets that the platform's exemption decides.
    pub exempt: PerFamily<Bounds>,
    /// Packets that no rule matches.
    pub silent: PerFamily<Bounds>,
}

impl Shares {
    /// Of what decides.
    fn of_mut(&mut self, hit: Hit) -> &mut PerFamily<Bounds> {
        match hit {
            Hit::Rule { rule, .. } => &mut self.rules[rule].decided,
            Hit::Exempt { .. } => &mut self.exempt,
            Hit::Nothing => &mut self.silent,
        }
    }
}

impl RuleList<'_> {
    /// How many packets each rule matches and decides.
    ///
    /// # Errors
    /// [`AnalysisError::TooComplex`].
    pub fn shares(&self) -> Result<Shares, AnalysisError> {
        let nothing = PerFamily::default();
        let rules = vec![Share::default(); self.rules().len()];
        let mut shares = Shares { rules, exempt: nothing, silent: nothing };
        for grid in &self.grids {
            self.count_matched(grid, &mut shares);
            let walk = Walk::opened(grid, std::iter::empty());
            let diagram = Diagram::of(walk, grid.everything(), |_, _, _| false, false, &self.limits)?;
            if grid.is_all_exact() {
                let (decided, silent) = tally::first_matches(&diagram);
                let hits = (0..grid.cuts.len()).map(|cut| self.entry(grid, cut).hit);
                for (hit, volume) in hits.zip(decided).chain([(Hit::Nothing, silent)]) {
                    *shares.of_mut(hit).of_mut(grid.space.family) += Bounds { least: volume, most: volume };
                }
            } else {
                diagram.parts(|part| self.count_decided(grid, part.list, part.volume, &mut shares));
            }
        }
        Ok(shares)
    }

    /// The rules that decide something, but less than they match, because of rules before them.
    ///
    /// # Errors
    /// [`AnalysisError::TooComplex`].
    pub fn partly_hidden(&self) -> Result<Vec<(usize, Share)>, AnalysisError> {
        let shares = self.shares()?.rules.into_iter().enumerate();
        Ok(shares.filter(|(_, share)| share.is_partly_hidden()).collect())
    }

    fn count_matched(&self, grid: &Grid, shares: &mut Shares) {
        for (rule, share) in shares.rules.iter_mut().enumerate() {
            let Some(cut) = self.whole(grid, rule) else { continue };
            let surely =
                if self.entry(grid, cut).is_certain() { grid.volume(&grid.must(cut)) } else { Volume::ZERO };
            let most = grid.volume(&grid.may(cut));
            *share.matched.of_mut(grid.space.family) += Bounds { least: surely, most };
        }
    }

    fn count_decided(&self, grid: &Grid, list: &[Live], volume: Volume, shares: &mut Shares) {
        let mut hits: Vec<Hit> = list.iter().map(|live| self.entry(grid, live.cut()).hit).collect();
        if list.last().is_none_or(|last| last.is_perhaps()) {
            hits.push(Hit::Nothing);
        }
        hits.sort_unstable();
        hits.dedup();
        let least = if hits.len() == 1 { volume } else { Volume::ZERO };
        for hit in hits {
            *shares.of_mut(hit).of_mut(grid.space.family) += Bounds { least, most: volume };
        }
    }
}
