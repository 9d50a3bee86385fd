//! What becomes of a transaction.
//!
//! A commit whose answer is lost is sent again: its guard lets it through once. Whether the first was made is told by the
//! watch, by the id of the batch in the sequence.

use std::time::{Duration, Instant};

use palisade_store::{CommitError, Revision, Store, StoreError, Transaction};
use tokio::time::sleep;

/// How long a commit whose answer was lost is asked for; a caller is refused soon after it.
pub const LOST_ANSWER_MAX: Duration = Duration::from_secs(10);
/// Pauses between attempts to find the store again.
pub(super) const RETRY: Duration = Duration::from_millis(250);

/// What became of a transaction.
pub(super) enum Fate {
    Committed(Revision),
    /// Another server has committed, or what became of it is known only from the watch.
    Overtaken,
    Failed(StoreError),
}

/// Commits a transaction. One whose answer is lost is sent again: its guard lets it through once.
pub(super) async fn commit(store: &dyn Store, transaction: Transaction) -> Fate {
    let begun = Instant::now();
    let mut is_lost = false;
    loop {
        match store.commit(transaction.clone()).await {
            Ok(revision) => return Fate::Committed(revision),
            Err(CommitError::Conflict) => return Fate::Overtaken,
            Err(CommitError::Store(error)) => {
                is_lost |= matches!(error, StoreError::Unknown(_));
                if !is_lost || begun.elapsed() > LOST_ANSWER_MAX {
                    return Fate::Failed(error);
                }
                sleep(RETRY).await;
            }
        }
    }
}
