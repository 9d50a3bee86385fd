//! Beacons with jitter among other traffic, refused ones, and what everybody does.

use super::*;
use crate::{
    Connection,
    Outcome::{Answered, Refused},
    testing::{counted, host, tcp, told},
};

/// Connections at an interval with a jitter that repeats, from a machine to somebody outside.
fn beats(machine: u32, to: u32, every: u64, jitter: u64, outcome: crate::Outcome) -> Vec<Connection> {
    let at = |n: u64| n * every + n * 7 % (jitter + 1);
    let one = |n: u64| {
        counted(tcp(at(n), host(machine), host(65_536 + to), 8_888, outcome), (6, 700 + n % 3), (5, 400))
    };
    (0..6 * 3_600 / every).map(one).collect()
}

/// A person: bursts of connections with pauses, of all sizes.
fn browsing(machine: u32, to: u32) -> Vec<Connection> {
    let at = |n: u64| (n / 9) * 1_900 + (n * n * 31) % 400;
    let one = |n: u64| {
        let size = 500 + (n * n * n * 37) % 20_000;
        counted(tcp(at(n), host(machine), host(65_536 + to), 443, Answered), (9, size), (9, 90_000))
    };
    (0..100).map(one).collect()
}

fn alerts(mut connections: Vec<Connection>) -> Vec<Alert> {
    connections.sort_by_key(|connection| connection.end_ms);
    let mut beacons = Beacons::new();
    let mut alerts = told(connections, |sight, alerts| beacons.observe(sight, alerts));
    beacons.finish(&mut alerts);
    alerts
}

#[test]
fn finds_a_beacon_among_people() {
    let mut connections: Vec<Connection> =
        (0..8).flat_map(|machine| browsing(machine, machine % 3)).collect();
    connections.extend(beats(3, 500, 60, 9, Answered));
    let told = alerts(connections);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((told[0].name().as_str(), told[0].source), ("Network_CommunicationWithC2", Some(host(3))));
    let Evidence::Beacon(evidence) = told[0].evidence else { panic!("{told:?}") };
    assert!(evidence.score.total >= SCORE_MIN && (50.0..70.0).contains(&evidence.gap_s), "{evidence:?}");
    assert!(told[0].time_ms < 2 * 3_600_000, "within two hours: {}", told[0].time_ms);
}

#[test]
fn what_all_machines_do_is_no_beacon() {
    let update = |machine: u32| beats(machine, 77, 300, 5, Answered);
    let mut connections: Vec<Connection> = (0..30).flat_map(update).collect();
    assert_eq!(alerts(connections.clone()), []);
    connections.extend(beats(3, 500, 60, 9, Answered));
    let told = alerts(connections);
    let Evidence::Beacon(evidence) = told[0].evidence else { panic!("{told:?}") };
    assert_eq!((told.len(), evidence.added), (1, BONUS));
}

#[test]
fn tries_that_fail_are_scored_by_their_times() {
    let told = alerts(beats(3, 500, 120, 20, Refused));
    assert_eq!(told.iter().map(Alert::name).collect::<Vec<_>>(), ["Network_RefusedBeacon"]);
    let scattered = |connection: Connection| {
        let start_ms = connection.start_ms.pow(2) % 21_600_000;
        Connection { start_ms, end_ms: start_ms, ..connection }
    };
    let sparse = beats(3, 500, 700, 20, Refused).into_iter().map(scattered).collect();
    assert_eq!(alerts(sparse), []);
}

#[test]
fn names_and_time_and_neighbours_are_left_out() {
    for (to, port) in [(host(65_600), 53), (host(65_600), 123), (host(9), 8_888)] {
        let one = |n: u64| tcp(n * 60, host(3), to, port, Answered);
        assert_eq!(alerts((0..400).map(one).collect()), [], "{to} {port}");
    }
}

#[test]
fn keeps_no_more_than_it_says() {
    let mut beacons = Beacons::new();
    let one = |n: u64| tcp(n, host(3), host(65_600), 8_888, Answered);
    drop(told((0..5_000).map(one), |sight, alerts| beacons.observe(sight, alerts)));
    let pairs = beacons.pairs.sorted();
    assert_eq!(pairs.iter().map(|(_, beats)| beats.beats.len()).collect::<Vec<_>>(), [BEATS_MAX]);
    let (begin_ms, (seconds, _)) = (pairs[0].1.begin_ms(0), pairs[0].1.since(0));
    assert_eq!((seconds[0], begin_ms), (5_000 - 256, (5_000 - 256) * 1_000));
}

#[test]
fn a_full_memory_of_pairs_is_judged_whole() {
    // More pairs than a half of the memory holds, each seen again while it is judged.
    let mut beacons = Beacons::new();
    let pairs = u32::try_from(RHYTHMS_MAX).expect("small") - 10;
    let one = |n: u32| tcp(u64::from(n / 4), host(n % 50), host(65_536 + n / 50), 8_888, Answered);
    drop(told((0..pairs).map(one), |sight, alerts| beacons.observe(sight, alerts)));
    let mut alerts = Vec::new();
    beacons.finish(&mut alerts);
    assert_eq!((alerts.len(), beacons.forgotten()), (0, 0));
}
