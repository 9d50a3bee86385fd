//! TCP connections with a request and a response per second, over real sockets, through each firewall and through none.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use palisade_net::Family;

use super::{Run, lanes};
use crate::{
    error::Result,
    fence::{Fence, Firewall, Rules},
    kernel::inject::Generator,
    load::connect::{Server, rate},
    report::{Bound, Case},
    rules::{self, Place, SERVICE_PORT, machine},
    site::Anchors,
    stats::median,
};

/// Seed of the generated rules.
const SEED: u64 = 7;

/// Measures all sizes.
pub(super) fn measure(run: &mut Run<'_>) -> Result<()> {
    let anchors = Anchors::build()?;
    let generator = anchors.generator(Family::V4)?;
    let sizes: &[usize] = run.choose(&[10, 100, 1_000, 4_000], &[1_000]);
    for lines in sizes {
        run.tell(&format!("connections: {lines} lines"));
        one(run, *lines, &generator)?;
    }
    Ok(())
}

fn one(run: &mut Run<'_>, lines: usize, generator: &Arc<Generator>) -> Result<()> {
    let rules = Rules::of(rules::generate(Family::V4, lines, Place::Last, SEED))?;
    // A lane is built for its probes alone.
    let (lanes, absent) = lanes::build(run, &rules, &[], generator)?;
    let fences: Vec<Fence> = lanes.into_iter().map(crate::lane::Lane::into_fence).collect();
    let at = SocketAddr::new(machine(Family::V4), SERVICE_PORT);
    let servers = fences.iter().map(|fence| Server::start(&fence.site().machine(0), at));
    let _servers = servers.collect::<Result<Vec<_>>>()?;
    let mut rates = vec![Vec::new(); fences.len()];
    for round in run.rounds(13, 8) {
        for (fence, rates) in fences.iter().zip(&mut rates) {
            let rate = rate(&fence.site().clients(), at, Duration::from_millis(run.choose(400, 120)))?;
            // The first round fills caches and tables and does not count.
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let mut case = None;
    for (fence, rates) in fences.iter().zip(&rates) {
        let (firewall, rate) = (fence.firewall(), median(rates));
        if firewall == Firewall::Ours {
            case = Some(Case::new("connections/rate", rate, "per second").with("lines", lines));
        }
    }
    let others = fences.iter().zip(&rates).filter(|(fence, _)| fence.firewall() != Firewall::Ours);
    let mut case = case.expect("ours is among them");
    for (fence, rates) in others {
        let firewall = fence.firewall();
        case = case.beside(firewall.name(), firewall.version(), Some(median(rates)));
    }
    for peer in absent {
        case = case.beside(peer.name(), peer.version(), None);
    }
    run.add([case.against(Firewall::None.name(), Bound::AtLeast(0.95))]);
    Ok(())
}
