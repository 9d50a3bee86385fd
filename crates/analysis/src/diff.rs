//! What a change changes: every packet to which two policies give different answers.
//!
//! Where each policy is one list and all is known, edits are looked at one by one (`one_list`). Otherwise both policies are walked
//! at once, lists in their order, and what is left of both is compared; where the same rules are left, or one verdict is all
//! that is possible, nothing more is looked at. Packets are grouped by the pair of what decided. It must not know where
//! policies come from.

mod one_list;

use std::{collections::HashMap, net::IpAddr};

use palisade_classify::Verdict;
use palisade_model::{EffectiveLayer, EffectivePolicy};
use palisade_net::{Direction, Flow};

use crate::{
    AnalysisError, Limits, PerFamily, Region, Side,
    diagram::Diagram,
    entry::Lists,
    gather::{Gathered, Group, Parts},
    grid::{Grid, Live, Two},
    verdict::{self, Answer, Verdicts},
    volume::Volume,
    walk::Walk,
};

/// Two policies compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// Packets whose verdict differs, by what decided; no two share a packet.
    pub changes: Vec<Change>,
    /// Packets whose verdict neither policy knows, and that do not meet the same rules in both.
    pub open: PerFamily<Volume>,
}

/// Packets that one thing decided before and one thing decides after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What decides before.
    pub before: Side,
    /// What decides after.
    pub after: Side,
    /// How many packets there are.
    pub volume: PerFamily<Volume>,
    /// One of them.
    pub example: Flow,
    /// All of them.
    pub region: Region,
}

/// All packets of one direction to which two policies give different answers at `now`, in seconds since 1970. Examples
/// prefer the addresses of `machine` for its own side.
///
/// # Errors
/// [`AnalysisError`].
pub fn diff(
    before: &EffectivePolicy,
    after: &EffectivePolicy,
    direction: Direction,
    now: u32,
    machine: &[IpAddr],
    limits: Limits,
) -> Result<Diff, AnalysisError> {
    let mut lists = Lists::default();
    lists.add_all(before, direction, now);
    let first = lists.layers.len();
    lists.add_all(after, direction, now);
    let mut found = Gathered::default();
    let mut open = PerFamily::default();
    let oracle = Oracle { policies: [before, after], now };
    let alike = stand_alike(&lists, first);
    let places = alike.then(|| lists.side_by_side(number(first)));
    if let Some(edits) = places.as_ref().and_then(|places| one_list::edits(&lists, places)) {
        let ask = (direction, machine, limits);
        edits.iter().try_for_each(|edit| edit.compare(&lists, ask, oracle, &mut found))?;
    } else {
        places.iter().for_each(|places| lists.keep_near_edits(places));
        let pair = Pair { lists: &lists, first, alike, oracle, limits };
        pair.compare_all((direction, machine), &mut found, &mut open)?;
    }
    let change = |((before, after), group): ((Side, Side), Group)| Change {
        before,
        after,
        volume: group.volume,
        example: group.example,
        region: group.region,
    };
    Ok(Diff { changes: found.finish().map(change).collect(), open })
}

/// Whom examples are put to.
#[derive(Clone, Copy)]
struct Oracle<'p> {
    policies: [&'p EffectivePolicy; 2],
    now: u32,
}

impl Oracle<'_> {
    /// Puts an example to it, with each policy.
    fn confirm(self, (before, after): (Side, Side), flow: &Flow) -> Result<(), AnalysisError> {
        let sides = self.policies.iter().zip([before, after]);
        sides.into_iter().try_for_each(|(policy, side)| side.confirm(policy, flow, self.now))
    }
}

/// Two policies, under comparison.
struct Pair<'p> {
    lists: &'p Lists<'p>,
    /// Number of the first list of the second policy.
    first: usize,
    /// Whether the lists of both stand at the same places.
    alike: bool,
    oracle: Oracle<'p>,
    limits: Limits,
}

