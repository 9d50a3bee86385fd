//! Series, counts, limits, acknowledgements: each plan applied to the world that it was made for.

use std::{net::IpAddr, sync::Arc};

use palisade_guard::{About, Alert, Connection, Guard, Outcome, Stage};
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Flow, Protocol};
use serde_json::{Map, Value};

use super::*;
use crate::{Expect, RecordChange, World, world::Change};

/// An alert of guesses from a source, seen at a second.
fn guesses(source: &str, second: u64) -> Alert {
    let (mut guard, mut alerts) = (Guard::default(), Vec::new());
    for at in 0..7 {
        let source: (IpAddr, u16) = (source.parse().expect("an address"), 40_000 + at);
        let destination = ("10.0.0.4".parse().expect("an address"), 3_389);
        let flow = Flow::new(Direction::Inbound, Protocol::TCP, source, destination).expect("one family");
        let traffic = FlowTraffic {
            packets_to_destination: 9,
            bytes_to_destination: 2_000,
            packets_to_source: 9,
            bytes_to_source: 2_000,
        };
        let start_ms = (second + u64::from(at)) * 1_000;
        let (outcome, stage) = (Outcome::Answered, Stage::Over);
        let connection =
            Connection { start_ms, end_ms: start_ms + 500, flow, outcome, traffic: Some(traffic), stage };
        guard.observe(&connection, &mut alerts);
    }
    alerts.into_iter().next().expect("it is told")
}

fn new(world: &World, alert: &Alert) -> NewAlert {
    let series = series(alert, Some("/nics/web1"));
    let Value::Object(seen) = document(alert, &About::default()) else { panic!("an object") };
    NewAlert {
        id: open_of(world, &series, alert.time_ms, "a"),
        series,
        host: "a".to_owned(),
        nic: Some("/nics/web1".to_owned()),
        machine: None,
        seen,
    }
}

/// Does what the planner would; how many were pushed out.
fn commit(world: &mut World, changes: Vec<RecordChange>) {
    for RecordChange { key, value, expect } in changes {
        let before = world.record(&key).cloned();
        match expect {
            Expect::Absent => assert_eq!(before, None),
            Expect::Equals(value) => assert_eq!(before, Some(value)),
            Expect::Any | Expect::Present => panic!("a plan holds for one world only"),
        }
        let after = value.map(Arc::new);
        world.apply(&Change::Record { key: key.into(), before: before.map(Arc::new), after });
    }
}

fn raised(world: &mut World, alert: &Alert) -> String {
    let one = new(world, alert);
    let (changes, _) = raise(world, std::slice::from_ref(&one));
    commit(world, changes);
    one.id
}

#[test]
fn while_an_alert_is_open_the_same_raises_its_count() {
    let mut world = World::default();
    let id = raised(&mut world, &guesses("203.0.113.9", 1_000_000));
    assert!(id.len() == 12 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    assert_eq!(raised(&mut world, &guesses("203.0.113.9", 1_009_000)), id);
    let kept = find(&world, &id).expect("it is kept");
    assert_eq!(
        (kept.state, kept.count, kept.text("name")),
        (AlertState::Open, 2, "RDP_Incoming_BF_OneToOne")
    );
    assert_eq!(kept.text("first"), moment(1_000_000_000));
    assert_eq!(kept.text("last"), moment(1_009_005_500));
    assert_eq!(kept.raised_at, moment(1_000_005_500));
    let other = raised(&mut world, &guesses("203.0.113.10", 1_000_000));
    assert_ne!(other, id);
    // One that comes late does not turn time back.
    raised(&mut world, &guesses("203.0.113.9", 900_000));
    let kept = find(&world, &id).expect("it is kept");
    assert_eq!((kept.count, kept.text("last")), (3, &*moment(1_009_005_500)));
    assert_eq!(kept.text("first"), moment(900_000_000));
    assert_eq!(all(&world).iter().map(|kept| &*kept.id).collect::<Vec<_>>(), [&*id, &*other]);
    assert_eq!(end(&kept.to_value()), Some(1_009_005 + 90 * 86_400));
}

#[test]
fn two_of_a_series_in_one_write_are_one_alert() {
    let mut world = World::default();
    let alerts = [1_000_000, 1_000_100].map(|second| new(&world, &guesses("203.0.113.9", second)));
    // The second was named before the first was written, as the server does it.
    let second = NewAlert { id: alerts[0].id.clone(), ..alerts[1].clone() };
    let (changes, _) = raise(&world, &[alerts[0].clone(), second]);
    commit(&mut world, changes);
    assert_eq!(all(&world).iter().map(|kept| kept.count).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_was_acknowledged_is_raised_anew() {
    let mut world = World::default();
    let id = raised(&mut world, &guesses("203.0.113.9", 1_000_000));
    let plan =
        acknowledge(&world, &id, "ann", Some("our scanner"), "2026-01-01T00:00:00Z").expect("it is there");
    commit(&mut world, plan.into_iter().collect());
    let kept = find(&world, &id).expect("it is kept");
    assert_eq!((kept.state, kept.acknowledged_by.as_deref()), (AlertState::Acknowledged, Some("ann")));
    assert_eq!(kept.note.as_deref(), Some("our scanner"));
    // Who was first has done it.
    assert_eq!(acknowledge(&world, &id, "bob", None, "2026-01-02T00:00:00Z").expect("it is there"), None);
    // Also if it goes on, so that it began when the other did.
    let alert = guesses("203.0.113.9", 1_000_000);
    let other = raised(&mut world, &Alert { time_ms: alert.time_ms + 1, ..alert });
    assert_ne!(other, id);
    assert_eq!(raised(&mut world, &guesses("203.0.113.9", 1_100_000)), other);
    assert_eq!(find(&world, &id).expect("it is kept").count, 1);
    let unknown = acknowledge(&world, "000000000000", "ann", None, "").expect_err("there is none");
    assert_eq!(unknown.code, "AlertNotFound");
    let long = acknowledge(&world, &id, "ann", Some(&"x".repeat(NOTE_MAX + 1)), "").expect_err("too long");
    assert_eq!(long.code, "InvalidNote");
}

#[test]
fn of_too_many_the_oldest_go_those_that_were_acknowledged_first() {
    let mut world = World::default();
    let template = guesses("203.0.113.9", 1_000_000);
    let numbered = |number: u64| NewAlert {
        id: format!("{number:012x}"),
        series: format!("{number:012x}"),
        seen: Map::from_iter([("last".to_owned(), Value::from(moment(number * 1_000)))]),
        ..new(&World::default(), &template)
    };
    let max = ALERTS_MAX as u64;
    for number in 0..max {
        let (changes, pushed) = raise(&world, &[numbered(number)]);
        assert_eq!(pushed, 0);
        commit(&mut world, changes);
    }
    for number in [5, 7] {
        let id = format!("{number:012x}");
        let plan = acknowledge(&world, &id, "ann", None, "2026-01-01T00:00:00Z").expect("it is there");
        commit(&mut world, plan.into_iter().collect());
    }
    let new: Vec<_> = (max..max + 4).map(numbered).collect();
    let (changes, pushed) = raise(&world, &new);
    commit(&mut world, changes);
    assert_eq!((pushed, all(&world).len()), (4, ALERTS_MAX));
    let gone = (0..max + 4).filter(|number| find(&world, &format!("{number:012x}")).is_none());
    assert_eq!(gone.collect::<Vec<_>>(), [0, 1, 5, 7]);
}
