//! Beacons: a machine that asks somebody for orders, at intervals.
//!
//! Keeps the newest times and sizes of each pair of a machine and a destination outside, scores them as they grow, at most once an hour, over the last
//! day, and tells of pairs with a high score that few machines share. Connections that failed are kept and scored apart, by
//! their times alone: whoever asks a controller that is gone, or denied, sends nothing. Names and time are asked for at intervals by
//! nature and are left out. It must not know a list of bad addresses.

mod score;

use std::net::IpAddr;

use palisade_net::{Direction, Protocol};

use score::Outline;
pub use score::{BeaconScore, Rhythm};

use crate::{
    Alert, Evidence, Kind,
    block::Detector,
    bounded::{Ahead, Memory, Recent, fetch, print},
    connection::{Host, Sight},
    limits::{BEATS_MAX, DAY_MS, DESTINATIONS_MAX, HOUR_MS, RHYTHMS_MAX, SOURCES_MAX, VISITORS_MAX},
};

/// Connections of a pair before it is scored.
pub const BEATS_MIN: usize = 20;
/// A score, with what is added to it, of at least this tells.
pub const SCORE_MIN: f64 = 0.9;
/// The same where it is known how many machines go there.
pub const SCORE_MIN_SHARED: f64 = 1.0;
/// The mean of the parts of a refused beacon that tells.
pub const REFUSED_MIN: f64 = 0.8;
/// Evenness of its gaps that it needs besides: of few tries, histogram and duration say little.
pub const REFUSED_TIMING_MIN: f64 = 0.75;
/// Machines of which a share says something.
pub const MACHINES_MIN: usize = 20;
/// Share of the machines that is rare, and adds [`BONUS`].
pub const RARE: f64 = 0.02;
/// Share of the machines that is common, and takes it away.
pub const COMMON: f64 = 0.5;
/// What is added for a destination that is rare or new, and taken away for one that is common or old.
pub const BONUS: f64 = 0.15;

const NEW_MS: u64 = 7 * DAY_MS;
const OLD_MS: u64 = 30 * DAY_MS;
/// Names, DHCP and time.
const PERIODIC: &[u16] = &[53, 67, 123, 547, 853];

/// A pair that keeps time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeaconEvidence {
    /// The score.
    pub score: BeaconScore,
    /// What was added to its total, or taken away, for how rare and how new the destination is.
    pub added: f64,
    /// Share of the machines that go there; `None` of too few machines.
    pub share: Option<f64>,
    /// Connections that were scored.
    pub connections: usize,
    /// Median gap between them, in seconds.
    pub gap_s: f64,
    /// The window they were seen in.
    pub window_ms: u64,
}

/// A pair that keeps time and fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RefusedEvidence {
    /// The parts.
    pub rhythm: Rhythm,
    /// Tries that were scored.
    pub tries: usize,
    /// Median gap between them, in seconds.
    pub gap_s: f64,
    /// The window they were seen in.
    pub window_ms: u64,
}

/// A machine, a destination, and whether it is about connections that failed.
type Key = (Host, Host, bool);

#[derive(Debug)]
pub(crate) struct Beacons {
    begun_ms: Option<u64>,
    now_ms: u64,
    pairs: Memory<Key, Beats>,
    destinations: Memory<Host, Destination>,
    machines: Memory<Host, ()>,
}

#[derive(Debug)]
struct Beats {
    /// Seconds and sizes; a ring once it is full.
    beats: Vec<(u32, u32)>,
    next: u16,
    seen: u32,
    scored_ms: u64,
    /// Connections that must have been seen before it is worth scoring it again.
    due: u32,
    told: bool,
    port: (Protocol, u16),
}

#[derive(Debug)]
struct Destination {
    first_ms: u64,
    visitors: Recent,
}

impl Beacons {
    pub(crate) fn new() -> Self {
        Self {
            begun_ms: None,
            now_ms: 0,
            pairs: Memory::new(RHYTHMS_MAX, DAY_MS),
            destinations: Memory::new(DESTINATIONS_MAX, OLD_MS),
            machines: Memory::new(SOURCES_MAX, OLD_MS),
        }
    }

    /// Scores all pairs at the end of a stream.
    pub(crate) fn finish(&mut self, alerts: &mut Vec<Alert>) {
        let (now_ms, begun_ms) = (self.now_ms, self.begun_ms.unwrap_or(self.now_ms));
        if now_ms.saturating_sub(begun_ms) < HOUR_MS {
            return;
        }
        let machines = self.machines.len();
        let mut court = Court { begun_ms, now_ms, machines, destinations: &mut self.destinations };
        alerts.extend(self.pairs.sorted().into_iter().filter_map(|(key, pair)| court.judge(key, pair)));
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.pairs.forgotten() + self.destinations.forgotten()
    }
}

