//! Ten million flows against a change of 1,000 rules.
//!
//! Flows are those of a log after reading: each different one once. As in logs, few peers and services have most flows, and source
//! ports differ; one case has no such skew, so that what is remembered helps little. Time is that of the processor along the longer
//! of two threads, as of the matrix; the time that passed is told too.

use std::{
    borrow::Cow,
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use palisade_analysis::{
    observed::{Observed, Observer},
    what_if::{Answer, Judged, Peers, WhatIf},
};
use palisade_classify::generate::Random;
use palisade_model::{
    EffectivePolicy, Estate, FlowLogFormat, FlowOrigin, FlowPhase, FlowRecord, FlowTraffic, LoggedDecision,
    ResourceId, TagCatalog,
    spec::{EstateSpec, NicSpec},
};
use palisade_net::{Direction, Flow, Protocol};

use super::{
    Run, memory, time,
    workload::{self, Shape},
};
use crate::{error::Result, report::Case, stats};

/// Interfaces, all with the same rules.
const NICS: usize = 100;
/// Peers, half of them in what rules name.
const PEERS: usize = 50_000;
/// Ports that flows go to.
const PORTS: usize = 60;
/// When to judge.
const NOW: u32 = 1_800_000_000;
/// Threads that judge.
const THREADS: usize = 2;

/// Rules of the list, and edits that change it.
const RULES: usize = 1_000;
const EDITS: usize = 10;

/// Judges the flows of both spreads.
pub(super) fn cases(run: &mut Run<'_>) -> Result<Vec<Case>> {
    let count = run.choose(10_000_000, 1_000_000);
    let before = workload::policy(Shape::Busy, RULES, &run.tags, 7);
    let after = workload::edited(&before, Shape::Busy, EDITS, &run.tags, 8);
    let mut cases = Vec::new();
    for (name, spread, what) in [
        ("flows/whatif", Spread::Skewed, "few peers and services have most"),
        ("flows/whatif-even", Spread::Even, "all peers and services alike"),
    ] {
        (run.tell)(&format!("{count} flows, {what}"));
        let observed = observe(&before, count, spread, 3);
        memory::forget_peak();
        let rounds = (0..run.choose(5, 3)).map(|_| judge(&observed, [&before, &after]));
        let rounds = rounds.collect::<Result<Vec<Round>>>()?;
        let median = |of: fn(&Round) -> f64| stats::median(&rounds.iter().map(of).collect::<Vec<_>>());
        let changed = rounds.first().map_or(0, |(answer, ..)| answer.judged.flows - answer.unchanged.flows);
        let case = Case::new(name, median(|round| round.1), "ms")
            .with("passed, ms", median(|round| round.2).round())
            .with("memory at most, MB", memory::peak()?.round())
            .with("question", "which flows a change breaks or opens")
            .with("flows", observed.len())
            .with("of", what)
            .with("rules", RULES)
            .with("edits", EDITS)
            .with("threads", THREADS)
            .with("found", changed);
        let is_goal = spread == Spread::Skewed && !run.options.quick;
        cases.push(if is_goal { case.at_most(700.0) } else { case });
    }
    Ok(cases)
}

/// How flows spread over peers and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// As in logs: the n-th has a share of 1/n (Zipf).
    Skewed,
    /// All alike.
    Even,
}

/// As many different flows, as logs show them.
fn observe(policy: &EffectivePolicy, count: usize, spread: Spread, seed: u64) -> Observed {
    let estate = estate();
    let mut observer = Observer::new(&estate);
    let mut random = Random::new(seed);
    let peers = peers(policy, &mut random);
    let ports: Vec<u16> = (0..PORTS).map(|_| port(policy, &mut random)).collect();
    let origins: Vec<FlowOrigin> = (0..NICS)
        .map(|nic| FlowOrigin {
            format: FlowLogFormat::VirtualNetwork,
            target: Some(id(nic)),
            ..FlowOrigin::default()
        })
        .collect();
    for number in 0..count {
        let nic = random.below(NICS);
        let peer = peers[pick(&mut random, PEERS, spread)];
        let port = ports[pick(&mut random, PORTS, spread)];
        let protocol = if random.chance(80) { Protocol::TCP } else { Protocol::UDP };
        // Different source ports make the flows different.
        let from = 1_024 + (number % 64_000) as u16;
        let local = Ipv4Addr::from(10 << 24 | (nic as u32 * 2) << 8 | 4);
        let flow = Flow::new(Direction::Inbound, protocol, (peer.into(), from), (local.into(), port));
        let record = FlowRecord {
            time_ms: 1_700_000_000_000 + number as u64,
            flow: flow.expect("both are IPv4"),
            phase: FlowPhase::End,
            decision: LoggedDecision::Allowed,
            traffic: Some(FlowTraffic { bytes_to_destination: 1_500, ..FlowTraffic::default() }),
            tcp_flags: None,
            origin: nic as u32,
        };
        observer.add(&record, &origins[nic]).expect("the limit is above what is measured");
    }
    observer.finish()
}

