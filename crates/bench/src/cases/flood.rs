//! A flood of SYNs to one machine beside open connections to another, and the same flood with no firewall in the way.
//!
//! The flood is made and handled on one processor and the connections keep to another, so what they lose, they lose to
//! what both share: tables, memory, caches. With one processor there is nothing to be learned, and nothing is measured.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use palisade_net::{Family, packet::TcpFlags};

use super::Run;
use crate::{
    error::{Context, Result},
    fence::{Fence, Firewall, Rules},
    kernel::{flows::End, inject::Injector},
    load::steady::{Steady, keep_to},
    report::{Bound, Case},
    rules::{self, Place, SERVICE_PORT, nth_machine},
    site::{Anchors, Site},
    stats::median,
    traffic::{NEW, inward},
};

const LINES: usize = 1_000;
const SEED: u64 = 7;
/// The machine that has the connections; the other has the flood.
const STEADY_MACHINE: usize = 1;
/// The processors of the flood and of the connections.
const FLOOD_CPU: usize = 0;
const STEADY_CPU: usize = 1;
/// Packets of the flood that are made at once.
const BATCH: u32 = 1_024;

/// One firewall with the flood and the connections.
struct Side {
    fence: Fence,
    flood: Injector,
    /// Exchanges a second without and with the flood, and the flood's packets a second.
    rates: [Vec<f64>; 3],
}

/// Measures.
pub(super) fn measure(run: &mut Run<'_>) -> Result<()> {
    if thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        run.tell("flood: skipped, it needs two processors");
        return Ok(());
    }
    run.tell("flood");
    let rules = Rules::of(rules::generate(Family::V4, LINES, Place::Last, SEED))?;
    let anchors = Anchors::build()?;
    let generator = anchors.generator(Family::V4)?;
    let mut sides = Vec::new();
    for firewall in [Firewall::None, Firewall::Ours] {
        let fence = Fence::build(firewall, &rules, Site::build(2)?)?;
        let syn = inward(Family::V4, NEW, TcpFlags::SYN);
        let flood = Injector::new(&generator, &syn, End::Source, NEW, fence.site().to_clients());
        let flood = flood.context(|| "load the packet generator".into())?;
        sides.push(Side { fence, flood, rates: Default::default() });
    }
    let duration = Duration::from_millis(run.choose(1_000, 300));
    for _ in run.rounds(7, 4) {
        for side in &mut sides {
            side.round(duration)?;
        }
    }
    let [none, ours] = [0, 1].map(|side| sides[side].rates.each_ref().map(|rates| median(rates)));
    run.add([Case::new("flood/steady connections", ours[1], "exchanges per second")
        .with("lines", LINES)
        .with("without flood", ours[0].round())
        .with("without flood or firewall", none[0].round())
        .with("flood, packets per second", ours[2].round())
        .with("flood without firewall", none[2].round())
        .beside(Firewall::None.name(), None, Some(none[1]))
        .against(Firewall::None.name(), Bound::AtLeast(0.9))]);
    Ok(())
}

impl Side {
    fn round(&mut self, duration: Duration) -> Result<()> {
        let at = SocketAddr::new(nth_machine(Family::V4, STEADY_MACHINE), SERVICE_PORT);
        let router = self.fence.site().router();
        // What the flood before left would make this one a shorter one.
        router.enter(|| self.fence.forget())??;
        let mut steady = Steady::open(self.fence.site(), STEADY_MACHINE, at, STEADY_CPU)?;
        self.rates[0].push(steady.rate(duration)?);
        let (over, flood) = (AtomicBool::new(false), &self.flood);
        let (steady, flooded) = thread::scope(|scope| {
            let flood = scope.spawn(|| router.enter(|| pour(flood, &over)));
            let steady = steady.rate(duration);
            over.store(true, Ordering::Relaxed);
            (steady, flood.join().expect("the thread only injects"))
        });
        self.rates[1].push(steady?);
        self.rates[2].push(flooded?.context(|| "inject the flood".into())?);
        Ok(())
    }
}

/// Sends as fast as it can; packets a second.
fn pour(flood: &Injector, over: &AtomicBool) -> std::io::Result<f64> {
    keep_to(FLOOD_CPU);
    let start = Instant::now();
    let mut count = 0.0;
    while !over.load(Ordering::Relaxed) {
        flood.send(BATCH)?;
        count += f64::from(BATCH);
    }
    Ok(count / start.elapsed().as_secs_f64())
}
