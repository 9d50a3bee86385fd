//! The data folder of a server.
//!
//! | name | holds |
//! |---|---|
//! | `server.lock` | nothing; locked while a server runs, so that there is one at a time |
//! | `palisade.db` | the store, unless another is given |
//! | `ca.pem` | the certificate authority, for clients and agents to trust |
//! | `bootstrap.json` | how the first principal logs in, written once (mode 0600) |
//! | `flow-positions.json` | how far flow records of hosts are stored, if they are |
//!
//! Files are written whole or not at all: under another name first, then renamed.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use palisade_client::Bootstrap;

/// The data folder, locked.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// What is wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another server runs in it.
    #[error("the data folder {} is in use by another server (stop it, or give this one its own --data)", .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |source| FolderError::Io { path, source }
}

impl Folder {
    /// The file that says how far flow records of hosts are stored.
    pub fn flow_positions(&self) -> PathBuf {
        self.path.join("flow-positions.json")
    }

    /// Opens the folder, making it if there is none, and locks it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        let path = fs::canonicalize(path).map_err(failed(path))?;
        let lock_path = path.join("server.lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(FolderError::Io { path: lock_path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the authority's certificate is.
    pub fn authority_file(&self) -> PathBuf {
        self.path.join("ca.pem")
    }

    /// Where the first principal's credentials are.
    pub fn bootstrap_file(&self) -> PathBuf {
        self.path.join("bootstrap.json")
    }

    /// Writes the authority's certificate for others to read.
    pub fn write_authority(&self, pem: &str) -> Result<(), FolderError> {
        write(&self.authority_file(), 0o644, pem.as_bytes())
    }

    /// Writes the first principal's credentials for nobody else to read.
    pub fn write_bootstrap(&self, bootstrap: &Bootstrap) -> Result<(), FolderError> {
        let path = self.bootstrap_file();
        let json = serde_json::to_vec_pretty(bootstrap).map_err(io::Error::from).map_err(failed(&path))?;
        write(&path, 0o600, &json)
    }

    /// Takes away credentials that turned out to open nothing.
    pub fn remove_bootstrap(&self) -> Result<(), FolderError> {
        let path = self.bootstrap_file();
        fs::remove_file(&path).map_err(failed(&path))
    }
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), FolderError> {
    let new = path.with_extension("new");
    // A file that a crash left behind may have another mode.
    let _ = fs::remove_file(&new);
    let mut file =
        OpenOptions::new().create_new(true).write(true).mode(mode).open(&new).map_err(failed(&new))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed(&new))?;
    fs::rename(&new, path).map_err(failed(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_server_at_a_time_and_secrets_are_private() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b");
        let folder = Folder::open(&path).unwrap();
        assert!(matches!(Folder::open(&path), Err(FolderError::InUse(_))));
        let bootstrap = Bootstrap {
            endpoint: "https://h".into(),
            ca_file: folder.authority_file(),
            tenant_id: "t".into(),
            subscription_id: "s".into(),
            client_id: "c".into(),
            client_secret: "x".into(),
        };
        folder.write_bootstrap(&bootstrap).unwrap();
        folder.write_bootstrap(&bootstrap).unwrap();
        let file = folder.bootstrap_file();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let read: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(read["clientSecret"], "x");
        assert_eq!(read["caFile"], folder.authority_file().to_str().unwrap());
        drop(folder);
        assert!(Folder::open(&path).is_ok());
    }
}
