//! The numbers of an alert by name, for programs, and the one that decided.
//!
//! It must not work anything out: what is given is what decided.

use crate::{
    Evidence,
    baseline::{Departure, Usual},
    beacon::{BeaconEvidence, RefusedEvidence},
    crowd::CrowdEvidence,
    deviation::DeviationEvidence,
    guess::{GuessEvidence, SessionEvidence},
    guest::{EntryEvidence, LogonEvidence},
    volume::VolumeEvidence,
    walk::WalkEvidence,
    window::WindowEvidence,
};

/// A name, and its number if there is one.
type Number = (&'static str, Option<f64>);

impl Evidence {
    /// The number that was compared with a limit.
    pub fn score(&self) -> f64 {
        match self {
            Self::Walk(evidence) => evidence.ratio,
            Self::Window(evidence) => evidence.distinct as f64,
            Self::Guesses(evidence) => evidence.level,
            Self::Crowd(evidence) => evidence.distinct as f64,
            Self::Session(evidence) => f64::from(evidence.guesses),
            Self::Beacon(evidence) => evidence.score.total + evidence.added,
            Self::Refused(evidence) => evidence.rhythm.mean(),
            Self::Volume(evidence) => evidence.score,
            Self::Deviation(evidence) => evidence.departure.z,
            Self::Logons(evidence) => evidence.level,
            Self::Entry(evidence) => f64::from(evidence.failures),
        }
    }

    /// All numbers by their names.
    pub fn numbers(&self) -> Vec<(&'static str, f64)> {
        let numbers = match self {
            Self::Walk(evidence) => walk(evidence),
            Self::Window(evidence) => window(*evidence),
            Self::Guesses(evidence) => guesses(evidence),
            Self::Crowd(evidence) => crowd(evidence),
            Self::Session(evidence) => session(evidence),
            Self::Beacon(evidence) => beacon(evidence),
            Self::Refused(evidence) => refused(evidence),
            Self::Volume(evidence) => volume(evidence),
            Self::Deviation(evidence) => deviation(evidence),
            Self::Logons(evidence) => logons(evidence),
            Self::Entry(evidence) => entry(*evidence),
        };
        numbers.into_iter().filter_map(|(name, number)| Some((name, number?))).collect()
    }
}

fn walk(evidence: &WalkEvidence) -> Vec<Number> {
    let WalkEvidence { failures, successes, ratio, threshold } = *evidence;
    vec![
        ("failures", Some(failures.into())),
        ("successes", Some(successes.into())),
        ("ratio", Some(ratio)),
        ("limit", Some(threshold)),
    ]
}

fn window(evidence: WindowEvidence) -> Vec<Number> {
    vec![
        ("distinct", Some(evidence.distinct as f64)),
        ("limit", Some(evidence.distinct as f64)),
        ("windowSeconds", Some(seconds(evidence.window_ms))),
    ]
}

fn guesses(evidence: &GuessEvidence) -> Vec<Number> {
    let GuessEvidence { guesses, level, limit, median_bytes, .. } = *evidence;
    vec![
        ("guesses", Some(guesses.into())),
        ("level", Some(level)),
        ("limit", Some(limit)),
        ("medianBytes", median_bytes),
    ]
}

fn crowd(evidence: &CrowdEvidence) -> Vec<Number> {
    let CrowdEvidence { distinct, limit, usual, hours } = *evidence;
    vec![
        ("distinct", Some(distinct as f64)),
        ("limit", Some(limit)),
        ("usual", usual),
        ("hours", Some(hours as f64)),
    ]
}

fn session(evidence: &SessionEvidence) -> Vec<Number> {
    let SessionEvidence { guesses, median_bytes, bytes, duration_ms } = *evidence;
    vec![
        ("guesses", Some(guesses.into())),
        ("medianBytes", median_bytes),
        ("bytes", bytes.map(|bytes| bytes as f64)),
        ("durationSeconds", Some(seconds(duration_ms))),
    ]
}

fn beacon(evidence: &BeaconEvidence) -> Vec<Number> {
    let BeaconEvidence { score, added, share, connections, gap_s, window_ms } = *evidence;
    vec![
        ("total", Some(score.total)),
        ("timing", Some(score.timing)),
        ("size", Some(score.size)),
        ("histogram", Some(score.histogram)),
        ("duration", Some(score.duration)),
        ("added", Some(added)),
        ("share", share),
        ("connections", Some(connections as f64)),
        ("gapSeconds", Some(gap_s)),
        ("windowSeconds", Some(seconds(window_ms))),
    ]
}

fn refused(evidence: &RefusedEvidence) -> Vec<Number> {
    let RefusedEvidence { rhythm, tries, gap_s, window_ms } = *evidence;
    vec![
        ("timing", Some(rhythm.timing)),
        ("histogram", Some(rhythm.histogram)),
        ("duration", Some(rhythm.duration)),
        ("tries", Some(tries as f64)),
        ("gapSeconds", Some(gap_s)),
        ("windowSeconds", Some(seconds(window_ms))),
    ]
}

fn volume(evidence: &VolumeEvidence) -> Vec<Number> {
    let VolumeEvidence { bytes_out, bytes_in, usual, hours, score, limit, .. } = *evidence;
    vec![
        ("bytesOut", Some(bytes_out as f64)),
        ("bytesIn", Some(bytes_in as f64)),
        ("usual", usual),
        ("hours", Some(hours as f64)),
        ("score", Some(score)),
        ("limit", Some(limit)),
    ]
}

fn deviation(evidence: &DeviationEvidence) -> Vec<Number> {
    let Departure { value, usual: Usual { median, mad }, learned, z, ewma, ewma_upper, .. } =
        evidence.departure;
    vec![
        ("value", Some(value)),
        ("median", Some(median)),
        ("mad", Some(mad)),
        ("learned", Some(learned as f64)),
        ("z", Some(z)),
        ("ewma", Some(ewma)),
        ("limit", Some(ewma_upper)),
    ]
}

fn logons(evidence: &LogonEvidence) -> Vec<Number> {
    let LogonEvidence { failures, level, limit, accounts, addresses, traces, .. } = *evidence;
    let [told, by_event, by_flow] = traces;
    vec![
        ("failures", Some(failures.into())),
        ("level", Some(level)),
        ("limit", Some(limit)),
        ("accounts", Some(accounts as f64)),
        ("addresses", Some(addresses as f64)),
        ("addressTold", Some(told.into())),
        ("addressByEvent", Some(by_event.into())),
        ("addressByFlow", Some(by_flow.into())),
    ]
}

fn entry(evidence: EntryEvidence) -> Vec<Number> {
    let EntryEvidence { failures, accounts, addresses, .. } = evidence;
    vec![
        ("failures", Some(failures.into())),
        ("accounts", Some(accounts as f64)),
        ("addresses", Some(addresses as f64)),
    ]
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}
