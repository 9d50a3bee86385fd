//! What SQLite's errors mean for whoever uses the store.
//!
//! Before the commit an error is certain: nothing was written. At the commit only "disk full" is, because the last frame of
//! the write-ahead log is what commits and it did not fit; any other error there may have come after it.

use rusqlite::{Error, ErrorCode, ffi};

use crate::StoreError;

/// Of opening, of reading, or of writing before the commit.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn reading(error: Error) -> StoreError {
    let said = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(said),
        _ if no_room(&error) => StoreError::Full(said),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch) => {
            StoreError::Damaged(said)
        }
        None => StoreError::Damaged(said),
        Some(_) => StoreError::Unavailable(said),
    }
}

/// Of the commit itself.
pub(super) fn committing(error: Error) -> StoreError {
    match reading(error) {
        full @ StoreError::Full(_) => full,
        other => StoreError::Unknown(other.to_string()),
    }
}

/// The writer's thread is gone.
pub(super) fn stopped() -> StoreError {
    StoreError::Unavailable("it was closed, or its writer stopped: restart the server".to_owned())
}

/// The index of the write-ahead log is in a file of its own; where that cannot grow, the disk is full too.
fn no_room(error: &Error) -> bool {
    matches!(error, Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}
