//! Control planes that share an etcd: at once, one without the other, and while the member is killed, hangs or is full.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use etcd_client::{AlarmAction, AlarmOptions, AlarmType, CompactionOptions};
use palisade_control::{Control, LOST_ANSWER_MAX, Options};
use palisade_store::Store;
use palisade_store::etcd::REQUEST_TIMEOUT;
use serde_json::json;
use tokio::task::JoinSet;

use crate::member::{EtcdServer, POLL};
use crate::support::{assert_whole, everything, id, put, quarrel, rule, until};

const NSG: &str = "rg/net/networkSecurityGroups/nsg1";
/// Who writes while the member is killed.
const WRITERS: u32 = 8;
/// How often the member is killed.
const KILLS: u64 = 2;

async fn open(server: &EtcdServer) -> Control {
    let store: Arc<dyn Store> = Arc::new(server.open("control").await);
    Control::open(store, Options::default()).await.expect("it opens")
}

/// Shows the same as another, once it has heard of it.
async fn agrees(one: &Control, other: &Control) {
    until("the servers agree", || everything(one) == everything(other)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_at_once_break_nothing_and_one_goes_on_alone() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let (one, two) = (open(&server).await, open(&server).await);
    quarrel(&one, &two).await;
    agrees(&one, &two).await;
    agrees(&one, &open(&server).await).await;
    assert_whole(&one);
    // Whatever one has acknowledged is there at the other for whoever asks next.
    for at in 0..50 {
        let (writes, reads) = if at % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let path = format!("rg/net/networkSecurityGroups/at{at}");
        put(writes, &path, json!({"location": "westeurope"})).await.expect("it is written");
        reads.current().await.expect("the member answers");
        assert!(reads.read(|world| world.document(&id(&path)).is_some()), "{path} is not there yet");
    }
    // One dies in the middle of its work.
    let dying = tokio::spawn(async move {
        for at in 0.. {
            let _ = put(&one, NSG, json!({"location": "westeurope", "tags": {"at": at.to_string()}})).await;
        }
    });
    let stirs = two.read(palisade_control::World::revision);
    until("the first is at work", || two.read(palisade_control::World::revision).0 > stirs.0 + 3).await;
    dying.abort();
    let _ = dying.await;
    for at in 0..10 {
        put(&two, &format!("{NSG}/securityRules/r{at}"), rule(100 + at, 80)).await.expect("it goes on");
    }
    agrees(&two, &open(&server).await).await;
    assert_whole(&two);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_killed_costs_time_and_nothing_else() {
    let Some(mut server) = EtcdServer::start(&[]).await else { return };
    let control = open(&server).await;
    put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
    put(&control, NSG, json!({"location": "westeurope"})).await.expect("an NSG");
    let over = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (control, over) = (control.clone(), over.clone());
        writers.spawn(async move { write_until(&control, writer, &over).await });
    }
    let mut refused = false;
    for _ in 0..KILLS {
        let before = control.read(palisade_control::World::revision);
        until("writers are at work", || control.read(palisade_control::World::revision).0 > before.0 + 5)
            .await;
        server.kill();
        let error = loop {
            match put(&control, NSG, json!({"location": "westeurope", "tags": {"a": "b"}})).await {
                Err(error) => break error,
                Ok(_) => tokio::time::sleep(POLL).await,
            }
        };
        assert_eq!((error.status, &*error.code), (503, "StoreUnavailable"), "{error}");
        assert!(control.read(|world| world.render(&id(NSG))).is_some(), "what is known is still there");
        let error = control.current().await.expect_err("nobody can say that it is the newest");
        assert_eq!((error.status, &*error.code), (503, "StoreUnavailable"), "{error}");
        refused |= control.health().problem.is_some();
        server.start_again();
        // Without anybody's doing it serves again.
        until("the store is found again", || control.health().problem.is_none()).await;
    }
    assert!(refused, "a member that is away is told");
    over.store(true, Ordering::Relaxed);
    let acknowledged: BTreeSet<String> = writers.join_all().await.into_iter().flatten().collect();
    let read = open(&server).await;
    agrees(&control, &read).await;
    assert_whole(&read);
    for path in &acknowledged {
        assert!(
            read.read(|world| world.document(&id(path)).is_some()),
            "{path} was acknowledged and is lost"
        );
    }
    assert!(acknowledged.len() > 50, "too little was written to prove anything: {}", acknowledged.len());
}

/// Writes rule after rule; those that were acknowledged.
async fn write_until(control: &Control, writer: u32, over: &AtomicBool) -> Vec<String> {
    let nsg = format!("rg/net/networkSecurityGroups/w{writer}");
    let (mut written, mut number) = (Vec::new(), 0);
    while !over.load(Ordering::Relaxed) {
        let path = match number {
            0 => nsg.clone(),
            _ => format!("{nsg}/securityRules/r{}", number % 900),
        };
        let body = match number {
            0 => json!({"location": "westeurope"}),
            _ => rule(100 + number % 900, number),
        };
        match put(control, &path, body).await {
            Ok(_) => {
                written.push(path);
                number += 1;
            }
            Err(error) => {
                assert_eq!(error.status, 503, "{error}");
                tokio::time::sleep(POLL).await;
            }
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_hangs_is_told_in_time_and_reads_go_on() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let control = open(&server).await;
    put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
    put(&control, NSG, json!({"location": "westeurope"})).await.expect("an NSG");
    server.stop().await;
    let asked = Instant::now();
    let rule_of = |at: u32| format!("{NSG}/securityRules/r{at}");
    let pending = tokio::spawn({
        let (control, path) = (control.clone(), rule_of(0));
        async move { put(&control, &path, rule(100, 80)).await }
    });
    while !pending.is_finished() {
        let read = Instant::now();
        assert!(control.read(|world| world.render(&id(NSG))).is_some());
        assert!(read.elapsed() < Duration::from_secs(1), "a reader waits for the store");
        tokio::time::sleep(POLL).await;
    }
    let error = pending.await.expect("no panic").expect_err("nobody answers");
    assert_eq!((error.status, &*error.code), (503, "StoreUnavailable"), "{error}");
    let slack = Duration::from_secs(5);
    assert!(asked.elapsed() < LOST_ANSWER_MAX + REQUEST_TIMEOUT + slack, "{:?}", asked.elapsed());
    assert!(control.health().problem.is_some());
    server.signal("CONT");
    until("the store is found again", || control.health().problem.is_none()).await;
    // What was not acknowledged may be there or not; all agree about it.
    put(&control, &rule_of(1), rule(101, 80)).await.expect("it serves again");
    agrees(&control, &open(&server).await).await;
    assert!(control.read(|world| world.document(&id(&rule_of(1))).is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_full_is_told_and_serves_again() {
    let Some(server) = EtcdServer::start(&["--quota-backend-bytes", "16777216"]).await else { return };
    let control = open(&server).await;
    put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
    let filler = "x".repeat(400_000);
    let mut at = 0;
    let error = loop {
        let body = json!({"location": "westeurope", "properties": {"note": format!("{filler}{at}")}});
        match put(&control, NSG, body).await {
            Ok(_) => at += 1,
            Err(error) => break error,
        }
        assert!(at < 100, "the quota does not count");
    };
    assert_eq!((error.status, &*error.code), (507, "StoreFull"), "{error}");
    let shown = everything(&control);
    let again = put(&control, &format!("{NSG}/securityRules/a"), rule(100, 80)).await.expect_err("no room");
    assert_eq!(again.status, 507, "{again}");
    assert_eq!(everything(&control), shown, "what was refused is not shown");
    // What an administrator does.
    let mut client = etcd_client::Client::connect(server.url("").endpoints, None).await.expect("it answers");
    let newest = server.open("control").await.status().await.expect("it answers").revision;
    let physical = CompactionOptions::new().with_physical();
    client.compact(newest.0.cast_signed(), Some(physical)).await.expect("it compacts");
    client.defragment().await.expect("it defragments");
    let raised = client.alarm(AlarmAction::Get, AlarmType::None, None).await.expect("alarms");
    let mut options = AlarmOptions::new();
    options.with_member(raised.alarms()[0].member_id());
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(options)).await.expect("it is disarmed");
    put(&control, &format!("{NSG}/securityRules/a"), rule(100, 80)).await.expect("there is room again");
    assert!(control.health().problem.is_none());
    agrees(&control, &open(&server).await).await;
}
