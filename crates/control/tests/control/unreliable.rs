//! A store that does as a test tells it: commits fail in one way or the other, watches are held up. All else the real store
//! behind it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use palisade_store::{
    Commit, CommitError, Leadership, Revision, Snapshot, Status, Store, StoreError, Transaction, Watch,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

/// How commits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    Well,
    /// The store is away, for reading too.
    Away,
    Full,
    /// The next is made and its answer lost.
    MadeAndLost,
    /// The next is lost on its way.
    Lost,
    /// One more is made; then the store is away.
    Last,
}

/// The store. It says of itself that it is shared.
#[derive(Debug)]
pub struct Unreliable {
    inner: Arc<dyn Store>,
    commits: Mutex<Commits>,
    held: watch::Sender<bool>,
}

impl Unreliable {
    /// One that does everything well.
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner, commits: Mutex::new(Commits::Well), held: watch::Sender::new(false) })
    }

    /// How commits go from now on.
    pub fn set(&self, commits: Commits) {
        *self.commits.lock().unwrap_or_else(PoisonError::into_inner) = commits;
    }

    /// Holds up the watches. Let go, they ask again for all they have not told, as after a lost connection.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    fn commits(&self) -> Commits {
        *self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reading fails too where the store is away.
    fn reach(&self) -> Result<&dyn Store, StoreError> {
        match self.commits() {
            Commits::Away => Err(StoreError::Unavailable("unplugged".into())),
            _ => Ok(&*self.inner),
        }
    }
}

#[async_trait]
impl Store for Unreliable {
    async fn snapshot(&self, prefix: &str) -> Result<Snapshot, StoreError> {
        self.reach()?.snapshot(prefix).await
    }

    async fn written(&self, key: &str) -> Result<Option<Revision>, StoreError> {
        self.reach()?.written(key).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        let lost = || CommitError::Store(StoreError::Unknown("cut off".into()));
        match self.commits() {
            Commits::Well => self.inner.commit(transaction).await,
            Commits::Away => Err(StoreError::Unavailable("unplugged".into()).into()),
            Commits::Full => Err(StoreError::Full("no room".into()).into()),
            Commits::MadeAndLost => {
                self.set(Commits::Well);
                self.inner.commit(transaction).await?;
                Err(lost())
            }
            Commits::Lost => {
                self.set(Commits::Well);
                Err(lost())
            }
            Commits::Last => {
                self.set(Commits::Away);
                self.inner.commit(transaction).await
            }
        }
    }

    async fn import(
        &self,
        entries: Vec<(String, bytes::Bytes)>,
        revision: Revision,
    ) -> Result<Revision, StoreError> {
        self.inner.import(entries, revision).await
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        let own = HeldWatch {
            store: self.inner.clone(),
            prefix: prefix.to_owned(),
            last: after,
            watch: Some(self.inner.watch(prefix, after).await?),
            held: self.held.subscribe(),
        };
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(own.tell(send));
        Ok(Box::pin(ReceiverStream::new(receive)))
    }

    async fn compact(&self, through: Revision) -> Result<(), StoreError> {
        self.inner.compact(through).await
    }

    async fn campaign(&self, name: &str, ttl: Duration) -> Result<Leadership, StoreError> {
        self.inner.campaign(name, ttl).await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.inner.status().await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

/// A watch as it is told.
struct HeldWatch {
    store: Arc<dyn Store>,
    prefix: String,
    last: Revision,
    watch: Option<Watch>,
    held: watch::Receiver<bool>,
}

impl HeldWatch {
    async fn tell(mut self, to: mpsc::Sender<Result<Commit, StoreError>>) {
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
                Ok(()) = self.held.changed() => {}
            }
        }
    }
}
