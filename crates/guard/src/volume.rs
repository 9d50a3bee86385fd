//! Exfiltration: more leaves a machine in an hour than ever did.
//!
//! Sums the bytes that leave, per machine and per machine and network (/24, /64), and compares the logarithm of the running hour
//! with the hours before: at once, by z-score, and at the end of each hour by a CUSUM, which finds a leak that is a little more every
//! hour. A machine without a past is judged by the customary ratio (ten times more out than in, 50 MB), which is no more
//! than custom. No published figure is universal. It must not know what the data is.

use palisade_net::Direction;

use crate::{
    Alert, Evidence, Kind,
    baseline::{FROZEN_MAX, History, LEARNED_MIN, MAD_TO_SIGMA, Usual, WEEK_HOURS, Z_MAX},
    block::Detector,
    bounded::Memory,
    connection::{Host, Sight},
    limits::{DAY_MS, HOUR_MS, VOLUMES_MAX},
};

/// Fewest bytes that are told of, in an hour, or while a CUSUM grew.
pub const VOLUME_MIN: u64 = 50_000_000;
/// Out beside in, where there is no past.
pub const RATIO_MIN: u64 = 10;
/// A CUSUM beyond this tells; half a sigma an hour is taken for usual.
pub const CUSUM_MAX: f64 = 5.0;

const SLACK: f64 = 0.5;

/// By what a volume was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeTest {
    /// One hour is too much.
    Hour,
    /// Many hours are, a little each.
    Cusum,
    /// There is no past; out beside in is too much.
    Ratio,
}

/// What left, beside what usually does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VolumeEvidence {
    /// By what it was found.
    pub test: VolumeTest,
    /// Bytes that left in the hour, or while the CUSUM grew.
    pub bytes_out: u64,
    /// Bytes that came in the hour.
    pub bytes_in: u64,
    /// Median of the hours before in which something left, in bytes; none without a past.
    pub usual: Option<f64>,
    /// Hours that say so.
    pub hours: usize,
    /// The z-score, the CUSUM, or the ratio.
    pub score: f64,
    /// What it must not pass.
    pub limit: f64,
}

/// A machine, and a network or [`Host::ANY`].
type Key = (Host, Host);

#[derive(Debug)]
pub(crate) struct Volumes {
    pairs: Memory<Key, Volume>,
}

/// What each connection needs comes first, and is in one line of the cache with the key.
#[derive(Debug, Default)]
#[repr(C)]
struct Volume {
    hour: u64,
    out: u64,
    back: u64,
    /// The running hour has been told of.
    is_told: bool,
    past: History,
    // Hours of the past change it, and nothing else: it need not be worked out at each connection.
    usual: Option<Usual>,
    cusum: f64,
    cusum_bytes: u64,
    cusum_since: u64,
    /// The CUSUM has told, and has not come back to 0.
    is_leaking: bool,
    /// Hours in a row that were not learned.
    frozen: u32,
}

impl Volumes {
    pub(crate) fn new() -> Self {
        Self { pairs: Memory::new(VOLUMES_MAX, 14 * DAY_MS) }
    }

    pub(crate) const fn forgotten(&self) -> u64 {
        self.pairs.forgotten()
    }
}

impl Detector for Volumes {
    fn observe(&mut self, sight: &Sight<'_>, alerts: &mut Vec<Alert>) {
        let Some((out, back)) = sight.connection.bytes_out_in().filter(|(out, _)| *out > 0) else { return };
        let hour = sight.now_ms / HOUR_MS;
        for key in keys(sight) {
            let volume = self.pairs.entry(key, sight.now_ms, || Volume { hour, ..Volume::default() });
            let closed = if hour == volume.hour { None } else { volume.close(hour) };
            volume.out = volume.out.saturating_add(out);
            volume.back = volume.back.saturating_add(back);
            let found = closed.or_else(|| volume.judge(sight.direction()).map(|found| (found, hour)));
            if let Some((evidence, since)) = found {
                alerts.push(alert(sight, key.1 != Host::ANY, evidence, since * HOUR_MS));
            }
        }
    }
}

impl Volume {
    /// The running hour beside the past.
    fn judge(&mut self, direction: Direction) -> Option<VolumeEvidence> {
        if self.is_told || self.out < VOLUME_MIN {
            return None;
        }
        let found = match self.usual {
            Some(usual) => (VolumeTest::Hour, usual.z(scale(self.out)), Z_MAX),
            // A server gives more than it gets.
            None if direction == Direction::Inbound => return None,
            None => (VolumeTest::Ratio, self.out as f64 / self.back.max(1) as f64, RATIO_MIN as f64),
        };
        let (test, score, limit) = found;
        self.is_told = score > limit;
        self.is_told.then(|| self.evidence(test, self.out, score, limit))
    }

    /// Ends the hour: the CUSUM takes it, and so does the past unless it was told of.
    fn close(&mut self, next: u64) -> Option<(VolumeEvidence, u64)> {
        let value = scale(self.out);
        let found = self.usual.and_then(|usual| self.accumulate(value, usual));
        let is_usual = !self.is_told && !self.is_leaking;
        self.frozen = if is_usual { 0 } else { self.frozen + 1 };
        if self.frozen > FROZEN_MAX {
            *self = Self::default();
        }
        if is_usual {
            self.past.push(value, WEEK_HOURS);
            self.usual = self.past.usual().filter(|_| self.past.len() >= LEARNED_MIN);
        }
        (self.hour, self.out, self.back, self.is_told) = (next, 0, 0, false);
        found
    }

