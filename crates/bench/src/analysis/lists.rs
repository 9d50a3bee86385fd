//! The questions about one list of 1,000 rules: every rule's exact volume, what never decides, what is redundant, and what ten
//! edits change.

use palisade_analysis::{AnalysisError, Limits, RuleList, diff};
use palisade_model::EffectivePolicy;
use palisade_net::Direction;

use super::{
    Run, measure,
    peers::{self, Engine},
    workload::{self, Shape},
};
use crate::{error::Result, report::Case};

/// Rules of a list, without the default ones.
const RULES: usize = 1_000;
/// Edits between the lists that are compared.
const EDITS: usize = 10;
/// When; every rule is always in force.
pub(super) const NOW: u32 = 1_800_000_000;
pub(super) const WAY: Direction = Direction::Inbound;

/// Goals in milliseconds; where there is none the figure stands alone.
struct Goals {
    volumes: Option<f64>,
    dead: Option<f64>,
    redundant: f64,
    diff: f64,
}

pub(super) fn busy(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let names = ["busy/build", "busy/volumes", "busy/dead", "busy/redundant", "busy/diff"];
    let goals = Goals { volumes: Some(40.0), dead: None, redundant: 15.0, diff: 10.0 };
    let rounds = run.choose(21, 5);
    questions(run, (Shape::Busy, "a pool of 4,000 prefixes, and tags"), names, rounds, &goals)
}

pub(super) fn wide(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let names = ["wide/build", "wide/volumes", "wide/dead", "wide/redundant", "wide/diff"];
    let goals = Goals { volumes: Some(800.0), dead: None, redundant: 50.0, diff: 400.0 };
    let rounds = run.choose(7, 1);
    questions(run, (Shape::Wide, "4,000 prefixes of tags a rule"), names, rounds, &goals)
}

pub(super) fn adversarial(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let names = ["adversarial/build", "", "adversarial/dead", "adversarial/redundant", "adversarial/diff"];
    let goals = Goals { volumes: None, dead: Some(100.0), redundant: 100.0, diff: 1_000.0 };
    let rounds = run.choose(7, 1);
    questions(run, (Shape::Adversarial, "five random ranges a rule"), names, rounds, &goals)
}

fn questions(
    run: &mut Run<'_>,
    (shape, what): (Shape, &str),
    names: [&'static str; 5],
    rounds: usize,
    goals: &Goals,
) -> Result<Vec<Case>> {
    let [build, volumes, dead, redundant, changed] = names;
    (run.tell)(&format!("{RULES} rules, {what}"));
    let before = workload::policy(shape, RULES, &run.tags, 7);
    let after = workload::edited(&before, shape, EDITS, &run.tags, 8);
    let (list, taken) = measure(rounds, || Ok::<_, AnalysisError>(list(&before)))?;
    let told = |case: Case| case.with("rules", RULES).with("of", what);
    let judged = |case: Case, goal: Option<f64>| match goal {
        Some(goal) => told(case).at_most(goal),
        None => told(case),
    };
    let mut cases = vec![told(taken.case(build).with("question", "prepare the list for all questions"))];
    if goals.volumes.is_some() {
        let (_, taken) = measure(rounds, || list.shares())?;
        let case = taken.case(volumes).with("question", "every rule's exact volume");
        cases.push(judged(case, goals.volumes));
    }
    let (found, taken) = measure(rounds, || list.dead())?;
    let case = taken.case(dead).with("question", "rules that never decide, with what hides them");
    cases.push(judged(case.with("found", found.len()), goals.dead));
    let (found, taken) = measure(rounds, || list.redundant())?;
    let case = taken.case(redundant).with("question", "rules that could be removed without a change");
    cases.push(judged(case.with("found", found.len()), Some(goals.redundant)));
    let compare = || diff(&before, &after, WAY, NOW, &[], Limits::default());
    let (found, taken) = measure(rounds, compare)?;
    let case =
        taken.case(changed).with("question", "what changes, built from both lists").with("edits", EDITS);
    cases.push(judged(case.with("found", found.changes.len()), Some(goals.diff)));
    let engines = engines(shape, run.options.quick);
    Ok(peers::stand_beside(run, engines, (&before, &after), cases))
}

/// The engines that answer about lists of this shape in minutes; OxiDD takes more for 4,000 prefixes a rule.
const fn engines(shape: Shape, quick: bool) -> &'static [Engine] {
    match (shape, quick) {
        (Shape::Busy, true) => &[Engine::OxiDd],
        (Shape::Busy, false) => &[Engine::OxiDd, Engine::Z3],
        (Shape::Adversarial, false) => &[Engine::OxiDd],
        _ => &[],
    }
}

fn list(policy: &EffectivePolicy) -> RuleList<'_> {
    RuleList::new(policy, WAY, 0, NOW, Limits::default())
}
