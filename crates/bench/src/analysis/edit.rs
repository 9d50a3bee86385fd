//! One rule edited among many NSGs: everything is asked again, and only what the edit concerns is analysed again.

use std::sync::Arc;

use palisade_analysis::{AnalysisError, Limits, Memo};
use palisade_model::EffectivePolicy;

use super::{
    Run,
    lists::{NOW, WAY},
    measure,
    workload::{self, Shape},
};
use crate::{error::Result, report::Case};

/// NSGs of the estate.
const NSGS: usize = 240;
/// Rules of each.
const RULES: usize = 150;

pub(super) fn edit(run: &mut Run<'_>) -> Result<Vec<Case>> {
    (run.tell)("one rule edited among many NSGs");
    let nsgs = run.choose(NSGS, 60);
    let make = |number: usize| {
        let seed = 100 + number as u64;
        Arc::new(workload::policy(Shape::Busy, RULES, &run.tags, seed))
    };
    let policies: Vec<Arc<EffectivePolicy>> = (0..nsgs).map(make).collect();
    let mut memo = Memo::default();
    let all = |memo: &mut Memo, policies: &[Arc<EffectivePolicy>]| {
        policies.iter().try_for_each(|policy| memo.list(policy, WAY, 0, NOW, Limits::default()).map(drop))
    };
    let (_, first) = measure(1, || all(&mut memo, &policies))?;
    let rounds = run.choose(40, 10);
    let mut edits = (0..rounds).map(|round| {
        let number = round * 7 % nsgs;
        let edited = workload::edited(&policies[number], Shape::Busy, 1, &run.tags, 900 + round as u64);
        (number, Arc::new(edited))
    });
    let edits: Vec<_> = edits.by_ref().collect();
    let mut next = edits.into_iter();
    let (_, taken) = measure(rounds, || {
        let (number, edited) = next.next().expect("there is an edit for each round");
        one(&mut memo, &policies, number, edited, &all)
    })?;
    let told = |case: Case| case.with("NSGs", nsgs).with("rules of each", RULES);
    Ok(vec![
        told(first.case("edit/first").with("question", "volumes, dead and redundant rules of every NSG")),
        told(taken.case("edit/again").with("question", "the same after an edit, and what it changes"))
            .at_most(5.0),
    ])
}

/// Asks everything once more, with one policy edited.
fn one(
    memo: &mut Memo,
    policies: &[Arc<EffectivePolicy>],
    number: usize,
    edited: Arc<EffectivePolicy>,
    all: &impl Fn(&mut Memo, &[Arc<EffectivePolicy>]) -> std::result::Result<(), AnalysisError>,
) -> std::result::Result<(), AnalysisError> {
    memo.diff([&policies[number], &edited], WAY, NOW, &[], Limits::default())?;
    let mut after = policies.to_vec();
    after[number] = edited;
    all(memo, &after)
}
