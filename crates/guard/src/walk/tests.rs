//! The walk against the paper's numbers, and against a walk with unlimited memory.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::{
    Connection,
    Outcome::{self, Answered, Denied, Refused, Unanswered},
    testing::{host, tcp, told},
};

const OUTSIDE: u32 = 65_536;

fn alerts(connections: impl IntoIterator<Item = Connection>) -> Vec<Alert> {
    let mut walks = Walks::new(WalkSettings::default());
    told(connections, |sight, alerts| walks.observe(sight, alerts))
}

fn sweep(outcomes: &[Outcome]) -> Vec<Connection> {
    let to = |(at, outcome): (usize, &Outcome)| {
        let at = u32::try_from(at).expect("few");
        tcp(u64::from(at), host(1), host(OUTSIDE + at), 443, *outcome)
    };
    outcomes.iter().enumerate().map(to).collect()
}

#[test]
fn four_failures_in_a_row_tell() {
    let told = alerts(sweep(&[Refused, Denied, Unanswered, Refused]));
    assert_eq!(told.len(), 1);
    let Evidence::Walk(evidence) = told[0].evidence else { panic!("{:?}", told[0].evidence) };
    assert_eq!((evidence.failures, evidence.successes), (4, 0));
    assert!((evidence.ratio - 256.0).abs() < 1e-6, "{}", evidence.ratio);
    assert!((evidence.threshold - 99.0).abs() < 1e-6);
    assert_eq!((told[0].time_ms, told[0].since_ms), (4_000, 0));
    assert!(alerts(sweep(&[Refused; 3])).is_empty());
}

#[test]
fn good_contacts_count_against_it_and_cannot_be_saved_up() {
    assert!(alerts(sweep(&[Refused, Refused, Answered, Refused, Refused])).is_empty());
    let mut salted = vec![Answered; 50];
    salted.extend([Refused; 4]);
    assert_eq!(alerts(sweep(&salted)).len(), 1);
}

#[test]
fn a_destination_counts_once() {
    let again = (0..100).map(|second| tcp(second, host(1), host(OUTSIDE), 443, Refused));
    assert!(alerts(again).is_empty());
}

#[test]
fn rate_plays_no_part_below_the_idle_time() {
    let slow = |gap: u64| (0..4).map(move |n| tcp(n * gap, host(1), host(OUTSIDE + n as u32), 443, Refused));
    assert_eq!(alerts(slow(29 * 60)).len(), 1);
    assert!(alerts(slow(61 * 60)).is_empty());
}

#[test]
fn a_port_has_a_walk_of_its_own() {
    // Each destination answers on one port before it refuses another: over all ports every first contact is good.
    let pair = |n: u32| {
        let second = u64::from(n) * 2;
        [
            tcp(second, host(1), host(OUTSIDE + n), 443, Answered),
            tcp(second + 1, host(1), host(OUTSIDE + n), 3389, Refused),
        ]
    };
    let told = alerts((0..4).flat_map(pair));
    assert_eq!(told.iter().map(|alert| alert.port).collect::<Vec<_>>(), [Some(3389)]);
}

#[test]
fn a_scanner_is_told_of_once_an_hour() {
    let long = |seconds: u64| (0..seconds).map(|n| tcp(n, host(1), host(OUTSIDE + n as u32), 22, Refused));
    assert_eq!(alerts(long(3_600)).len(), 1);
    assert_eq!(alerts(long(4_000)).len(), 2);
}

#[test]
fn sources_and_directions_do_not_mix() {
    let split = (0..40).map(|n| tcp(u64::from(n), host(n % 20), host(OUTSIDE + n), 22, Refused));
    assert!(alerts(split).is_empty());
    let inward = (0..4).map(|n| tcp(u64::from(n), host(OUTSIDE), host(n), 22, Refused));
    assert_eq!(alerts(inward).iter().map(|alert| alert.direction).collect::<Vec<_>>(), [Direction::Inbound]);
}

proptest! {
    /// Of one port, the walk tells at the contact at which the plain sum of the paper, with a floor, first passes.
    #[test]
    fn agrees_with_the_sum(steps in prop::collection::vec((0..40_u32, any::<bool>()), 0..60)) {
        let connections = steps.iter().enumerate().map(|(at, (destination, success))| {
            let outcome = if *success { Answered } else { Refused };
            tcp(at as u64, host(1), host(OUTSIDE + destination), 22, outcome)
        });
        let first = alerts(connections).first().map(|alert| alert.time_ms / 1_000 - 1);

        let (mut seen, mut level, mut expected) = (HashSet::new(), 0_i32, None);
        for (at, (destination, success)) in steps.iter().enumerate() {
            if !seen.insert(destination) {
                continue;
            }
            // In units of ln 4: the threshold, 99, lies between 4 to the power of 3 and of 4.
            level = if *success { (level - 1).max(0) } else { level + 1 };
            if level == 4 {
                expected = Some(at as u64);
                break;
            }
        }
        prop_assert_eq!(first, expected);
    }
}
