//! Whether a commit that was refused for want of room was written all the same.
//!
//! A member measures its database twice: before it proposes a transaction, and when it applies it. What the first finds stops the
//! transaction. What the second finds raises the alarm and is told as the same error, but the transaction has been applied
//! (`quotaApplierV3` in etcd 3.4). Only reading tells the two apart.

use bytes::Bytes;
use etcd_client::KeyValue;

use crate::{CommitError, Guard, Op, Revision, StoreError, Transaction};

use super::Etcd;

/// Tells what became of a transaction that the cluster had no room for: the error, or the revision that it was written at.
pub(super) async fn settle(
    store: &Etcd,
    transaction: &Transaction,
    full: StoreError,
) -> Result<Revision, CommitError> {
    // All of it was written or nothing: one entry tells.
    let Some((key, value)) = transaction.ops.iter().find_map(put) else { return Err(full.into()) };
    let found = store.find(&store.data(key), None).await.map_err(|error| {
        StoreError::Unknown(format!("{full}; whether it was written all the same could not be read: {error}"))
    })?;
    match found {
        Some(found) if is_written(&found, value, &transaction.guards) => {
            Ok(Revision(found.mod_revision().cast_unsigned()))
        }
        _ => Err(full.into()),
    }
}

fn put(op: &Op) -> Option<(&str, &Bytes)> {
    match op {
        Op::Put(key, value) => Some((key, value)),
        Op::Delete(_) => None,
    }
}

/// Whether an entry is as a transaction writes it, and newer than what the transaction was about. One without guards is not about
/// anything, so that an entry that was the same before could not be told from its own.
fn is_written(found: &KeyValue, value: &Bytes, guards: &[Guard]) -> bool {
    let revision = |guard: &Guard| match guard {
        Guard::Absent(_) => 0,
        Guard::Unchanged(_, revision) => revision.0,
    };
    let before = guards.iter().map(revision).max();
    found.value() == value.as_ref()
        && before.is_some_and(|before| found.mod_revision().cast_unsigned() > before)
}
