//! What a packet costs a router more than plain forwarding, with the datapath and with each peer, on the same rules.
//!
//! Every firewall has a site of its own, all exist at once, and the rounds go around. Processor time is measured, not
//! the time between: what else the machine does hardly shows. The difference to plain forwarding is taken round by round.

use std::{sync::Arc, time::Instant};

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
/// Packets of established flows in a round, and of new flows.
const PACKETS: u32 = 4_096;
const NEW_PACKETS: u32 = 2_048;
/// Packets before those of established flows that count.
const WARM_PACKETS: u32 = 1_024;
/// Rounds after which connections are forgotten and opened again: before a NIC has as many half-open as it may have.
const ROUNDS_REMEMBERED: usize = 8;
/// A round is no longer than this for one firewall, so that all have theirs close together.
const ROUND_NS: f64 = 20_000_000.0;

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
    let setting = |family, lines, place| Setting { family, lines, place };
    // The most telling first: a quick run may not come to the last ones.
    let mut settings = vec![setting(Family::V4, 1_000, Place::Last)];
    settings.extend([10, 4_000, 100].map(|lines| setting(Family::V4, lines, Place::Last)));
    settings.push(setting(Family::V6, 1_000, Place::Last));
    if !run.options.quick {
        settings.extend([10, 100, 1_000, 4_000].map(|lines| setting(Family::V4, lines, Place::Random)));
        settings.extend([10, 100, 4_000].map(|lines| setting(Family::V6, lines, Place::Last)));
    }
    let (anchors, end) = (Anchors::build()?, run.deadline);
    for (index, setting) in settings.iter().enumerate() {
        if index > 0 && run.is_late() {
            run.tell(&format!("forwarding: no time for {} lines", setting.lines));
            continue;
        }
        let share = end.saturating_duration_since(Instant::now()) / (settings.len() - index) as u32;
        run.deadline = Instant::now() + share;
        one(run, setting, &anchors.generator(setting.family)?)?;
        run.deadline = end;
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
    for round in run.rounds(64, 24) {
        for (lane, costs) in lanes.iter_mut().zip(&mut costs) {
            let is_fresh = round % ROUNDS_REMEMBERED == 0;
            lane.turn(|lane| costs.add_round(lane, is_fresh))?;
        }
    }
    let firewalls: Vec<Firewall> = lanes.iter().map(Lane::firewall).collect();
    run.add(cases(setting, &firewalls, &costs, &absent));
    Ok(())
}

impl Costs {
    /// One firewall's turn.
    fn add_round(&mut self, lane: &mut Lane, is_fresh: bool) -> Result<()> {
        if is_fresh {
            lane.fence().forget()?;
            (0..CONNECTIONS.len()).try_for_each(|set| lane.establish(set))?;
        }
        for (set, costs) in self.established.iter_mut().enumerate() {
            // The firewalls before this one have left nothing of it in the caches; that is not what is measured.
            lane.send_on(set, WARM_PACKETS)?;
            costs.push(lane.send_on(set, PACKETS)?);
        }
        let cost_before = self.new.last().copied().unwrap_or(ROUND_NS / f64::from(NEW_PACKETS));
        let affordable = (ROUND_NS / cost_before) as u32;
        self.new.push(lane.open_flows(affordable.clamp(256, NEW_PACKETS))?);
        Ok(())
    }
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
