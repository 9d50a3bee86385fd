//! One process to one file: an exclusive lock on a file beside the database, with the holder's process id in it.
//!
//! The kernel gives the lock back when the holder ends, however it ends; the lock file itself stays and means nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::StoreError;

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock, or says who holds it.
pub(super) fn take(path: &Path) -> Result<Lock, StoreError> {
    let refuse = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    // Not truncated: until the lock is ours, what is in it is the holder's.
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(refuse)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held(&mut file, path)),
        Err(TryLockError::Error(error)) => return Err(refuse(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(refuse)?;
    // The number only helps a person; on a full disk the lock is as good without it.
    let _ = writeln!(file, "{}", std::process::id());
    Ok(Lock { _file: file })
}

fn held(file: &mut File, path: &Path) -> StoreError {
    let mut holder = String::new();
    // Without the number the sentence is shorter, that is all.
    let _ = file.read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    StoreError::Unavailable(format!(
        "{holder} has {} open: stop it, or use etcd for several servers",
        path.display()
    ))
}
