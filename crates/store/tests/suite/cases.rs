//! What every store does, told to one that is empty.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use palisade_store::{
    Commit, CommitError, Guard, KEY_LENGTH_MAX, OPERATIONS_MAX, Op, Revision, Store, StoreError,
    TRANSACTION_BYTES_MAX, Transaction, VALUE_LENGTH_MAX, Watch,
};
use tokio_stream::StreamExt as _;

type Shared = Arc<dyn Store>;

/// Far longer than anything takes: reaching it is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(30);

fn put(key: &str, value: &str) -> Op {
    Op::Put(key.to_owned(), Bytes::copy_from_slice(value.as_bytes()))
}

fn delete(key: &str) -> Op {
    Op::Delete(key.to_owned())
}

async fn write(store: &Shared, ops: &[Op]) -> Revision {
    store.commit(Transaction { guards: vec![], ops: ops.to_vec() }).await.unwrap()
}

async fn guarded(store: &Shared, guard: Guard, op: Op) -> Result<Revision, CommitError> {
    store.commit(Transaction { guards: vec![guard], ops: vec![op] }).await
}

async fn content(store: &Shared, prefix: &str) -> Vec<(String, String)> {
    let text = |value: &Bytes| String::from_utf8(value.to_vec()).unwrap();
    let snapshot = store.snapshot(prefix).await.unwrap();
    snapshot.entries.iter().map(|entry| (entry.key.clone(), text(&entry.value))).collect()
}

async fn keys(store: &Shared, prefix: &str) -> Vec<String> {
    content(store, prefix).await.into_iter().map(|(key, _)| key).collect()
}

async fn next(watch: &mut Watch) -> Result<Commit, StoreError> {
    tokio::time::timeout(PATIENCE, watch.next()).await.expect("the watch is silent").expect("the watch ended")
}

fn commit(revision: Revision, changes: &[(&str, Option<&str>)]) -> Commit {
    let value = |value: &str| Bytes::copy_from_slice(value.as_bytes());
    let changes = changes.iter().map(|(key, text)| ((*key).to_owned(), text.map(value))).collect();
    Commit { revision, changes }
}

pub(crate) async fn guards(store: Shared) {
    let absent = || Guard::Absent("a".to_owned());
    let first = guarded(&store, absent(), put("a", "1")).await.unwrap();
    assert_eq!(guarded(&store, absent(), put("a", "2")).await, Err(CommitError::Conflict));
    let unchanged = |revision| Guard::Unchanged("a".to_owned(), revision);
    let second = guarded(&store, unchanged(first), put("a", "2")).await.unwrap();
    assert!(second > first);
    assert_eq!(guarded(&store, unchanged(first), delete("a")).await, Err(CommitError::Conflict));
    let none = Guard::Unchanged("b".to_owned(), second);
    assert_eq!(guarded(&store, none, put("b", "1")).await, Err(CommitError::Conflict));
    guarded(&store, unchanged(second), delete("a")).await.unwrap();
    assert_eq!(guarded(&store, unchanged(second), put("a", "3")).await, Err(CommitError::Conflict));
    guarded(&store, absent(), put("a", "4")).await.unwrap();
    assert_eq!(content(&store, "").await, [("a".to_owned(), "4".to_owned())]);
}

pub(crate) async fn a_transaction_is_whole_or_not(store: Shared) {
    let first = write(&store, &[put("a", "1"), put("b", "1"), put("c", "1")]).await;
    let snapshot = store.snapshot("").await.unwrap();
    assert_eq!(snapshot.revision, first);
    assert!(snapshot.entries.iter().all(|entry| entry.modified == first));
    let guards = vec![Guard::Unchanged("a".to_owned(), first), Guard::Absent("b".to_owned())];
    let ops = vec![put("a", "2"), delete("c"), put("d", "2")];
    assert_eq!(store.commit(Transaction { guards, ops }).await, Err(CommitError::Conflict));
    assert_eq!(store.snapshot("").await.unwrap(), snapshot);
}

