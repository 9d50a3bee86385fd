//! One server forgets for all what has ended; if it goes, another does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use palisade_control::{Action, Caller, Expect, RecordChange};
use palisade_server::{Event, Events, Housekeeping, Running, StoreSource};
use palisade_store::{Revision, Sqlite, Store, StoreError};
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use crate::{client::Site, member::EtcdServer};

/// Far longer than anything takes: reaching it is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// House is kept all the time.
const RHYTHM: Housekeeping = Housekeeping {
    lease: Duration::from_secs(2),
    every: Duration::from_millis(50),
    keep: Duration::from_millis(200),
    keep_commits: 100_000,
};
/// A GUID that nobody has.
const NOBODY: &str = "11111111-2222-3333-4444-555555555555";

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server that counts how often it began to keep house.
async fn site(store: &Arc<dyn Store>) -> (Site, Arc<AtomicUsize>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let site = Site::with(|options| {
        options.store = StoreSource::Open(store.clone());
        options.housekeeping = RHYTHM;
        options.events = Events::to(move |event| {
            count.fetch_add(usize::from(event == Event::HousekeepingBegun), Ordering::SeqCst);
        });
    })
    .await;
    (site, begun)
}

async fn write(server: &Running, key: &str, value: Value) {
    let change = RecordChange { key: key.to_owned(), value: Some(value), expect: Expect::Absent };
    let action = Action::Records { changes: vec![change], verb: "test" };
    server.app().control.act(&Caller::default(), action).await.unwrap();
}

/// Records that have ended are gone, those that have not are there.
async fn forgets(server: &Running) {
    let token =
        |issued: u64| json!({ "principal": NOBODY, "client": "c", "family": NOBODY, "issued": issued });
    let far = 4_000_000_000_u64;
    write(server, "join/old", json!({ "expires": 10 })).await;
    write(server, "join/new", json!({ "expires": far })).await;
    write(server, "id/device/old", json!({ "principal": NOBODY, "expires": 10 })).await;
    write(server, "id/device/new", json!({ "principal": NOBODY, "expires": far })).await;
    write(server, "id/refresh/old", token(10)).await;
    write(server, "id/refresh/new", token(far)).await;
    let control = &server.app().control;
    let has = |key: &str| control.read(|world| world.record(key).is_some());
    until("what has ended is gone", || !["join/old", "id/device/old", "id/refresh/old"].into_iter().any(has))
        .await;
    for key in ["join/new", "id/device/new", "id/refresh/new"] {
        assert!(has(key), "{key} has not ended");
        let change = RecordChange { key: key.to_owned(), value: None, expect: Expect::Present };
        let action = Action::Records { changes: vec![change], verb: "test" };
        control.act(&Caller::default(), action).await.unwrap();
    }
}

/// The history before now, and operations of then, are forgotten after a while.
async fn compacts(server: &Running, store: &dyn Store) {
    let operation = palisade_store::Op::Put("op/old".to_owned(), r#"{"hosts":[["host-a"]]}"#.into());
    let written = store.commit(palisade_store::Transaction { guards: vec![], ops: vec![operation] }).await;
    let written = written.unwrap();
    // A commit after it, so that it is no longer the newest.
    write(server, &format!("join/mark{}", written.0), json!({ "expires": 4_000_000_000_u64 })).await;
    let began = Instant::now();
    loop {
        // etcd takes the watch first, and refuses it then; without a refusal it tells the commit.
        let told = match store.watch("", Revision(written.0 - 1)).await {
            Ok(mut watch) => watch.next().await.expect("a watch does not end").map(drop),
            Err(error) => Err(error),
        };
        let is_forgotten = match told {
            Err(StoreError::Compacted(_)) => true,
            Ok(()) => false,
            Err(error) => panic!("{error}"),
        };
        if is_forgotten && store.snapshot("op/").await.unwrap().entries.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the history is kept for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_forgets_what_has_ended_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).unwrap());
    let (site, begun) = site(&store).await;
    forgets(&site.running).await;
    compacts(&site.running, &*store).await;
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    // What is kept is all there.
    site.make_group().await;
    site.client.get(&site.id("/resourceGroups/lab")).await.expect(200);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_keeps_house_in_etcd_and_the_other_after_it() {
    let Some(etcd) = EtcdServer::start(&[]).await else { return };
    let stores: [Arc<dyn Store>; 2] =
        [Arc::new(etcd.open("house").await), Arc::new(etcd.open("house").await)];
    let (one, first) = site(&stores[0]).await;
    let (two, second) = site(&stores[1]).await;
    until("the first keeps house", || first.load(Ordering::SeqCst) == 1).await;
    forgets(&two.running).await;
    compacts(&two.running, &*stores[1]).await;
    assert_eq!((first.load(Ordering::SeqCst), second.load(Ordering::SeqCst)), (1, 0), "one at a time");
    one.running.stop().await;
    until("the second takes over", || second.load(Ordering::SeqCst) == 1).await;
    forgets(&two.running).await;
    compacts(&two.running, &*stores[1]).await;
    two.running.stop().await;
}
