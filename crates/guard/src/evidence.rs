//! The numbers of an alert, and one sentence that says them.
//!
//! It must not work anything out: what is printed is what decided.

use std::fmt;

use crate::{
    baseline::{Departure, Usual},
    beacon::{BeaconEvidence, RefusedEvidence},
    crowd::CrowdEvidence,
    deviation::{DeviationEvidence, Measure},
    guess::{GuessEvidence, SessionEvidence},
    guest::{EntryEvidence, LogonEvidence},
    logon::Trace,
    tally::Pace,
    volume::{VolumeEvidence, VolumeTest},
    walk::WalkEvidence,
    window::{Spread, WindowEvidence},
};

/// What made an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Evidence {
    /// A threshold random walk.
    Walk(WalkEvidence),
    /// Distinct failures in a window.
    Window(WindowEvidence),
    /// A series of guesses.
    Guesses(GuessEvidence),
    /// Guesses of a crowd, or at one.
    Crowd(CrowdEvidence),
    /// A session after guesses.
    Session(SessionEvidence),
    /// Connections that keep time.
    Beacon(BeaconEvidence),
    /// Failures that keep time.
    Refused(RefusedEvidence),
    /// Bytes that left.
    Volume(VolumeEvidence),
    /// An hour that differs.
    Deviation(DeviationEvidence),
    /// Failed logons.
    Logons(LogonEvidence),
    /// A logon after failed ones.
    Entry(EntryEvidence),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Walk(evidence) => walk(f, evidence),
            Self::Window(evidence) => window(f, *evidence),
            Self::Guesses(evidence) => guesses(f, evidence),
            Self::Crowd(evidence) => crowd(f, evidence),
            Self::Session(evidence) => session(f, evidence),
            Self::Beacon(evidence) => beacon(f, evidence),
            Self::Refused(evidence) => refused(f, evidence),
            Self::Volume(evidence) => volume(f, evidence),
            Self::Deviation(evidence) => deviation(f, evidence),
            Self::Logons(evidence) => logons(f, evidence),
            Self::Entry(evidence) => entry(f, evidence),
        }
    }
}

fn walk(f: &mut fmt::Formatter<'_>, evidence: &WalkEvidence) -> fmt::Result {
    let WalkEvidence { failures, successes, ratio, threshold } = evidence;
    write!(
        f,
        "of {} first contacts {failures} failed: a scanner is {ratio:.0} times likelier than not, more than {threshold:.0}",
        failures + successes
    )
}

fn window(f: &mut fmt::Formatter<'_>, evidence: WindowEvidence) -> fmt::Result {
    let what = match evidence.spread {
        Spread::Horizontal => "hosts failed at one port",
        Spread::Vertical => "ports failed at one host",
        Spread::Icmp => "hosts were sent echo requests",
    };
    write!(f, "{} {what} within {}", evidence.distinct, Span(evidence.window_ms))
}

fn guesses(f: &mut fmt::Formatter<'_>, evidence: &GuessEvidence) -> fmt::Result {
    let GuessEvidence { pace, guesses, level, limit, .. } = evidence;
    write!(f, "{guesses} connections of the shape of a guess")?;
    if let Some(bytes) = evidence.median_bytes {
        write!(f, " (median {bytes:.0} bytes)")?;
    }
    write!(f, ": a count of {level:.1} {}, more than {limit:.0}", leak(*pace))
}

const fn leak(pace: Pace) -> &'static str {
    match pace {
        Pace::Fast => "leaking one in 10 s",
        Pace::Slow => "leaking one a minute",
        Pace::Patient => "since the last session",
    }
}

fn crowd(f: &mut fmt::Formatter<'_>, evidence: &CrowdEvidence) -> fmt::Result {
    let CrowdEvidence { distinct, limit, usual, hours } = evidence;
    write!(f, "{distinct} at once in this hour, more than {limit:.0}")?;
    match usual {
        Some(usual) => write!(f, " (median of {hours} hours: {usual:.0})"),
        None => f.write_str(" (a fixed limit: there is no past to compare with)"),
    }
}

fn session(f: &mut fmt::Formatter<'_>, evidence: &SessionEvidence) -> fmt::Result {
    let SessionEvidence { guesses, median_bytes, bytes, duration_ms } = evidence;
    write!(f, "after {guesses} guesses")?;
    if let Some(median) = median_bytes {
        write!(f, " of {median:.0} bytes")?;
    }
    write!(f, ", a connection of {}", Span(*duration_ms))?;
    match bytes {
        Some(bytes) => write!(f, " and {bytes} bytes"),
        None => Ok(()),
    }
}

