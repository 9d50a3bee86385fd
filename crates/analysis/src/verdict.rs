//! What follows from what is left of lists.
//!
//! It must not know semantics of its own: [`oracle::settle`] and [`oracle::conclude`] are the oracle's.

use std::{cell::RefCell, ops::Range};

use palisade_classify::{
    Decision, Hit, Verdict,
    oracle::{self, Outcome},
};
use palisade_model::{Access, EffectiveLayer, EffectivePolicy, Maybe};
use palisade_net::{Direction, Flow};

use crate::{
    AnalysisError,
    bits::Bits,
    check::confirm,
    entry::Lists,
    grid::{Grid, Live},
    rows::FastMap,
    walk::Walk,
};

/// Verdict and decider of some packets; `None` if they depend on what is not known.
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
    /// The decision of a policy whose side it is.
    pub fn decision(self, policy: &EffectivePolicy, direction: Direction) -> Decision {
        match self.verdict {
            Verdict::Unknown => Decision::UNDETERMINED,
            known => Decision::of(known, self.hit, policy, direction),
        }
    }

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

/// The answer of the lists from number `first` on, which stand at `layers`, to packets that leave `list`.
pub(crate) fn answer(
    (lists, grid): (&Lists<'_>, &Grid),
    layers: &[&EffectiveLayer],
    first: u32,
    list: &[Live],
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
            closed = !live.is_perhaps();
        }
        if !closed {
            found.push(Outcome::Silent);
        }
        oracle::settle(layer, found)
    });
    oracle::conclude(&outcomes.collect::<Vec<_>>())
}

/// What lists may say to all packets that leave a row, found by the word and not entry by entry.
pub(crate) struct Verdicts<'l> {
    layers: &'l [&'l EffectiveLayer],
    /// For each list its entries, and of them those that may deny, allow and always allow.
    lists: Vec<(Bits, [Bits; 3])>,
    /// Verdicts by what each list may say, four bits a list.
    known: RefCell<FastMap<u64, Option<Verdict>>>,
}

/// In the order of the bits of [`Verdicts::known`]; the fourth is silence.
const ACCESSES: [Access; 3] = [Access::Deny, Access::Allow, Access::AlwaysAllow];

impl<'l> Verdicts<'l> {
    /// Of some of the lists, by their numbers.
    pub(crate) fn of((lists, grid): (&'l Lists<'_>, &Grid), numbers: Range<usize>) -> Self {
        assert!(numbers.len() <= 16, "few lists stand at an interface");
        let cuts = |number: usize| {
            let is_here = move |cut: &usize| grid.cuts[*cut].list as usize == number;
            (0..grid.cuts.len()).filter(is_here)
        };
        let may_do = |cut: &usize, meant: Access| match lists.entries[grid.cuts[*cut].entry].access {
            Maybe::Known(access) => access == meant,
            Maybe::Unknown => meant != Access::AlwaysAllow,
        };
        let of_list = |number: usize| {
            let doing = |meant| grid.row_of(cuts(number).filter(|cut| may_do(cut, meant)));
            (grid.row_of(cuts(number)), ACCESSES.map(doing))
        };
        let found = numbers.clone().map(of_list).collect();
        Self { layers: &lists.layers[numbers], lists: found, known: RefCell::default() }
    }

    /// The verdict on all packets that leave a row, if it is sure and the same for all.
    pub(crate) fn sure(&self, walk: &Walk<'_>, row: &[u64], level: usize) -> Option<Verdict> {
        let key = self.lists.iter().fold(0, |key, (all, doing)| {
            let said = doing.iter().zip([1, 2, 4]).filter(|(of, _)| walk.has_any(row, of));
            let silent = if walk.has_closed(row, all, level) { 0 } else { 8 };
            key << 4 | said.fold(silent, |said, (_, bit)| said | bit)
        });
        *self.known.borrow_mut().entry(key).or_insert_with(|| self.conclude(key))
    }

    fn conclude(&self, key: u64) -> Option<Verdict> {
        let outcomes = self.layers.iter().rev().enumerate().map(|(place, layer)| {
            let said = key >> (4 * place) & 15;
            let accesses = ACCESSES.into_iter().zip([1, 2, 4]).filter(|(_, bit)| said & bit != 0);
            let mut found: Vec<Outcome> =
                accesses.map(|(access, _)| Outcome::Says(access, Hit::Nothing)).collect();
            if said & 8 != 0 {
                found.push(Outcome::Silent);
            }
            oracle::settle(layer, found)
        });
        let mut outcomes: Vec<Vec<Outcome>> = outcomes.collect();
        outcomes.reverse();
        oracle::conclude(&outcomes).map(|(verdict, _)| verdict)
    }
}
