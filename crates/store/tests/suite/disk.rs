//! SQLite on a disk that is full, and has room again. The disk is a small tmpfs in a mount namespace of its own, which is gone with
//! its process.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use palisade_store::{CommitError, Op, Sqlite, Store, StoreError, Transaction};

/// Names the mount point to the process in the namespace.
const CHILD: &str = "PALISADE_STORE_DISK";

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    if let Some(disk) = std::env::var_os(CHILD) {
        return fill_and_make_room(Path::new(&disk)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=6m none \"$1\" || exit 77; shift; exec \"$@\"";
    let status = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "disk::a_full_disk_is_told_and_survived", "--nocapture"])
        .env(CHILD, folder.path())
        .status()
        .unwrap();
    match status.code() {
        Some(1 | 77) if std::fs::read_dir("/root").is_err() => {
            println!("skipped: a mount namespace needs root");
        }
        code => assert_eq!(code, Some(0)),
    }
}

fn pair(round: usize) -> Transaction {
    let value = Bytes::from(vec![b'x'; 40_000]);
    let ops = ["a", "b"].map(|side| Op::Put(format!("{side}/{round}"), value.clone()));
    Transaction { guards: vec![], ops: ops.to_vec() }
}

async fn fill_and_make_room(disk: &Path) {
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![1; 3 << 20]).unwrap();
    let store = Sqlite::open(&disk.join("data")).unwrap();
    let mut round = 0;
    let error = loop {
        match store.commit(pair(round)).await {
            Ok(_) => round += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CommitError::Store(StoreError::Full(_))), "{error}");
    assert!(round > 5, "only {round} commits fitted");
    check(&store, round).await;
    assert!(store.status().await.unwrap().refuses.is_some());
    // Others wait at the same time: each is answered, none is there by half.
    let many =
        tokio::join!(store.commit(pair(round)), store.commit(pair(round + 1)), store.commit(pair(round + 2)));
    assert!(many.0.is_err() && many.1.is_err() && many.2.is_err(), "{many:?}");
    check(&store, round).await;
    std::fs::remove_file(&ballast).unwrap();
    store.commit(pair(round)).await.unwrap();
    assert_eq!(store.status().await.unwrap().refuses, None);
    check(&store, round + 1).await;
    drop(store);
    check(&Sqlite::open(&disk.join("data")).unwrap(), round + 1).await;
}

async fn check(store: &Sqlite, rounds: usize) {
    let mut expected: Vec<_> =
        ["a", "b"].iter().flat_map(|side| (0..rounds).map(move |round| format!("{side}/{round}"))).collect();
    expected.sort();
    let found: Vec<_> =
        store.snapshot("").await.unwrap().entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(found, expected);
}
