//! Whether a rule ever decides, and what hides one that never does.
//!
//! A rule is hidden by all that stands before it together; no single rule need cover it.

use std::collections::{BTreeMap, BTreeSet};

use palisade_classify::Hit;
use palisade_model::{Access, Maybe, Truth};
use palisade_net::Flow;

use crate::{
    AnalysisError, PerFamily,
    check::refuted,
    diagram::Diagram,
    gap,
    grid::{FIELDS, Grid, Product, Taken},
    list::RuleList,
    volume::Volume,
    walk::Walk,
};

/// What becomes of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in audit, or outside its window.
    NotAsked,
    /// It matches no packet, whatever stands before it.
    Empty,
    /// Whatever it matches is decided before it.
    Never(Hidden),
    /// It depends on something that the estate does not tell.
    Perhaps,
    /// It decides this packet.
    Decides(Flow),
}

/// What hides a rule that never decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Who decides the packets that the rule matches, in the order of the list; the volumes add up to all of them.
    pub covers: Vec<Cover>,
    /// Rules of which none can be left out and which hide it alone, in the order of the list: one rule, if one does.
    pub by: Vec<Option<usize>>,
    /// Whether that makes a difference.
    pub contrast: Contrast,
}

/// A part of what hides a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// The rule; `None` for the platform's exemption.
    pub rule: Option<usize>,
    /// Packets that it surely takes, and none before it surely does.
    pub volume: PerFamily<Volume>,
    /// One of them.
    pub example: Flow,
}

/// What the hiding rules do, compared with the hidden one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contrast {
    /// All do the same: the hidden rule is superfluous.
    Same,
    /// All do something else: the hidden rule is shadowed.
    Other,
    /// Some do the same and some do not.
    Mixed,
    /// Something is not known.
    Unknown,
}

/// What becomes of a rule, before anything is said of it.
enum Outlook<'g> {
    NotAsked,
    Empty,
    Never,
    Perhaps,
    /// The packet of this path is its own.
    Decides(&'g Grid, [u32; FIELDS]),
}

