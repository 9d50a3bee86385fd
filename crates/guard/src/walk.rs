//! Scans, slow ones too: a threshold random walk over first contacts.
//!
//! Of each source, the first contact with each destination multiplies a likelihood ratio: a failure speaks for a scanner, a
//! success against it. The ratio never falls below 1, so that good contacts cannot be saved up (a CUSUM; Mell and Harang,
//! "Limitations to Threshold Random Walk", 2013). Each source has one walk over all ports, and one for each of a few ports.
//! How fast contacts follow each other plays no part. Jung, Paxson, Berger, Balakrishnan: "Fast Portscan Detection Using
//! Sequential Hypothesis Testing", IEEE S&P 2004. It must not know why a contact failed.

use palisade_net::Direction;

use crate::{
    Alert, Evidence, Kind,
    block::Detector,
    bounded::{Ahead, Memory, Recent, print},
    connection::{Host, Sight},
    limits::{CONTACTS_MAX, QUIET_MS, SOURCES_MAX, WALK_IDLE_MS, WALKS_MAX},
};

/// The four numbers of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WalkSettings {
    /// Share of the first contacts of an honest source that succeed.
    pub honest_success: f64,
    /// Share of those of a scanner that do.
    pub scanner_success: f64,
    /// Accepted chance to call an honest source a scanner.
    pub false_alarm: f64,
    /// Wanted chance to find a scanner.
    pub detection: f64,
}

/// Those of the paper: four failures in a row tell.
impl Default for WalkSettings {
    fn default() -> Self {
        Self { honest_success: 0.8, scanner_success: 0.2, false_alarm: 0.01, detection: 0.99 }
    }
}

/// What a walk had come to when it told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WalkEvidence {
    /// First contacts that failed, since the ratio was last 1.
    pub failures: u32,
    /// First contacts that succeeded, since then.
    pub successes: u32,
    /// How much likelier a scanner is.
    pub ratio: f64,
    /// The ratio at which it tells.
    pub threshold: f64,
}

#[derive(Debug)]
pub(crate) struct Walks {
    steps: Steps,
    sources: Memory<(Host, Direction), Source>,
}

/// The settings in logarithms, where multiplying is adding.
#[derive(Debug, Clone, Copy)]
struct Steps {
    up: f64,
    down: f64,
    threshold: f64,
}

#[derive(Debug, Default)]
struct Source {
    hosts: Recent,
    ports: Recent,
    all: Walk,
    by_port: Vec<(u16, Walk)>,
    next: usize,
    last_ms: u64,
    quiet_until_ms: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Walk {
    level: f64,
    failures: u32,
    successes: u32,
    since_ms: u64,
    last_ms: u64,
}

impl Walks {
    pub(crate) fn new(settings: WalkSettings) -> Self {
        let WalkSettings { honest_success, scanner_success, false_alarm, detection } = settings;
        let steps = Steps {
            up: ((1.0 - scanner_success) / (1.0 - honest_success)).ln(),
            down: (scanner_success / honest_success).ln(),
            threshold: (detection / false_alarm).ln(),
        };
        Self { steps, sources: Memory::new(SOURCES_MAX, QUIET_MS) }
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.sources.forgotten()
    }
}

impl Detector for Walks {
    fn ask_for(&self, sight: &Sight<'_>, ahead: Ahead) {
        self.sources.ask_for((sight.source, sight.direction()), ahead, |source| source.ports.ask_for());
    }

    fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>) {
        let Some(success) = sight.connection.has_succeeded() else { return };
        let source = self.sources.entry((sight.source, sight.direction()), sight.now_ms, Source::default);
        // The memory keeps it for an hour or two, as it happens; what is found must not depend on that.
        if sight.now_ms.saturating_sub(source.last_ms) > WALK_IDLE_MS {
            source.forget();
        }
        source.last_ms = sight.now_ms;
        let port = sight.port();
        let steps = self.steps;
        // Told once of a port, a destination is known as such too: the second list need not be searched.
        if !source.ports.insert(print((sight.destination, port)), CONTACTS_MAX) {
            return;
        }
        let by_port = source.port(port).step(steps, success, sight).map(|found| (found, Some(port)));
        let is_new = source.hosts.insert(print(sight.destination), CONTACTS_MAX);
        let over_all = if is_new { source.all.step(steps, success, sight) } else { None };
        let Some(((evidence, since_ms), port)) = over_all.map(|found| (found, None)).or(by_port) else {
            return;
        };
        if sight.now_ms < source.quiet_until_ms {
            return;
        }
        source.quiet_until_ms = sight.now_ms.saturating_add(QUIET_MS);
        alerts.push(Alert {
            kind: Kind::Scan,
            direction: sight.direction(),
            time_ms: sight.now_ms,
            since_ms,
            source: Some(sight.source.address()),
            destination: None,
            protocol: sight.protocol(),
            port,
            evidence: Evidence::Walk(evidence),
            guest: None,
        });
    }
}

impl Source {
    /// Forgets what was seen, and not the room for it: most who come back would need it again.
    fn forget(&mut self) {
        self.hosts.clear();
        self.ports.clear();
        self.by_port.clear();
        (self.all, self.next) = (Walk::default(), 0);
    }

    /// The walk of a port; the oldest makes room.
    fn port(&mut self, port: u16) -> &mut Walk {
        let at = self.by_port.iter().position(|(held, _)| *held == port).unwrap_or_else(|| {
            if self.by_port.len() < WALKS_MAX {
                self.by_port.push((port, Walk::default()));
                return self.by_port.len() - 1;
            }
            let at = self.next;
            self.next = (at + 1) % WALKS_MAX;
            self.by_port[at] = (port, Walk::default());
            at
        });
        &mut self.by_port[at].1
    }
}

impl Walk {
    /// Takes a first contact; tells with what the ratio came to, and since when, and begins anew.
    fn step(&mut self, steps: Steps, success: bool, sight: &Sight<'_>) -> Option<(WalkEvidence, u64)> {
        let is_stale = sight.now_ms.saturating_sub(self.last_ms) > WALK_IDLE_MS;
        if self.level <= 0.0 || is_stale {
            *self = Self { since_ms: sight.connection.start_ms, ..Self::default() };
        }
        self.last_ms = sight.now_ms;
        if success {
            self.successes += 1;
            self.level = (self.level + steps.down).max(0.0);
            return None;
        }
        self.failures += 1;
        self.level += steps.up;
        if self.level < steps.threshold {
            return None;
        }
        let (failures, successes) = (self.failures, self.successes);
        let evidence =
            WalkEvidence { failures, successes, ratio: self.level.exp(), threshold: steps.threshold.exp() };
        let since_ms = self.since_ms;
        *self = Self::default();
        Some((evidence, since_ms))
    }
}

#[cfg(test)]
mod tests;
