//! What the kernel tells, with names.

use palisade_abi::event::EventKind;
use palisade_abi::flow::{Direction, FlowState};
use palisade_abi::verdict::Reason;
use palisade_datapath::{Ending, Event as Told, FlowEntry, FlowId, FlowRecord, Report};

use super::*;
use crate::events::{Moment, NameBook, Record, line};

const MOMENT: Moment = Moment { tick: 5_000, ticks_per_second: 1000, wall_ms: 1_800_000_000_000 };

fn id() -> FlowId {
    FlowId {
        slot: 1,
        protocol: 6,
        query: None,
        local: ("10.0.0.4".parse().unwrap(), 80),
        remote: ("198.51.100.7".parse().unwrap(), 50_000),
    }
}

fn told(kind: EventKind, reason: Reason) -> Told {
    Told {
        kind,
        reason,
        flow: id(),
        direction: Direction::Inbound,
        state: FlowState::SynSent,
        rules: [None, Some(0), None],
        audited: false,
        midstream: false,
        generation: 1,
        tick: 4_000,
        created: if kind == EventKind::Deny { 0 } else { 3_000 },
        packets: [7, 0],
        bytes: [420, 0],
        tcp_flags: [0x02, 0],
        ended_by_time: kind == EventKind::Cut,
    }
}

fn found(ending: Option<Ending>) -> FlowRecord {
    FlowRecord {
        ending,
        flow: FlowEntry {
            id: id(),
            direction: Direction::Inbound,
            state: FlowState::Established,
            rules: [None, Some(0), None],
            audited: false,
            foreign: false,
            midstream: true,
            generation: 1,
            packets: [7, 5],
            bytes: [420, 300],
            tcp_flags: [0x1a, 0x12],
            end_told: false,
            ended_by_time: false,
            created: 2_000,
            last_seen: 4_500,
            timeout: 240,
            until: None,
        },
    }
}

fn host() -> Host {
    let mut host = Host::new(&estate(&["a"], "80"));
    host.show(&[Link::tap(7, "a")]);
    host
}

fn json(record: &Record, book: &NameBook) -> serde_json::Value {
    serde_json::from_str(&line::of(record, book)).unwrap()
}

/// What is handed on, as JSON.
fn lines(host: &mut Host) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    host.agent.tell(&MOMENT, &mut |record, book| lines.push(json(record, book)));
    lines
}

#[test]
fn the_kernel_tells_only_while_somebody_listens() {
    let mut host = host();
    assert_eq!(host.agent.plane().event_kinds(), []);
    host.agent.plane.tell(told(EventKind::Begin, Reason::Allowed));
    host.agent.listen(true);
    assert_eq!(host.agent.plane().event_kinds(), EventKind::ALL);
    host.agent.plane.tell(told(EventKind::Begin, Reason::Allowed));
    assert_eq!(lines(&mut host).len(), 1);
    host.agent.plane.tell(told(EventKind::Begin, Reason::Allowed));
    host.agent.listen(false);
    host.agent.listen(true);
    assert_eq!(lines(&mut host).len(), 0, "what was left unread is about another time");
}

#[test]
fn every_kind_has_its_word_and_its_times() {
    let mut host = host();
    host.agent.listen(true);
    for kind in EventKind::ALL {
        host.agent.plane.tell(told(*kind, Reason::SubnetDeny));
    }
    let lines = lines(&mut host);
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["begin", "end", "deny", "cut", "wouldDeny", "limit", "continue"]);
    let (begin, deny) = (&lines[0], &lines[2]);
    assert_eq!((&begin["nic"], &begin["interface"]), (&"a".into(), &"tap7".into()));
    assert_eq!(begin["rules"][0]["rule"], "securityRules/allow");
    assert_eq!(begin["timeMs"], 1_799_999_999_000_u64);
    assert_eq!((&begin["beganMs"], &begin["state"]), (&1_799_999_998_000_u64.into(), &"SynSent".into()));
    assert!(deny["beganMs"].is_null() && deny["state"].is_null(), "what was denied never began");
    assert_eq!((&deny["reason"], &deny["packetsToDestination"]), (&"SubnetDeny".into(), &7.into()));
    assert_eq!((&deny["layer"], &deny["tcpFlagsToDestination"]), (&"Subnet".into(), &"S".into()));
    assert_eq!((&lines[3]["cause"], &begin["cause"]), (&"time".into(), &serde_json::Value::Null));
    let half_closed = &lines[6];
    assert!(
        half_closed["reason"].is_null() && half_closed["lastMs"] == half_closed["timeMs"],
        "{half_closed}"
    );
}

#[test]
fn the_sweep_tells_of_ends_and_of_what_goes_on() {
    let mut host = host();
    let mut swept = |report| {
        let endings = [Some(Ending::Over), None, Some(Ending::NicLeft), Some(Ending::Cleared)];
        endings.into_iter().for_each(|ending| host.agent.plane.leave_to_sweep(found(ending)));
        let mut lines: Vec<serde_json::Value> = Vec::new();
        host.agent.sweep_and_tell(report, &MOMENT, &mut |found, book| lines.push(json(found, book))).unwrap();
        lines
    };
    let lines = swept(Report::EndsAndContinuations);
    let told: Vec<_> = lines.iter().map(|line| (&line["kind"], &line["reason"])).collect();
    let null = serde_json::Value::Null;
    let (end, goes_on) = ("end".into(), "continue".into());
    let reasons = ["TimedOut".into(), "NicLeft".into(), "Cleared".into()];
    assert_eq!(told, [(&end, &reasons[0]), (&goes_on, &null), (&end, &reasons[1]), (&end, &reasons[2])]);
    assert_eq!(lines[0]["bytesToSource"], 300);
    assert_eq!((&lines[0]["midstream"], &lines[0]["beganMs"]), (&true.into(), &1_799_999_997_000_u64.into()));
    assert_eq!((&lines[0]["lastMs"], &lines[0]["layer"]), (&1_799_999_999_500_u64.into(), &"Subnet".into()));
    let flags = (&lines[0]["tcpFlagsToDestination"], &lines[0]["tcpFlagsToSource"]);
    assert_eq!(flags, (&"SPA".into(), &"SA".into()));
    assert_eq!(swept(Report::Ends).len(), 3);
}
