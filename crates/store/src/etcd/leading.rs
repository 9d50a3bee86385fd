//! Leading: a key that exists as long as a lease does, and the lease as long as its holder keeps it alive.
//!
//! The holder counts from when it asked, the cluster from when it answered: so the holder gives up before anybody else
//! can begin, also if it was paused.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, Compare, CompareOp, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt as _;

use super::faults::Fault;
use super::layout::Layout;
use super::members::{Members, revision};
use super::watching;
use crate::leadership::Keeper;
use crate::{Leadership, Revision, StoreError};

/// Longest time until the key of a leader that went is looked for again, even if no watch tells of it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Waits until nobody else leads.
pub(super) async fn campaign(
    members: &Arc<Members>,
    layout: &Layout,
    name: &str,
    ttl: Duration,
) -> Result<Leadership, StoreError> {
    let key = format!("{}{name}", layout.leader);
    loop {
        let asked = Instant::now();
        let lease = grant(members, ttl).await?;
        match take(members, &key, lease).await {
            Ok(None) => {
                let (leadership, keeper) = Leadership::until(asked + ttl);
                tokio::spawn(keep(Arc::clone(members), lease, ttl, keeper));
                return Ok(leadership);
            }
            Ok(Some(seen)) => {
                revoke(members, lease).await;
                wait_for_end(members, layout, name, seen).await?;
            }
            Err(error) => {
                // Whether the key was written or not: it goes with its lease.
                revoke(members, lease).await;
                return Err(error);
            }
        }
    }
}

async fn grant(members: &Members, ttl: Duration) -> Result<i64, StoreError> {
    // Rounded up: the lease must not end before we think it does. An unused lease ends by itself.
    let seconds = i64::try_from(ttl.as_secs() + 1).unwrap_or(i64::MAX);
    let request = |mut client: Client| async move { client.lease_grant(seconds, None).await };
    let granted = members.read(request).await.map_err(Fault::of_read)?;
    Ok(granted.id())
}

/// Takes the key if nobody has it; otherwise tells the revision at which somebody had.
async fn take(members: &Members, key: &str, lease: i64) -> Result<Option<Revision>, StoreError> {
    let put = PutOptions::new().with_lease(lease);
    let txn = Txn::new()
        .when([Compare::version(key, CompareOp::Equal, 0)])
        .and_then([TxnOp::put(key, std::process::id().to_string(), Some(put))])
        .or_else([TxnOp::get(key, None)]);
    let answer = members.write(|mut client: Client| async move { client.txn(txn).await }).await?;
    if answer.succeeded() || holder(&answer) == Some(lease) {
        return Ok(None);
    }
    revision(answer.header()).map(Some)
}

/// The lease that keeps the key that was found.
fn holder(answer: &TxnResponse) -> Option<i64> {
    match answer.op_responses().first() {
        Some(TxnOpResponse::Get(found)) => found.kvs().first().map(etcd_client::KeyValue::lease),
        _ => None,
    }
}

/// Returns when the key may be gone.
async fn wait_for_end(
    members: &Arc<Members>,
    layout: &Layout,
    name: &str,
    seen: Revision,
) -> Result<(), StoreError> {
    let mut watch = watching::watch(members, &layout.leader, name, seen).await?;
    let gone = async {
        while let Some(Ok(commit)) = watch.next().await {
            if commit.changes.iter().any(|(key, value)| key == name && value.is_none()) {
                return;
            }
        }
    };
    // Whether it was told or the time passed: the next attempt tells.
    let _ = timeout(LOOK_AGAIN, gone).await;
    Ok(())
}

/// Prolongs the lease three times in its life, until the holder is gone or the lease is.
async fn keep(members: Arc<Members>, lease: i64, ttl: Duration, mut keeper: Keeper) {
    loop {
        tokio::select! {
            _ = &mut keeper.dropped => break,
            () = sleep(ttl / 3) => {}
        }
        let asked = Instant::now();
        // Reads one answer; each prolongation has a stream of its own, so that any member can take it.
        let request = |mut client: Client| async move { client.lease_keep_alive(lease).await.map(drop) };
        match members.read(request).await {
            // Its holder has given up already, or the lease is over.
            _ if keeper.over() => break,
            Err(Fault::Denied(_)) => break,
            Ok(()) => keeper.prolong(asked + ttl),
            Err(_) => {}
        }
    }
    keeper.end();
    revoke(&members, lease).await;
}

async fn revoke(members: &Members, lease: i64) {
    // If it cannot be told, the lease ends by itself.
    let _ = members.read(|mut client: Client| async move { client.lease_revoke(lease).await }).await;
}
