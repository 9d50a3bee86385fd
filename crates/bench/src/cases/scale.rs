//! Many interfaces on one large NSG: what it takes to compile, to publish, and to hold.

use std::time::Instant;

use palisade_datapath::Sizes;
use palisade_net::Family;

use super::Run;
use crate::{
    error::Result,
    ours::Ours,
    policy::Policy,
    report::Case,
    rules::{self, Place},
    stats::median,
};

/// Interfaces.
const NICS: u32 = 300;
/// Prefixes of the NSG's 1,000 rules.
const LINES: usize = 4_000;
const SEED: u64 = 7;
/// Interface numbers that no interface has: nothing is attached.
const FIRST_INTERFACE: u32 = 1_000_000;

/// Measures.
pub(super) fn measure(run: &mut Run<'_>) -> Result<()> {
    run.tell("scale: 300 interfaces");
    let set = rules::generate(Family::V4, LINES, Place::Last, SEED);
    let mut policy = Policy::of(&set)?;
    let mut compile = Vec::new();
    for _ in run.rounds(30, 8) {
        let start = Instant::now();
        policy.compile()?;
        compile.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let mut ours = Ours::open(Sizes { flows: 1_024, slots: NICS })?;
    let interfaces: Vec<u32> = (FIRST_INTERFACE..FIRST_INTERFACE + NICS).collect();
    let mut publish = Vec::new();
    for _ in run.rounds(30, 8) {
        let start = Instant::now();
        ours.publish(&interfaces, policy.blobs())?;
        publish.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let (blobs, bytes) = ours.blobs();
    let case = |name, value, unit| {
        Case::new(name, value, unit).with("interfaces", NICS).with("rules", 1_000).with("prefixes", LINES)
    };
    run.add([
        case("scale/memory", bytes as f64 / 1_048_576.0, "MiB").with("rule lists", blobs).at_most(1.0),
        case("scale/compile and prove", median(&compile), "ms").at_most(100.0),
        case("scale/publish", median(&publish), "ms"),
    ]);
    Ok(())
}
