//! A snapshot, read in pages of one revision. If that revision is compacted meanwhile, reading begins again with the newest.
//!
//! etcd puts a whole answer together in memory, so a page has a bound of bytes too: the length of the next one follows from the
//! average entry of the last.

use bytes::Bytes;
use etcd_client::{Client, GetOptions, GetResponse};

use super::faults::Fault;
use super::members::{Members, revision};
use crate::{Entry, Revision, Snapshot, StoreError, prefix};

/// Most entries of a page.
const PAGE_ENTRIES: i64 = 1_000;
/// Entries of the first page, of whose length nothing is known.
const PAGE_ENTRIES_FIRST: i64 = 100;
/// How long a page should be, in bytes.
const PAGE_BYTES: usize = 4 << 20;
/// How long a page may be.
const PAGE_BYTES_MAX: usize = 128 << 20;
/// How often reading may begin again.
const ATTEMPTS: usize = 5;

/// Reads all entries under `root` and `under`; `root` is taken off their keys.
pub(super) async fn snapshot(members: &Members, root: &str, under: &str) -> Result<Snapshot, StoreError> {
    for _ in 1..ATTEMPTS {
        match Pages::new(members, root, under).read().await {
            Err(Problem::Fault(Fault::Compacted)) => {}
            done => return done.map_err(Problem::into_error),
        }
    }
    Pages::new(members, root, under).read().await.map_err(Problem::into_error)
}

enum Problem {
    Fault(Fault),
    Store(StoreError),
}

impl Problem {
    fn into_error(self) -> StoreError {
        match self {
            Self::Fault(fault) => fault.of_read(),
            Self::Store(error) => error,
        }
    }
}

struct Pages<'a> {
    members: &'a Members,
    root: &'a str,
    from: String,
    end: String,
    limit: i64,
    snapshot: Snapshot,
}

impl<'a> Pages<'a> {
    fn new(members: &'a Members, root: &'a str, under: &str) -> Self {
        let from = format!("{root}{under}");
        let end = prefix::end(&from).expect("the root ends with a slash");
        Self { members, root, from, end, limit: PAGE_ENTRIES_FIRST, snapshot: Snapshot::default() }
    }

    async fn read(mut self) -> Result<Snapshot, Problem> {
        loop {
            let mut page = match self.page().await {
                Err(Fault::TooLong) if self.limit > 1 => {
                    self.limit /= 2;
                    continue;
                }
                other => other.map_err(Problem::Fault)?,
            };
            if self.snapshot.revision == Revision(0) {
                self.snapshot.revision = revision(page.header()).map_err(Problem::Store)?;
            }
            let more = page.more();
            self.take(page.take_kvs()).map_err(Problem::Store)?;
            if !more {
                return Ok(self.snapshot);
            }
        }
    }

    async fn page(&self) -> Result<GetResponse, Fault> {
        let options = GetOptions::new()
            .with_range(self.end.as_str())
            .with_limit(self.limit)
            .with_revision(self.snapshot.revision.0.cast_signed());
        let request = |client: Client| {
            let (from, options) = (self.from.clone(), options.clone());
            async move {
                let mut client = client.kv_client().max_decoding_message_size(PAGE_BYTES_MAX);
                client.get(from, Some(options)).await
            }
        };
        self.members.read(request).await
    }

    fn take(&mut self, page: Vec<etcd_client::KeyValue>) -> Result<(), StoreError> {
        let (count, mut bytes) = (page.len(), 0);
        for pair in page {
            let modified = Revision(pair.mod_revision().cast_unsigned());
            let (key, value) = pair.into_key_value();
            bytes += key.len() + value.len();
            let key = own_key(self.root, key)?;
            self.snapshot.entries.push(Entry { key, value: Bytes::from(value), modified });
        }
        if let Some(last) = self.snapshot.entries.last() {
            // The key that follows immediately.
            self.from = format!("{}{}\0", self.root, last.key);
        }
        let average = (bytes / count.max(1)).max(1);
        self.limit = i64::try_from(PAGE_BYTES / average).unwrap_or(PAGE_ENTRIES).clamp(1, PAGE_ENTRIES);
        Ok(())
    }
}

/// A key as the store's users know it.
pub(super) fn own_key(root: &str, key: Vec<u8>) -> Result<String, StoreError> {
    let text = String::from_utf8(key).map_err(|error| {
        StoreError::Damaged(format!("key {:?} is not UTF-8", String::from_utf8_lossy(error.as_bytes())))
    })?;
    match text.strip_prefix(root) {
        Some(own) => Ok(own.to_owned()),
        None => Err(StoreError::Damaged(format!("key {text:?} is not under {root:?}"))),
    }
}
