//! What the guard promises, over the whole of it and through what it shows.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use palisade_guard::{Alert, Connection, Guard, Kind, Outcome, Severity, Stage, day};
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Flow, Protocol};
use proptest::prelude::*;

fn machine(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn stranger(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xcb00_0000 + number).into()
}

fn connection(time_ms: u64, ends: (IpAddr, IpAddr), port: u16, outcome: Outcome, packets: u64) -> Connection {
    let (source, destination) = ends;
    let is_ours = matches!(source, IpAddr::V4(v4) if v4.octets()[0] == 10);
    let direction = if is_ours { Direction::Outbound } else { Direction::Inbound };
    let flow =
        Flow::new(direction, Protocol::TCP, (source, 50_000), (destination, port)).expect("one family");
    let back = if outcome == Outcome::Answered { packets } else { 0 };
    let traffic = Some(FlowTraffic {
        packets_to_destination: packets,
        bytes_to_destination: packets * 200,
        packets_to_source: back,
        bytes_to_source: back * 220,
    });
    Connection { start_ms: time_ms, end_ms: time_ms + 800, flow, outcome, traffic, stage: Stage::Over }
}

fn watch(connections: &[Connection]) -> Vec<Alert> {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    guard.observe_all(connections, &mut alerts);
    guard.finish(&mut alerts);
    alerts
}

/// The same, one connection after the other.
fn watch_each(connections: &[Connection]) -> Vec<Alert> {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    connections.iter().for_each(|connection| guard.observe(connection, &mut alerts));
    guard.finish(&mut alerts);
    alerts
}

/// How many connections were told before the first alert of a kind.
fn first(connections: &[Connection], is_it: impl Fn(&Alert) -> bool) -> Option<usize> {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    connections.iter().position(|connection| {
        guard.observe(connection, &mut alerts);
        alerts.iter().any(&is_it)
    })
}

#[test]
fn a_scan_of_25_hosts_is_told_of_by_the_8th_failure() {
    let is_scan = |alert: &Alert| alert.kind == Kind::Scan;
    // Every third host answers.
    let outcome = |n: u32| if n % 3 == 1 { Outcome::Answered } else { Outcome::Unanswered };
    for (from_inside, gap_ms) in [(true, 10), (true, 60_000), (false, 10), (false, 60_000)] {
        let ends = |n: u32| if from_inside { (machine(1), stranger(n)) } else { (stranger(1), machine(n)) };
        let scan: Vec<Connection> =
            (0..25).map(|n| connection(u64::from(n) * gap_ms, ends(n), 3389, outcome(n), 2)).collect();
        let told = first(&scan, is_scan).expect("it is found");
        let failures = scan[..=told].iter().filter(|seen| seen.outcome != Outcome::Answered).count();
        assert!(failures <= 8, "{failures} failures, from inside: {from_inside}, every {gap_ms} ms");
    }
}

#[test]
fn one_try_a_second_on_remote_desktop_is_told_of_within_ten() {
    let tries: Vec<Connection> = (0..30)
        .map(|n| connection(n * 1_000, (stranger(1), machine(1)), 3389, Outcome::Answered, 9))
        .collect();
    let told = first(&tries, |alert| alert.name() == "RDP_Incoming_BF_OneToOne").expect("it is found");
    assert!(told < 10, "{told}");
}

#[test]
fn a_day_of_honest_work_raises_no_high_alert() {
    let mut day = Vec::new();
    for hour in 0..24 {
        for step in 0..120_u32 {
            let time_ms = u64::from(hour * 120 + step) * 30_000;
            // People browse, machines report, an administrator looks in once an hour, something is always refused.
            day.push(connection(
                time_ms,
                (machine(step % 12), stranger(step * 7 % 90)),
                443,
                Outcome::Answered,
                20,
            ));
            day.push(connection(time_ms, (machine(1 + step % 11), machine(0)), 9_100, Outcome::Answered, 8));
            if step == 60 {
                let look =
                    connection(time_ms, (machine(20), machine(hour % 12)), 3389, Outcome::Answered, 30);
                day.push(Connection { end_ms: time_ms + 600_000, ..look });
            }
            if step % 40 == 0 {
                day.push(connection(time_ms, (machine(3), stranger(7)), 8_081, Outcome::Refused, 1));
            }
        }
    }
    day.sort_by_key(|connection| connection.end_ms);
    let high: Vec<Alert> =
        watch(&day).into_iter().filter(|alert| alert.severity() >= Severity::High).collect();
    assert_eq!(high, []);
}

