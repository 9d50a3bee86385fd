//! Operations follow the reports of hosts, and end once.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::fleet::NicStatus;

const SECOND: Duration = Duration::from_secs(1);

fn board(timeout: Duration) -> Board {
    Board::new(Arc::new(|| SystemTime::UNIX_EPOCH + SECOND), timeout)
}

fn host(name: &str) -> HostName {
    name.parse().expect("a name")
}

fn hosts(names: &[&str]) -> BTreeSet<HostName> {
    names.iter().map(|name| host(name)).collect()
}

fn applied(revision: u64) -> HostReport {
    HostReport { applied: revision, seen: revision, ..HostReport::default() }
}

#[test]
fn it_succeeds_when_the_last_host_confirms_it_or_a_later_one() {
    let board = board(SECOND * 60);
    board.track("op", None, Revision(7), hosts(&["a", "b"]));
    board.report(&host("a"), applied(7));
    board.report(&host("b"), applied(6));
    assert_eq!(board.operation("op"), Some(OperationState::InProgress));
    board.report(&host("b"), applied(9));
    assert_eq!(board.operation("op"), Some(OperationState::Succeeded));
    assert_eq!(board.operation("other"), None);
}

#[test]
fn a_host_that_was_faster_than_the_operation_counts() {
    let board = board(SECOND * 60);
    board.report(&host("a"), applied(7));
    board.track("op", None, Revision(7), hosts(&["a"]));
    assert_eq!(board.operation("op"), Some(OperationState::Succeeded));
    board.track("none", None, Revision(8), BTreeSet::new());
    assert_eq!(board.operation("none"), Some(OperationState::Succeeded));
}

#[test]
fn a_refusal_fails_at_once_and_for_good() {
    let board = board(SECOND * 60);
    board.track("op", None, Revision(7), hosts(&["a", "b"]));
    let refused = HostReport { seen: 7, applied: 6, error: "rule list too long".into(), ..applied(7) };
    board.report(&host("a"), HostReport { applied: 6, ..refused });
    let failed = OperationState::Failed {
        code: "PolicyRefused".into(),
        message: "host a refused generation 7: rule list too long".into(),
    };
    assert_eq!(board.operation("op"), Some(failed.clone()));
    board.report(&host("a"), applied(8));
    board.report(&host("b"), applied(8));
    assert_eq!(board.operation("op"), Some(failed));
}

#[test]
fn a_resource_is_in_force_when_its_hosts_say_so_whatever_became_of_the_operation() {
    let board = board(Duration::ZERO);
    let nsg = ResourceId::new("/nsg");
    assert_eq!(board.in_force(&nsg), InForce::Yes, "nobody had to do anything");
    board.track("op", Some(nsg.clone()), Revision(7), hosts(&["a", "b"]));
    board.report(&host("a"), applied(7));
    assert_eq!(board.in_force(&nsg), InForce::No, "it was not confirmed in time");
    board.report(&host("b"), applied(8));
    assert_eq!(board.in_force(&nsg), InForce::Yes, "it is now");
    assert!(matches!(board.operation("op"), Some(OperationState::Failed { .. })));
    let board = self::board(SECOND * 60);
    board.track("op", Some(nsg.clone()), Revision(7), hosts(&["a"]));
    assert_eq!(board.in_force(&nsg), InForce::NotYet);
}

#[test]
fn a_nic_that_is_there_and_not_enforced_is_a_refusal_and_one_that_is_absent_is_not() {
    let board = board(SECOND * 60);
    let nic = |interface: &str| NicStatus {
        id: "/nic".into(),
        interface: interface.into(),
        error: "not enforced".into(),
        policy: String::new(),
    };
    board.track("op", None, Revision(7), hosts(&["a"]));
    board.report(&host("a"), HostReport { nics: vec![nic("")], ..applied(7) });
    assert_eq!(board.operation("op"), Some(OperationState::Succeeded));
    board.track("op", None, Revision(8), hosts(&["a"]));
    board.report(&host("a"), HostReport { nics: vec![nic("tap0")], ..applied(8) });
    let message = "host a refused generation 8: /nic at tap0: not enforced".to_owned();
    assert_eq!(board.operation("op"), Some(OperationState::Failed { code: "PolicyRefused".into(), message }));
}

#[tokio::test]
async fn silence_fails_after_the_timeout_and_names_the_hosts() {
    let board = board(Duration::ZERO);
    board.connected(&host("b"), "1", "10.0.0.1");
    board.track("op", None, Revision(42), hosts(&["a", "b", "c"]));
    board.report(&host("a"), applied(42));
    let message =
        "2 of 3 hosts did not confirm generation 42: b (last seen 1970-01-01T00:00:01Z), c (never seen)";
    let failed = OperationState::Failed { code: "AgentsUnreachable".into(), message: message.into() };
    assert_eq!(board.wait("op", Instant::now() + SECOND).await, Some(failed));
}

#[tokio::test]
async fn waiting_ends_with_the_report_and_not_before() {
    let board = Arc::new(board(SECOND * 60));
    board.track("op", None, Revision(3), hosts(&["a"]));
    assert_eq!(board.wait("op", Instant::now()).await, Some(OperationState::InProgress));
    let waiting = tokio::spawn({
        let board = Arc::clone(&board);
        async move { board.wait("op", Instant::now() + SECOND * 60).await }
    });
    board.report(&host("a"), applied(3));
    assert_eq!(waiting.await.expect("no panic"), Some(OperationState::Succeeded));
}

#[test]
fn a_host_that_leaves_the_fleet_is_waited_for_no_more() {
    let board = board(SECOND * 60);
    board.track("op", None, Revision(3), hosts(&["a", "b"]));
    board.report(&host("a"), applied(3));
    board.forget(&host("b"));
    assert_eq!(board.operation("op"), Some(OperationState::Succeeded));
}

#[test]
fn operations_beyond_the_limit_are_forgotten_with_the_oldest() {
    let board = board(SECOND * 60);
    for number in 0..=OPERATIONS_MAX {
        board.track(number.to_string(), None, Revision(1), hosts(&["a"]));
    }
    assert_eq!(board.operation("0"), None);
    assert_eq!(board.operation("1"), Some(OperationState::InProgress));
}

#[tokio::test]
async fn what_changed_is_told_once_and_together() {
    let board = board(SECOND);
    board.connected(&host("a"), "1", "10.0.0.1");
    board.report(&host("a"), applied(3));
    board.mirror(&host("b"), Some(Standing::default()));
    let changed = board.changed().await;
    assert_eq!(changed.len(), 1, "a mirrored host is not this server's to tell");
    assert_eq!(changed[0].1.report, Some(applied(3)));
    board.lost(&host("a"));
    assert_eq!(board.changed().await[0].1.connected, None);
}

#[test]
fn a_host_that_another_server_never_took_leave_of_is_not_connected_for_ever() {
    let standing = |seen| Standing { connected: Some(1), seen: Some(seen), ..Standing::default() };
    let later = SILENCE_MAX + SECOND * 2;
    let board = Board::new(Arc::new(move || SystemTime::UNIX_EPOCH + later), SECOND);
    board.mirror(&host("a"), Some(standing(1)));
    board.mirror(&host("b"), Some(standing(2)));
    let is_connected =
        |name| board.standing(&host(name)).is_some_and(|standing| standing.connected.is_some());
    assert_eq!((is_connected("a"), is_connected("b")), (false, true));
}
