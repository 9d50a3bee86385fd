//! Guessed passwords by crowds: many sources at one machine, or one source at many machines.
//!
//! Counts the distinct members of a crowd in each hour: of an inbound service the sources that guess, of a machine the destinations it
//! guesses at. The hour is compared with the median of the service's own hours plus six spreads. Without a past only
//! services that people administer by are judged, by a plain count. An hour that tells is not learned. It must not decide what a
//! guess is.

use palisade_net::Direction;

use crate::{
    Alert, Evidence, Kind, Service, Shape,
    baseline::{History, LEARNED_MIN, MAD_TO_SIGMA, WEEK_HOURS},
    block::Detector,
    bounded::{Memory, Recent, print},
    connection::{Host, Sight},
    guess::Guesses,
    limits::{CROWD_MAX, CROWDS_MAX, DAY_MS, HOUR_MS},
};

/// Sources that guess at one service in an hour, without a past.
pub const SOURCES: usize = 20;
/// Machines that one source guesses at in an hour, without a past.
pub const MACHINES: usize = 10;
/// Spreads above the median that tell.
pub const SPREADS: f64 = 6.0;

/// A crowd of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrowdEvidence {
    /// Distinct members in this hour, so far.
    pub distinct: usize,
    /// More than this tells.
    pub limit: f64,
    /// Median of the hours before; none without a past.
    pub usual: Option<f64>,
    /// Hours that say so.
    pub hours: usize,
}

#[derive(Debug)]
pub(crate) struct Crowds {
    crowds: Memory<(Host, Direction, u16), Crowd>,
}

#[derive(Debug, Default)]
struct Crowd {
    hour: u64,
    since_ms: u64,
    members: Recent,
    past: History,
    // Only the past changes it.
    limit: Option<(f64, f64)>,
    has_told: bool,
}

impl Crowds {
    pub(crate) fn new() -> Self {
        Self { crowds: Memory::new(CROWDS_MAX, 7 * DAY_MS) }
    }

    /// Takes a guess.
    pub(crate) fn observe(&mut self, sight: &Sight<'_>, service: Service, alerts: &mut Vec<Alert>) {
        let (machine, other) = sight.ends();
        let key = (machine, sight.direction(), sight.port());
        let hour = sight.now_ms / HOUR_MS;
        let crowd = self.crowds.entry(key, sight.now_ms, || Crowd { hour, ..Crowd::default() });
        crowd.turn(hour);
        if crowd.members.len() == 0 {
            crowd.since_ms = sight.connection.start_ms;
        }
        crowd.members.insert(print(other), CROWD_MAX);
        let Some(evidence) = crowd.judge(service, sight.direction()) else { return };
        let (shape, source, destination) = match sight.direction() {
            Direction::Inbound => (Shape::ManyToOne, None, Some(machine.address())),
            Direction::Outbound => (Shape::OneToMany, Some(machine.address()), None),
        };
        alerts.push(Alert {
            kind: Kind::BruteForce(service, shape),
            direction: sight.direction(),
            time_ms: sight.now_ms,
            since_ms: crowd.since_ms,
            source,
            destination,
            protocol: sight.protocol(),
            port: Some(sight.port()),
            evidence: Evidence::Crowd(evidence),
            guest: None,
        });
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.crowds.forgotten()
    }
}

impl Crowd {
    /// Ends the hour, and those without a guess after it.
    fn turn(&mut self, hour: u64) {
        if hour == self.hour {
            return;
        }
        if !self.has_told {
            self.past.push(self.members.len() as f64, WEEK_HOURS);
        }
        let empty = hour.saturating_sub(self.hour + 1).min(WEEK_HOURS as u64);
        (0..empty).for_each(|_| self.past.push(0.0, WEEK_HOURS));
        self.limit = self
            .past
            .usual()
            .filter(|_| self.past.len() >= LEARNED_MIN)
            .map(|usual| (usual.median + SPREADS * MAD_TO_SIGMA * usual.mad, usual.median));
        self.members.clear();
        (self.hour, self.has_told) = (hour, false);
    }

    fn judge(&mut self, service: Service, direction: Direction) -> Option<CrowdEvidence> {
        let cold = match direction {
            Direction::Inbound => SOURCES,
            Direction::Outbound => MACHINES,
        };
        let (limit, usual) = match self.limit {
            Some((limit, usual)) => (limit.max(cold as f64 - 1.0), Some(usual)),
            None if service.is_administrative() => (cold as f64 - 1.0, None),
            None => return None,
        };
        let distinct = self.members.len();
        if self.has_told || distinct as f64 <= limit {
            return None;
        }
        self.has_told = true;
        Some(CrowdEvidence { distinct, limit, usual, hours: self.past.len() })
    }
}

/// Crowds are of guesses.
impl Detector for (&mut Guesses, &mut Crowds) {
    const TAKES_ONGOING: bool = true;

    fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>) {
        let (guesses, crowds) = self;
        if let Some(service) = guesses.observe(sight, alerts) {
            crowds.observe(sight, service, alerts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Connection, Outcome, Severity,
        testing::{counted, host, tcp, told},
    };

    fn from(second: u64, source: u32, port: u16) -> Connection {
        counted(
            tcp(second, host(70_000 + source), host(1), port, Outcome::Answered),
            (11, 2_300),
            (10, 2_400),
        )
    }

    fn alerts(service: Service, connections: impl IntoIterator<Item = Connection>) -> Vec<Alert> {
        let mut crowds = Crowds::new();
        told(connections, |sight, alerts| crowds.observe(sight, service, alerts))
    }

    #[test]
    fn many_sources_that_guess_once_each() {
        let botnet = |count: u32| (0..count).map(|n| from(u64::from(n), n, 3389));
        assert_eq!(alerts(Service::Rdp, botnet(19)), []);
        let told = alerts(Service::Rdp, botnet(200));
        assert_eq!(told.iter().map(Alert::name).collect::<Vec<_>>(), ["RDP_Incoming_BF_ManyToOne"]);
        assert_eq!(told[0].source, None);
        assert_eq!(alerts(Service::Smb, botnet(200)), [], "a file server has clients");
    }

    #[test]
    fn one_machine_that_guesses_at_many() {
        let worm = (0..10).map(|n| tcp(u64::from(n), host(1), host(70_000 + n), 3389, Outcome::Answered));
        let told = alerts(Service::Rdp, worm);
        assert_eq!(told.iter().map(Alert::name).collect::<Vec<_>>(), ["RDP_Outgoing_BF_OneToMany"]);
        assert_eq!(told[0].severity(), Severity::High);
    }

    #[test]
    fn a_service_is_compared_with_its_own_hours() {
        // A file server with 30 clients an hour, and once 300.
        let hour =
            |hour: u64, clients: u32| (0..clients).map(move |n| from(hour * 3_600 + u64::from(n), n, 445));
        let usual = |at: u64| hour(at, 28 + u32::try_from(at % 5).expect("small"));
        assert_eq!(alerts(Service::Smb, (0..60).flat_map(usual)), []);
        let told = alerts(Service::Smb, (0..60).flat_map(usual).chain(hour(60, 300)));
        let Evidence::Crowd(evidence) = told[0].evidence else { panic!("{told:?}") };
        assert_eq!((told.len(), evidence.usual, evidence.hours), (1, Some(30.0), 60));
        assert!(evidence.distinct < 50, "{evidence:?}");
    }
}
