//! How long the kernel program takes for a packet, by test runs.
//!
//! The kernel times the runs itself. An established flow and a denied packet change nothing, so the same packet is run
//! many times. A new flow exists after its first packet, so each packet of a list of distinct flows is run once, and
//! once more when it is established: both passes pay the same for a single run (system call, clock, cold branch
//! predictor), and the difference between them is what it costs to judge and remember the flow.

use std::os::fd::AsFd;

use palisade_abi::{flow::Direction, verdict::Reason};

use crate::{
    datapath::Datapath,
    error::{Context, Error},
    plane::Plane,
    policy::NicPolicy,
    run::{self, TestPacket},
    sys,
};

/// Runs of one packet in one measurement. Measurements are short and many, and the best counts: noise only adds.
const REPEAT: u32 = 10_000;
const ROUNDS: usize = 100;
/// Passes over the packets of new flows.
const PASSES: usize = 5;

/// A policy, and packets of the VM to measure it with.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'w> {
    /// The policy; its interface must exist in this network namespace.
    pub policy: &'w NicPolicy,
    /// Packets that it allows, each the first of another flow, fewer than the flow table holds.
    pub allowed: &'w [Vec<u8>],
    /// Packets that it denies.
    pub denied: &'w [Vec<u8>],
}

/// Nanoseconds a packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// A program that only passes packets: the cost of the hook and of the measurement.
    pub empty: f64,
    /// A packet of an established flow.
    pub established: f64,
    /// A packet of no flow that the rules deny, and that no CPU remembers: look-up, verdict, no flow.
    pub denied: f64,
    /// The first packet of an allowed flow: look-up, verdict, and the new flow.
    pub created: f64,
}

/// Why a measurement did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The datapath refused.
    #[error(transparent)]
    Datapath(#[from] Error),
    /// A packet was not judged as the workload says.
    #[error(
        "packet {index} of the {list} packets was judged {got}: the workload's packets and rules do not fit"
    )]
    Unfit {
        /// "allowed" or "denied".
        list: &'static str,
        /// Position in the list.
        index: usize,
        /// What the program said.
        got: Reason,
    },
    /// A list has no packets.
    #[error("the workload has no {list} packets")]
    Empty {
        /// "allowed" or "denied".
        list: &'static str,
    },
}

/// Measures a workload. The datapath's policy and flows are lost: it must be one of the benchmark's own.
///
/// # Errors
/// If a packet is not judged as the workload says.
pub fn measure(datapath: &mut Datapath, workload: &Workload<'_>) -> Result<Figures, BenchError> {
    datapath.publish(std::slice::from_ref(workload.policy))?;
    datapath.clear_flows()?;
    check(datapath, workload)?;
    let packet = |bytes| TestPacket {
        direction: Direction::Outbound,
        ifindex: workload.policy.ifindex,
        bytes,
        segments: (0, 0),
    };
    let established = best(|| Ok(datapath.time_packet(&packet(&workload.allowed[0]), REPEAT)?.duration_ns))?;
    let share = (REPEAT / workload.denied.len() as u32).max(1);
    // Otherwise the second of equal packets would cost a look-up only.
    datapath.remember_denials(false);
    let denied = best(|| {
        let times = workload.denied.iter().map(|bytes| datapath.time_packet(&packet(bytes), share));
        mean(times)
    });
    datapath.remember_denials(true);
    let denied = denied?;
    let once = |datapath: &Datapath| {
        median(workload.allowed.iter().map(|bytes| datapath.time_packet(&packet(bytes), 1)))
    };
    let mut costs = Vec::new();
    for _ in 0..PASSES {
        datapath.clear_flows()?;
        let first = once(datapath)?;
        costs.push(established + first - once(datapath)?);
    }
    datapath.clear_flows()?;
    costs.sort_unstable_by(f64::total_cmp);
    let created = costs[PASSES / 2];
    Ok(Figures { empty: empty(&packet(&workload.allowed[0]))?, established, denied, created })
}

/// Every packet must be judged as the workload says; afterwards the allowed ones have flows.
fn check(datapath: &Datapath, workload: &Workload<'_>) -> Result<(), BenchError> {
    for (list, packets, expected) in
        [("allowed", workload.allowed, Some(Reason::Allowed)), ("denied", workload.denied, None)]
    {
        if packets.is_empty() {
            return Err(BenchError::Empty { list });
        }
        let outcomes = datapath.run_packets(packets.iter().map(|bytes| TestPacket {
            direction: Direction::Outbound,
            ifindex: workload.policy.ifindex,
            bytes,
            segments: (0, 0),
        }))?;
        for (index, outcome) in outcomes.iter().enumerate() {
            let fits = expected.map_or(outcome.reason.is_drop(), |expected| outcome.reason == expected);
            if !fits {
                return Err(BenchError::Unfit { list, index, got: outcome.reason });
            }
        }
    }
    Ok(())
}

fn empty(packet: &TestPacket<'_>) -> Result<f64, Error> {
    let program = sys::load_empty_program().context(|| "load an empty program".into())?;
    best(|| {
        let run = sys::run_packet(program.as_fd(), packet.bytes, &run::context(packet), REPEAT);
        Ok(run.context(|| "run an empty program".into())?.duration_ns)
    })
}

fn best<T: Into<f64>>(measure: impl Fn() -> Result<T, Error>) -> Result<f64, Error> {
    (0..ROUNDS).try_fold(f64::INFINITY, |best, _| Ok(best.min(measure()?.into())))
}

/// Single runs are interrupted now and then; the middle one is not.
fn median(runs: impl Iterator<Item = Result<sys::TestRun, Error>>) -> Result<f64, Error> {
    let mut times = runs.map(|run| Ok(run?.duration_ns)).collect::<Result<Vec<u32>, Error>>()?;
    times.sort_unstable();
    Ok(times[times.len() / 2].into())
}

fn mean(runs: impl Iterator<Item = Result<sys::TestRun, Error>>) -> Result<f64, Error> {
    let (mut sum, mut count) = (0.0, 0.0);
    for run in runs {
        sum += f64::from(run?.duration_ns);
        count += 1.0;
    }
    Ok(sum / count)
}
