//! Guessed passwords, one source at one machine: known by the shape of connections, not by what is in them.
//!
//! A guess is a connection that both ends speak in, short and small. Three counts find a series of them: a bucket that leaks one in ten
//! seconds, one that leaks one a minute, and a plain count since the last session, which patience does not escape
//! (most attacks on RDP try a few times an hour, for days). A session (long, or five times as large as a guess) after a series is an
//! alarm of its own. At ports of no known service, and at databases, which programs ask short questions all day, guesses must also be alike.
//! It must not know what was said.

use palisade_net::{Direction, Protocol};

use crate::{
    Alert, Connection, Evidence, Kind, Outcome, Service, Shape,
    baseline::{deviation, median},
    bounded::Memory,
    connection::{Host, Sight},
    limits::{PAIR_IDLE_MS, PAIRS_MAX, SIZES_MAX},
    tally::{Pace, Passed, Tally},
};

/// Packets of a client in a guess, at most; the fewest are the service's.
pub const GUESS_PACKETS_MAX: u64 = 60;
/// A guess is shorter.
pub const GUESS_MS: u64 = 60_000;
/// A connection that lasts as long is a session.
pub const SESSION_MS: u64 = 120_000;
/// One that is as many times larger than a guess is a session.
pub const SESSION_FACTOR: f64 = 5.0;
/// Guesses before a session that make it an alarm, if no count has told.
pub const BEFORE_SESSION: u32 = 10;
/// Median distance of guesses' sizes from their median that still is alike, as a share.
pub const ALIKE: f64 = 0.1;
/// The same at a database: a refused logon is the same exchange but for the length of a name, and a program's questions vary.
pub const ALIKE_SQL: f64 = 0.02;
/// Guesses at a database, or at a port of no known service, that are compared, at least.
pub const ALIKE_MIN: usize = 16;

/// A series of guesses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GuessEvidence {
    /// Which count told.
    pub pace: Pace,
    /// Guesses since the last session.
    pub guesses: u32,
    /// What the count has come to.
    pub level: f64,
    /// What it must not pass.
    pub limit: f64,
    /// Median bytes of a guess, both ways; `None` where nothing was counted.
    pub median_bytes: Option<f64>,
}

/// A session after guesses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionEvidence {
    /// Guesses before it.
    pub guesses: u32,
    /// Median bytes of a guess, both ways.
    pub median_bytes: Option<f64>,
    /// Bytes of the session so far.
    pub bytes: Option<u64>,
    /// Its length so far.
    pub duration_ms: u64,
}

type Key = (Host, Host, Direction, u16);

#[derive(Debug)]
pub(crate) struct Guesses {
    pairs: Memory<Key, Series>,
}

#[derive(Debug, Default)]
struct Series {
    tally: Tally,
    since_ms: u64,
    sizes: Vec<u32>,
    last_ms: u64,
}

// CrowdSec takes 10, of tries; a connection may hold several.
const SLOW_LIMIT: f64 = 8.0;

impl Guesses {
    pub(crate) fn new() -> Self {
        Self { pairs: Memory::new(PAIRS_MAX, PAIR_IDLE_MS) }
    }

    /// Tells whether the connection is a guess, for whoever counts them in another way.
    pub(crate) fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>) -> Option<Service> {
        let service = service(sight)?;
        let key = (sight.source, sight.destination, sight.direction(), sight.port());
        if is_guess(sight.connection, service) {
            let series = self.series(key, sight.now_ms);
            // A short connection may be a session all the same.
            if !series.is_session(sight.connection) {
                let found = series.add(service, sight);
                alerts.extend(found.map(|(evidence, since_ms)| {
                    let kind = Kind::BruteForce(service, Shape::OneToOne);
                    alert(kind, sight, since_ms, Evidence::Guesses(evidence))
                }));
                return Some(service);
            }
            alerts.extend(series.end(service, sight));
        } else if sight.connection.outcome == Outcome::Answered && may_be_session(sight.connection) {
            let series = self.series(key, sight.now_ms);
            if series.is_session(sight.connection) {
                alerts.extend(series.end(service, sight));
            }
        }
        None
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.pairs.forgotten()
    }

    /// The series of a pair; a new one if the last connection is too long ago.
    fn series(&mut self, key: Key, now_ms: u64) -> &mut Series {
        let series = self.pairs.entry(key, now_ms, Series::default);
        if now_ms.saturating_sub(series.last_ms) > PAIR_IDLE_MS {
            *series = Series::default();
        }
        series.last_ms = now_ms;
        series
    }
}

/// The service that is asked for, if guesses at it can be told.
fn service(sight: &Sight<'_>) -> Option<Service> {
    if sight.protocol() == Protocol::TCP { Service::at(sight.port()) } else { None }
}

