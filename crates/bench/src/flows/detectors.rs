//! All detectors over a made-up day: connections a second on one core, and the memory that they hold.

use palisade_guard::{Connection, Guard, day};

use super::Options;
use crate::{
    clock::processor_time,
    error::{Context, Result},
    memory,
    report::Case,
    stats,
};

/// Connections that are made at a time, so that making them is not measured and they hardly take memory.
const PART: usize = 50_000;
/// Connections a second that were to be taken.
const GOAL: f64 = 1_500_000.0;

pub(super) fn measure(options: &Options, tell: &mut dyn FnMut(&str)) -> Result<Vec<Case>> {
    tell("detectors/throughput");
    let (count, rounds) = if options.quick { (1_000_000, 3) } else { (3_000_000, 5) };
    let (mut rates, mut held, mut alerts) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let round = round(count)?;
        rates.push(round.rate);
        held.push(round.memory);
        alerts = round.alerts;
    }
    let rate = stats::median(&rates);
    let throughput = Case::new("detectors/throughput", rate, "flows/s")
        .with("flows", count)
        .with("rounds", rounds)
        .with("best", rates.iter().copied().fold(0.0, f64::max).round())
        .with("alerts", alerts)
        .goal(format!("at least {GOAL} flows/s"), rate >= GOAL);
    // What an earlier round has given back is used again: the first one shows it all.
    let memory =
        Case::new("detectors/memory", held.first().copied().unwrap_or(0.0), "MB").with("flows", count);
    Ok(vec![throughput, memory])
}

/// What one day took.
struct Round {
    rate: f64,
    memory: f64,
    alerts: usize,
}

fn round(count: u64) -> Result<Round> {
    let mut connections = day(count);
    let mut part: Vec<Connection> = Vec::with_capacity(PART);
    memory::forget_peak();
    let before = memory::resident()?;
    let (mut guard, mut alerts, mut seconds) = (Guard::default(), Vec::new(), 0.0);
    loop {
        part.clear();
        part.extend(connections.by_ref().take(PART));
        let begun = time()?;
        guard.observe_all(&part, &mut alerts);
        let is_over = part.len() < PART;
        if is_over {
            guard.finish(&mut alerts);
        }
        seconds += time()? - begun;
        if is_over {
            let memory = (memory::peak()? - before).max(0.0);
            return Ok(Round { rate: count as f64 / seconds, memory, alerts: alerts.len() });
        }
    }
}

fn time() -> Result<f64> {
    Ok(processor_time().context(|| "read the processor's time".into())?.as_secs_f64())
}
