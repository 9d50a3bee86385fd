//! The score board: what the detectors say of recorded attacks and of recorded honest work.
//!
//! The truth of each file is a list of who did what; an alert of another source, or of another kind, is a false one. Files that are
//! not there are left out, and the test says so. No detector may be tuned to a file's addresses.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
};

use palisade_flowlog::read_connections;
use palisade_guard::{Alert, Connection, Guard, Kind, Severity};

/// What somebody did, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Scan,
    Guess,
    Beacon,
    Other,
}

impl Deed {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Scan => Self::Scan,
            Kind::BruteForce(..) | Kind::SuccessAfterFailures(_) => Self::Guess,
            Kind::Beacon | Kind::RefusedBeacon => Self::Beacon,
            Kind::Exfiltration | Kind::Deviation => Self::Other,
        }
    }
}

/// A file and who did what in it.
struct Recorded {
    file: &'static str,
    deeds: &'static [(&'static str, Deed)],
    /// Whether it must be found, or is known to be missed: most of the hosts of the horizontal scan answer.
    is_found: bool,
}

const RECORDED: &[Recorded] = &[
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
const HONEST: &[&str] = &[
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

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("PALISADE_REAL_DATA").map_or(beside, PathBuf::from);
    if path.join("slips").is_dir() {
        return Some(path);
    }
    println!("skipped: {} has no recorded attacks (set PALISADE_REAL_DATA)", path.display());
    None
}

fn connections(path: &Path) -> Vec<Connection> {
    let log = read_connections(path, &[]).expect("the file can be read");
    println!(
        "{}: {} connections, {} unreadable, {} passed over {:?}",
        path.display(),
        log.connections.len(),
        log.malformed,
        log.passed_over,
        log.problems.first()
    );
    assert!(!log.connections.is_empty() || log.malformed > 0, "{}", path.display());
    log.connections
}

fn alerts(connections: &[Connection]) -> Vec<Alert> {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    connections.iter().for_each(|connection| guard.observe(connection, &mut alerts));
    guard.finish(&mut alerts);
    assert_eq!(guard.losses().to_string(), "", "nothing was forgotten");
    alerts
}

fn describe(alert: &Alert, connections: &[Connection]) -> String {
    let begun = connections.iter().map(|connection| connection.start_ms).min().unwrap_or(0);
    let before = connections.iter().filter(|connection| connection.end_ms <= alert.time_ms);
    let of_source = before.filter(|connection| Some(connection.flow.source()) == alert.source).count();
    format!(
        "  {} {} of {:?} to {:?} port {:?} at {:.1} s, its connection {of_source}: {}",
        alert.severity(),
        alert.name(),
        alert.source,
        alert.destination,
        alert.port,
        (alert.time_ms.saturating_sub(begun)) as f64 / 1e3,
        alert.evidence
    )
}

#[test]
fn recorded_attacks_are_found_and_nothing_else() {
    let Some(data) = data() else { return };
    let (mut right, mut wrong, mut missed, mut unexpected) = (0, 0, 0, Vec::new());
    for recorded in RECORDED {
        let connections = connections(&data.join(recorded.file));
        let alerts = alerts(&connections);
        alerts.iter().for_each(|alert| println!("{}", describe(alert, &connections)));
        let truth: BTreeSet<(IpAddr, Deed)> = recorded
            .deeds
            .iter()
            .map(|(source, deed)| (source.parse().expect("an address"), *deed))
            .collect();
        let told: BTreeSet<(IpAddr, Deed)> =
            alerts.iter().filter_map(|alert| Some((alert.source?, Deed::of(alert.kind)))).collect();
        right += told.intersection(&truth).count();
        wrong += told.difference(&truth).count();
        missed += truth.difference(&told).count();
        if truth.is_subset(&told) != recorded.is_found {
            unexpected.push(recorded.file);
        }
    }
    let share = |part: usize, rest: usize| part as f64 / (part + rest).max(1) as f64;
    println!("precision {:.3}, recall {:.3}", share(right, wrong), share(right, missed));
    assert_eq!(unexpected, [""; 0], "found, or missed, against what is written here");
    assert_eq!(wrong, 0, "false alerts");
}

#[test]
fn honest_work_raises_no_high_alert() {
    let Some(data) = data() else { return };
    for file in HONEST {
        let connections = connections(&data.join(file));
        for alert in alerts(&connections) {
            println!("{}", describe(&alert, &connections));
            assert!(alert.severity() < Severity::High, "{file}: {alert:?}");
        }
    }
}