/// An answer, the milliseconds of the processor along the longer thread, and those that passed.
type Round = (Answer, f64, f64);

/// Judges all flows.
fn judge(observed: &Observed, [before, after]: [&EffectivePolicy; 2]) -> Result<Round> {
    let peers = Peers::of(&Estate::default());
    let (begun, own) = (Instant::now(), time()?);
    let policies = |_: &_| (Cow::Borrowed(before), Some(Cow::Borrowed(after)));
    let what_if = WhatIf::with(observed, policies, NOW).expect("1,000 rules can be compiled");
    let step = observed.len().div_ceil(THREADS).max(1);
    let parts = thread::scope(|scope| {
        let starts = (0..observed.len()).step_by(step);
        let what_if = &what_if;
        let part = move |start: usize| {
            let begun = time()?;
            let judged = what_if.judge(start..observed.len().min(start + step));
            Ok((judged, time()? - begun))
        };
        let workers: Vec<_> = starts.map(|start| scope.spawn(move || part(start))).collect();
        let parts = workers.into_iter().map(|worker| worker.join().expect("judging does not panic"));
        parts.collect::<Result<Vec<(Judged, Duration)>>>()
    })?;
    let longest = parts.iter().map(|(_, took)| *took).max().unwrap_or_default();
    let answer = what_if.answer(parts.into_iter().map(|(judged, _)| judged), &peers)?;
    let took = time()? - own + longest;
    Ok((answer, took.as_secs_f64() * 1e3, begun.elapsed().as_secs_f64() * 1e3))
}

fn estate() -> Estate {
    let nics = (0..NICS).map(|nic| NicSpec::new(id(nic))).collect();
    let spec = EstateSpec { nics, ..EstateSpec::default() };
    Estate::validate(&spec, TagCatalog::default()).0.expect("interfaces alone are an estate")
}

fn id(nic: usize) -> ResourceId {
    ResourceId::new(&format!("/networkInterfaces/nic-{nic}"))
}

/// Half from what rules name, half from anywhere.
fn peers(policy: &EffectivePolicy, random: &mut Random) -> Vec<Ipv4Addr> {
    let rules = &policy.inbound[0].rules;
    let peer = |number: usize| {
        let ranges = random.pick(rules).source.may().v4().ranges();
        let is_named = number.is_multiple_of(2) && !ranges.is_empty();
        let (first, last) = if is_named { *random.pick(ranges) } else { (0x0100_0000, 0xdfff_ffff) };
        let offset = random.below((last - first) as usize + 1) as u32;
        Ipv4Addr::from(first + offset)
    };
    (0..PEERS).map(peer).collect()
}

/// A port that a rule names.
fn port(policy: &EffectivePolicy, random: &mut Random) -> u16 {
    let ports = random.pick(&policy.inbound[0].rules).destination_ports.may();
    ports.ranges().first().map_or(443, |(first, _)| (*first).max(1))
}

/// One of `count`: the n-th with a share of 1/n, or each alike.
fn pick(random: &mut Random, count: usize, spread: Spread) -> usize {
    match spread {
        Spread::Even => random.below(count),
        Spread::Skewed => {
            let share = random.below(1 << 24) as f64 / f64::from(1 << 24);
            // The inverse of the sum of 1/n up to n, which is about its logarithm.
            ((count as f64).powf(share) as usize - 1).min(count - 1)
        }
    }
}
