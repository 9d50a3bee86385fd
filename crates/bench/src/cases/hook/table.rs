//! A table of a million flows: what finding one costs when no cache holds it, what a sweep costs, and whether packets
//! notice the sweep.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use palisade_abi::verdict::Reason;
use palisade_datapath::Sizes;
use palisade_net::Family;

use super::{INTERFACE, PACKETS, Pair, Run, list, lists};
use crate::{
    clock::processor_time,
    error::{Context, Result},
    kernel::flows::Flows,
    ours::Ours,
    report::Case,
    stats::{median, quantile},
    traffic::datagram,
};

/// 2^20 flows, of 32 clients with 32,768 ports each.
const FLOWS: Flows = Flows { bits: 20, port_bits: 15, port: 32_768, address: 0 };
/// How long packets are watched without a sweep.
const QUIET: Duration = Duration::from_millis(300);
/// The share of packets that is looked at for delays; the rest is the machine's own noise.
const SHARE: f64 = 0.999;

/// Measures with a table of its own.
pub(super) fn measure(run: &mut Run<'_>) -> Result<()> {
    let mut ours = Ours::open(Sizes { flows: 1 << FLOWS.bits, slots: 16 })?;
    ours.publish(&[INTERFACE], &list(&lists::nsg(10))?)?;
    let pair = Pair::new(&mut ours, &datagram(Family::V4, FLOWS), FLOWS)?;
    pair.ours.run(1 << FLOWS.bits)?;
    let rounds = (run.rounds(80, 30), PACKETS);
    let cold = pair.cost(&mut ours, Reason::Established, rounds, |_| Ok(()))?;
    let case = |name, ours, unit| Case::new(name, ours, unit).with("flows", 1 << FLOWS.bits);
    run.add([case("hook/established", cold, "ns").with("family", "IPv4").with("order", "scattered")]);
    let quiet = delays(&pair, || {
        thread::sleep(QUIET);
        Ok(())
    })?;
    let clock = || processor_time().context(|| "read the processor time of a thread".into());
    let mut seconds = Vec::new();
    let swept = delays(&pair, || {
        for _ in 0..3 {
            let before = clock()?;
            ours.sweep()?;
            seconds.push((clock()? - before).as_secs_f64());
        }
        Ok(())
    })?;
    run.add([case("hook/sweep", median(&seconds), "s of CPU").at_most(0.5)]);
    let (with, without) = (quantile(&swept, SHARE), quantile(&quiet, SHARE));
    run.add([case("hook/packet during a sweep", with, "ns, 99.9 %")
        .beside("no sweep", None, Some(without))
        .with("longest", quantile(&swept, 1.0))
        .with("longest without", quantile(&quiet, 1.0))
        .goal("at most twice of no sweep", with <= 2.0 * without)]);
    Ok(())
}

/// What single packets take while something else happens.
fn delays(pair: &Pair, meanwhile: impl FnOnce() -> Result<()>) -> Result<Vec<f64>> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let packets = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                times.push(f64::from(pair.ours.run(1)?));
            }
            Ok(times)
        });
        let outcome = meanwhile();
        over.store(true, Ordering::Relaxed);
        let times = packets.join().expect("the thread only runs packets");
        outcome.and(times)
    })
}
