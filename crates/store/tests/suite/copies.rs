//! Backup, restore and migration: between stores of both kinds, and with files that are not whole.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use etcd_client::PutOptions;
use palisade_store::backup::{BackupError, Destination, backup, inspect, migrate, restore};
use palisade_store::{Entry, Etcd, Op, Revision, Sqlite, Store, StoreError, StoreUrl, Transaction, url};

use crate::adversity::client;
use crate::support::EtcdServer;

async fn write(store: &dyn Store, ops: &[(&str, &[u8])]) -> Revision {
    let ops = ops.iter().map(|(key, value)| Op::Put((*key).to_owned(), Bytes::copy_from_slice(value)));
    store.commit(Transaction { guards: vec![], ops: ops.collect() }).await.unwrap()
}

/// Keys and values only: revisions are the store's own.
async fn content(store: &dyn Store) -> Vec<(String, Bytes)> {
    let pair = |entry: Entry| (entry.key, entry.value);
    store.snapshot("").await.unwrap().entries.into_iter().map(pair).collect()
}

/// A store with something of every kind in it, more than one transaction of etcd's.
async fn filled(folder: &Path) -> Sqlite {
    let store = Sqlite::open(folder).unwrap();
    write(&store, &[("a", b""), ("b/ä", b"\0\xff"), ("large", &[7; 1_000_000])]).await;
    for n in 0..300 {
        write(&store, &[(&format!("n/{n}"), &[1; 10_000])]).await;
    }
    store
}

#[tokio::test]
async fn a_backup_is_restored_whole_and_only_where_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("one")).await;
    let file = folder.path().join("backup");
    let header = backup(&store, &file).await.unwrap();
    assert_eq!((header.revision, header.entries), (301, 303));
    assert_eq!(inspect(&file).await.unwrap(), header);
    let other = Sqlite::open(&folder.path().join("two")).unwrap();
    restore(&file, &other, Destination::Empty).await.unwrap();
    assert_eq!(content(&other).await, content(&store).await);
    assert!(other.snapshot("").await.unwrap().revision > Revision(301), "revisions go on where they were");
    write(&other, &[("new", b"x")]).await;
    let error = restore(&file, &other, Destination::Empty).await.unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty { entries: 304, .. }), "{error}");
    restore(&file, &other, Destination::Replaced).await.unwrap();
    assert_eq!(content(&other).await, content(&store).await);
}

#[tokio::test]
async fn a_file_that_is_not_whole_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("one")).unwrap();
    write(&store, &[("a", b"1"), ("b", b"2")]).await;
    let file = folder.path().join("backup");
    backup(&store, &file).await.unwrap();
    let good = std::fs::read(&file).unwrap();
    let target = Sqlite::open(&folder.path().join("two")).unwrap();
    write(&target, &[("kept", b"")]).await;
    let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|length| good[..length].to_vec()).collect();
    bad.push([good.as_slice(), b"x"].concat());
    bad.extend((0..good.len()).map(|place| {
        let mut bytes = good.clone();
        bytes[place] ^= 0x20;
        bytes
    }));
    for bytes in bad {
        std::fs::write(&file, &bytes).unwrap();
        let error = restore(&file, &target, Destination::Replaced).await.unwrap_err();
        assert!(matches!(error, BackupError::NotValid { .. }), "{error}");
    }
    assert_eq!(content(&target).await, [("kept".to_owned(), Bytes::new())]);
}

#[tokio::test]
async fn a_newer_file_names_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup");
    std::fs::write(&file, "{\"format\":\"palisade-backup\",\"version\":2,\"revision\":1,\"entries\":0}\n")
        .unwrap();
    let error = inspect(&file).await.unwrap_err().to_string();
    assert!(error.contains("version 2, and this program reads 1"), "{error}");
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("one")).unwrap();
    let missing = folder.path().join("missing/backup");
    let error = backup(&store, &missing).await.unwrap_err();
    assert!(matches!(error, BackupError::File { .. }), "{error}");
    let file = folder.path().join("backup");
    std::fs::write(&file, "old").unwrap();
    // A folder stands where the new one would be written.
    std::fs::create_dir(folder.path().join("backup.partial")).unwrap();
    backup(&store, &file).await.unwrap_err();
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
}

#[tokio::test]
async fn sqlite_moves_to_etcd_and_back() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("one")).await;
    let etcd = server.open("moved").await;
    assert_eq!(migrate(&store, &etcd, Destination::Empty).await.unwrap(), 303);
    assert_eq!(content(&etcd).await, content(&store).await);
    let file = folder.path().join("backup");
    backup(&etcd, &file).await.unwrap();
    let back = Sqlite::open(&folder.path().join("two")).unwrap();
    restore(&file, &back, Destination::Empty).await.unwrap();
    assert_eq!(content(&back).await, content(&store).await);
    let error = migrate(&back, &etcd, Destination::Empty).await.unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty { .. }), "{error}");
}

#[tokio::test]
async fn half_a_restore_is_refused_until_it_is_done() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let etcd = server.open("half").await;
    write(&etcd, &[("a", b"1")]).await;
    let file = folder.path().join("backup");
    backup(&etcd, &file).await.unwrap();
    // What a restore that was killed leaves.
    client(&server).await.put("half/restoring", "", Some(PutOptions::new())).await.unwrap();
    let ops = vec![Op::Put("a".to_owned(), Bytes::new())];
    let error = etcd.commit(Transaction { guards: vec![], ops }).await.unwrap_err();
    assert!(error.to_string().contains("not come to its end"), "{error}");
    let place = StoreUrl::Etcd(server.url("half"));
    let error = url::open(&place, folder.path()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged(said) if said.contains("restore it again")), "{error}");
    let again: Arc<dyn Store> = url::open_to_restore(&place, folder.path()).await.unwrap();
    restore(&file, again.as_ref(), Destination::Replaced).await.unwrap();
    let whole = url::open(&place, folder.path()).await.unwrap();
    assert_eq!(content(whole.as_ref()).await, [("a".to_owned(), Bytes::from_static(b"1"))]);
}

#[tokio::test]
async fn a_newer_layout_in_etcd_is_refused() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    for (version, part) in [("2", "run the newer program"), ("x", "\"x\"")] {
        client(&server).await.put("newer/schema", version, None).await.unwrap();
        let error = Etcd::open(&server.url("newer")).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
