//! Every pair of 10,000 interfaces: from a checked estate to all cells.
//!
//! The work is cut into two halves for two processors. What is measured is the time of the processor along the longer of both,
//! so that a machine that does other things beside it changes little; the time that passed is told too.

use std::{
    thread,
    time::{Duration, Instant},
};

use palisade_analysis::{
    Limits,
    matrix::{FamilyPlan, Matrix, Options, Part, Plan},
};
use palisade_net::Family;

use super::{
    Run,
    estate::{self, Size},
    memory, time,
};
use crate::{error::Result, report::Case, stats};

/// Threads.
const THREADS: usize = 2;
/// When; every rule is always in force.
const NOW: u32 = 1_800_000_000;

pub(super) fn matrix(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let size = Size { nics: 10_000, subnets: 200, nsgs: 240, rules: 150, guarded: 60 };
    (run.tell)(&format!("every pair of {} interfaces, {} NSGs", size.nics, size.nsgs));
    let estate = estate::estate(size, 1)?;
    let mut rounds = Vec::new();
    memory::forget_peak();
    let mut told = None;
    for _ in 0..run.choose(5, 1) {
        let begun = Instant::now();
        let own = time()?;
        let plan = Plan::new(&estate, &Options::default(), NOW, Limits::default())?;
        let v4 = plan.family(Family::V4);
        let planned = time()? - own;
        let (rows, asked) = halves(v4.row_count(), |range| v4.rows(range))?;
        let own = time()?;
        let matrix = v4.join(rows);
        let joined = time()? - own;
        let ends = v4.nodes().iter().filter(|node| !node.is_outside()).count();
        let (parts, paired) = halves(ends, |range| matrix.part(range))?;
        let passed = begun.elapsed();
        rounds.push((planned, asked, joined, paired, passed));
        told = Some(describe(v4, &matrix, &parts, ends));
    }
    let median = |of: fn(&Steps) -> Duration| {
        stats::median(&rounds.iter().map(|steps| of(steps).as_secs_f64() * 1e3).collect::<Vec<_>>())
    };
    let case = Case::new("matrix/whole", median(|(a, b, c, d, _)| *a + *b + *c + *d), "ms")
        .with("question", "what passes between every pair of interfaces, exactly")
        .with("interfaces", size.nics)
        .with("NSGs", size.nsgs)
        .with("rules of an NSG", 2 * size.rules)
        .with("threads", THREADS)
        .with("lists and atoms, ms", median(|steps| steps.0).round())
        .with("rows, ms", (median(|steps| steps.1) + median(|steps| steps.2)).round())
        .with("cells, ms", median(|steps| steps.3).round())
        .with("passed, ms", median(|steps| steps.4).round());
    let told = told.unwrap_or_default();
    let case = told.into_iter().fold(case, |case, (name, value)| case.with(name, value));
    Ok(vec![case.with("memory at most, MB", memory::peak()?.round()).at_most(1_500.0)])
}

/// Lists and atoms, rows, tables, cells, and what passed meanwhile.
type Steps = (Duration, Duration, Duration, Duration, Duration);

fn describe(
    plan: &FamilyPlan,
    matrix: &Matrix<'_>,
    parts: &[Part],
    classes: usize,
) -> Vec<(&'static str, usize)> {
    let (services, places) = plan.size();
    let cells = parts.iter().map(Part::len).sum();
    let bytes = matrix.bytes() + parts.iter().map(Part::bytes).sum::<usize>();
    vec![
        ("classes", classes),
        ("cells", cells),
        ("places", places),
        ("services", services),
        ("outcomes of a list's rows", matrix.outcome_count()),
        ("tables and cells, MB", bytes / 1_000_000),
    ]
}

/// Works on both halves of some numbers at once; the longer time of the processor of both.
fn halves<T: Send>(
    count: usize,
    work: impl Fn(std::ops::Range<usize>) -> T + Sync,
) -> Result<(Vec<T>, Duration)> {
    let timed = |range| -> Result<(T, Duration)> {
        let begun = time()?;
        let done = work(range);
        Ok((done, time()? - begun))
    };
    let middle = count / THREADS;
    let (one, other) = thread::scope(|scope| {
        let other = scope.spawn(|| timed(middle..count));
        (timed(0..middle), other.join().expect("a half does not panic"))
    });
    let ((one, took), (other, took_too)) = (one?, other?);
    Ok((vec![one, other], took.max(took_too)))
}