pub(crate) async fn revisions_grow_by_what_changes(store: Shared) {
    let before = store.snapshot("").await.unwrap().revision;
    let first = write(&store, &[put("a", "same")]).await;
    let again = write(&store, &[put("a", "same")]).await;
    assert!(before < first && first < again, "a put is a change, whatever it puts");
    assert_eq!(write(&store, &[delete("none")]).await, again, "deleting nothing is none");
    assert_eq!(write(&store, &[]).await, again);
    assert_eq!(store.snapshot("").await.unwrap().revision, again);
    assert_eq!(store.status().await.unwrap().revision, again);
}

pub(crate) async fn an_entry_knows_its_last_write(store: Shared) {
    assert_eq!(store.written("a").await.unwrap(), None);
    let first = write(&store, &[put("a", "1"), put("b", "1")]).await;
    let second = write(&store, &[put("b", "2")]).await;
    assert_eq!(store.written("a").await.unwrap(), Some(first));
    assert_eq!(store.written("b").await.unwrap(), Some(second));
    write(&store, &[delete("a")]).await;
    assert_eq!(store.written("a").await.unwrap(), None);
}

pub(crate) async fn a_watch_replays_and_follows(store: Shared) {
    let first = write(&store, &[put("a", "1")]).await;
    let second = write(&store, &[put("b", "1"), put("a", "2")]).await;
    let third = write(&store, &[delete("a"), delete("none"), put("c", "")]).await;
    let mut watch = store.watch("", first).await.unwrap();
    let mut later = store.watch("", third).await.unwrap();
    assert_eq!(next(&mut watch).await, Ok(commit(second, &[("b", Some("1")), ("a", Some("2"))])));
    assert_eq!(next(&mut watch).await, Ok(commit(third, &[("a", None), ("c", Some(""))])));
    let fourth = write(&store, &[put("d", "1")]).await;
    let live = commit(fourth, &[("d", Some("1"))]);
    assert_eq!(next(&mut watch).await, Ok(live.clone()));
    assert_eq!(next(&mut later).await, Ok(live));
}

pub(crate) async fn a_watch_sees_its_prefix_only(store: Shared) {
    let start = store.snapshot("").await.unwrap().revision;
    let mut live = store.watch("r/", start).await.unwrap();
    let first = write(&store, &[put("q/x", "1"), put("r/x", "1"), put("r0", "1"), put("r", "1")]).await;
    write(&store, &[put("s/x", "1")]).await;
    let second = write(&store, &[delete("r/x")]).await;
    let mut replay = store.watch("r/", start).await.unwrap();
    for watch in [&mut live, &mut replay] {
        assert_eq!(next(watch).await, Ok(commit(first, &[("r/x", Some("1"))])));
        assert_eq!(next(watch).await, Ok(commit(second, &[("r/x", None)])));
    }
    assert_eq!(keys(&store, "r/").await, [""; 0]);
    assert_eq!(keys(&store, "r").await, ["r", "r0"]);
}

/// The reader falls far behind the writers and is still told every commit once, in order.
pub(crate) async fn a_slow_watch_misses_nothing(store: Shared) {
    const COMMITS: usize = 2_000;
    let start = store.snapshot("").await.unwrap().revision;
    let mut watch = store.watch("", start).await.unwrap();
    let first = write(&store, &[put("n/first", "")]).await;
    assert_eq!(next(&mut watch).await.unwrap().revision, first);
    let mut written = BTreeSet::new();
    for round in 0..COMMITS / 200 {
        let commits = (0..200).map(|task| {
            let number = round * 200 + task;
            let store = Arc::clone(&store);
            tokio::spawn(async move { write(&store, &[put(&format!("n/{number}"), "x")]).await })
        });
        for commit in commits.collect::<Vec<_>>() {
            assert!(written.insert(commit.await.unwrap()), "a revision was given twice");
        }
    }
    for revision in written {
        assert_eq!(next(&mut watch).await.unwrap().revision, revision);
    }
}

