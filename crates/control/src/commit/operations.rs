//! Operations in the store: `op/<batch>` says which hosts must act on what a batch committed.
//!
//! The ids of a batch's operations are its own with a number. What hosts have done is the board's to know.

use std::collections::{BTreeSet, VecDeque};

use palisade_model::ResourceId;
use palisade_store::{CommitError, Guard, OPERATIONS_MAX, Op, Revision, Store, StoreError, Transaction};
use serde::{Deserialize, Serialize};

use super::encode::{parse, text};
use crate::fleet::{Board, HostName};

/// Where operations are.
pub(super) const PREFIX: &str = "op/";
/// Batches whose operations are kept in the store; the oldest go first.
const BATCHES_MAX: usize = 1_000;

/// The hosts of each operation of a batch, and the resource that it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Operations {
    hosts: Vec<BTreeSet<HostName>>,
    /// As many; an older version wrote none.
    #[serde(default)]
    about: Vec<Option<String>>,
}

impl Operations {
    /// Adds an operation of a batch, if it concerns anyone; its id.
    pub(super) fn add(
        &mut self,
        batch: &str,
        hosts: BTreeSet<HostName>,
        about: Option<ResourceId>,
    ) -> Option<String> {
        if hosts.is_empty() {
            return None;
        }
        self.hosts.push(hosts);
        self.about.push(about.map(|id| id.to_string()));
        Some(id(batch, self.hosts.len() - 1))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Lets the board follow them.
    pub(super) fn track(self, board: &Board, batch: &str, revision: Revision) {
        let about = self.about.into_iter().chain(std::iter::repeat(None));
        for (at, (hosts, about)) in self.hosts.into_iter().zip(about).enumerate() {
            let about = about.as_deref().map(ResourceId::new);
            board.track(id(batch, at), about, revision, hosts);
        }
    }

    /// Reads those of a key.
    pub(super) fn read(key: &str, value: &[u8]) -> Result<Self, StoreError> {
        parse(key, value)
    }
}

fn id(batch: &str, at: usize) -> String {
    format!("{batch}-{at}")
}

/// The batch of a key.
pub(super) fn batch_of(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

/// Which batches have operations in the store, oldest first.
#[derive(Debug, Default)]
pub(super) struct Kept(VecDeque<String>);

impl Kept {
    pub(super) fn push(&mut self, batch: &str) {
        self.0.push_back(batch.to_owned());
    }

    pub(super) fn forget(&mut self, batch: &str) {
        self.0.retain(|kept| kept != batch);
    }

    /// The writes that keep a new batch and drop what is too much.
    pub(super) fn ops(&self, batch: &str, operations: &Operations) -> Vec<Op> {
        let mut ops = vec![Op::Put(format!("{PREFIX}{batch}"), text(operations))];
        if self.0.len() >= BATCHES_MAX {
            // Two for one, so that the number comes down where several servers have added.
            ops.extend(self.0.iter().take(2).map(|old| Op::Delete(format!("{PREFIX}{old}"))));
        }
        ops
    }

    /// The same after the commit.
    pub(super) fn committed(&mut self, batch: &str) {
        if self.0.len() >= BATCHES_MAX {
            self.0.drain(..2);
        }
        self.push(batch);
    }
}

/// Takes away the operations that began at `through` or earlier; how many batches had some. Servers that know them go on
/// answering for them.
///
/// # Errors
/// The store fails; some may be gone.
pub async fn drop_operations(store: &dyn Store, through: Revision) -> Result<usize, StoreError> {
    let snapshot = store.snapshot(PREFIX).await?;
    let old: Vec<_> = snapshot.entries.into_iter().filter(|entry| entry.modified <= through).collect();
    // A guard and a write for each.
    for entries in old.chunks(OPERATIONS_MAX / 2) {
        let transaction = Transaction {
            guards: entries.iter().map(|entry| Guard::Unchanged(entry.key.clone(), entry.modified)).collect(),
            ops: entries.iter().map(|entry| Op::Delete(entry.key.clone())).collect(),
        };
        match store.commit(transaction).await {
            // Whoever commits operations drops the oldest too, if there are many.
            Ok(_) | Err(CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
    Ok(old.len())
}
