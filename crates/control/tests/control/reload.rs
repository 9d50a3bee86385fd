//! A server that is told too late what others wrote reads everything anew, and has missed nothing.

use std::sync::Arc;

use async_trait::async_trait;
use palisade_control::{Control, Options};
use palisade_store::{
    Commit, CommitError, Leadership, Revision, Snapshot, Sqlite, Status, Store, StoreError, Transaction,
    Watch,
};
use serde_json::json;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;

use crate::member::EtcdServer;
use crate::support::{assert_whole, delete, everything, folder, id, put, rule, until};

/// A store whose watches can be held up. Let go, they ask again for all they have not told, as after a lost connection.
#[derive(Debug)]
struct Slow {
    inner: Arc<dyn Store>,
    held: watch::Sender<bool>,
}

#[async_trait]
impl Store for Slow {
    async fn snapshot(&self, prefix: &str) -> Result<Snapshot, StoreError> {
        self.inner.snapshot(prefix).await
    }

    async fn written(&self, key: &str) -> Result<Option<Revision>, StoreError> {
        self.inner.written(key).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        self.inner.commit(transaction).await
    }

    async fn import(
        &self,
        entries: Vec<(String, bytes::Bytes)>,
        revision: Revision,
    ) -> Result<Revision, StoreError> {
        self.inner.import(entries, revision).await
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        let own = SlowWatch {
            store: self.inner.clone(),
            prefix: prefix.to_owned(),
            last: after,
            watch: Some(self.inner.watch(prefix, after).await?),
            held: self.held.subscribe(),
        };
        let (send, receive) = tokio::sync::mpsc::channel(1);
        tokio::spawn(own.tell(send));
        Ok(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receive)))
    }

    async fn compact(&self, through: Revision) -> Result<(), StoreError> {
        self.inner.compact(through).await
    }

    async fn campaign(&self, name: &str, ttl: std::time::Duration) -> Result<Leadership, StoreError> {
        self.inner.campaign(name, ttl).await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.inner.status().await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

struct SlowWatch {
    store: Arc<dyn Store>,
    prefix: String,
    last: Revision,
    watch: Option<Watch>,
    held: watch::Receiver<bool>,
}

impl SlowWatch {
    async fn tell(mut self, to: tokio::sync::mpsc::Sender<Result<Commit, StoreError>>) {
        loop {
            let commit = self.next().await;
            self.last = commit.as_ref().map_or(self.last, |commit| commit.revision);
            let is_over = commit.is_err();
            if to.send(commit).await.is_err() || is_over {
                return;
            }
        }
    }

    async fn next(&mut self) -> Result<Commit, StoreError> {
        loop {
            if *self.held.borrow_and_update() {
                self.watch = None;
                self.held.wait_for(|held| !*held).await.expect("the store outlives its watches");
            }
            let watch = match &mut self.watch {
                Some(watch) => watch,
                None => self.watch.insert(self.store.watch(&self.prefix, self.last).await?),
            };
            tokio::select! {
                commit = watch.next() => return commit.expect("it does not end"),
                _ = self.held.changed() => {}
            }
        }
    }
}

async fn a_slow_server_catches_up(store: Arc<dyn Store>) {
    let slow = Arc::new(Slow { inner: store.clone(), held: watch::Sender::new(false) });
    let late = Control::open(slow.clone(), Options::default()).await.expect("it opens");
    let quick = Control::open(store.clone(), Options::default()).await.expect("it opens");
    let nsg = |at: u32| format!("rg/net/networkSecurityGroups/n{at}");
    put(&quick, "rg", json!({"location": "westeurope"})).await.expect("a group");
    put(&quick, &nsg(0), json!({"location": "westeurope"})).await.expect("valid");
    put(&quick, &nsg(1), json!({"location": "westeurope"})).await.expect("valid");
    until("both know", || everything(&late) == everything(&quick)).await;
    let mut changes = late.changes();
    slow.held.send_replace(true);
    for at in 2..20 {
        put(&quick, &nsg(at), json!({"location": "westeurope"})).await.expect("valid");
    }
    put(&quick, &format!("{}/securityRules/a", nsg(1)), rule(100, 80)).await.expect("valid");
    let last = delete(&quick, &nsg(0)).await.expect("it goes");
    store.compact(last.revision).await.expect("it compacts");
    assert!(late.read(|world| world.document(&id(&nsg(0))).is_some()), "nobody has told it");
    slow.held.send_replace(false);
    until("it has caught up", || everything(&late) == everything(&quick)).await;
    assert_whole(&late);
    // Listeners are told what is another: what is new, what has changed, what is gone.
    let mut told = std::collections::BTreeSet::new();
    while let Ok(commit) = changes.try_recv() {
        told.extend(commit.changed.iter().cloned());
    }
    for path in [nsg(0), nsg(1), nsg(19), format!("{}/securityRules/a", nsg(1))] {
        assert!(told.contains(&id(&path)), "nobody was told of {path}: {told:?}");
    }
    let written = put(&late, &nsg(0), json!({"location": "westeurope"})).await.expect("it serves");
    assert!(written.revision > last.revision);
    until("both know", || everything(&late) == everything(&quick)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_has_forgotten_is_read_anew() {
    let folder = folder();
    a_slow_server_catches_up(Arc::new(Sqlite::open(folder.path()).expect("a store"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_etcd_has_forgotten_is_read_anew() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    a_slow_server_catches_up(Arc::new(server.open("slow").await)).await;
}
