//! The store in a cluster of etcd: what several servers share.
//!
//! A revision is etcd's own, which counts writes of others too. Written for Debian's etcd 3.4, whose quirks are named
//! where they are met: `members`, `watching`, `faults`. See ADR 0023.

mod faults;
mod layout;
mod leading;
mod members;
mod reading;
mod settling;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use etcd_client::{
    AlarmAction, AlarmType, Client, Compare, CompareOp, DeleteOptions, GetOptions, KeyValue, Txn, TxnOp,
    TxnOpResponse, TxnResponse,
};

use crate::url::EtcdUrl;
use crate::{
    CommitError, Guard, Leadership, OPERATIONS_MAX, Op, Revision, Snapshot, Status, Store, StoreError,
    Transaction, VALUE_LENGTH_MAX, Watch,
};
use faults::Fault;
use layout::{Layout, SCHEMA};
pub use members::{CONNECT_TIMEOUT, REQUEST_TIMEOUT};
use members::{Members, revision};

/// A store in etcd.
#[derive(Debug)]
pub struct Etcd {
    url: EtcdUrl,
    layout: Layout,
    members: Arc<Members>,
}

impl Etcd {
    /// Opens the store; refuses one that a newer program laid out, or that was not restored to its end.
    pub async fn open(url: &EtcdUrl) -> Result<Self, StoreError> {
        let store = Self::open_to_restore(url).await?;
        if store.get(&store.layout.restoring).await?.is_some() {
            return Err(restoring());
        }
        Ok(store)
    }

    /// Like [`Etcd::open`], but takes a store that was not restored to its end.
    pub async fn open_to_restore(url: &EtcdUrl) -> Result<Self, StoreError> {
        let (layout, members) = (Layout::new(url), Arc::new(Members::new(url).await?));
        let store = Self { url: url.clone(), layout, members };
        store.check_schema().await?;
        Ok(store)
    }

    async fn check_schema(&self) -> Result<(), StoreError> {
        let key = self.layout.schema.as_str();
        if self.get(key).await?.is_none() {
            let absent = Compare::version(key, CompareOp::Equal, 0);
            // Whoever was faster has written a version too: it is read below.
            self.txn(Txn::new().when([absent]).and_then([TxnOp::put(key, SCHEMA.to_string(), None)])).await?;
        }
        let found = self.get(key).await?.unwrap_or_default();
        let version: Option<u32> = std::str::from_utf8(&found).ok().and_then(|text| text.parse().ok());
        match version {
            Some(SCHEMA) => Ok(()),
            Some(newer) if newer > SCHEMA => Err(StoreError::Damaged(format!(
                "its schema has version {newer}, and this program knows up to {SCHEMA}: run the newer program that wrote it"
            ))),
            _ => Err(StoreError::Damaged(format!("key {key:?} is {:?}", String::from_utf8_lossy(&found)))),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.find(key, None).await?.map(|pair| pair.into_key_value().1))
    }

    async fn find(&self, key: &str, options: Option<GetOptions>) -> Result<Option<KeyValue>, StoreError> {
        let request = |mut client: Client| {
            let (key, options) = (key.to_owned(), options.clone());
            async move { client.get(key, options).await }
        };
        let mut found = self.members.read(request).await.map_err(Fault::of_read)?;
        Ok(found.take_kvs().pop())
    }

    async fn txn(&self, txn: Txn) -> Result<TxnResponse, StoreError> {
        self.members.write(|mut client: Client| async move { client.txn(txn).await }).await
    }

    fn compare(&self, guard: &Guard) -> Compare {
        let key = self.data(guard.key());
        match guard {
            Guard::Absent(_) => Compare::version(key, CompareOp::Equal, 0),
            Guard::Unchanged(_, revision) => {
                // A key that is not there has revision 0; a revision beyond etcd's numbers never holds.
                let wanted = i64::try_from(revision.0).ok().filter(|number| *number > 0).unwrap_or(i64::MAX);
                Compare::mod_revision(key, CompareOp::Equal, wanted)
            }
        }
    }

    fn operation(&self, op: &Op) -> TxnOp {
        let key = self.data(op.key());
        match op {
            Op::Put(_, value) => TxnOp::put(key, value.as_ref(), None),
            Op::Delete(_) => TxnOp::delete(key, None),
        }
    }

    fn data(&self, key: &str) -> String {
        format!("{}{key}", self.layout.data)
    }

