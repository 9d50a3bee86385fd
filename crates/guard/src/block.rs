//! Detectors over a block of connections, one detector after the other.
//!
//! What they tell is the same, and in the same order, as if each connection were shown to all of them in turn. Detectors wait for memory more
//! than they work, so they are shown connections early that they will be shown later. It must not know what a detector is for.

use crate::{Alert, Connection, bounded::Ahead, connection::Sight};

/// How many connections ahead memory is asked for what they need: far enough for it to come, near enough for it to stay.
const AHEAD: [(usize, Ahead); 3] = [(24, Ahead::Place), (16, Ahead::Entry), (8, Ahead::Rest)];

/// What looks at one connection after the other.
pub(crate) trait Detector {
    /// Whether it is shown connections that go on. Most wait until all of one is known, so that nothing counts twice.
    const TAKES_ONGOING: bool = false;

    /// Asks memory for what a connection will need that is shown later; whoever rarely waits does not.
    fn ask_for(&self, _sight: &Sight<'_>, _ahead: Ahead) {}

    /// Takes a connection.
    fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>);
}

/// Connections, and what is told of them.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    connections: &'a [Connection],
    /// The moment of the stream before them.
    now_ms: u64,
    alerts: &'a mut Vec<Alert>,
    /// Alerts of other blocks.
    earlier: usize,
    /// By which connection each alert was told.
    told_by: Vec<usize>,
}

impl<'a> Block<'a> {
    /// Connections that follow a moment, and a list that alerts are added to.
    pub(crate) const fn new(connections: &'a [Connection], now_ms: u64, alerts: &'a mut Vec<Alert>) -> Self {
        let earlier = alerts.len();
        Self { connections, now_ms, alerts, earlier, told_by: Vec::new() }
    }

    /// Shows all of them to a detector.
    pub(crate) fn show<D: Detector>(&mut self, detector: &mut D) {
        let mut now_ms = self.now_ms;
        for (at, connection) in self.connections.iter().enumerate() {
            for (distance, ahead) in AHEAD {
                if let Some(next) = self.connections.get(at + distance) {
                    detector.ask_for(&Sight::new(next, now_ms), ahead);
                }
            }
            now_ms = now_ms.max(connection.end_ms);
            if D::TAKES_ONGOING || connection.stage.is_over() {
                detector.observe(&Sight::new(connection, now_ms), self.alerts);
                let told = self.alerts.len() - self.earlier;
                if told > self.told_by.len() {
                    self.told_by.resize(told, at);
                }
            }
        }
    }

    /// Puts the alerts in the order of their connections. Of one connection they are in the order of the detectors already.
    pub(crate) fn finish(self) {
        let Self { alerts, earlier, told_by, .. } = self;
        if told_by.is_sorted() {
            return;
        }
        let mut told: Vec<(usize, Alert)> = told_by.into_iter().zip(alerts.drain(earlier..)).collect();
        told.sort_by_key(|(by, _)| *by);
        alerts.extend(told.into_iter().map(|(_, alert)| alert));
    }
}
