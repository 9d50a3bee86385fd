//! What follows from what is left of lists.
//!
//! It must not know semantics of its own: [`oracle::settle`] and [`oracle::conclude`] are the oracle's.

use palisade_classify::{
    Hit, Verdict,
    oracle::{self, Outcome},
};
use palisade_model::{Access, EffectiveLayer, EffectivePolicy, Maybe};
use palisade_net::Flow;

use crate::{
    AnalysisError,
    check::confirm,
    entry::Lists,
    grid::{Grid, Live},
};

/// Verdict and decider of some packets; `None` if they depend on what is not known, or on fields that are not looked at yet.
pub(crate) type Answer = Option<(Verdict, Hit)>;

/// An answer of a policy. In an exemption of the platform's it names the exemption, even where a rule would have allowed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Side {
    /// Whether packets pass.
    pub verdict: Verdict,
    /// What decides, as an index into the policy; nothing if that is not known.
    pub hit: Hit,
}

impl From<Answer> for Side {
    fn from(answer: Answer) -> Self {
        let (verdict, hit) = answer.unwrap_or((Verdict::Unknown, Hit::Nothing));
        Self { verdict, hit }
    }
}

impl Side {
    /// Puts an example to the oracle.
    pub(crate) fn confirm(
        self,
        policy: &EffectivePolicy,
        flow: &Flow,
        now: u32,
    ) -> Result<(), AnalysisError> {
        let answer = (self.verdict != Verdict::Unknown).then_some((self.verdict, self.hit));
        confirm(&oracle::decide_by_rules(policy, flow, now), answer, flow)
    }
}

/// The answer of the lists from number `first` on, which stand at `layers`, to packets that leave `list` when `level` fields
/// have been looked at.
pub(crate) fn answer(
    (lists, grid): (&Lists<'_>, &Grid),
    layers: &[&EffectiveLayer],
    first: u32,
    list: &[Live],
    level: usize,
) -> Answer {
    let outcomes = layers.iter().zip(first..).map(|(layer, number)| {
        let is_here = |live: &&Live| grid.cuts[live.cut()].list == number;
        let mut found = Vec::new();
        let mut closed = false;
        for live in list.iter().filter(is_here) {
            let entry = &lists.entries[grid.cuts[live.cut()].entry];
            match entry.access {
                Maybe::Known(access) => found.push(Outcome::Says(access, entry.hit)),
                Maybe::Unknown => {
                    let both = [Access::Deny, Access::Allow];
                    found.extend(both.map(|access| Outcome::Says(access, entry.hit)));
                }
            }
            closed = grid.closes(*live, level);
        }
        if !closed {
            found.push(Outcome::Silent);
        }
        oracle::settle(layer, found)
    });
    oracle::conclude(&outcomes.collect::<Vec<_>>())
}
