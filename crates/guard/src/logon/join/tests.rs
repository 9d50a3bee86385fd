//! Which address a logon without one gets, and when none.

use proptest::prelude::*;

use super::*;
use crate::{
    Stage,
    testing::{counted, host, tcp},
};

fn failed(time_ms: u64, account: Option<&str>, source: Option<IpAddr>) -> GuestEvent {
    let (service, outcome) = (Service::Rdp, LogonOutcome::Failed);
    let what = GuestTold::Logon { service, account: account.map(str::to_owned), source, outcome };
    GuestEvent { time_ms, machine: "web1".to_owned(), what }
}

fn knock(time_ms: u64, source: IpAddr) -> GuestEvent {
    let what = GuestTold::Knock { service: Service::Rdp, source };
    GuestEvent { time_ms, machine: "web1".to_owned(), what }
}

/// A short connection to remote desktop.
fn flow(second: u64, source: IpAddr) -> Connection {
    counted(tcp(second, source, host(1), 3389, Outcome::Answered), (9, 1_800), (9, 2_200))
}

fn sources(joined: &Joined) -> Vec<Option<(IpAddr, Trace)>> {
    joined.logons.iter().map(|logon| logon.source).collect()
}

#[test]
fn both_halves_of_an_attempt_are_one() {
    let who = host(70_000);
    let events = vec![failed(10_400, Some("admin"), None), failed(10_100, None, Some(who))];
    let joined = join(events, &[]);
    assert_eq!(sources(&joined), [Some((who, Trace::Event))]);
    assert_eq!(joined.logons[0].account.as_deref(), Some("admin"));
    assert_eq!((joined.by_event, joined.ambiguous, joined.unknown), (1, 0, 0));
    // Two attempts in one second have two halves each.
    let one = |n: u64| [failed(n, Some("admin"), None), failed(n + 5, None, Some(who))];
    let twice = join([one(100), one(200)].concat(), &[]);
    assert_eq!(sources(&twice), [Some((who, Trace::Event)); 2]);
}

#[test]
fn whoever_knocked_is_taken_unless_somebody_else_did() {
    let (who, other) = (host(70_000), host(70_001));
    let lonely = join(vec![knock(9_800, who), failed(10_000, Some("admin"), None)], &[]);
    assert_eq!(sources(&lonely), [Some((who, Trace::Event))]);
    let both = vec![knock(9_800, who), knock(9_900, other), failed(10_000, Some("admin"), None)];
    let joined = join(both, &[flow(10, who)]);
    assert_eq!((sources(&joined), joined.ambiguous), (vec![None], 1), "not even a flow decides");
    let elsewhere = GuestEvent { machine: "web2".to_owned(), ..knock(9_900, other) };
    let apart = join(vec![knock(9_800, who), elsewhere, failed(10_000, Some("admin"), None)], &[]);
    let named = apart.logons.iter().find(|logon| logon.account.is_some()).expect("it is there");
    assert_eq!(named.source, Some((who, Trace::Event)));
}

#[test]
fn the_only_flow_of_the_second_is_taken() {
    let (who, other) = (host(70_000), host(70_001));
    let event = || vec![failed(10_500, Some("admin"), None)];
    assert_eq!(sources(&join(event(), &[flow(10, who)])), [Some((who, Trace::Flow))]);
    let late = [flow(20, other)];
    assert_eq!(join(event(), &late).unknown, 1);
    let crowd = join(event(), &[flow(10, who), flow(10, other)]);
    assert_eq!((sources(&crowd), crowd.ambiguous), (vec![None], 1));
    // Somebody who has been in for long does not log on now.
    let session = Connection { start_ms: 0, end_ms: 9_000_000, stage: Stage::Over, ..flow(0, other) };
    let among = [flow(5_000, who), session];
    let joined = join(vec![failed(5_000_500, Some("admin"), None)], &among);
    assert_eq!(sources(&joined), [Some((who, Trace::Flow))]);
    let ssh = tcp(10, who, host(1), 22, Outcome::Answered);
    assert_eq!(join(event(), &[ssh]).unknown, 1, "another service");
}

#[test]
fn knocks_count_where_nothing_else_is_told() {
    let knocks = join((0..3).map(|n| knock(n, host(70_000))).collect(), &[]);
    assert!(knocks.logons.iter().all(|logon| logon.outcome == LogonOutcome::Untold));
    assert_eq!(knocks.logons.len(), 3);
}

proptest! {
    /// No logon is lost, and none gets an address that nobody had in its second.
    #[test]
    fn addresses_are_of_the_second(
        logons in prop::collection::vec((0..20_000_u64, 0..3_u32), 1..40),
        others in prop::collection::vec((0..20_000_u64, 0..3_u32, 0..3_usize), 0..40),
    ) {
        let mut events: Vec<GuestEvent> =
            logons.iter().map(|(time_ms, n)| failed(*time_ms, Some(["a", "b", "c"][*n as usize]), None)).collect();
        let mut flows = Vec::new();
        for (time_ms, n, kind) in &others {
            let who = host(70_000 + n);
            match kind {
                0 => events.push(knock(*time_ms, who)),
                1 => events.push(failed(*time_ms, None, Some(who))),
                _ => flows.push(flow(time_ms / 1_000, who)),
            }
        }
        flows.sort_by_key(|flow| flow.end_ms);
        let joined = join(events, &flows);
        let named: Vec<&Logon> = joined.logons.iter().filter(|logon| logon.account.is_some()).collect();
        prop_assert_eq!(named.len(), logons.len());
        prop_assert_eq!(joined.by_event + joined.by_flow + joined.ambiguous + joined.unknown, logons.len() as u64);
        for logon in named {
            if let Some((address, _)) = logon.source {
                let near = |(time_ms, n, _): &(u64, u32, usize)| {
                    host(70_000 + n) == address && time_ms.abs_diff(logon.time_ms) <= 3_000
                };
                prop_assert!(others.iter().any(near), "{logon:?}");
            }
        }
    }
}
