//! All detectors over one stream, in one pass.
//!
//! The same connections give the same alerts in the same order. Time is the stream's: the latest end that was told. A connection
//! that is told late is taken at that time and counted. It must not know where the stream comes from, or what an alert leads to.

use std::fmt;

use crate::{
    Alert, Connection, Logon,
    beacon::Beacons,
    block::Block,
    crowd::Crowds,
    deviation::Deviations,
    guess::Guesses,
    guest::Guests,
    volume::Volumes,
    walk::{WalkSettings, Walks},
    window::Windows,
};

/// A connection that is told this long after a later one is late.
const LATE_MS: u64 = 60_000;

/// Connections that one detector takes before the next one does: more would leave the cache before all have taken them.
const BLOCK: usize = 4_096;

/// The detectors and what they remember.
#[derive(Debug)]
pub struct Guard {
    now_ms: u64,
    seen: u64,
    late: u64,
    walks: Walks,
    windows: Windows,
    guesses: Guesses,
    crowds: Crowds,
    beacons: Beacons,
    volumes: Volumes,
    deviations: Deviations,
    guests: Guests,
}

/// What alerts may be missing for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Connections that were seen.
    pub seen: u64,
    /// Of them, those told more than a minute after a later one.
    pub late: u64,
    /// Sources forgotten by the random walk.
    pub walks: u64,
    /// Windows of failures forgotten.
    pub windows: u64,
    /// Series of guesses forgotten.
    pub guesses: u64,
    /// Crowds forgotten.
    pub crowds: u64,
    /// Pairs and destinations forgotten, of beacons.
    pub beacons: u64,
    /// Machines and networks forgotten, of volumes.
    pub volumes: u64,
    /// Services forgotten, of deviations.
    pub deviations: u64,
    /// Addresses and accounts forgotten, of guests.
    pub guests: u64,
}

impl Default for Guard {
    fn default() -> Self {
        Self::new(WalkSettings::default())
    }
}

impl Guard {
    /// One that has seen nothing.
    pub fn new(walk: WalkSettings) -> Self {
        Self {
            now_ms: 0,
            seen: 0,
            late: 0,
            walks: Walks::new(walk),
            windows: Windows::new(),
            guesses: Guesses::new(),
            crowds: Crowds::new(),
            beacons: Beacons::new(),
            volumes: Volumes::new(),
            deviations: Deviations::new(),
            guests: Guests::new(),
        }
    }

    /// Takes the next connection, in the order of their ends; adds what it gives rise to.
    pub fn observe(&mut self, connection: &Connection, alerts: &mut Vec<Alert>) {
        self.observe_all(std::slice::from_ref(connection), alerts);
    }

    /// Takes the next connections, as [`Self::observe`] takes each of them; many at once take less time.
    pub fn observe_all(&mut self, connections: &[Connection], alerts: &mut Vec<Alert>) {
        connections.chunks(BLOCK).for_each(|block| self.observe_block(block, alerts));
    }

    /// One detector after the other, so that what each of them remembers stays near the processor while it works.
    fn observe_block(&mut self, connections: &[Connection], alerts: &mut Vec<Alert>) {
        let mut block = Block::new(connections, self.now_ms, alerts);
        block.show(&mut (&mut self.guesses, &mut self.crowds));
        block.show(&mut self.walks);
        block.show(&mut self.windows);
        block.show(&mut self.beacons);
        block.show(&mut self.volumes);
        block.show(&mut self.deviations);
        block.finish();
        for connection in connections {
            self.seen += 1;
            self.late += u64::from(connection.end_ms.saturating_add(LATE_MS) < self.now_ms);
            self.now_ms = self.now_ms.max(connection.end_ms);
        }
    }

    /// Takes the next logon of a guest, in the order of time among connections and logons.
    pub fn observe_logon(&mut self, logon: &Logon, alerts: &mut Vec<Alert>) {
        self.guests.observe(logon, alerts);
    }

    /// Judges what was waiting for more, at the end of a stream.
    pub fn finish(&mut self, alerts: &mut Vec<Alert>) {
        self.beacons.finish(alerts);
        self.deviations.finish(alerts);
    }

    /// What was forgotten at a limit, or came late.
    pub const fn losses(&self) -> Losses {
        Losses {
            seen: self.seen,
            late: self.late,
            walks: self.walks.forgotten(),
            windows: self.windows.forgotten(),
            guesses: self.guesses.forgotten(),
            crowds: self.crowds.forgotten(),
            beacons: self.beacons.forgotten(),
            volumes: self.volumes.forgotten(),
            deviations: self.deviations.forgotten(),
            guests: self.guests.forgotten(),
        }
    }
}

/// Says only what there is to say; nothing if nothing was lost.
impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.late, "connections came late"),
            (self.walks, "sources were forgotten (scans)"),
            (self.windows, "windows were forgotten (scans)"),
            (self.guesses, "pairs were forgotten (guessed passwords)"),
            (self.crowds, "services were forgotten (crowds)"),
            (self.beacons, "pairs were forgotten (beacons)"),
            (self.volumes, "pairs were forgotten (volumes)"),
            (self.deviations, "services were forgotten (deviations)"),
            (self.guests, "addresses and accounts were forgotten (logons)"),
        ];
        let mut rest = parts.into_iter().filter(|(count, _)| *count > 0);
        if let Some((count, what)) = rest.next() {
            write!(f, "{count} {what}")?;
        }
        rest.try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}