impl Detector for Beacons {
    fn ask_for(&self, sight: &Sight<'_>, ahead: Ahead) {
        if let Some(success) = concerns(sight) {
            self.pairs.ask_for((sight.source, sight.destination, !success), ahead, Beats::ask_for);
        }
    }

    fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>) {
        let begun_ms = *self.begun_ms.get_or_insert(sight.connection.start_ms);
        self.now_ms = sight.now_ms;
        let Some(success) = concerns(sight) else { return };
        let key = (sight.source, sight.destination, !success);
        let scored_ms = sight.now_ms;
        let port = (sight.protocol(), sight.port());
        let new = || Beats {
            beats: Vec::new(),
            next: 0,
            seen: 0,
            scored_ms,
            due: BEATS_MIN as u32,
            told: false,
            port,
        };
        let pair = self.pairs.entry(key, sight.now_ms, new);
        if pair.beats.is_empty() {
            let new = || Destination { first_ms: sight.now_ms, visitors: Recent::default() };
            let destination = self.destinations.entry(sight.destination, sight.now_ms, new);
            destination.visitors.insert(print(sight.source), VISITORS_MAX);
            self.machines.entry(sight.source, sight.now_ms, || ());
        }
        let bytes = sight.connection.traffic.map_or(0, |traffic| traffic.bytes_to_destination);
        pair.add(second(sight.connection.start_ms), u32::try_from(bytes).unwrap_or(u32::MAX));
        pair.port = port;
        let is_due = pair.seen >= pair.due && sight.now_ms.saturating_sub(pair.scored_ms) >= HOUR_MS;
        if is_due && !pair.told {
            pair.due = pair.seen.saturating_add(pair.seen / 2);
            pair.scored_ms = sight.now_ms;
            let machines = self.machines.len();
            let mut court =
                Court { begun_ms, now_ms: sight.now_ms, machines, destinations: &mut self.destinations };
            alerts.extend(court.judge(key, pair));
        }
    }
}

/// What a pair is judged by, beside itself.
struct Court<'a> {
    begun_ms: u64,
    now_ms: u64,
    machines: usize,
    destinations: &'a mut Memory<Host, Destination>,
}

impl Court<'_> {
    fn judge(&mut self, (source, destination, is_refused): Key, pair: &mut Beats) -> Option<Alert> {
        let begin_ms = pair.begin_ms(self.now_ms.saturating_sub(DAY_MS).max(self.begun_ms));
        let window = (second(begin_ms), second(self.now_ms));
        let outline = Outline::of(pair.seconds_from(window.0), window);
        if pair.told || outline.count < BEATS_MIN {
            return None;
        }
        let (kind, evidence, first) = if is_refused {
            self.judge_refused(pair, &outline, (begin_ms, window))?
        } else {
            self.judge_answered(destination, pair, &outline, (begin_ms, window))?
        };
        pair.told = true;
        Some(Alert {
            kind,
            direction: Direction::Outbound,
            time_ms: self.now_ms,
            since_ms: u64::from(first) * 1_000,
            source: Some(source.address()),
            destination: Some(destination.address()),
            protocol: pair.port.0,
            port: Some(pair.port.1),
            evidence,
            guest: None,
        })
    }

    fn judge_refused(
        &self,
        pair: &Beats,
        outline: &Outline,
        (begin_ms, window): (u64, (u32, u32)),
    ) -> Option<(Kind, Evidence, u32)> {
        if outline.best_mean() < REFUSED_MIN {
            return None;
        }
        let (seconds, _) = pair.since(window.0);
        let is_even = |rhythm: &Rhythm| rhythm.mean() >= REFUSED_MIN && rhythm.timing >= REFUSED_TIMING_MIN;
        let rhythm = Rhythm::of(&seconds, window).filter(is_even)?;
        let (tries, gap_s, window_ms) = (seconds.len(), gap(&seconds), self.now_ms - begin_ms);
        let evidence = RefusedEvidence { rhythm, tries, gap_s, window_ms };
        Some((Kind::RefusedBeacon, Evidence::Refused(evidence), seconds[0]))
    }

    fn judge_answered(
        &mut self,
        destination: Host,
        pair: &Beats,
        outline: &Outline,
        (begin_ms, window): (u64, (u32, u32)),
    ) -> Option<(Kind, Evidence, u32)> {
        let (added, share) = self.rarity(destination);
        let least = if share.is_some() { SCORE_MIN_SHARED } else { SCORE_MIN };
        let passes = |total: f64| total + added >= least - 1e-9;
        // Most pairs fail however even their gaps and sizes are, and need not be looked at further. A thousandth is for rounding.
        let may_pass = |mean: f64| passes(0.75 * mean + 0.251);
        if !may_pass(outline.best_mean()) {
            return None;
        }
        let (seconds, sizes) = pair.since(window.0);
        Rhythm::of(&seconds, window).filter(|rhythm| may_pass(rhythm.mean()))?;
        let score = BeaconScore::of(&seconds, &sizes, window).filter(|score| passes(score.total))?;
        let (connections, gap_s, window_ms) = (seconds.len(), gap(&seconds), self.now_ms - begin_ms);
        let evidence = BeaconEvidence { score, added, share, connections, gap_s, window_ms };
        Some((Kind::Beacon, Evidence::Beacon(evidence), seconds[0]))
    }

    /// What is added to a score for how rare and how new a destination is, and its share of the machines.
    fn rarity(&mut self, destination: Host) -> (f64, Option<f64>) {
        let (now_ms, machines) = (self.now_ms, self.machines);
        let new = || Destination { first_ms: now_ms, visitors: Recent::default() };
        let destination = self.destinations.entry(destination, now_ms, new);
        let share = (machines >= MACHINES_MIN).then(|| destination.visitors.len() as f64 / machines as f64);
        let bonus = |is_more: bool, is_less: bool| BONUS * (f64::from(is_more) - f64::from(is_less));
        let by_share = share.map_or(0.0, |share| {
            // Of a destination with more visitors than are told apart, the share is a lower bound.
            let is_exact = destination.visitors.len() < VISITORS_MAX;
            bonus(share <= RARE.max(1.0 / machines as f64) && is_exact, share >= COMMON)
        });
        let age_ms = now_ms.saturating_sub(destination.first_ms);
        // In a stream that is younger, everything is new.
        let has_past = now_ms.saturating_sub(self.begun_ms) > NEW_MS;
        (by_share + bonus(has_past && age_ms <= NEW_MS, age_ms >= OLD_MS), share)
    }
}