/// Whether a connection has the shape of a guess. Where nothing is counted, any connection to a known service may be one.
fn is_guess(connection: &Connection, service: Service) -> bool {
    if !connection.stage.is_done() {
        return false;
    }
    let Some(traffic) = connection.traffic else {
        return connection.outcome == Outcome::Unknown && service != Service::Generic;
    };
    let packets = traffic.packets_to_destination;
    connection.outcome == Outcome::Answered
        && (service.guess_packets_min()..=GUESS_PACKETS_MAX).contains(&packets)
        && traffic.packets_to_source > 1
        && connection.duration_ms() < GUESS_MS
}

/// Whether more than a guess has passed, whatever was guessed before.
fn may_be_session(connection: &Connection) -> bool {
    connection.duration_ms() >= SESSION_MS
        || connection.traffic.is_some_and(|traffic| traffic.packets_to_destination > GUESS_PACKETS_MAX)
}

fn bytes(connection: &Connection) -> Option<u64> {
    let traffic = connection.traffic?;
    Some(traffic.bytes_to_destination.saturating_add(traffic.bytes_to_source))
}

impl Series {
    /// Whether a connection is far more than the guesses before it. What lasts is one even if nobody guessed.
    fn is_session(&self, connection: &Connection) -> bool {
        let is_long = connection.duration_ms() >= SESSION_MS;
        // Most are not: the smallest guess tells so without sorting them.
        let least = self.sizes.iter().min().copied().map(f64::from);
        let is_large = match (bytes(connection).map(|bytes| bytes as f64), least) {
            (Some(bytes), Some(least)) if bytes >= SESSION_FACTOR * least => {
                self.median_bytes().is_some_and(|median| bytes >= SESSION_FACTOR * median)
            }
            _ => false,
        };
        is_long || is_large
    }

    fn median_bytes(&self) -> Option<f64> {
        median(&self.sorted())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sizes: Vec<f64> = self.sizes.iter().copied().map(f64::from).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        sizes
    }

    /// Whether the sizes are those of one program that says one thing.
    fn is_alike(&self, service: Service) -> bool {
        let share = if service == Service::Sql { ALIKE_SQL } else { ALIKE };
        let sizes = self.sorted();
        median(&sizes)
            .is_some_and(|middle| sizes.len() >= ALIKE_MIN && deviation(&sizes, middle) <= share * middle)
    }

    /// Counts a guess; tells with which count passed its limit.
    fn add(&mut self, service: Service, sight: &Sight<'_>) -> Option<(GuessEvidence, u64)> {
        let earlier = self.tally.tries();
        if earlier == 0 {
            self.since_ms = sight.connection.start_ms;
        }
        if let Some(bytes) = bytes(sight.connection) {
            let at = earlier as usize % SIZES_MAX;
            let size = u32::try_from(bytes).unwrap_or(u32::MAX);
            if at < self.sizes.len() { self.sizes[at] = size } else { self.sizes.push(size) }
        }
        let Passed { pace, level, limit } = self.tally.add(sight.now_ms, SLOW_LIMIT)?;
        if service.is_chatty() && !self.is_alike(service) {
            return None;
        }
        self.tally.tell(sight.now_ms);
        let (guesses, median_bytes) = (self.tally.tries(), self.median_bytes());
        Some((GuessEvidence { pace, guesses, level, limit, median_bytes }, self.since_ms))
    }

    /// Ends the series with a session; an alarm if it was one.
    fn end(&mut self, service: Service, sight: &Sight<'_>) -> Option<Alert> {
        let guesses = self.tally.tries();
        let is_alarm = self.tally.has_told() || (service != Service::Generic && guesses >= BEFORE_SESSION);
        let evidence = SessionEvidence {
            guesses,
            median_bytes: self.median_bytes(),
            bytes: bytes(sight.connection),
            duration_ms: sight.connection.duration_ms(),
        };
        let since_ms = self.since_ms;
        *self = Self { last_ms: sight.now_ms, ..Self::default() };
        let kind = Kind::SuccessAfterFailures(service);
        is_alarm.then(|| alert(kind, sight, since_ms, Evidence::Session(evidence)))
    }
}

fn alert(kind: Kind, sight: &Sight<'_>, since_ms: u64, evidence: Evidence) -> Alert {
    Alert {
        kind,
        direction: sight.direction(),
        time_ms: sight.now_ms,
        since_ms,
        source: Some(sight.source.address()),
        destination: Some(sight.destination.address()),
        protocol: sight.protocol(),
        port: Some(sight.port()),
        evidence,
        guest: None,
    }
}

#[cfg(test)]
mod tests;
