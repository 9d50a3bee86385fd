//! What a packet costs a router more than plain forwarding, with the datapath and with each peer, on the same rules.
//!
//! Every firewall has a site of its own, all exist at once, and the rounds go around. Processor time is measured, not
//! the time between: what else the machine does hardly shows. The difference to plain forwarding is taken round by round.

use std::sync::Arc;

use palisade_net::Family;

use super::{Run, lanes};
use crate::{
    error::Result,
    fence::{Firewall, Rules},
    kernel::inject::Generator,
    lane::Lane,
    peers::Peer,
    report::{Bound, Case},
    rules::{self, Place},
    site::Anchors,
    stats::median,
};

/// Seed of the generated rules.
const SEED: u64 = 7;
/// Established connections whose packets are measured, by their numbers of bits: one alone, and as many as keep the first
/// caches busy.
const CONNECTIONS: [(u32, u32); 2] = [(0, 0), (10, 5)];
/// Packets of new flows in a round: fewer than a NIC may have half-open.
const NEW_PACKETS: u32 = 8_192;
/// A round is no longer than this for one firewall, so that all have theirs close together.
const ROUND_NS: f64 = 40_000_000.0;

/// What is measured beside what.
struct Setting {
    family: Family,
    lines: usize,
    place: Place,
}

/// Nanoseconds a packet, round by round.
#[derive(Default)]
struct Costs {
    new: Vec<f64>,
    established: [Vec<f64>; 2],
}

/// Measures all settings.
pub(super) fn measure(run: &mut Run<'_>) -> Result<()> {
    let mut settings = Vec::new();
    for lines in [10, 100, 1_000, 4_000] {
        settings.push(Setting { family: Family::V4, lines, place: Place::Last });
    }
    settings.push(Setting { family: Family::V6, lines: 1_000, place: Place::Last });
    if !run.options.quick {
        for lines in [10, 100, 1_000, 4_000] {
            settings.push(Setting { family: Family::V4, lines, place: Place::Random });
        }
        for lines in [10, 100, 4_000] {
            settings.push(Setting { family: Family::V6, lines, place: Place::Last });
        }
    }
    let anchors = Anchors::build()?;
    for setting in settings {
        one(run, &setting, &anchors.generator(setting.family)?)?;
    }
    Ok(())
}

fn one(run: &mut Run<'_>, setting: &Setting, generator: &Arc<Generator>) -> Result<()> {
    let Setting { family, lines, place } = setting;
    run.tell(&format!("forwarding: {family}, {lines} lines, the measured one {}", place.name()));
    let set = rules::generate(*family, *lines, *place, SEED);
    let rules = Rules::of(set)?;
    let (mut lanes, absent) = lanes::build(run, &rules, &CONNECTIONS, generator)?;
    let mut costs: Vec<Costs> = lanes.iter().map(|_| Costs::default()).collect();
    // The first round fills caches and tables and does not count.
    for round in 0..=run.choose(15, 4) {
        for (lane, costs) in lanes.iter_mut().zip(&mut costs) {
            let before = costs.new.last().copied();
            let measured = lane.turn(|lane| self::round(lane, before))?;
            if round > 0 {
                costs.add(measured);
            } else {
                costs.new.push(measured.0);
            }
        }
    }
    for costs in &mut costs {
        costs.new.remove(0);
    }
    let firewalls: Vec<Firewall> = lanes.iter().map(Lane::firewall).collect();
    run.add(cases(setting, &firewalls, &costs, &absent));
    Ok(())
}

impl Costs {
    fn add(&mut self, (new, established): (f64, [f64; 2])) {
        self.new.push(new);
        for (all, one) in self.established.iter_mut().zip(established) {
            all.push(one);
        }
    }
}

/// One firewall's turn: nanoseconds a packet of new flows and of established ones.
fn round(lane: &mut Lane, new_before: Option<f64>) -> Result<(f64, [f64; 2])> {
    lane.fence().forget()?;
    let mut established = [0.0; 2];
    for (set, cost) in established.iter_mut().enumerate() {
        *cost = lane.send_on(set, 2 * NEW_PACKETS)?;
    }
    let affordable = ROUND_NS / new_before.unwrap_or(ROUND_NS / 512.0);
    let new = lane.open_flows((affordable as u32).clamp(512, NEW_PACKETS))?;
    Ok((new, established))
}

fn cases(setting: &Setting, firewalls: &[Firewall], costs: &[Costs], absent: &[Peer]) -> Vec<Case> {
    let (plain, firewalls) = (&costs[0], &firewalls[1..]);
    let costs = &costs[1..];
    let added = |of: fn(&Costs, usize) -> &[f64], index| -> Vec<f64> {
        let plain = of(plain, index);
        let over = |costs| of(costs, index).iter().zip(plain).map(|(cost, plain)| cost - plain);
        costs.iter().map(|costs| median(&over(costs).collect::<Vec<f64>>())).collect()
    };
    let case = |name, figures: &[f64], forwarding: &[f64]| {
        let mut case = Case::new(name, figures[0], "ns")
            .with("family", setting.family.to_string())
            .with("lines", setting.lines)
            .with("place", setting.place.name())
            .with("plain forwarding", median(forwarding).round());
        for (firewall, figure) in firewalls.iter().zip(figures) {
            if let Firewall::Peer(peer) = firewall {
                case = case.beside(peer.name(), peer.version(), Some(*figure));
            }
        }
        for peer in absent {
            case = case.beside(peer.name(), peer.version(), None);
        }
        case.ahead_of_all()
    };
    let mut new = case("forwarding/new", &added(|costs, _| &costs.new, 0), &plain.new);
    if setting.lines == 1_000 && setting.place == Place::Last {
        new = new.against(Peer::NftLinear.name(), Bound::Cheaper(20));
    }
    let mut cases = vec![new];
    for (index, (bits, _)) in CONNECTIONS.into_iter().enumerate() {
        let figures = added(|costs, index| &costs.established[index], index);
        cases.push(
            case("forwarding/established", &figures, &plain.established[index])
                .with("connections", 1 << bits),
        );
    }
    cases
}
