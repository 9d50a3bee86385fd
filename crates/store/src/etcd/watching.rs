//! A watch that survives its connection: it asks again for everything after the last commit it told.
//!
//! etcd 3.4 forgets a deletion at the very revision that it is compacted at, and still takes a watch from there. So the watch is
//! begun one revision earlier than needed, and what is known already is dropped: then etcd refuses exactly what it does not
//! know whole. Progress that etcd reports by itself is used; 3.4 answers a request for it with revisions that are too new.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{Event, EventType, WatchOptions, WatchResponse, WatchStream};
use futures_util::stream;
use tokio::time::{sleep, timeout};

use super::faults::{self, Fault};
use super::members::{Members, REQUEST_TIMEOUT};
use super::reading::own_key;
use crate::{Commit, Revision, StoreError, Watch, prefix};

/// How long it waits before it asks the next member; doubled at each failure.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// How long it waits at most.
const RETRY_MAX: Duration = Duration::from_secs(2);
/// Longest answer that is taken. etcd sends up to 1,000 revisions at once to a watch that is behind.
const ANSWER_BYTES_MAX: usize = 512 << 20;

pub(super) struct Watching {
    members: Arc<Members>,
    root: String,
    from: String,
    /// Everything up to here was told, or is in `ready`.
    last: Revision,
    ready: VecDeque<Commit>,
    stream: Option<(usize, WatchStream)>,
    retry: Duration,
}

/// Begins a watch under `root` and `under`; an error if no member answers now.
pub(super) async fn watch(
    members: &Arc<Members>,
    root: &str,
    under: &str,
    after: Revision,
) -> Result<Watch, StoreError> {
    let mut watching = Watching {
        members: Arc::clone(members),
        root: root.to_owned(),
        from: format!("{root}{under}"),
        last: after,
        ready: VecDeque::new(),
        stream: None,
        retry: RETRY_FIRST,
    };
    // So that a cluster that is down is told at once, and each member is tried.
    watching.members.revision().await?;
    watching.connect().await.map_err(|fault| watching.error(fault))?;
    Ok(Box::pin(stream::try_unfold(watching, async |mut watching| {
        let commit = watching.next().await?;
        Ok(Some((commit, watching)))
    })))
}

impl Watching {
    async fn next(&mut self) -> Result<Commit, StoreError> {
        loop {
            if let Some(commit) = self.ready.pop_front() {
                return Ok(commit);
            }
            match self.step().await {
                Ok(()) => {}
                Err(fault) if fault.is_the_members() => self.reconnect_later().await?,
                Err(fault) => return Err(self.error(fault)),
            }
        }
    }

    /// Takes one answer, after connecting if need be.
    async fn step(&mut self) -> Result<(), Fault> {
        let Some((_, stream)) = &mut self.stream else {
            return self.connect().await;
        };
        match stream.message().await {
            Ok(Some(answer)) => self.take(&answer),
            Ok(None) => Err(Fault::Lost("the connection was closed".to_owned())),
            Err(error) => Err(faults::of(&error)),
        }
    }

    async fn connect(&mut self) -> Result<(), Fault> {
        let (number, client) = self.members.current();
        let options = WatchOptions::new()
            .with_range(prefix::end(&self.from).expect("the root ends with a slash"))
            .with_start_revision(self.last.0.max(1).cast_signed())
            .with_progress_notify();
        let mut client = client.watch_client().max_decoding_message_size(ANSWER_BYTES_MAX);
        let opening = async {
            let mut stream = client.watch(self.from.as_str(), Some(options)).await?;
            let first = stream.message().await?;
            Ok::<_, etcd_client::Error>((stream, first))
        };
        let opened = match timeout(REQUEST_TIMEOUT, opening).await {
            Ok(opened) => opened.map_err(|error| faults::of(&error)),
            Err(_) => Err(Fault::Lost(format!("no watch in {} s", REQUEST_TIMEOUT.as_secs()))),
        };
        match opened {
            Ok((stream, Some(first))) => {
                self.stream = Some((number, stream));
                self.take(&first)
            }
            Ok((_, None)) => Err(Fault::Lost("the watch was closed".to_owned())),
            Err(fault) => Err(fault),
        }
    }

    fn take(&mut self, answer: &WatchResponse) -> Result<(), Fault> {
        if answer.compact_revision() > 0 {
            return Err(Fault::Compacted);
        }
        if answer.canceled() {
            return Err(Fault::Lost(format!("the watch was cancelled: {}", answer.cancel_reason())));
        }
        self.retry = RETRY_FIRST;
        for event in answer.events() {
            self.hear(event)?;
        }
        if answer.events().is_empty() && !answer.created() {
            // Progress: nothing under the prefix happened up to here.
            let seen = answer.header().map_or(0, etcd_client::ResponseHeader::revision).cast_unsigned();
            self.last = self.last.max(Revision(seen));
        } else if let Some(newest) = self.ready.back() {
            self.last = self.last.max(newest.revision);
        }
        Ok(())
    }

    fn hear(&mut self, event: &Event) -> Result<(), Fault> {
        let pair = event.kv().ok_or_else(|| Fault::Denied("an event has no key".to_owned()))?;
        let revision = Revision(pair.mod_revision().cast_unsigned());
        if revision <= self.last {
            return Ok(());
        }
        let key =
            own_key(&self.root, pair.key().to_vec()).map_err(|error| Fault::Denied(error.to_string()))?;
        let value = (event.event_type() == EventType::Put).then(|| Bytes::copy_from_slice(pair.value()));
        match self.ready.back_mut() {
            Some(commit) if commit.revision == revision => commit.changes.push((key, value)),
            _ => self.ready.push_back(Commit { revision, changes: vec![(key, value)] }),
        }
        Ok(())
    }

    /// Waits a little, and leaves the member that failed. A cluster that went back behind what was told is another one.
    async fn reconnect_later(&mut self) -> Result<(), StoreError> {
        let number = self.stream.take().map_or_else(|| self.members.current().0, |(number, _)| number);
        self.members.leave(number);
        sleep(self.retry).await;
        self.retry = (self.retry * 2).min(RETRY_MAX);
        match self.members.revision().await {
            Ok(newest) if newest < self.last => Err(StoreError::Damaged(format!(
                "its revision went back from {} to {}: it was restored from a copy; restart the server",
                self.last.0, newest.0
            ))),
            // Not reached: the next attempt tells.
            _ => Ok(()),
        }
    }

    fn error(&self, fault: Fault) -> StoreError {
        match fault {
            // What is too long to be told has to be read as a snapshot.
            Fault::Compacted | Fault::TooLong => StoreError::Compacted(self.last),
            other => other.of_read(),
        }
    }
}
