//! One rule list of an interface, ready to be asked.
//!
//! The list is taken as if it stood alone, surely existed and were enforced; the questions stand in modules of their own.

use palisade_classify::Hit;
use palisade_model::{Access, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode};
use palisade_net::Direction;

use crate::{
    Limits,
    bits::Bits,
    entry::{Entry, Lists},
    grid::Grid,
};

/// One rule list at one moment.
#[derive(Debug, Clone)]
pub struct RuleList<'a> {
    layer: &'a EffectiveLayer,
    pub(crate) lists: Lists<'a>,
    /// For each rule its entries.
    entries: Vec<Vec<usize>>,
    /// One a space.
    pub(crate) grids: Vec<Grid>,
    /// For each grid the entries that may do something else than others.
    pub(crate) others: Vec<Others>,
    /// The list alone, for the oracle.
    pub(crate) alone: EffectivePolicy,
    pub(crate) direction: Direction,
    pub(crate) now: u32,
    pub(crate) limits: Limits,
}

impl<'a> RuleList<'a> {
    /// The list of layer `index` of a policy, at `now` in seconds since 1970.
    ///
    /// # Panics
    /// If the policy has no such layer.
    pub fn new(
        policy: &'a EffectivePolicy,
        direction: Direction,
        index: usize,
        now: u32,
        limits: Limits,
    ) -> Self {
        let layer = &policy.layers(direction)[index];
        let mut lists = Lists::default();
        lists.add(policy, direction, (index, 0), now);
        let grids = Grid::all(&lists, direction, &[], None, |_| true);
        let mut entries = vec![Vec::new(); layer.rules.len()];
        for (number, entry) in lists.entries.iter().enumerate() {
            if let Hit::Rule { rule, .. } = entry.hit {
                entries[rule].push(number);
            }
        }
        let others = grids.iter().map(|grid| Others::of(&lists, grid)).collect();
        let alone = alone(policy, layer, direction);
        Self { layer, lists, entries, grids, others, alone, direction, now, limits }
    }

    /// The rules of the list.
    pub fn rules(&self) -> &'a [EffectiveRule] {
        &self.layer.rules
    }

    /// Whether a rule is asked at this moment: it is in its window and not in audit.
    pub fn is_asked(&self, rule: usize) -> bool {
        let rule = &self.layer.rules[rule];
        rule.mode == Mode::Enforce && rule.window.contains(self.now)
    }

    /// What stands behind an entry of a grid.
    pub(crate) fn entry(&self, grid: &Grid, cut: usize) -> &Entry<'a> {
        &self.lists.entries[grid.cuts[cut].entry]
    }

    /// The rule of an entry; `None` for the exemption.
    pub(crate) fn rule_of(&self, grid: &Grid, cut: usize) -> Option<usize> {
        match self.entry(grid, cut).hit {
            Hit::Rule { rule, .. } => Some(rule),
            Hit::Exempt { .. } | Hit::Nothing => None,
        }
    }

    /// The entries of a rule in a grid.
    pub(crate) fn cuts_of<'s>(&'s self, grid: &'s Grid, rule: usize) -> impl Iterator<Item = usize> + 's {
        self.entries[rule].iter().filter_map(|entry| grid.place(*entry))
    }

    /// The entry in a grid that is a rule as a whole.
    pub(crate) fn whole(&self, grid: &Grid, rule: usize) -> Option<usize> {
        self.cuts_of(grid, rule).find(|cut| self.entry(grid, *cut).is_whole_rule())
    }

    /// What the list does where no entry matches; `None` if it leaves the word to other lists.
    pub(crate) fn silence(&self) -> Option<Access> {
        (self.layer.layer != Layer::Admin).then_some(Access::Deny)
    }
}

/// For each thing that a rule may do the entries of a grid that may do something else, and all of them.
#[derive(Debug, Clone)]
pub(crate) struct Others([Bits; 3], Bits);

impl Others {
    const ACCESSES: [Access; 3] = [Access::Deny, Access::Allow, Access::AlwaysAllow];

    fn of(lists: &Lists<'_>, grid: &Grid) -> Self {
        let access = |cut: &usize| lists.entries[grid.cuts[*cut].entry].access;
        let all = 0..grid.cuts.len();
        let others = |own| grid.row_of(all.clone().filter(|cut| access(cut) != Maybe::Known(own)));
        Self(Self::ACCESSES.map(others), grid.row_of(all.clone()))
    }

    /// Those that may do something else than this; all if that is not known.
    pub(crate) fn than(&self, own: Option<Access>) -> &Bits {
        let place = own.and_then(|own| Self::ACCESSES.iter().position(|access| *access == own));
        place.map_or(&self.1, |place| &self.0[place])
    }
}

/// A policy of one list that is surely there. The list of a public address says nothing where it allows, so that it stands as
/// an interface's, which does.
fn alone(policy: &EffectivePolicy, layer: &EffectiveLayer, direction: Direction) -> EffectivePolicy {
    let place = if layer.layer == Layer::PublicAddress { Layer::NetworkInterface } else { layer.layer };
    let layer = EffectiveLayer { layer: place, mode: Mode::Enforce, certain: true, ..layer.clone() };
    let (inbound, outbound) = match direction {
        Direction::Inbound => (vec![layer], Vec::new()),
        Direction::Outbound => (Vec::new(), vec![layer]),
    };
    EffectivePolicy { inbound, outbound, services: policy.services.clone() }
}
