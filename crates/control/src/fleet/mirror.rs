//! How hosts stand, told between servers that share a store: `status/<host>`.
//!
//! The server that serves a host writes it, many hosts together and not more often than [`MIRROR_EVERY`]; the others read it.
//! It is beside the sequence of commits, since it is nobody's configuration: a lost write is made good by the next, and a
//! store that is away stops the mirror and nothing else.

use std::sync::Arc;
use std::time::Duration;

use palisade_store::{OPERATIONS_MAX, Op, Revision, Store, StoreError, Transaction, VALUE_LENGTH_MAX};
use tokio_stream::StreamExt as _;

use super::{Board, HostName, NicStatus, Standing};
use crate::Control;

/// Where the mirror is in the store.
pub const STATUS_PREFIX: &str = "status/";
/// How often it is written at most.
pub const MIRROR_EVERY: Duration = Duration::from_millis(100);
/// Failing interfaces that are told of a host whose interfaces are too many to be told all.
const FAILURES_MAX: usize = 64;
/// How long the mirror waits before it asks a store again that has failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Writes how the hosts served here stand, whenever that changes. Never returns.
pub async fn keep_mirror(store: Arc<dyn Store>, control: Control) {
    loop {
        let changed = control.fleet().changed().await;
        let ops: Vec<Op> = changed.iter().filter_map(|(host, standing)| op(host, standing)).collect();
        for batch in ops.chunks(OPERATIONS_MAX) {
            // What is not written now is written when the host stands differently again, or is heard of.
            let transaction = Transaction { guards: Vec::new(), ops: batch.to_vec() };
            if store.commit(transaction).await.is_err() {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
        tokio::time::sleep(MIRROR_EVERY).await;
    }
}

/// Reads how the hosts stand that other servers serve; `is_ours` says whether a host is served here. Never returns.
pub async fn watch_mirror(store: Arc<dyn Store>, control: Control, is_ours: impl Fn(&HostName) -> bool) {
    loop {
        // A watch that ends, because it was too slow or the store went away, begins with everything again.
        let _ended = follow(&*store, control.fleet(), &is_ours).await;
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn follow(
    store: &dyn Store,
    board: &Board,
    is_ours: &impl Fn(&HostName) -> bool,
) -> Result<Revision, StoreError> {
    let take = |key: &str, value: Option<&[u8]>| {
        let host = key.strip_prefix(STATUS_PREFIX).and_then(|name| name.parse().ok());
        if let Some(host) = host.filter(|host| !is_ours(host)) {
            board.mirror(&host, value.and_then(|value| serde_json::from_slice(value).ok()));
        }
    };
    let snapshot = store.snapshot(STATUS_PREFIX).await?;
    snapshot.entries.iter().for_each(|entry| take(&entry.key, Some(&entry.value)));
    let mut last = snapshot.revision;
    let mut watch = store.watch(STATUS_PREFIX, last).await?;
    while let Some(commit) = watch.next().await {
        let commit = commit?;
        last = commit.revision;
        commit.changes.iter().for_each(|(key, value)| take(key, value.as_deref()));
    }
    Ok(last)
}

/// The write for one host. Of one with very many interfaces, only those that fail are told.
fn op(host: &HostName, standing: &Standing) -> Option<Op> {
    let text = |standing: &Standing| serde_json::to_vec(standing).ok();
    let whole = text(standing)?;
    let fits = whole.len() <= VALUE_LENGTH_MAX;
    let value = if fits { whole } else { text(&failures_of(standing))? };
    (value.len() <= VALUE_LENGTH_MAX).then(|| Op::Put(format!("{STATUS_PREFIX}{host}"), value.into()))
}

fn failures_of(standing: &Standing) -> Standing {
    let mut failures = standing.clone();
    if let Some(report) = &mut failures.report {
        report.nics.retain(|nic: &NicStatus| !nic.error.is_empty());
        report.nics.truncate(FAILURES_MAX);
    }
    failures
}