impl Beats {
    fn add(&mut self, second: u32, size: u32) {
        self.seen = self.seen.saturating_add(1);
        if self.beats.len() < BEATS_MAX {
            self.beats.push((second, size));
        } else {
            let next = usize::from(self.next);
            self.beats[next] = (second, size);
            self.next = ((next + 1) % BEATS_MAX) as u16;
        }
    }

    /// Asks for where the next one will be.
    fn ask_for(&self) {
        let is_full = self.beats.len() == BEATS_MAX;
        let at = if is_full { self.next.into() } else { self.beats.len().saturating_sub(1) };
        if let Some(beat) = self.beats.get(at) {
            fetch(beat);
        }
    }

    /// Since when all is kept, but not before a moment.
    fn begin_ms(&self, moment_ms: u64) -> u64 {
        if self.beats.len() < BEATS_MAX {
            return moment_ms;
        }
        let oldest = self.beats.iter().map(|(second, _)| *second).min().unwrap_or(0);
        moment_ms.max(u64::from(oldest) * 1_000)
    }

    /// Seconds of what is kept, from one on, in no order.
    fn seconds_from(&self, begin: u32) -> impl Iterator<Item = u32> {
        self.beats.iter().map(|(second, _)| *second).filter(move |second| *second >= begin)
    }

    /// Seconds in order and sizes of what is kept from a second on.
    fn since(&self, begin: u32) -> (Vec<u32>, Vec<u32>) {
        let (newest, oldest) = self.beats.split_at(self.next.into());
        let mut beats = [oldest, newest].concat();
        // Nearly in order, which this sort makes use of.
        beats.sort();
        beats.into_iter().filter(|(second, _)| *second >= begin).unzip()
    }
}

/// Whether a connection may be part of a beacon, and if so whether it succeeded.
fn concerns(sight: &Sight<'_>) -> Option<bool> {
    let is_ours = sight.direction() == Direction::Outbound
        && sight.protocol().has_ports()
        && !PERIODIC.contains(&sight.port())
        && !is_local(sight.connection.flow.destination());
    if is_ours { sight.connection.has_succeeded() } else { None }
}

/// Addresses of local networks: agents report to their masters there at intervals.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast(),
    }
}

/// Until 2106.
fn second(moment_ms: u64) -> u32 {
    u32::try_from(moment_ms / 1_000).unwrap_or(u32::MAX)
}

fn gap(seconds: &[u32]) -> f64 {
    let mut gaps: Vec<f64> = seconds.windows(2).map(|pair| f64::from(pair[1] - pair[0])).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    crate::baseline::median(&gaps).unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