pub(crate) async fn what_is_compacted_is_refused(store: Shared) {
    let first = write(&store, &[put("a", "1")]).await;
    let second = write(&store, &[put("b", "1")]).await;
    let third = write(&store, &[delete("a")]).await;
    let fourth = write(&store, &[put("c", "1")]).await;
    store.compact(third).await.unwrap();
    for after in [Revision(0), first, second] {
        let refused = match store.watch("", after).await {
            Err(error) => error,
            Ok(mut watch) => next(&mut watch).await.expect_err("the past is forgotten"),
        };
        assert_eq!(refused, StoreError::Compacted(after));
    }
    let mut watch = store.watch("", third).await.unwrap();
    assert_eq!(next(&mut watch).await, Ok(commit(fourth, &[("c", Some("1"))])));
    assert_eq!(keys(&store, "").await, ["b", "c"]);
    // Again, earlier, and beyond the newest: nothing to refuse.
    for through in [third, first, Revision(1 << 40)] {
        store.compact(through).await.unwrap();
    }
    let mut watch = store.watch("", fourth).await.unwrap();
    let fifth = write(&store, &[put("d", "1")]).await;
    assert_eq!(next(&mut watch).await.unwrap().revision, fifth);
}

pub(crate) async fn limits_are_met_and_not_exceeded(store: Shared) {
    let one = |op: Op| Transaction { guards: vec![], ops: vec![op] };
    let sized = |key: usize, value: usize| one(put(&"k".repeat(key), &"v".repeat(value)));
    let many = |count: usize| {
        let guards = (0..count / 2).map(|n| Guard::Absent(format!("none/{n}"))).collect();
        Transaction { guards, ops: (count / 2..count).map(|n| put(&format!("many/{n}"), "")).collect() }
    };
    let wide = |bytes: usize| {
        let halves = ["x", "y"].map(|key| put(key, &"v".repeat(bytes / 2 - 1)));
        Transaction { guards: vec![], ops: halves.to_vec() }
    };
    for (inside, beyond) in [
        (sized(KEY_LENGTH_MAX, 1), sized(KEY_LENGTH_MAX + 1, 1)),
        (sized(1, VALUE_LENGTH_MAX), sized(1, VALUE_LENGTH_MAX + 1)),
        (many(OPERATIONS_MAX), many(OPERATIONS_MAX + 1)),
        (wide(TRANSACTION_BYTES_MAX), wide(TRANSACTION_BYTES_MAX + 2)),
    ] {
        store.commit(inside).await.unwrap();
        let before = store.snapshot("").await.unwrap().revision;
        let error = store.commit(beyond).await.unwrap_err();
        assert!(matches!(error, CommitError::Store(StoreError::TooLarge { .. })), "{error}");
        assert_eq!(store.snapshot("").await.unwrap().revision, before);
    }
    for ops in [vec![put("", "")], vec![put("a\0b", "")], vec![put("a", "1"), delete("a")]] {
        let error = store.commit(Transaction { guards: vec![], ops }).await.unwrap_err();
        assert!(matches!(error, CommitError::Store(StoreError::Invalid(_))), "{error}");
    }
}

