//! A service of a machine that does what it never did at this hour.
//!
//! Counts the connections and the bytes of each hour of each service (direction, protocol, port) of each machine, and compares
//! them with the service's own past. Services are told apart by the port that is asked for. It must not judge what a single connection is.

use palisade_net::{Direction, Protocol};

use crate::{
    Alert, Evidence, Kind, Outcome,
    baseline::{Departure, Judgement, LEARNED_MIN, Season, WEEK_HOURS},
    block::Detector,
    bounded::Memory,
    connection::{Host, Sight},
    limits::{DAY_MS, HOUR_MS, SERVICES_MAX},
};

/// Fewest connections of an hour that can deviate: below, nobody would look.
pub const CONNECTIONS_MIN: f64 = 50.0;
/// Fewest bytes of an hour that can.
pub const BYTES_MIN: f64 = 50e6;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Connections of an hour.
    Connections,
    /// Bytes of an hour, both ways.
    Bytes,
}

/// An hour beside the hours before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviationEvidence {
    /// What was counted.
    pub measure: Measure,
    /// How it differs.
    pub departure: Departure,
}

type Key = (Host, Direction, Protocol, u16);

#[derive(Debug)]
pub(crate) struct Deviations {
    services: Memory<Key, Hours>,
}

#[derive(Debug, Default)]
struct Hours {
    hour: u64,
    connections: f64,
    bytes: f64,
    // Boxed: most ports are asked for in one hour and never again.
    past: Option<Box<[Season; 2]>>,
}

impl Deviations {
    pub(crate) fn new() -> Self {
        Self { services: Memory::new(SERVICES_MAX, 14 * DAY_MS) }
    }

    /// Judges the hours that are not over.
    pub(crate) fn finish(&mut self, alerts: &mut Vec<Alert>) {
        for (key, hours) in self.services.sorted() {
            let next = hours.hour + 1;
            hours.close(next, |evidence, past_hour| alerts.push(alert(key, evidence, past_hour)));
        }
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.services.forgotten()
    }
}

impl Detector for Deviations {
    fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>) {
        // What was denied has not reached the service; knocks at closed doors would fill the memory.
        if sight.connection.outcome == Outcome::Denied {
            return;
        }
        let key = (sight.ends().0, sight.direction(), sight.protocol(), sight.port());
        let hour = sight.now_ms / HOUR_MS;
        let hours = self.services.entry(key, sight.now_ms, || Hours { hour, ..Hours::default() });
        if hour != hours.hour {
            hours.close(hour, |evidence, past_hour| alerts.push(alert(key, evidence, past_hour)));
        }
        let traffic = sight.connection.traffic.unwrap_or_default();
        hours.connections += 1.0;
        hours.bytes += traffic.bytes_to_destination as f64 + traffic.bytes_to_source as f64;
    }
}

impl Hours {
    /// Judges the hour that is over, and the empty ones between it and `next`, at most a week of them.
    fn close(&mut self, next: u64, mut tell: impl FnMut(DeviationEvidence, u64)) {
        let is_first = self.past.is_none();
        let past = self.past.get_or_insert_default();
        let measures = [
            (Measure::Connections, self.connections, CONNECTIONS_MIN),
            (Measure::Bytes, self.bytes, BYTES_MIN),
        ];
        for (season, (measure, value, least)) in past.iter_mut().zip(measures) {
            // The hour in which a service is first seen is not whole.
            if is_first {
                continue;
            }
            if let Judgement::Deviates(departure) = season.judge(self.hour, value)
                && value >= least
            {
                tell(DeviationEvidence { measure, departure }, self.hour);
            }
        }
        let empty = next.saturating_sub(self.hour + 1).min(WEEK_HOURS as u64);
        for hour in next - empty..next {
            for season in past.iter_mut() {
                season.judge(hour, 0.0);
            }
        }
        (self.hour, self.connections, self.bytes) = (next, 0.0, 0.0);
    }
}

fn alert(key: Key, evidence: DeviationEvidence, hour: u64) -> Alert {
    let (machine, direction, protocol, port) = key;
    let machine = Some(machine.address());
    let (source, destination) = match direction {
        Direction::Outbound => (machine, None),
        Direction::Inbound => (None, machine),
    };
    Alert {
        kind: Kind::Deviation,
        direction,
        time_ms: (hour + 1).saturating_mul(HOUR_MS),
        since_ms: hour * HOUR_MS,
        source,
        destination,
        protocol,
        port: Some(port),
        evidence: Evidence::Deviation(evidence),
        guest: None,
    }
}

const _: () = assert!(LEARNED_MIN < WEEK_HOURS, "a baseline can be learned");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Connection,
        testing::{host, tcp, told},
    };

    fn hour(hour: u64, connections: u64) -> impl Iterator<Item = Connection> {
        (0..connections).map(move |n| tcp(hour * 3_600 + n, host(1), host(70_000), 443, Outcome::Answered))
    }

    #[test]
    fn tells_of_the_hour_that_differs_and_only_of_it() {
        let mut deviations = Deviations::new();
        let usual = |at: u64| if at == 60 { 900 } else { 40 + at % 5 };
        let stream = (0..70).flat_map(|at| hour(at, usual(at)));
        let alerts = told(stream, |sight, alerts| deviations.observe(sight, alerts));
        assert_eq!(alerts.iter().map(|alert| alert.since_ms / HOUR_MS).collect::<Vec<_>>(), [60]);
        let Evidence::Deviation(evidence) = alerts[0].evidence else { panic!("{:?}", alerts[0]) };
        assert_eq!((evidence.measure, evidence.departure.value), (Measure::Connections, 900.0));
        assert_eq!(evidence.departure.usual.median, 42.0);
    }

    #[test]
    fn hours_without_a_connection_are_learned_as_such() {
        let mut deviations = Deviations::new();
        let stream = hour(0, 3).chain(hour(100, 400));
        assert!(told(stream, |sight, alerts| deviations.observe(sight, alerts)).is_empty());
        let mut alerts = Vec::new();
        deviations.finish(&mut alerts);
        assert_eq!(alerts.len(), 1, "a silent service wakes: {alerts:?}");
    }

    #[test]
    fn small_numbers_are_nobodys_concern() {
        let mut deviations = Deviations::new();
        let stream = (0..60).flat_map(|at| hour(at, if at == 50 { 49 } else { 1 }));
        assert!(told(stream, |sight, alerts| deviations.observe(sight, alerts)).is_empty());
    }
}