impl RuleList<'_> {
    /// What becomes of a rule.
    ///
    /// # Errors
    /// [`AnalysisError`].
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn fate(&self, rule: usize) -> Result<Fate, AnalysisError> {
        Ok(match self.outlook(rule)? {
            Outlook::NotAsked => Fate::NotAsked,
            Outlook::Empty => Fate::Empty,
            Outlook::Never => Fate::Never(self.hidden(rule)?),
            Outlook::Perhaps => Fate::Perhaps,
            Outlook::Decides(grid, path) => self.decides(grid, rule, &path)?,
        })
    }

    /// The rules that never decide, with what hides them. Nothing is told of rules that do, so no example of theirs is made.
    ///
    /// # Errors
    /// [`AnalysisError`].
    pub fn dead(&self) -> Result<Vec<(usize, Hidden)>, AnalysisError> {
        self.idle()?.into_iter().map(|rule| Ok((rule, self.hidden(rule)?))).collect()
    }

    /// The rules that never decide, without what hides them: that one is hidden takes far less than who hides how much of it.
    ///
    /// # Errors
    /// [`AnalysisError`].
    pub fn idle(&self) -> Result<Vec<usize>, AnalysisError> {
        let mut idle = Vec::new();
        for rule in 0..self.rules().len() {
            if matches!(self.outlook(rule)?, Outlook::Never) {
                idle.push(rule);
            }
        }
        Ok(idle)
    }

    fn outlook(&self, rule: usize) -> Result<Outlook<'_>, AnalysisError> {
        if !self.is_asked(rule) {
            return Ok(Outlook::NotAsked);
        }
        let (mut matches, mut perhaps) = (false, false);
        for grid in &self.grids {
            for cut in self.cuts_of(grid, rule) {
                matches = true;
                if let Some(path) = self.reach(grid, cut, &grid.must(cut), Truth::Yes)? {
                    return Ok(Outlook::Decides(grid, path));
                }
                let known = grid.is_all_exact() || (0..=cut).all(|cut| grid.is_exact(cut));
                perhaps |= !known && self.reach(grid, cut, &grid.may(cut), Truth::Maybe)?.is_some();
            }
        }
        Ok(match (matches, perhaps) {
            (false, _) => Outlook::Empty,
            (true, true) => Outlook::Perhaps,
            (true, false) => Outlook::Never,
        })
    }

    /// A packet of `within` that comes to an entry, surely or perhaps.
    pub(crate) fn reach(
        &self,
        grid: &Grid,
        cut: usize,
        within: &Product,
        truth: Truth,
    ) -> Result<Option<[u32; FIELDS]>, AnalysisError> {
        let mut walk = Walk::up_to(grid, cut);
        walk.meet(within);
        gap::coming(&walk, cut, within, truth, &self.limits)
    }

    fn decides(&self, grid: &Grid, rule: usize, path: &[u32; FIELDS]) -> Result<Fate, AnalysisError> {
        let (flow, list) = self.example(grid, path)?;
        let first = list.first().and_then(|live| self.rule_of(grid, live.cut()));
        if first != Some(rule) {
            return Err(refuted(&format!("rule {rule} decides"), &flow));
        }
        Ok(Fate::Decides(flow))
    }

    fn hidden(&self, rule: usize) -> Result<Hidden, AnalysisError> {
        let (covers, is_whole) = self.covers(rule)?;
        assert!(is_whole, "what hides a rule covers all that it matches");
        let hits: Vec<Hit> = covers.keys().copied().collect();
        let by = self.smallest(rule, &hits)?;
        let covers: Vec<Cover> = covers.into_values().collect();
        let contrast = self.contrast(rule, &covers);
        Ok(Hidden { covers, by: by.into_iter().map(rule_of_hit).collect(), contrast })
    }

    /// What surely decides packets that a rule may match before the rule is asked, in the order of the list.
    ///
    /// # Errors
    /// [`AnalysisError`].
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn takers(&self, rule: usize) -> Result<Vec<Cover>, AnalysisError> {
        Ok(self.covers(rule)?.0.into_values().collect())
    }

    /// The same, and whether that is all that the rule may match.
    fn covers(&self, rule: usize) -> Result<(BTreeMap<Hit, Cover>, bool), AnalysisError> {
        let mut covers: BTreeMap<Hit, Cover> = BTreeMap::new();
        let mut is_whole = true;
        for grid in &self.grids {
            let Some(cut) = self.whole(grid, rule) else { continue };
            let within = grid.may(cut);
            let mut walk = Walk::of(grid, |number| {
                (number < cut && self.rule_of(grid, number) != Some(rule)).then_some(Taken::AsIs)
            });
            walk.meet(&within);
            let all = grid.volume(&within);
            let diagram = Diagram::of(walk, within, |_, _, _| false, false, &self.limits)?;
            let mut found: BTreeMap<Hit, (Volume, [u32; FIELDS])> = BTreeMap::new();
            diagram.parts(|part| {
                if let Some(last) = part.list.last().filter(|last| !last.is_perhaps()) {
                    let hit = self.entry(grid, last.cut()).hit;
                    found.entry(hit).or_insert((Volume::ZERO, part.path)).0 += part.volume;
                }
            });
            let mut covered = Volume::ZERO;
            for (hit, (volume, path)) in found {
                let (example, list) = self.example(grid, &path)?;
                if list.last().is_none_or(|last| self.entry(grid, last.cut()).hit != hit) {
                    return Err(refuted(&format!("{hit:?} hides rule {rule}"), &example));
                }
                let cover = covers.entry(hit).or_insert_with(|| {
                    let rule = if let Hit::Rule { rule, .. } = hit { Some(rule) } else { None };
                    Cover { rule, volume: PerFamily::default(), example }
                });
                *cover.volume.of_mut(grid.space.family) += volume;
                covered += volume;
            }
            is_whole &= covered == all;
        }
        Ok((covers, is_whole))
    }

    /// Of what hides a rule, as little as still does: one that does it alone, else all that cannot be left out when each is
    /// tried in the order of the list.
    fn smallest(&self, rule: usize, covers: &[Hit]) -> Result<Vec<Hit>, AnalysisError> {
        if let Some(hit) = self.alone_hides(rule) {
            return Ok(vec![hit]);
        }
        let mut left = covers.to_vec();
        for hit in covers {
            let without: Vec<Hit> = left.iter().copied().filter(|other| other != hit).collect();
            if self.hides(rule, &without)? {
                left = without;
            }
        }
        Ok(left)
    }

    /// The first entry that alone matches all that a rule may match.
    fn alone_hides(&self, rule: usize) -> Option<Hit> {
        let mut common: Option<BTreeSet<Hit>> = None;
        for grid in &self.grids {
            let Some(cut) = self.whole(grid, rule) else { continue };
            let covering =
                (0..cut).filter(|other| self.rule_of(grid, *other) != Some(rule) && grid.covers(*other, cut));
            let hits = covering.map(|other| self.entry(grid, other).hit);
            common = Some(match common {
                None => hits.collect(),
                Some(common) => hits.filter(|hit| common.contains(hit)).collect(),
            });
        }
        common?.pop_first()
    }

    /// Whether these would hide a rule if they were all that stands before it.
    fn hides(&self, rule: usize, hits: &[Hit]) -> Result<bool, AnalysisError> {
        for grid in &self.grids {
            let Some(cut) = self.whole(grid, rule) else { continue };
            let mut walk = Walk::of(grid, |number| {
                let is_taken =
                    number == cut || (number < cut && hits.contains(&self.entry(grid, number).hit));
                is_taken.then_some(Taken::AsIs)
            });
            let within = grid.may(cut);
            walk.meet(&within);
            if gap::coming(&walk, cut, &within, Truth::Maybe, &self.limits)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn contrast(&self, rule: usize, covers: &[Cover]) -> Contrast {
        let access =
            |rule: Option<usize>| rule.map_or(Maybe::Known(Access::Allow), |rule| self.rules()[rule].access);
        let Maybe::Known(own) = access(Some(rule)) else { return Contrast::Unknown };
        let (mut same, mut other) = (false, false);
        for cover in covers {
            match access(cover.rule) {
                Maybe::Unknown => return Contrast::Unknown,
                Maybe::Known(found) => {
                    same |= found == own;
                    other |= found != own;
                }
            }
        }
        match (same, other) {
            (true, true) => Contrast::Mixed,
            (false, true) => Contrast::Other,
            (_, false) => Contrast::Same,
        }
    }
}

const fn rule_of_hit(hit: Hit) -> Option<usize> {
    match hit {
        Hit::Rule { rule, .. } => Some(rule),
        Hit::Exempt { .. } | Hit::Nothing => None,
    }
}