    /// Puts entries, as many at once as fit into a transaction.
    async fn fill(&self, entries: &[(String, Bytes)]) -> Result<(), StoreError> {
        let mut rest = entries;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |(key, value): &&(String, Bytes)| {
                bytes += key.len() + value.len();
                bytes <= VALUE_LENGTH_MAX
            };
            let count = rest.iter().take(OPERATIONS_MAX).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            let puts = now.iter().map(|(key, value)| TxnOp::put(self.data(key), value.as_ref(), None));
            self.txn(Txn::new().and_then(puts.collect::<Vec<_>>())).await?;
            rest = later;
        }
        Ok(())
    }
}

fn restoring() -> StoreError {
    StoreError::Damaged(
        "a restore into it has not come to its end: restore it again (palisade store restore)".to_owned(),
    )
}

#[async_trait]
impl Store for Etcd {
    async fn snapshot(&self, prefix: &str) -> Result<Snapshot, StoreError> {
        reading::snapshot(&self.members, &self.layout.data, prefix).await
    }

    async fn written(&self, key: &str) -> Result<Option<Revision>, StoreError> {
        // Not serializable, as a member could answer that alone: the majority must agree that there is nothing newer.
        let keys_only = GetOptions::new().with_keys_only();
        let found = self.find(&self.data(key), Some(keys_only)).await?;
        Ok(found.map(|pair| Revision(pair.mod_revision().cast_unsigned())))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        transaction.check()?;
        let mark = self.layout.restoring.as_str();
        let mut compares: Vec<_> = transaction.guards.iter().map(|guard| self.compare(guard)).collect();
        compares.push(Compare::version(mark, CompareOp::Equal, 0));
        let operations: Vec<_> = transaction.ops.iter().map(|op| self.operation(op)).collect();
        let txn = Txn::new().when(compares).and_then(operations).or_else([TxnOp::get(mark, None)]);
        let answer = match self.txn(txn).await {
            Err(full @ StoreError::Full(_)) => return settling::settle(self, &transaction, full).await,
            answer => answer?,
        };
        if answer.succeeded() {
            return Ok(revision(answer.header())?);
        }
        match answer.op_responses().first() {
            Some(TxnOpResponse::Get(found)) if found.kvs().is_empty() => Err(CommitError::Conflict),
            _ => Err(restoring().into()),
        }
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        watching::watch(&self.members, &self.layout.data, prefix, after).await
    }

    async fn compact(&self, through: Revision) -> Result<(), StoreError> {
        let through = through.min(self.members.revision().await?).0.cast_signed();
        let request = |mut client: Client| async move { client.compact(through, None).await };
        match self.members.read(request).await {
            // Somebody was there before.
            Ok(_) | Err(Fault::Compacted) => Ok(()),
            Err(fault) => Err(fault.of_read()),
        }
    }

    async fn import(
        &self,
        entries: Vec<(String, Bytes)>,
        _at_least: Revision,
    ) -> Result<Revision, StoreError> {
        let mark = self.layout.restoring.as_str();
        let all = DeleteOptions::new().with_prefix();
        let begin = [TxnOp::put(mark, "", None), TxnOp::delete(self.layout.data.as_str(), Some(all))];
        self.txn(Txn::new().and_then(begin)).await?;
        self.fill(&entries).await?;
        let answer = self.txn(Txn::new().and_then([TxnOp::delete(mark, None)])).await?;
        revision(answer.header())
    }

    async fn campaign(&self, name: &str, ttl: Duration) -> Result<Leadership, StoreError> {
        leading::campaign(&self.members, &self.layout, name, ttl).await
    }

    async fn status(&self) -> Result<Status, StoreError> {
        let revision = self.members.revision().await?;
        let request = |mut client: Client| async move {
            let status = client.status().await?;
            let alarms = client.alarm(AlarmAction::Get, AlarmType::None, None).await?;
            Ok((status, alarms))
        };
        let (status, alarms) = self.members.read(request).await.map_err(Fault::of_read)?;
        let names = |alarm: &etcd_client::AlarmMember| match alarm.alarm() {
            AlarmType::None => None,
            AlarmType::Nospace => Some("its database has reached its quota (alarm NOSPACE)"),
            AlarmType::Corrupt => Some("its members disagree (alarm CORRUPT)"),
        };
        let refuses = alarms.alarms().iter().find_map(names).map(str::to_owned);
        Ok(Status { revision, bytes: status.db_size().cast_unsigned(), refuses })
    }

    fn describe(&self) -> String {
        format!("etcd at {}, under {}/", self.url.endpoints.join(", "), self.url.prefix)
    }
}
