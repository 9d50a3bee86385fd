//! A watch: first what the log tells, then what the writer commits; the log again when it could not keep up.
//!
//! It listens before it reads the log, so nothing falls between; what it hears twice it tells once, by the revision.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use tokio::sync::broadcast::{self, error::RecvError};

use super::faults;
use super::readers::{self, Readers};
use crate::{Commit, Revision, StoreError, Watch};

struct Watching {
    readers: Arc<Readers>,
    live: broadcast::Receiver<Arc<Commit>>,
    prefix: String,
    /// Everything up to here was told, or is in `ready`.
    last: Revision,
    ready: VecDeque<Commit>,
    /// Whether there may be something in the log that was not heard.
    behind: bool,
}

/// Begins a watch; a compacted revision is refused at once.
pub(super) async fn watch(
    readers: &Arc<Readers>,
    live: broadcast::Receiver<Arc<Commit>>,
    prefix: &str,
    after: Revision,
) -> Result<Watch, StoreError> {
    let mut watching = Watching {
        readers: Arc::clone(readers),
        live,
        prefix: prefix.to_owned(),
        last: after,
        ready: VecDeque::new(),
        behind: true,
    };
    watching.replay().await?;
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
            if self.behind {
                self.replay().await?;
                continue;
            }
            match self.live.recv().await {
                Ok(commit) => self.hear(&commit),
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Err(faults::stopped()),
            }
        }
    }

    fn hear(&mut self, commit: &Commit) {
        if commit.revision <= self.last {
            return;
        }
        self.last = commit.revision;
        let under = |(key, _): &&(String, _)| key.starts_with(&self.prefix);
        let changes: Vec<_> = commit.changes.iter().filter(under).cloned().collect();
        if !changes.is_empty() {
            self.ready.push_back(Commit { revision: commit.revision, changes });
        }
    }

    async fn replay(&mut self) -> Result<(), StoreError> {
        let (prefix, after) = (self.prefix.clone(), self.last);
        let part = Readers::run(&self.readers, move |connection| readers::replay(connection, &prefix, after))
            .await?;
        if after < part.compacted {
            return Err(StoreError::Compacted(after));
        }
        // A watch may begin after a revision that is still to come.
        self.last = after.max(part.through);
        self.behind = !part.whole;
        self.ready.extend(part.commits);
        Ok(())
    }
}
