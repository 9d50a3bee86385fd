//! Series of guesses at all paces, sessions after them, and what is no guess.

use proptest::prelude::*;

use super::*;
use crate::{
    Severity, Stage,
    testing::{counted, host, tcp, told},
};

fn guess(second: u64, port: u16) -> Connection {
    counted(tcp(second, host(70_000), host(1), port, Outcome::Answered), (11, 2_300), (10, 2_400))
}

fn session(second: u64, port: u16) -> Connection {
    let connection = tcp(second, host(70_000), host(1), port, Outcome::Answered);
    counted(Connection { end_ms: connection.start_ms + 400_000, ..connection }, (240, 30_000), (300, 88_000))
}

fn alerts(connections: impl IntoIterator<Item = Connection>) -> Vec<Alert> {
    let mut guesses = Guesses::new();
    told(connections, |sight, alerts| {
        guesses.observe(sight, alerts);
    })
}

fn paces(gap: u64, count: u64) -> Vec<(Pace, u32)> {
    let pace = |alert: &Alert| match alert.evidence {
        Evidence::Guesses(evidence) => (evidence.pace, evidence.guesses),
        _ => panic!("{alert:?}"),
    };
    alerts((0..count).map(|n| guess(n * gap, 3389))).iter().map(pace).collect()
}

#[test]
fn one_a_second_tells_at_the_sixth() {
    assert_eq!(paces(1, 10), [(Pace::Fast, 6)]);
}

#[test]
fn every_pace_is_found() {
    assert_eq!(paces(30, 25), [(Pace::Slow, 16)]);
    assert_eq!(paces(20 * 60, 40), [(Pace::Patient, 30)], "three an hour");
    assert_eq!(paces(24 * 3_600, 40), [(Pace::Patient, 30)], "one a day");
    assert_eq!(paces(3_600, 29), []);
}

/// Whoever closes his side of each connection and leaves the other open is counted when he does, and not again.
#[test]
fn what_the_client_has_closed_counts_once() {
    let staged = |n: u64, stage| Connection { stage, ..guess(n, 3389) };
    let told = alerts((0..6).map(|n| staged(n, Stage::Closing)));
    assert_eq!(told.len(), 1, "nobody waits for the server's end");
    let over = (0..5).flat_map(|n| [staged(n, Stage::Closing), staged(n, Stage::Closed)]);
    assert_eq!(alerts(over), []);
}

/// A program that asks a database a short question again and again has the pace of a guesser, and not his evenness.
#[test]
fn questions_to_a_database_are_no_guesses() {
    let sized = |n: u64, bytes: u64| {
        let connection = tcp(n, host(70_000), host(1), 1433, Outcome::Answered);
        counted(connection, (11, 900), (10, bytes))
    };
    assert_eq!(alerts((0..60).map(|n| sized(n, 300 + n * 977 % 4_000))), []);
    let told = alerts((0..40).map(|n| sized(n, 700 + n % 3)));
    assert_eq!(told.first().map(Alert::name).as_deref(), Some("SQL_Incoming_BF_OneToOne"));
}

#[test]
fn people_who_log_in_now_and_then_are_left_alone() {
    let day = |n: u64| [guess(n * 3_600, 3389), guess(n * 3_600 + 20, 3389), session(n * 3_600 + 40, 3389)];
    assert_eq!(alerts((0..100).flat_map(day)), []);
}

#[test]
fn a_session_after_a_series_is_critical() {
    let taken = alerts((0..8).map(|n| guess(n, 22)).chain([session(60, 22)]));
    let last = taken.last().expect("two alerts");
    assert_eq!((taken.len(), last.severity()), (2, Severity::Critical));
    assert_eq!(last.name(), "SSH_Incoming_BF_Success");
    let Evidence::Session(evidence) = last.evidence else { panic!("{last:?}") };
    assert_eq!((evidence.guesses, evidence.median_bytes, evidence.bytes), (8, Some(4_700.0), Some(118_000)));

    // It need not be over.
    let open = Connection { stage: Stage::Ongoing, ..session(60, 22) };
    assert_eq!(alerts((0..8).map(|n| guess(n, 22)).chain([open])).len(), 2);
    // Nor need the guesses have told.
    assert_eq!(alerts((0..10).map(|n| guess(n * 600, 22)).chain([session(9_000, 22)])).len(), 1);
    assert_eq!(alerts((0..9).map(|n| guess(n * 600, 22)).chain([session(9_000, 22)])).len(), 0);
}

#[test]
fn what_is_no_guess() {
    let shapes = [
        tcp(0, host(70_000), host(1), 22, Outcome::Refused),
        counted(tcp(0, host(70_000), host(1), 22, Outcome::Answered), (5, 300), (4, 200)),
        counted(tcp(0, host(70_000), host(1), 443, Outcome::Answered), (11, 2_300), (10, 2_400)),
        counted(tcp(0, host(70_000), host(1), 22, Outcome::Answered), (61, 9_000), (60, 9_000)),
    ];
    for shape in shapes {
        let many = (0..200).map(|n| Connection { start_ms: n * 1_000, end_ms: n * 1_000 + 900, ..shape });
        assert_eq!(alerts(many), [], "{shape:?}");
    }
}

#[test]
fn a_format_that_counts_nothing_still_tells_of_known_services() {
    let blind = |port| (0..10).map(move |n| tcp(n, host(70_000), host(1), port, Outcome::Unknown));
    assert_eq!(alerts(blind(3389)).len(), 1);
    assert_eq!(alerts(blind(7_777)), []);
}

#[test]
fn at_other_ports_guesses_are_alike() {
    let sized = |size: fn(u64) -> u64| {
        let one = move |n| {
            counted(tcp(n, host(70_000), host(1), 902, Outcome::Answered), (11, size(n)), (10, size(n)))
        };
        (0..40).map(one)
    };
    assert_eq!(alerts(sized(|n| 2_000 + n % 3 * 50)).len(), 1);
    assert_eq!(alerts(sized(|n| 1_000 + n % 7 * 700)), []);
    assert_eq!(alerts(sized(|_| 2_000))[0].severity(), Severity::Informational);
}

proptest! {
    /// The buckets and the count against their definition: a sum over all guesses before.
    #[test]
    fn buckets_are_sums_that_leak(gaps in prop::collection::vec(0..200_u64, 1..40)) {
        let mut second = 0;
        let connections: Vec<Connection> = gaps.iter().map(|gap| { second += gap; guess(second, 22) }).collect();
        let level = |upto: usize, leak: f64| {
            let times: Vec<f64> = connections[..=upto].iter().map(|c| c.end_ms as f64).collect();
            // The level is the largest, over all beginnings, of guesses since less what leaked since.
            let from = |begin: usize| (upto - begin + 1) as f64 - (times[upto] - times[begin]) / leak;
            (0..=upto).map(from).fold(0.0, f64::max)
        };
        let passes = |n: &usize| level(*n, 10_000.0) > 5.0 + 1e-9 || level(*n, 60_000.0) > 8.0 + 1e-9 || *n + 1 >= 30;
        let expected = (0..connections.len()).find(passes).map(|n| connections[n].end_ms);
        let first = alerts(connections.clone()).first().map(|alert| alert.time_ms);
        let at_the_edge = expected != first && [10_000.0, 60_000.0].iter().any(|leak| {
            (0..connections.len()).any(|n| (level(n, *leak).fract()).abs() < 1e-6)
        });
        prop_assert!(expected == first || at_the_edge, "{expected:?} {first:?}");
    }
}