fn beacon(f: &mut fmt::Formatter<'_>, evidence: &BeaconEvidence) -> fmt::Result {
    let BeaconEvidence { score, added, share, connections, gap_s, window_ms } = evidence;
    write!(
        f,
        "{connections} connections in {}, every {gap_s:.0} s: score {:.3} (timing {:.3}, size {:.3}, histogram {:.3}, duration {:.3})",
        Span(*window_ms),
        score.total,
        score.timing,
        score.size,
        score.histogram,
        score.duration,
    )?;
    match share {
        Some(share) => write!(f, ", {added:+.2} as {:.1} % of the machines go there", share * 100.0),
        None => Ok(()),
    }
}

fn refused(f: &mut fmt::Formatter<'_>, evidence: &RefusedEvidence) -> fmt::Result {
    let RefusedEvidence { rhythm, tries, gap_s, window_ms } = evidence;
    write!(
        f,
        "{tries} tries in {}, every {gap_s:.0} s, all failed: score {:.3} (timing {:.3}, histogram {:.3}, duration {:.3})",
        Span(*window_ms),
        rhythm.mean(),
        rhythm.timing,
        rhythm.histogram,
        rhythm.duration,
    )
}

fn volume(f: &mut fmt::Formatter<'_>, evidence: &VolumeEvidence) -> fmt::Result {
    let VolumeEvidence { test, bytes_out, bytes_in, usual, hours, score, limit } = evidence;
    write!(f, "{bytes_out} bytes went out and {bytes_in} came in")?;
    if let Some(usual) = usual {
        write!(f, "; the median of {hours} hours is {usual:.0}")?;
    }
    let what = match test {
        VolumeTest::Hour => "a robust z-score",
        VolumeTest::Cusum => "a CUSUM",
        VolumeTest::Ratio => "without a past, a ratio",
    };
    write!(f, ": {what} of {score:.1}, more than {limit:.1}")
}

fn deviation(f: &mut fmt::Formatter<'_>, evidence: &DeviationEvidence) -> fmt::Result {
    let Departure { value, usual: Usual { median, mad }, learned, is_seasonal, z, ewma, ewma_upper } =
        evidence.departure;
    let what = match evidence.measure {
        Measure::Connections => "connections",
        Measure::Bytes => "bytes",
    };
    let which = if is_seasonal { "the same hour of other weeks" } else { "the hours before" };
    write!(
        f,
        "{value:.0} {what} in an hour; of {which} ({learned}) the median is {median:.0} and the MAD {mad:.0}: a robust z-score of \
         {z:.1}, and a moving average of {ewma:.0}, more than {ewma_upper:.0}"
    )
}

fn logons(f: &mut fmt::Formatter<'_>, evidence: &LogonEvidence) -> fmt::Result {
    let LogonEvidence { pace, failures, level, limit, accounts, addresses, traces } = evidence;
    match accounts {
        0 => write!(f, "{failures} attempts as nobody knows whom")?,
        _ => write!(f, "{failures} failed logons as {accounts} accounts")?,
    }
    write!(f, " from {addresses} known addresses")?;
    let [_, by_event, by_flow] = traces;
    if by_event + by_flow > 0 {
        write!(f, " ({by_event} by another event of the same second, {by_flow} by the only flow of it)")?;
    }
    write!(f, ": a count of {level:.1} {}, more than {limit:.0}", leak(*pace))
}

fn entry(f: &mut fmt::Formatter<'_>, evidence: &EntryEvidence) -> fmt::Result {
    let EntryEvidence { failures, accounts, addresses, trace } = evidence;
    write!(
        f,
        "a logon after {failures} failed ones as {accounts} accounts from {addresses} known addresses"
    )?;
    match trace {
        Some(Trace::Told) => Ok(()),
        Some(Trace::Event) => f.write_str("; its address is that of another event of the same second"),
        Some(Trace::Flow) => f.write_str("; its address is that of the only flow of the same second"),
        None => f.write_str("; its address is not known"),
    }
}

/// A length of time in its largest whole unit.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(3_600_000, "h"), (60_000, "min"), (1_000, "s")];
        match units.into_iter().find(|(unit, _)| self.0 >= 2 * unit) {
            Some((unit, name)) => write!(f, "{} {name}", self.0 / unit),
            None => write!(f, "{} ms", self.0),
        }
    }
}