impl Pair<'_> {
    fn compare_all(
        &self,
        (direction, machine): (Direction, &[IpAddr]),
        found: &mut Gathered<(Side, Side)>,
        open: &mut PerFamily<Volume>,
    ) -> Result<(), AnalysisError> {
        let kinds = self.lists.kinds();
        let two = Two { first: number(self.first), alike: self.alike, kinds: &kinds };
        let mut grids = Grid::all(self.lists, direction, machine, Some(two), |_| true).into_iter();
        grids.try_for_each(|grid| self.compare(&grid, &kinds, found, open))
    }

    fn compare(
        &self,
        grid: &Grid,
        kinds: &[u32],
        found: &mut Gathered<(Side, Side)>,
        open: &mut PerFamily<Volume>,
    ) -> Result<(), AnalysisError> {
        let twins = self.twins(grid, kinds);
        let verdicts = [(0..self.first), (self.first..self.lists.layers.len())]
            .map(|numbers| Verdicts::of((self.lists, grid), numbers));
        let ignore = |walk: &Walk<'_>, row: &[u64], level: usize| {
            if walk.halves_are_same(row) {
                return true;
            }
            let before = verdicts[0].sure(walk, row, level);
            before.is_some() && before == verdicts[1].sure(walk, row, level)
        };
        let walk = Walk::opened(grid, std::iter::empty());
        let diagram = Diagram::of(walk, grid.everything(), ignore, self.limits.blocks > 0, &self.limits)?;
        let mut parts = Parts::default();
        diagram.parts(|part| {
            let [before, after] = self.answers(grid, part.list).map(Side::from);
            if before.verdict != after.verdict {
                parts.add((before, after), part);
            } else if before.verdict == Verdict::Unknown && !self.is_same(grid, &twins, part.list) {
                *open.of_mut(grid.space.family) += part.volume;
            }
        });
        found
            .take((grid, &diagram), parts, &self.limits, |sides, example| self.oracle.confirm(sides, example))
    }

    /// The answers of both policies to packets that leave `list`.
    fn answers(&self, grid: &Grid, list: &[Live]) -> [Answer; 2] {
        let (before, after) = self.lists.layers.split_at(self.first);
        let answer = |layers: &[&EffectiveLayer], first: usize| {
            let first = u32::try_from(first).expect("few lists stand at an interface");
            verdict::answer((self.lists, grid), layers, first, list)
        };
        [answer(before, 0), answer(after, self.first)]
    }

    /// For each entry of a grid a number that it shares with those of the other policy that match and do the same.
    fn twins(&self, grid: &Grid, kinds: &[u32]) -> Vec<u32> {
        let mut known = HashMap::new();
        let numbers = grid.cuts.iter().enumerate().map(|(number, cut)| {
            let next = u32::try_from(known.len()).expect("entries are counted in 31 bits");
            *known.entry((grid.sets(number), grid.is_certain(number), kinds[cut.entry])).or_insert(next)
        });
        numbers.collect()
    }

    /// Whether the same is left of the lists of both policies, which stand at the same places.
    fn is_same(&self, grid: &Grid, twins: &[u32], list: &[Live]) -> bool {
        let number = |live: &Live| grid.cuts[live.cut()].list as usize;
        let (left, right) = list.split_at(list.partition_point(|live| number(live) < self.first));
        let content =
            |live: &Live, first: usize| (number(live) - first, twins[live.cut()], live.is_perhaps());
        left.len() == right.len()
            && self.alike
            && left.iter().map(|live| content(live, 0)).eq(right.iter().map(|live| content(live, self.first)))
    }
}

/// Whether the lists of both policies stand at the same places.
fn stand_alike(lists: &Lists<'_>, first: usize) -> bool {
    let (before, after) = lists.layers.split_at(first);
    let place = |layer: &&EffectiveLayer| (layer.layer, layer.certain);
    before.iter().map(place).eq(after.iter().map(place))
}

fn number(list: usize) -> u32 {
    u32::try_from(list).expect("few lists stand at an interface")
}