#[test]
fn a_connection_that_comes_late_is_counted() {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    for time_ms in [500_000, 450_000, 300_000] {
        guard
            .observe(&connection(time_ms, (machine(1), stranger(1)), 443, Outcome::Answered, 5), &mut alerts);
    }
    assert_eq!((guard.losses().seen, guard.losses().late), (3, 1));
    assert_eq!(guard.losses().to_string(), "1 connections came late");
}

#[test]
fn a_flood_of_sources_is_bounded_and_said() {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    for n in 0..400_000 {
        let seen = connection(u64::from(n), (stranger(n), machine(n % 7)), 22, Outcome::Refused, 1);
        guard.observe(&seen, &mut alerts);
    }
    let losses = guard.losses();
    assert!(losses.walks > 300_000 && losses.windows > 300_000, "{losses:?}");
    assert!(losses.to_string().contains("sources were forgotten (scans)"));
}

#[test]
fn many_at_once_are_as_one_after_the_other() {
    // More than a block holds, and in a day that has all kinds of traffic.
    let mut connections: Vec<Connection> = day(40_000).collect();
    let begin_ms = connections[20_000].end_ms;
    let guess =
        |n: u64| connection(begin_ms + n * 1_000, (stranger(1), machine(1)), 3389, Outcome::Answered, 9);
    connections.extend((0..200).map(guess));
    connections.sort_by_key(|connection| connection.end_ms);
    let alerts = watch(&connections);
    assert_eq!(alerts, watch_each(&connections));
    let kinds: BTreeSet<&str> = alerts.iter().map(|alert| alert.kind.word()).collect();
    assert!(kinds.len() >= 2, "{kinds:?}");
}

fn any_connection() -> impl Strategy<Value = Connection> {
    let outcome = prop::sample::select(vec![
        Outcome::Denied,
        Outcome::Unanswered,
        Outcome::Refused,
        Outcome::Answered,
        Outcome::Unknown,
    ]);
    let port = prop::sample::select(vec![22_u16, 53, 443, 445, 3389, 7_000]);
    (0..40_000_000_u64, 0..4_u32, 0..30_u32, any::<bool>(), port, outcome, 1..80_u64).prop_map(
        |(time_ms, ours, theirs, is_out, port, outcome, packets)| {
            let ends = (machine(ours), stranger(theirs));
            connection(time_ms, if is_out { ends } else { (ends.1, ends.0) }, port, outcome, packets)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same stream gives the same alerts; times are in order; each has a sentence.
    #[test]
    fn is_a_function_of_the_stream(mut stream in prop::collection::vec(any_connection(), 0..400)) {
        stream.sort_by_key(|connection| connection.end_ms);
        let alerts = watch(&stream);
        prop_assert_eq!(&alerts, &watch_each(&stream));
        for alert in &alerts {
            prop_assert!(alert.since_ms <= alert.time_ms, "{:?}", alert);
            prop_assert!(!alert.evidence.to_string().is_empty());
            prop_assert!(alert.source.is_some() || alert.destination.is_some());
        }
    }

    /// No time of a connection is too far off, and no order too strange.
    #[test]
    fn takes_any_time(stream in prop::collection::vec((any_connection(), any::<u64>(), any::<u64>()), 0..60)) {
        let stream: Vec<Connection> = stream
            .into_iter()
            .map(|(connection, start_ms, end_ms)| Connection { start_ms, end_ms, ..connection })
            .collect();
        watch(&stream);
    }

    /// Telling the guard of machines that have nothing to do with each other, one after the other or at once, is the same.
    #[test]
    fn scans_of_one_do_not_touch_another(mut stream in prop::collection::vec(any_connection(), 0..300)) {
        stream.sort_by_key(|connection| connection.end_ms);
        let of = |ours: u32| {
            let alone: Vec<Connection> = stream.iter().filter(|c| c.flow.local() == machine(ours)).copied().collect();
            watch(&alone).into_iter().filter(|alert| alert.source == Some(machine(ours)) && alert.kind == Kind::Scan)
                .collect::<Vec<_>>()
        };
        let together = watch(&stream);
        for ours in 0..4 {
            let among: Vec<Alert> = together.iter()
                .filter(|alert| alert.source == Some(machine(ours)) && alert.kind == Kind::Scan).cloned().collect();
            prop_assert_eq!(among, of(ours));
        }
    }
}
