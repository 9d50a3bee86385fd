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

/// Names of the cases; those of questions that are not asked are empty.
#[derive(Clone, Copy)]
struct Names {
    build: &'static str,
    volumes: &'static str,
    dead: &'static str,
    hidden: &'static str,
    redundant: &'static str,
    diff: &'static str,
    regions: &'static str,
}

/// Goals in milliseconds; where there is none the figure stands alone.
#[derive(Clone, Copy)]
struct Goals {
    volumes: Option<f64>,
    dead: Option<f64>,
    redundant: f64,
    diff: f64,
}

pub(super) fn busy(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let names = Names {
        build: "busy/build",
        volumes: "busy/volumes",
        dead: "busy/dead",
        hidden: "busy/hidden",
        redundant: "busy/redundant",
        diff: "busy/diff",
        regions: "busy/regions",
    };
    let goals = Goals { volumes: Some(40.0), dead: None, redundant: 15.0, diff: 10.0 };
    let rounds = run.choose(21, 5);
    questions(run, (Shape::Busy, "a pool of 4,000 prefixes, and tags"), names, rounds, goals)
}

pub(super) fn wide(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let names = Names {
        build: "wide/build",
        volumes: "wide/volumes",
        dead: "wide/dead",
        hidden: "",
        redundant: "wide/redundant",
        diff: "wide/diff",
        regions: "wide/regions",
    };
    let goals = Goals { volumes: Some(800.0), dead: None, redundant: 50.0, diff: 400.0 };
    let rounds = run.choose(7, 1);
    questions(run, (Shape::Wide, "4,000 prefixes of tags a rule"), names, rounds, goals)
}

/// Up to half of a field a range, where decision diagrams do not end, and up to a quarter, where they do.
pub(super) fn adversarial(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let half = Names {
        build: "adversarial/build",
        volumes: "",
        dead: "adversarial/dead",
        hidden: "",
        redundant: "adversarial/redundant",
        diff: "adversarial/diff",
        regions: "adversarial/regions",
    };
    let quarter = Names {
        build: "adversarial-quarter/build",
        dead: "adversarial-quarter/dead",
        redundant: "adversarial-quarter/redundant",
        diff: "adversarial-quarter/diff",
        regions: "adversarial-quarter/regions",
        ..half
    };
    let goals = Goals { volumes: None, dead: Some(100.0), redundant: 100.0, diff: 1_000.0 };
    let rounds = run.choose(7, 1);
    let what = "random ranges, up to half of each field";
    let mut cases = questions(run, (Shape::Adversarial(2), what), half, rounds, goals)?;
    let what = "random ranges, up to a quarter of each field";
    cases.extend(questions(run, (Shape::Adversarial(4), what), quarter, rounds, goals)?);
    Ok(cases)
}

fn questions(
    run: &mut Run<'_>,
    (shape, what): (Shape, &str),
    names: Names,
    rounds: usize,
    goals: Goals,
) -> Result<Vec<Case>> {
    (run.tell)(&format!("{RULES} rules, {what}"));
    let before = workload::policy(shape, RULES, &run.tags, 7);
    let after = workload::edited(&before, shape, EDITS, &run.tags, 8);
    let (list, taken) = measure(rounds, || Ok::<_, AnalysisError>(list(&before)))?;
    let told = |case: Case| case.with("rules", RULES).with("of", what);
    let judged = |case: Case, goal: Option<f64>| match goal {
        Some(goal) => told(case).at_most(goal),
        None => told(case),
    };
    let build = taken.case(names.build).with("question", "prepare the list for all questions");
    let mut cases = vec![told(build)];
    if !names.volumes.is_empty() {
        let (_, taken) = measure(rounds, || list.shares())?;
        let case = taken.case(names.volumes).with("question", "every rule's exact volume");
        cases.push(judged(case, goals.volumes));
    }
    let (found, taken) = measure(rounds, || list.idle())?;
    let case = taken.case(names.dead).with("question", "rules that never decide");
    cases.push(judged(case.with("found", found.len()), goals.dead));
    if !names.hidden.is_empty() {
        let (found, taken) = measure(rounds, || list.dead())?;
        let case = taken.case(names.hidden).with("question", "the same, with what hides how much of them");
        cases.push(told(case.with("found", found.len())));
    }
    let (found, taken) = measure(rounds, || list.redundant())?;
    let case = taken.case(names.redundant).with("question", "rules that could be removed without a change");
    cases.push(judged(case.with("found", found.len()), Some(goals.redundant)));
    let compare = |limits| diff(&before, &after, WAY, NOW, &[], limits);
    let (found, taken) = measure(rounds, || compare(Limits { blocks: 0, ..Limits::default() }))?;
    let question = "what changes, by pairs of rules with volume and example, built from both lists";
    let case = taken.case(names.diff).with("question", question).with("edits", EDITS);
    cases.push(judged(case.with("found", found.changes.len()), Some(goals.diff)));
    let (_, taken) = measure(rounds, || compare(Limits::default()))?;
    let question = "the same, with all packets that change, for people";
    cases.push(told(taken.case(names.regions).with("question", question).with("edits", EDITS)));
    let engines = engines(shape, run.options.quick);
    Ok(peers::stand_beside(run, engines, (&before, &after), cases))
}

/// The engines that answer about lists of this shape in minutes; OxiDD takes more for 4,000 prefixes a rule, and gives up where
/// random ranges are up to half of each field.
const fn engines(shape: Shape, quick: bool) -> &'static [Engine] {
    match (shape, quick) {
        (Shape::Busy, true) => &[Engine::OxiDd],
        (Shape::Busy, false) => &[Engine::OxiDd, Engine::Z3],
        (Shape::Adversarial(_), false) => &[Engine::OxiDd],
        _ => &[],
    }
}

fn list(policy: &EffectivePolicy) -> RuleList<'_> {
    RuleList::new(policy, WAY, 0, NOW, Limits::default())
}