/// 64 tasks add to one counter, each by reading and guarding: no addition is lost, none is made twice.
pub(crate) async fn concurrent_commits_do_not_lose_updates(store: Shared) {
    const TASKS: usize = 64;
    let origin = write(&store, &[put("n", "0")]).await;
    let tasks = (0..TASKS).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { add_one(&store, task).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(content(&store, "n").await, [("n".to_owned(), TASKS.to_string())]);
    assert_eq!(keys(&store, "by/").await.len(), TASKS);
    let mut watch = store.watch("n", origin).await.unwrap();
    for expected in 1..=TASKS {
        let told = next(&mut watch).await.unwrap();
        assert_eq!(told.changes, [("n".to_owned(), Some(Bytes::from(expected.to_string())))]);
    }
}

async fn add_one(store: &Shared, task: usize) {
    loop {
        let snapshot = store.snapshot("n").await.unwrap();
        let [entry] = snapshot.entries.as_slice() else { panic!("{snapshot:?}") };
        let number: usize = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
        let transaction = Transaction {
            guards: vec![Guard::Unchanged("n".to_owned(), entry.modified)],
            ops: vec![put("n", &(number + 1).to_string()), put(&format!("by/{task}"), "")],
        };
        match store.commit(transaction).await {
            Ok(_) => return,
            Err(CommitError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) async fn keys_are_any_text(store: Shared) {
    let names = [
        "%",
        "_",
        "a'b",
        "a b\n",
        "ä",
        "ß/ü",
        "\u{7f}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{10ffff}",
        "\u{10ffff}x",
        "日本",
    ];
    let ops: Vec<_> = names.iter().map(|name| put(name, name)).collect();
    let revision = write(&store, &ops).await;
    let mut sorted: Vec<_> = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    sorted.sort();
    assert_eq!(content(&store, "").await, sorted);
    assert_eq!(keys(&store, "\u{10ffff}").await, ["\u{10ffff}", "\u{10ffff}x"]);
    assert_eq!(keys(&store, "\u{d7ff}").await, ["\u{d7ff}"]);
    assert_eq!(keys(&store, "%").await, ["%"]);
    let told: Vec<_> = names.iter().map(|name| (*name, Some(*name))).collect();
    let mut watch = store.watch("", Revision(revision.0 - 1)).await.unwrap();
    assert_eq!(next(&mut watch).await, Ok(commit(revision, &told)));
}

pub(crate) async fn empty_values_are_values(store: Shared) {
    let revision = write(&store, &[put("a", "")]).await;
    assert_eq!(content(&store, "").await, [("a".to_owned(), String::new())]);
    let absent = Guard::Absent("a".to_owned());
    assert_eq!(guarded(&store, absent, put("a", "1")).await, Err(CommitError::Conflict));
    guarded(&store, Guard::Unchanged("a".to_owned(), revision), delete("a")).await.unwrap();
    assert_eq!(content(&store, "").await, []);
}

/// More than one page of etcd's, read while somebody writes: each snapshot is of one revision.
pub(crate) async fn a_snapshot_is_of_one_revision(store: Shared) {
    const KEYS: usize = 2_400;
    const GROUP: usize = 100;
    let numbers: Vec<usize> = (0..KEYS).collect();
    for chunk in numbers.chunks(GROUP) {
        let ops: Vec<_> = chunk.iter().map(|n| put(&format!("s/{n:05}"), "0")).collect();
        write(&store, &ops).await;
    }
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 1..=40 {
                // One key of every page.
                let ops: Vec<_> =
                    (0..KEYS).step_by(GROUP).map(|n| put(&format!("s/{n:05}"), &round.to_string())).collect();
                write(&store, &ops).await;
            }
        })
    };
    loop {
        let last = writer.is_finished();
        let all = content(&store, "s/").await;
        assert_eq!(all.len(), KEYS);
        let rounds: BTreeSet<_> = all.iter().step_by(GROUP).map(|(_, value)| value.clone()).collect();
        assert_eq!(rounds.len(), 1, "a snapshot mixes revisions");
        if last {
            break;
        }
    }
    writer.await.unwrap();
}

pub(crate) async fn somebody_leads(store: Shared) {
    let leadership = store.campaign("deadlines", Duration::from_secs(10)).await.unwrap();
    assert!(leadership.held());
    assert_eq!(keys(&store, "").await, [""; 0], "what leads is no entry");
}

pub(crate) async fn an_import_replaces_everything(store: Shared) {
    let before = write(&store, &[put("a", "old"), put("b", "old")]).await;
    let entries: Vec<_> = (0..700).map(|n| (format!("n/{n:03}"), Bytes::from(vec![b'x'; 3_000]))).collect();
    let revision = store.import(entries.clone(), before).await.unwrap();
    assert!(revision > before);
    let snapshot = store.snapshot("").await.unwrap();
    assert_eq!(snapshot.revision, revision);
    let found: Vec<_> = snapshot.entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
    assert!(found == entries, "{} entries", found.len());
    let mut watch = store.watch("", revision).await.unwrap();
    let next_revision = write(&store, &[put("a", "new")]).await;
    assert_eq!(next(&mut watch).await, Ok(commit(next_revision, &[("a", Some("new"))])));
    store.import(vec![], Revision(0)).await.unwrap();
    assert_eq!(keys(&store, "").await, [""; 0]);
}
