//! Flow records of hosts, judged: folded into connections, put in order, given to the detectors.
//!
//! It reads no clock and starts no thread: the same batches at the same times give the same alerts. It must not know who is told.

use std::collections::{BTreeSet, VecDeque};

use palisade_control::fleet::HostName;
use palisade_flowstore::Record;
use palisade_guard::{About, Alert, Connection, Fold, Guard};
use palisade_sync::FlowBatch;

use super::{
    order::{Order, Placed},
    places::Places,
};
use crate::flows::Records;

/// Connections that are remembered, to tell how many and whom an alert is about: 120 bytes each.
pub(super) const RECENT_MAX: usize = 131_072;
/// Records that are so much ahead of the server's clock are left out: they would make all others late.
const AHEAD_MS: u64 = 300_000;
/// A flow that no record has told of for so long is taken to be over: hosts tell of each at least every minute or so.
const SILENT_MS: u64 = 3_600_000;
/// How often silent flows are looked for, by the time of the records.
const SILENT_EVERY_MS: u64 = 300_000;

/// An alert, and where it was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sighting {
    pub(super) alert: Alert,
    pub(super) about: About,
    pub(super) host: HostName,
    /// The interface, if all connections of it were seen at one.
    pub(super) nic: Option<String>,
}

/// What was not judged, or not in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) connections: u64,
    pub(super) late: u64,
    pub(super) ahead: u64,
}

/// The detectors, and what is on its way to them.
#[derive(Debug, Default)]
pub(super) struct Stream {
    records: Records,
    places: Places,
    fold: Fold,
    order: Order,
    guard: Guard,
    recent: VecDeque<Placed>,
    /// When silent flows were looked for.
    looked_ms: u64,
    ahead: u64,
}

impl Stream {
    /// Takes a record of the past, in the order of time; alerts of it were raised then.
    pub(super) fn recall(&mut self, record: &Record) {
        let place = self.places.number(&record.labels, None);
        let Some(logged) = record.logged(place) else { return };
        self.order.note(record.time_ms);
        if let Some(connection) = self.fold.add(&logged) {
            self.remember((connection, place));
            self.guard.observe(&connection, &mut Vec::new());
        }
        for (place, connection) in self.silent(record.time_ms) {
            self.remember((connection, place));
            self.guard.observe(&connection, &mut Vec::new());
        }
    }

    /// Takes the next batch of a host; `now_ms` is the server's time.
    pub(super) fn take(&mut self, host: &HostName, batch: &FlowBatch, now_ms: u64) -> Vec<Sighting> {
        let mut found = Vec::new();
        for record in self.records.of(host, batch) {
            if record.time_ms > now_ms.saturating_add(AHEAD_MS) {
                self.ahead += 1;
                continue;
            }
            let place = self.places.number(&record.labels, Some(host));
            let Some(logged) = record.logged(place) else { continue };
            self.order.note(record.time_ms);
            let whole = self.fold.add(&logged).map(|connection| (connection, place));
            let silent =
                self.silent(record.time_ms).into_iter().map(|(place, connection)| (connection, place));
            for placed in whole.into_iter().chain(silent) {
                if let Some(late) = self.order.add(placed) {
                    self.observe(late, host, &mut found);
                }
            }
            while let Some(placed) = self.order.next() {
                self.observe(placed, host, &mut found);
            }
        }
        found
    }

    /// Judges all that waits, since nothing comes any more.
    pub(super) fn settle(&mut self, host: &HostName) -> Vec<Sighting> {
        let mut found = Vec::new();
        while let Some(placed) = self.order.first() {
            self.observe(placed, host, &mut found);
        }
        found
    }

    /// What was judged, and how.
    pub(super) const fn tally(&self) -> Tally {
        Tally { connections: self.guard.losses().seen, late: self.order.late(), ahead: self.ahead }
    }

    /// Flows that nobody tells of any more, from time to time.
    fn silent(&mut self, time_ms: u64) -> Vec<(u32, Connection)> {
        if time_ms < self.looked_ms.saturating_add(SILENT_EVERY_MS) {
            return Vec::new();
        }
        self.looked_ms = time_ms;
        self.fold.give_up(time_ms.saturating_sub(SILENT_MS))
    }

    fn remember(&mut self, placed: Placed) {
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(placed);
    }

    fn observe(&mut self, placed: Placed, host: &HostName, found: &mut Vec<Sighting>) {
        self.remember(placed);
        let mut alerts = Vec::new();
        self.guard.observe(&placed.0, &mut alerts);
        found.extend(alerts.into_iter().map(|alert| self.sighting(alert, &placed, host)));
    }

    /// An alert that a connection gave rise to.
    fn sighting(&self, alert: Alert, (connection, place): &Placed, host: &HostName) -> Sighting {
        let concerned = |(connection, _): &&Placed| alert.concerns(connection);
        let places: BTreeSet<u32> = self.recent.iter().filter(concerned).map(|(_, place)| *place).collect();
        let one = match (places.first(), places.len()) {
            (Some(one), 1) => Some(*one),
            _ if alert.machine() == Some(connection.flow.local().to_canonical()) => Some(*place),
            _ => None,
        };
        let about = About::of(&alert, self.recent.iter().map(|(connection, _)| connection));
        let nic = one.and_then(|place| self.places.nic(place)).map(str::to_owned);
        let host = self.places.host(*place).unwrap_or(host).clone();
        Sighting { alert, about, host, nic }
    }
}
