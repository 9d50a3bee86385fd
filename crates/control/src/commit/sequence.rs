//! `meta/seq`: the one entry that every commit of the control plane reads and writes.
//!
//! A commit is made only if nobody else has written it since, so the world that was planned against is the world that is
//! changed. It tells which batch was committed last, which settles what became of a commit whose answer was lost.

use palisade_store::{Guard, Revision, StoreError};
use serde::{Deserialize, Serialize};

use crate::audit::Head;

/// Its key.
pub(super) const KEY: &str = "meta/seq";
/// The newest format of the store that is understood here.
const FORMAT: u32 = 1;

/// What the entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sequence {
    /// How entries are written.
    format: u32,
    /// Id of the batch that was committed last.
    pub(super) batch: String,
    /// End of the audit log.
    pub(super) audit: Head,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { format: FORMAT, batch: String::new(), audit: Head::default() }
    }
}

impl Sequence {
    /// The entry of the next batch.
    pub(super) fn next(&self, batch: &str) -> Self {
        Self { batch: batch.to_owned(), ..self.clone() }
    }

    /// Reads it.
    pub(super) fn read(value: &[u8]) -> Result<Self, StoreError> {
        let read: Self = super::encode::parse(KEY, value)?;
        if read.format > FORMAT {
            return Err(StoreError::Damaged(format!(
                "{KEY}: format {} is newer than {FORMAT}, which this version knows (install a newer palisade)",
                read.format
            )));
        }
        Ok(read)
    }
}

/// Nobody else has committed since `revision`, which is 0 if nobody ever did.
pub(super) fn guard(revision: Revision) -> Guard {
    match revision {
        Revision(0) => Guard::Absent(KEY.to_owned()),
        revision => Guard::Unchanged(KEY.to_owned(), revision),
    }
}
