//! etcd killed, hanging, compacted, out of space, behind TLS, with a member that is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::{AlarmAction, AlarmOptions, AlarmType, CompactionOptions};
use palisade_store::etcd::REQUEST_TIMEOUT;
use palisade_store::{CommitError, Etcd, Guard, Leadership, Op, Revision, Store, StoreError, Transaction};
use tokio_stream::StreamExt as _;

use crate::ledger::{self, Numbers, Told, WRITERS, random};
use crate::support::{EtcdServer, POLL};

/// How often the member is killed.
const KILLS: usize = 8;
/// How long the member lives between two kills, at most.
const LIFE_MS: u64 = 600;
/// Far longer than anything takes: reaching it is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an administrator has.
pub(crate) async fn client(server: &EtcdServer) -> etcd_client::Client {
    etcd_client::Client::connect(server.url("").endpoints, None).await.unwrap()
}

fn put(key: &str, value: impl Into<Bytes>) -> Transaction {
    Transaction { guards: vec![], ops: vec![Op::Put(key.to_owned(), value.into())] }
}

/// Tries until it answers, as a caller would.
async fn eventually<T, F: Future<Output = Result<T, StoreError>>>(mut attempt: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(POLL).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_killed_loses_nothing() {
    let Some(mut server) = EtcdServer::start(&[]).await else { return };
    let store = Arc::new(server.open("killed").await);
    let start = store.snapshot("").await.unwrap().revision;
    let mut watch = store.watch("", start).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let writers = (0..WRITERS).map(|writer| {
        let (store, over) = (Arc::clone(&store), Arc::clone(&over));
        tokio::spawn(async move { write_until(store.as_ref(), writer, &over).await })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random(LIFE_MS))).await;
        server.kill();
        server.start_again();
        eventually(|| store.status()).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut acknowledged = Numbers::new();
    for (writer, task) in writers.into_iter().enumerate() {
        acknowledged.insert(writer, task.await.unwrap());
    }
    let (revision, found) = ledger::read(store.as_ref()).await;
    assert_eq!(found, acknowledged, "a writer goes on only when it knows what became of its last commit");
    assert!(found.values().sum::<u64>() > 100, "too little was written to prove anything: {found:?}");
    let mut told = Told::default();
    while told.revision() < revision {
        let commit = tokio::time::timeout(PATIENCE, watch.next()).await.expect("the watch is silent");
        told.hear(commit.unwrap().unwrap());
    }
    assert_eq!(told.numbers(), found);
    println!("{} commits outlived {KILLS} kills", found.values().sum::<u64>());
}

/// Writes number after number. When it is not known what became of one, the store is read, as a caller does.
async fn write_until(store: &dyn Store, writer: usize, over: &AtomicBool) -> u64 {
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        loop {
            match ledger::write(store, writer, number).await {
                Ok(_) => break,
                Err(StoreError::Unavailable(_)) => {
                    assert!(!is_there(store, writer, number).await, "what was not written is there");
                }
                Err(StoreError::Unknown(_)) if is_there(store, writer, number).await => break,
                Err(StoreError::Unknown(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    number
}

async fn is_there(store: &dyn Store, writer: usize, number: u64) -> bool {
    let key = format!("n/{writer:02}/{number:08}");
    !eventually(|| store.snapshot(&key)).await.entries.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_hangs_is_told_in_time() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let store = server.open("hangs").await;
    let first = store.commit(put("a", "1")).await.unwrap();
    let mut watch = store.watch("", first).await.unwrap();
    server.stop().await;
    let began = Instant::now();
    let lost = store.commit(put("a", "2")).await.unwrap_err();
    assert!(matches!(lost, CommitError::Store(StoreError::Unknown(_))), "{lost}");
    // The first failure is known now: the next commit is not sent.
    let refused = store.commit(put("b", "1")).await.unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreError::Unavailable(_))), "{refused}");
    let unread = store.snapshot("").await.unwrap_err();
    assert!(matches!(unread, StoreError::Unavailable(_)), "{unread}");
    let slack = Duration::from_secs(5);
    assert!(began.elapsed() < REQUEST_TIMEOUT * 3 + slack, "{:?}", began.elapsed());
    server.signal("CONT");
    let entries = eventually(|| store.snapshot("")).await.entries;
    assert_eq!(entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["a"], "b was refused");
    let last = eventually(|| async {
        match store.commit(put("c", "1")).await {
            Ok(revision) => Ok(revision),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::Conflict) => panic!("there is no guard"),
        }
    });
    let last = last.await;
    // The lost commit may be told or not; then what was written after it is.
    loop {
        let told = tokio::time::timeout(PATIENCE, watch.next()).await.expect("the watch is silent");
        let commit = told.unwrap().unwrap();
        if commit.revision == last {
            break;
        }
        assert_eq!(commit.changes, [("a".to_owned(), Some(Bytes::from("2")))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_outlives_compactions() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let store = Arc::new(server.open("compacted").await);
    for n in 0..3_000 / 100 {
        let ops = (0..100).map(|m| Op::Put(format!("{n:03}/{m:03}"), Bytes::from(vec![b'x'; 2_000])));
        store.commit(Transaction { guards: vec![], ops: ops.collect() }).await.unwrap();
    }
    let compactor = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..30 {
                let revision = store.commit(put("000/000", n.to_string())).await.unwrap();
                store.compact(revision).await.unwrap();
                tokio::time::sleep(POLL * 3).await;
            }
        })
    };
    while !compactor.is_finished() {
        assert_eq!(store.snapshot("").await.unwrap().entries.len(), 3_000);
    }
    compactor.await.unwrap();
}

/// Writes that come while the database passes its quota are proposed before it is found full, and applied after.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_to_have_no_room_is_not_written() {
    const WRITES_AT_ONCE: usize = 40;
    let Some(server) = EtcdServer::start(&["--quota-backend-bytes", "16777216"]).await else { return };
    let store = Arc::new(server.open("full").await);
    let write = |key: String| {
        let store = store.clone();
        let new = Transaction { guards: vec![Guard::Absent(key.clone())], ..put(&key, vec![7; 300_000]) };
        tokio::spawn(async move { (key, store.commit(new).await) })
    };
    let (mut written, mut refused) = (Vec::new(), 0);
    for wave in 0.. {
        let pending: Vec<_> =
            (0..WRITES_AT_ONCE).map(|number| write(format!("{wave:03}/{number:03}"))).collect();
        for pending in pending {
            match pending.await.unwrap() {
                (key, Ok(revision)) => written.push((key, revision)),
                (_, Err(CommitError::Store(StoreError::Full(_)))) => refused += 1,
                (key, Err(error)) => panic!("{key}: {error}"),
            }
        }
        if refused > 0 {
            break;
        }
    }
    let found = store.snapshot("").await.unwrap().entries;
    let found: Vec<_> = found.into_iter().map(|entry| (entry.key, entry.modified)).collect();
    assert_eq!(found, written);
    assert!(!written.is_empty(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_space_is_told_and_survived() {
    const QUOTA: &str = "16777216";
    let Some(server) = EtcdServer::start(&["--quota-backend-bytes", QUOTA]).await else { return };
    let store = server.open("full").await;
    let large = || put("large", vec![7; 900_000]);
    let mut last = Revision(0);
    let error = loop {
        match store.commit(large()).await {
            Ok(revision) => last = revision,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CommitError::Store(StoreError::Full(_))), "{error}");
    assert!(matches!(store.commit(put("small", "")).await, Err(CommitError::Store(StoreError::Full(_)))));
    let status = store.status().await.unwrap();
    assert_eq!(status.revision, last, "what was refused is not there");
    assert!(status.refuses.unwrap().contains("NOSPACE"));
    assert_eq!(store.snapshot("").await.unwrap().entries[0].modified, last);
    // What an administrator does.
    let mut client = client(&server).await;
    let physical = CompactionOptions::new().with_physical();
    client.compact(last.0.cast_signed(), Some(physical)).await.unwrap();
    client.defragment().await.unwrap();
    // An alarm is disarmed at the member that raised it; without its number etcd does nothing, and says nothing.
    let raised = client.alarm(AlarmAction::Get, AlarmType::None, None).await.unwrap();
    let mut options = AlarmOptions::new();
    options.with_member(raised.alarms()[0].member_id());
    client.alarm(AlarmAction::Deactivate, AlarmType::Nospace, Some(options)).await.unwrap();
    store.commit(large()).await.unwrap();
    assert_eq!(store.status().await.unwrap().refuses, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_at_a_time() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let (one, two) = (server.open("led").await, server.open("led").await);
    let ttl = Duration::from_secs(3);
    let other = one.campaign("b", ttl).await.unwrap();
    let mut first = one.campaign("a", ttl).await.unwrap();
    let waiting = tokio::spawn(async move { two.campaign("a", ttl).await.unwrap() });
    // Longer than a lease lives: it is prolonged.
    let ended = tokio::time::timeout(ttl * 2, first.lost()).await;
    assert!(ended.is_err() && first.held() && other.held() && !waiting.is_finished());
    drop(first);
    let began = Instant::now();
    let mut second: Leadership = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert!(second.held() && began.elapsed() < ttl, "it was given back, and did not have to run out");
    // Who cannot tell that it lives gives up by itself.
    server.stop().await;
    tokio::time::timeout(ttl + Duration::from_secs(2), second.lost()).await.unwrap();
    server.signal("CONT");
    let store = server.open("led").await;
    let third = tokio::time::timeout(PATIENCE, store.campaign("a", ttl)).await.unwrap().unwrap();
    assert!(third.held() && !second.held(), "what is lost stays lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_not_there_is_passed_over() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let mut url = server.url("several");
    // Nobody can listen on port 1 but root, and nobody does.
    url.endpoints.insert(0, "127.0.0.1:1".to_owned());
    let store = Etcd::open(&url).await.unwrap();
    let revision = store.commit(put("a", "1")).await.unwrap();
    let mut watch = store.watch("", Revision(revision.0 - 1)).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().revision, revision);
    url.endpoints.truncate(1);
    let error = Etcd::open(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}
