//! Flows that are alike, and what parts them.

use std::sync::Arc;

use palisade_control::{
    alerts::moment,
    audit::{Body, Event, Who},
};
use palisade_flowstore::{Kind, Labels, Record};
use palisade_guard::Fold;
use palisade_model::FlowTraffic;
use palisade_net::{Direction, Protocol};
use serde_json::{Value, json};

use super::{flows::Flows, *};

/// A denied attempt from an address to a port at a second.
fn denied(second: u64, last: u8, port: u16) -> Record {
    let labels =
        Labels { reason: Some("SubnetDeny".to_owned()), nsg: Some("web".to_owned()), ..Labels::default() };
    Record {
        time_ms: second * 1_000,
        kind: Kind::Deny,
        began_ms: None,
        last_ms: None,
        direction: Direction::Inbound,
        protocol: Protocol::TCP,
        local: ([10, 0, 0, 4].into(), port),
        remote: ([203, 0, 113, last].into(), 50_000),
        icmp_type: None,
        icmp_code: None,
        since: Some(FlowTraffic::default()),
        total: None,
        tcp_flags: [None, None],
        generation: None,
        audited: None,
        midstream: None,
        place: None,
        tuple: None,
        labels: Arc::new(labels),
    }
}

/// The items of records, with the times of what else happened: time in seconds, count, remotes, ports.
fn items(records: &[Record], breaks: &[u64]) -> Vec<(u64, u64, u64, u64)> {
    let mut flows = Flows::with_breaks(breaks.iter().map(|second| second * 1_000).collect());
    let mut fold = Fold::new();
    records.iter().for_each(|record| flows.take(&mut fold, record));
    let (items, is_cut_off) = ordered(flows.items());
    assert!(!is_cut_off);
    let number = |item: &Item, field: &str| item.more[field].as_u64().expect("a number");
    items
        .iter()
        .map(|item| {
            (
                item.at_ms / 1_000,
                number(item, "count"),
                number(item, "remoteCount"),
                number(item, "portCount"),
            )
        })
        .collect()
}

#[test]
fn what_is_alike_is_one_item_until_something_else_happens() {
    let tries: Vec<Record> = (0..1_000).map(|second| denied(10_000 + second, 9, 22)).collect();
    assert_eq!(items(&tries, &[]), [(10_000, 1_000, 1, 1)]);
    assert_eq!(items(&tries, &[10_400]), [(10_000, 400, 1, 1), (10_400, 600, 1, 1)]);
    let pause = [denied(1_000, 9, 22), denied(1_600, 9, 22), denied(2_201, 9, 22)];
    assert_eq!(items(&pause, &[]), [(1_000, 2, 1, 1), (2_201, 1, 1, 1)]);
    let two = [denied(1_000, 9, 22), denied(1_001, 8, 22), denied(1_002, 9, 3_389)];
    assert_eq!(items(&two, &[]).len(), 3);
}

#[test]
fn many_ports_of_one_address_and_many_addresses_of_one_port_are_one_item() {
    let vertical: Vec<Record> = (0..200).map(|port| denied(1_000 + u64::from(port), 9, 1 + port)).collect();
    assert_eq!(items(&vertical, &[]), [(1_000, 200, 1, 200)]);
    let crowd: Vec<Record> = (1..=100).map(|last| denied(1_000 + u64::from(last), last, 22)).collect();
    assert_eq!(items(&crowd, &[]), [(1_001, 100, 100, 1)]);
    assert_eq!(items(&vertical, &[1_100]), [(1_000, 100, 1, 100), (1_100, 100, 1, 100)]);
}

#[test]
fn a_flow_that_was_cut_is_told_of_at_that_moment() {
    let labels = |reason: &str| Arc::new(Labels { reason: Some(reason.to_owned()), ..Labels::default() });
    let begin = Record {
        kind: Kind::Begin,
        began_ms: Some(1_000_000),
        labels: labels("Allowed"),
        ..denied(1_000, 9, 22)
    };
    let cut = Record { kind: Kind::Cut, labels: labels("PolicyCut"), time_ms: 1_090_000, ..begin.clone() };
    let mut flows = Flows::with_breaks(Vec::new());
    let mut fold = Fold::new();
    [begin, cut].iter().for_each(|record| flows.take(&mut fold, record));
    let [item] = &flows.items()[..] else { panic!("one item") };
    assert_eq!((item.at_ms, &item.more["fate"]), (1_090_000, &json!("cut")));
}

#[test]
fn the_audit_log_tells_what_kind_of_thing_it_was() {
    let told = |verb: &str, target: &str, after: Value| {
        let event = Event {
            time: "2026-01-31T08:00:00Z".to_owned(),
            caller: Who { oid: "1".to_owned(), name: "ann".to_owned() },
            address: "192.0.2.1".to_owned(),
            correlation: String::new(),
            verb: verb.to_owned(),
            target: target.to_owned(),
            before: None,
            after: Some(Body::of(target, &after)),
            outcome: "Created".to_owned(),
            broken: Vec::new(),
            reason: None,
        };
        of_entry(&event).map(|item| (item.what, item.summary))
    };
    let policy = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Security/locations/w/jitNetworkAccessPolicies/p";
    let asked = told("initiate", policy, json!({ "justification": "update" })).expect("an item");
    assert_eq!(
        asked,
        (What::Grant, "ann did initiate jitNetworkAccessPolicies/p (Created): update".to_owned())
    );
    assert_eq!(told("put", policy, json!({})).expect("an item").0, What::Policy);
    let lockout = "/subscriptions/s/resourceGroups/g/providers/Palisade.Network/lockouts/l";
    assert_eq!(told("put", lockout, json!({})).expect("an item").0, What::Answer);
    let rules = "/subscriptions/s/resourceGroups/g/providers/Palisade.Network/answerPolicies/p";
    assert_eq!(told("put", rules, json!({})).expect("an item").0, What::Policy);
    assert_eq!(told("withhold", rules, json!({})).expect("an item").0, What::Answer);
    let ack = told("acknowledge alert", "alert/0123456789ab", json!({ "note": "ours" })).expect("an item");
    assert_eq!(
        ack,
        (What::Acknowledgement, "ann did acknowledge alert alert/0123456789ab (Created): ours".to_owned())
    );
    assert_eq!(told("raise alert", "alert/0123456789ab", json!({})), None);
    assert_eq!(moment(1_769_846_400_000), "2026-01-31T08:00:00.000Z");
}
