//! A machine that calls home, as the live detectors see it: records of a real agent's connection, whose times are those of hours past.
//!
//! The detector tells of nobody before an hour of calls, so that nobody waits for it here: records of three hours come in a moment.

use palisade_abi::flow::{Direction, FlowState};
use palisade_agent::events::{Kind, Record};
use palisade_net::packet::TcpFlags;
use palisade_server::FlowsTo;
use serde_json::{Value, json};

use crate::{
    alerts::{PATIENCE, begin, book, end, machine, until},
    records::{Host, Place, begun, now_ms},
};

const CONTROLLER: &str = "203.0.113.66";
/// Calls, and how far they are apart: a minute, sometimes up to nine seconds more.
const CALLS: u64 = 180;
const EVERY_MS: u64 = 60_000;
const JITTER_MS: u64 = 9_000;

fn called_at(number: u64) -> u64 {
    now_ms() - (CALLS - number) * EVERY_MS + number * 7_919 % JITTER_MS - JITTER_MS
}

/// A call to a port, which is answered or refused.
fn call(number: u64, to: u16, is_answered: bool) -> Record {
    let time_ms = called_at(number);
    let (packets, bytes, flags) = match is_answered {
        true => ([6, 5], [700 + number % 3, 400], [0x1b, 0x1b]),
        false => ([1, 1], [60, 40], [0x02, 0x14]),
    };
    let own = 40_000 + u16::try_from(number).unwrap();
    Record {
        kind: Kind::End,
        time_ms: time_ms + 200,
        local: ("10.0.0.4".parse().unwrap(), own),
        remote: (CONTROLLER.parse().unwrap(), to),
        direction: Direction::Outbound,
        state: Some(if is_answered { FlowState::Established } else { FlowState::Closed }),
        began_ms: Some(time_ms),
        packets,
        bytes,
        tcp_flags: Some(flags.map(TcpFlags)),
        ..begun(own)
    }
}

async fn calls(host: &mut Host, nic: &str, to: u16, is_answered: bool) {
    (0..CALLS).for_each(|number| host.recorder.add(&call(number, to, is_answered), &book(nic)));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    host.recorder.keep_time();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_home_is_told_of_and_parted_from_it_by_policy() {
    let place = Place::new();
    let (server, mut host, client) = begin(&place, |options| options.flows = FlowsTo::Watched).await;
    let (nic, vm) = machine(&client, &server.app().site.subscription).await;
    let group = vm.split("/providers/").next().unwrap().to_owned();
    let policy =
        json!({"properties": {"rules": [{"alerts": ["Network_CommunicationWithC2"], "step": "block"}]}});
    client
        .put(&format!("{group}/providers/Palisade.Network/answerPolicies/default"), policy)
        .await
        .expect(201);

    calls(&mut host, &nic, 443, true).await;
    let named = |name: &'static str| move |found: &[Value]| found.iter().any(|alert| alert["name"] == name);
    let found = until(&client, "", named("Network_CommunicationWithC2")).await;
    let alert = &found[0];
    assert_eq!(
        [&alert["subject"], &alert["victims"], &alert["port"], &alert["kind"], &alert["machine"]],
        [&json!("10.0.0.4"), &json!([CONTROLLER]), &json!(443), &json!("beacon"), &json!(vm)],
        "{alert:#}"
    );
    let lockouts = format!("{group}/providers/Palisade.Network/lockouts");
    let begun = std::time::Instant::now();
    let block = loop {
        let listed = client.get(&lockouts).await.expect(200).body;
        if let Some(block) = listed["value"].get(0) {
            break block["properties"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "the alert is not answered");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!((&block["source"], &block["target"]["id"]), (&json!(CONTROLLER), &json!(vm)), "{block:#}");
    assert_eq!(block["alert"]["name"], "Network_CommunicationWithC2");
    end(server, host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_a_home_that_is_gone_is_told_of_too() {
    let place = Place::new();
    let (server, mut host, client) = begin(&place, |options| options.flows = FlowsTo::Watched).await;
    let (nic, _) = machine(&client, &server.app().site.subscription).await;
    calls(&mut host, &nic, 8_443, false).await;
    let found = until(&client, "?kind=beacon", |found| !found.is_empty()).await;
    assert_eq!((&found[0]["name"], &found[0]["port"]), (&json!("Network_RefusedBeacon"), &json!(8_443)));
    end(server, host).await;
}