    /// Adds the hour to the CUSUM, which is capped so that it comes back soon after a leak has ended.
    fn accumulate(&mut self, value: f64, usual: Usual) -> Option<(VolumeEvidence, u64)> {
        if self.cusum <= 0.0 {
            (self.cusum_bytes, self.cusum_since, self.is_leaking) = (0, self.hour, false);
        }
        let step = (value - usual.median) / (MAD_TO_SIGMA * usual.mad) - SLACK;
        self.cusum = (self.cusum + step).clamp(0.0, 2.0 * CUSUM_MAX);
        self.cusum_bytes = self.cusum_bytes.saturating_add(self.out);
        if self.cusum <= CUSUM_MAX || self.cusum_bytes < VOLUME_MIN || self.is_leaking {
            return None;
        }
        self.is_leaking = true;
        // An hour that was told of for itself need not be told of again.
        let evidence = self.evidence(VolumeTest::Cusum, self.cusum_bytes, self.cusum, CUSUM_MAX);
        (!self.is_told).then_some((evidence, self.cusum_since))
    }

    fn evidence(&self, test: VolumeTest, bytes_out: u64, score: f64, limit: f64) -> VolumeEvidence {
        let usual = self.usual.map(|usual| usual.median.exp2() - 1.0);
        VolumeEvidence { test, bytes_out, bytes_in: self.back, usual, hours: self.past.len(), score, limit }
    }
}

/// Volumes span many magnitudes; each doubling counts the same.
fn scale(bytes: u64) -> f64 {
    (bytes as f64 + 1.0).log2()
}

/// The machine as a whole, and with the network of the other end.
fn keys(sight: &Sight<'_>) -> [Key; 2] {
    let (machine, other) = sight.ends();
    [(machine, Host::ANY), (machine, other.block())]
}

/// Of a machine as a whole the other end is not named; of a network, the address that is told is the last one's.
fn alert(sight: &Sight<'_>, is_of_network: bool, evidence: VolumeEvidence, since_ms: u64) -> Alert {
    let (machine, other) = sight.ends();
    Alert {
        kind: Kind::Exfiltration,
        // Whoever began the connection: data leaves.
        direction: Direction::Outbound,
        time_ms: sight.now_ms,
        since_ms,
        source: Some(machine.address()),
        destination: is_of_network.then(|| other.address()),
        protocol: sight.protocol(),
        port: is_of_network.then(|| sight.port()),
        evidence: Evidence::Volume(evidence),
        guest: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Connection, Outcome,
        testing::{counted, host, tcp, told},
    };

    fn sent(hour: u64, bytes: u64) -> Connection {
        let connection = tcp(hour * 3_600, host(1), host(70_000), 443, Outcome::Answered);
        counted(connection, (bytes / 1_000 + 1, bytes), (10, 4_000))
    }

    fn tests(connections: impl IntoIterator<Item = Connection>) -> Vec<(VolumeTest, bool)> {
        let mut volumes = Volumes::new();
        let alerts = told(connections, |sight, alerts| volumes.observe(sight, alerts));
        let test = |alert: &Alert| match alert.evidence {
            Evidence::Volume(evidence) => (evidence.test, alert.destination.is_some()),
            _ => panic!("{alert:?}"),
        };
        alerts.iter().map(test).collect()
    }

    #[test]
    fn an_hour_beyond_all_others() {
        let past = |hour: u64| sent(hour, 1_000_000 + hour * 1_000);
        let both = [(VolumeTest::Hour, false), (VolumeTest::Hour, true)];
        assert_eq!(tests((0..40).map(past).chain([sent(40, 200_000_000)])), both);
        assert_eq!(tests((0..40).map(past).chain([sent(40, 49_000_000)])), [], "too little to tell of");
        let large = |hour: u64| sent(hour, 150_000_000 + hour);
        assert!(
            !tests((0..40).map(large).chain([sent(40, 200_000_000)]))
                .iter()
                .any(|(test, _)| *test == VolumeTest::Hour)
        );
    }

    #[test]
    fn a_leak_of_a_little_more_each_hour() {
        // Four times as much as usual, for a day: no hour of it is strange.
        let leak = |hour: u64| sent(hour, if hour < 48 { 5_000_000 } else { 40_000_000 });
        let found = tests((0..72).map(leak));
        assert!(found.iter().all(|(test, _)| *test == VolumeTest::Cusum), "{found:?}");
        assert_eq!(found.len(), 2, "once for the machine, once for the network: {found:?}");
    }

    #[test]
    fn without_a_past_only_what_goes_out_unasked() {
        assert_eq!(tests([sent(0, 60_000_000)]).len(), 2);
        let served = tcp(0, host(70_000), host(1), 443, Outcome::Answered);
        assert_eq!(tests([counted(served, (10, 4_000), (60_000, 60_000_000))]), []);
    }
}
