//! Reading what other servers have been told: before a question is answered from the world, the store says how far the
//! world must have come.
//!
//! Asking costs a round trip, so that all who come while one is under way share the next: it begins after they came, and
//! therefore knows of everything that was acknowledged before. A store that only this process writes is not asked.

use std::sync::Arc;
use std::time::Duration;

use palisade_store::{Revision, Store, StoreError};
use tokio::sync::{Mutex, broadcast::error::RecvError};
use tokio::time::timeout;

use super::{Control, sequence};
use crate::{ControlError, World};

/// How long a world may take to show what the store has.
pub const CURRENT_MAX: Duration = Duration::from_secs(3);

/// Asks the store for its newest commit.
#[derive(Debug)]
pub(super) struct Inquiry {
    store: Arc<dyn Store>,
    /// How many questions have been asked.
    asked: std::sync::atomic::AtomicU64,
    /// The answer to one of them.
    last: Mutex<(u64, Revision)>,
}

impl Inquiry {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, asked: 0.into(), last: Mutex::default() }
    }

    /// The newest commit of anybody, as of now or later.
    async fn newest(&self) -> Result<Revision, StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
        let wanted = self.asked.load(SeqCst) + 1;
        let mut last = self.last.lock().await;
        if last.0 < wanted {
            let number = self.asked.fetch_add(1, SeqCst) + 1;
            let written = self.store.written(sequence::KEY).await?;
            *last = (number, written.unwrap_or_default());
        }
        Ok(last.1)
    }
}

impl Control {
    /// Waits until the world shows every write that any server had acknowledged when this was called.
    ///
    /// # Errors
    /// `StoreUnavailable` if the store does not tell, or the world has not come that far, within [`CURRENT_MAX`]: what
    /// the world shows could be out of date.
    pub async fn current(&self) -> Result<(), ControlError> {
        if !self.inquiry.store.is_shared() {
            return Ok(());
        }
        let silent = |_| {
            let (store, limit) = (self.inquiry.store.describe(), CURRENT_MAX.as_secs());
            StoreError::Unavailable(format!("{store} did not say within {limit} s what its newest commit is"))
        };
        let caught_up = timeout(CURRENT_MAX, self.catch_up()).await.map_err(silent);
        Ok(caught_up.flatten()?)
    }

    async fn catch_up(&self) -> Result<(), StoreError> {
        let newest = self.inquiry.newest().await?;
        // Subscribed before looking, so that no commit falls between.
        let mut changes = self.changes();
        while self.read(World::revision) < newest {
            if matches!(changes.recv().await, Err(RecvError::Closed)) {
                return Err(StoreError::Unavailable("the server is stopping".to_owned()));
            }
        }
        Ok(())
    }
}
