//! The score board: what the detectors say of recorded attacks and of recorded honest work.
//!
//! The truth of each file is a list of who did what; an alert of another source, or of another kind, is a false one. The recordings are
//! not part of the repository. No detector may be tuned to a file's addresses.

use std::{collections::BTreeSet, net::IpAddr, path::Path};

use palisade_guard::{Alert, Connection, Guard, Kind, Severity};

use crate::{FlowLogError, read_connections};

/// What somebody did, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Looking for what is there.
    Scan,
    /// Guessing passwords.
    Guess,
    /// Asking for orders.
    Beacon,
    /// Anything else.
    Other,
}

impl Deed {
    /// What an alert says that somebody did.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Scan => Self::Scan,
            Kind::BruteForce(..) | Kind::SuccessAfterFailures(_) => Self::Guess,
            Kind::Beacon | Kind::RefusedBeacon => Self::Beacon,
            Kind::Exfiltration | Kind::Deviation => Self::Other,
        }
    }
}

/// A file and who did what in it.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    /// Its path below the folder of recordings.
    pub file: &'static str,
    /// Who did what.
    pub deeds: &'static [(&'static str, Deed)],
    /// Whether it must be found, or is known to be missed: most of the hosts of the horizontal scan answer.
    pub is_found: bool,
}

/// Recorded attacks.
pub const RECORDED: &[Recorded] = &[
    Recorded {
        file: "slips/port-scans/vertical/conn.log",
        deeds: &[("192.168.1.9", Deed::Scan)],
        is_found: true,
    },
    Recorded {
        file: "slips/port-scans/horizontal/conn.log",
        deeds: &[("10.0.2.112", Deed::Scan)],
        is_found: false,
    },
    Recorded { file: "slips/test11-portscan.binetflow", deeds: &[("10.8.0.69", Deed::Scan)], is_found: true },
    Recorded {
        file: "slips/test12-icmp-portscan.pcap",
        deeds: &[("192.168.1.109", Deed::Scan)],
        is_found: true,
    },
    Recorded {
        file: "slips/test19-malicious-ssh/malicious-ssh-bruteforce.pcap",
        deeds: &[("147.32.80.40", Deed::Guess)],
        is_found: true,
    },
    Recorded {
        file: "zeek-traces/ssh/sshguess.pcap",
        deeds: &[("192.168.56.1", Deed::Guess)],
        is_found: true,
    },
    Recorded {
        file: "zeek-traces/ftp/bruteforce.pcap",
        deeds: &[("192.168.56.1", Deed::Guess)],
        is_found: true,
    },
];

/// Files of honest work, and unlabelled ones: none of their alerts may be high.
pub const HONEST: &[&str] = &[
    "zeek-traces/rdp/rdp-invalid-length.pcap",
    "zeek-traces/rdp/rdp-no-cookie-mstshash.pcap",
    "zeek-traces/rdp/rdp-proprietary-encryption.pcap",
    "zeek-traces/rdp/rdp-to-ssl.pcap",
    "zeek-traces/rdp/rdp-unknown-keyboard.pcap",
    "zeek-traces/rdp/rdp-x509.pcap",
    "zeek-traces/rdp/rdpeudp-handshake-fail.pcap",
    "zeek-traces/rdp/rdpeudp-handshake-success.pcap",
    "zeek-traces/rdp/rdpeudp2-handshake-success.pcap",
    "zeek-traces/ssh/single-conn.pcap",
    "zeek-traces/ssh/ssh.pcap",
    "slips/test2-malicious.binetflow",
    "slips/test3-mixed.binetflow",
];

/// What was said of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Connections in it.
    pub connections: Vec<Connection>,
    /// All that was told.
    pub alerts: Vec<Alert>,
}

/// How many deeds were told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// Deeds that were told of.
    pub right: usize,
    /// Told of, and nobody did them.
    pub wrong: usize,
    /// Not told of.
    pub missed: usize,
}

/// Reads a file and lets all detectors judge it. Private networks are at home.
///
/// # Errors
/// [`FlowLogError`] if it cannot be read.
pub fn judge(path: &Path) -> Result<Judged, FlowLogError> {
    let connections = read_connections(path, &[])?.connections;
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    guard.observe_all(&connections, &mut alerts);
    guard.finish(&mut alerts);
    Ok(Judged { connections, alerts })
}

impl Judged {
    /// The alerts beside the truth.
    pub fn score(&self, recorded: &Recorded) -> Score {
        let truth: BTreeSet<(IpAddr, Deed)> =
            recorded.deeds.iter().filter_map(|(source, deed)| Some((source.parse().ok()?, *deed))).collect();
        let told: BTreeSet<(IpAddr, Deed)> =
            self.alerts.iter().filter_map(|alert| Some((alert.source?, Deed::of(alert.kind)))).collect();
        Score {
            right: told.intersection(&truth).count(),
            wrong: told.difference(&truth).count(),
            missed: truth.difference(&told).count(),
        }
    }

    /// Seconds from the first connection of whoever was told of first until he was.
    pub fn seconds_to_detect(&self) -> Option<f64> {
        let alert = self.alerts.first()?;
        let of_source = |connection: &&Connection| Some(connection.flow.source()) == alert.source;
        let begun = self.connections.iter().filter(of_source).map(|connection| connection.start_ms).min()?;
        Some(alert.time_ms.saturating_sub(begun) as f64 / 1e3)
    }

    /// Alerts of high severity and above.
    pub fn high(&self) -> usize {
        self.alerts.iter().filter(|alert| alert.severity() >= Severity::High).count()
    }
}

impl Score {
    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            wrong: self.wrong + other.wrong,
            missed: self.missed + other.missed,
        }
    }

    /// Share of what was told of that is true.
    pub fn precision(self) -> f64 {
        share(self.right, self.wrong)
    }

    /// Share of what is true that was told of.
    pub fn recall(self) -> f64 {
        share(self.right, self.missed)
    }
}

fn share(part: usize, rest: usize) -> f64 {
    part as f64 / (part + rest).max(1) as f64
}
