//! Keys, values and revisions: everything that the control plane must not lose, behind one trait.
//!
//! A [`Store`] is a map from text keys to bytes with one [`Revision`] for the whole of it. A [`Transaction`] is committed
//! whole or not at all, if all of its guards hold; a [`Watch`] tells every commit after a revision, in order. It must
//! not know what the entries mean. Model: etcd's v3 API, which SQLite is made to follow (ADR 0023).

pub mod backup;
pub mod etcd;
mod leadership;
mod limits;
mod prefix;
pub mod sqlite;
pub mod url;

use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

pub use etcd::Etcd;
pub use leadership::Leadership;
pub use limits::{KEY_LENGTH_MAX, OPERATIONS_MAX, TRANSACTION_BYTES_MAX, VALUE_LENGTH_MAX};
pub use sqlite::Sqlite;
pub use url::{StoreUrl, open, open_to_restore};

/// Number of a commit; each is greater than the one before. 0 is the empty store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// The commit that wrote it last.
    pub modified: Revision,
}

/// Entries at one revision, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The revision.
    pub revision: Revision,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// What must hold for a transaction to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The key has no value.
    Absent(String),
    /// The key was last written by this commit.
    Unchanged(String, Revision),
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Gives a key a value.
    Put(String, Bytes),
    /// Takes the value of a key away, if it has one.
    Delete(String),
}

/// Writes that are committed together. No key may be written twice. If it changes nothing (no write, or only deletes of what
/// is not there), it takes no revision of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// All must hold.
    pub guards: Vec<Guard>,
    /// The writes.
    pub ops: Vec<Op>,
}

/// Why a transaction was not committed; nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A guard does not hold: somebody else wrote meanwhile.
    #[error("the store has changed meanwhile")]
    Conflict,
    /// The store refuses or fails. After [`StoreError::Unknown`] the commit may have happened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or gives no answer in time; nothing was written.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The answer to a commit was lost: it may have been written or not, and reading tells.
    #[error("the store did not answer, and may have written: {0}")]
    Unknown(String),
    /// It takes no more writes.
    #[error("the store is full: {0}")]
    Full(String),
    /// A key, value or transaction is beyond a limit.
    #[error("{what} is {actual}, more than {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How large it is.
        actual: usize,
        /// How large it may be.
        limit: usize,
    },
    /// A transaction that no store takes: a bug of the caller.
    #[error("the transaction is not valid: {0}")]
    Invalid(String),
    /// What is in it cannot be read.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The revision that a watch was to begin after is no longer known; a snapshot is.
    #[error("revision {} is compacted", .0.0)]
    Compacted(Revision),
}

/// One commit, as a watch tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its revision.
    pub revision: Revision,
    /// Entries that were written, as the transaction wrote them in order: key, and value unless it was deleted. Only those under
    /// the watched prefix.
    pub changes: Vec<(String, Option<Bytes>)>,
}

/// Commits in order, from a watch. Ends with an error if it falls behind what the store remembers.
pub type Watch = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<Commit, StoreError>> + Send>>;

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its newest commit.
    pub revision: Revision,
    /// How much room it takes on its disk.
    pub bytes: u64,
    /// Why it takes no writes, if it does not.
    pub refuses: Option<String>,
}

/// A store.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// All entries whose key begins with `prefix`, at one revision.
    async fn snapshot(&self, prefix: &str) -> Result<Snapshot, StoreError>;

    /// The commit that wrote an entry last, as of now or later, if the entry is there.
    async fn written(&self, key: &str) -> Result<Option<Revision>, StoreError>;

    /// Whether other processes may write it at the same time.
    fn is_shared(&self) -> bool;

    /// Commits a transaction; durable when it returns.
    async fn commit(&self, transaction: Transaction) -> Result<Revision, CommitError>;

    /// Every commit after `after` that wrote under `prefix`.
    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError>;

    /// Forgets commits up to `through`: a watch that is to begin after an earlier one is refused. No entry is lost.
    async fn compact(&self, through: Revision) -> Result<(), StoreError>;

    /// Puts these entries in place of all that there are. SQLite does so at once, and its revision is then after `at_least`. etcd
    /// does it in steps; until the last one it takes no other writes, and is not opened if they were broken off.
    async fn import(&self, entries: Vec<(String, Bytes)>, at_least: Revision)
    -> Result<Revision, StoreError>;

    /// Waits until this process is the only leader of that name. It remains so until the answer is dropped, or until it could
    /// not tell the store for `ttl` that it lives.
    async fn campaign(&self, name: &str, ttl: Duration) -> Result<Leadership, StoreError>;

    /// How it is.
    async fn status(&self) -> Result<Status, StoreError>;

    /// Finishes the commits under way and gives the store to whoever opens it next. Later writes are refused as unavailable.
    /// A store that is dropped closes too, when the last who share it let it go.
    async fn close(&self) {}

    /// What and where it is, in a few words, without secrets.
    fn describe(&self) -> String;
}
