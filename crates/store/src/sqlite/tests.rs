//! What is SQLite's alone: the files, the second process, the limits of the log. The rest is in `tests/conformance`.

use super::{FILE_NAME, LogLimits, Sqlite};
use crate::{Op, Revision, Store, StoreError, Transaction};
use bytes::Bytes;
use std::os::unix::fs::PermissionsExt as _;

fn put(key: &str, bytes: usize) -> Transaction {
    Transaction { guards: vec![], ops: vec![Op::Put(key.to_owned(), Bytes::from(vec![b'x'; bytes]))] }
}

#[tokio::test]
async fn what_was_committed_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    let revision = store.commit(put("a", 3)).await.unwrap();
    let before = store.snapshot("").await.unwrap();
    drop(store);
    let store = Sqlite::open(folder.path()).unwrap();
    assert_eq!(store.snapshot("").await.unwrap(), before);
    assert!(store.commit(put("a", 3)).await.unwrap() > revision);
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/data");
    let store = Sqlite::open(&folder).unwrap();
    store.commit(put("a", 3)).await.unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_second_one_is_refused_and_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    let error = Sqlite::open(folder.path()).unwrap_err();
    let expected = format!("process {} has ", std::process::id());
    assert!(matches!(&error, StoreError::Unavailable(said) if said.starts_with(&expected)), "{error}");
    drop(store);
    Sqlite::open(folder.path()).unwrap();
}

#[tokio::test]
async fn one_that_is_closed_is_free_while_others_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    let revision = store.commit(put("a", 3)).await.unwrap();
    store.close().await;
    store.close().await;
    let error = store.commit(put("b", 3)).await.unwrap_err();
    assert!(matches!(error, crate::CommitError::Store(StoreError::Unavailable(_))), "{error}");
    let next = Sqlite::open(folder.path()).unwrap();
    assert_eq!(next.snapshot("").await.unwrap().revision, revision);
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), "no database").unwrap();
    let error = Sqlite::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert_eq!(std::fs::read(folder.path().join(FILE_NAME)).unwrap(), b"no database");
}

#[tokio::test]
async fn the_log_keeps_to_its_limits_across_starts() {
    let folder = tempfile::tempdir().unwrap();
    for limits in [LogLimits { commits: 3, bytes: 1 << 20 }, LogLimits { commits: 100, bytes: 3 * 101 }] {
        let store = Sqlite::open_with(folder.path(), limits).unwrap();
        let mut newest = Revision(0);
        for _ in 0..10 {
            newest = store.commit(put("a", 100)).await.unwrap();
        }
        let kept = Revision(newest.0 - 3);
        assert!(store.watch("", kept).await.is_ok());
        let forgotten = Revision(kept.0 - 1);
        assert_eq!(store.watch("", forgotten).await.err(), Some(StoreError::Compacted(forgotten)));
        drop(store);
        let store = Sqlite::open_with(folder.path(), limits).unwrap();
        assert_eq!(store.watch("", forgotten).await.err(), Some(StoreError::Compacted(forgotten)));
        newest = store.commit(put("a", 100)).await.unwrap();
        assert_eq!(store.watch("", kept).await.err(), Some(StoreError::Compacted(kept)));
        assert!(store.watch("", Revision(newest.0 - 3)).await.is_ok());
    }
}

#[tokio::test]
async fn a_leadership_ends_with_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path()).unwrap();
    let first = store.campaign("a", std::time::Duration::from_secs(1)).await.unwrap();
    drop(first);
    assert!(store.campaign("a", std::time::Duration::from_secs(1)).await.unwrap().held());
}
