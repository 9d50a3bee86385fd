//! What a host keeps of its server on disk: which one it is, its own name, key and certificate, the documents that
//! were accepted last, and flow records that it does not have yet.
//!
//! The directory belongs to its owner alone, the file with the key too. One file holds all that must fit together, and is
//! replaced in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Credentials, RemoteError};
use crate::disk::{self, Outlives};

/// The file with the key.
const HOST_FILE: &str = "host.json";
const HOST_FILE_MODE: u32 = 0o600;
const JOURNAL: &str = "documents.log";
const FLOWS: &str = "flows";

/// The directory of one host's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    dir: PathBuf,
}

/// A host that has joined.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The server that it joined at, `HOST:PORT`.
    pub server: String,
    /// [`palisade_sync::JoinToken::digest`] of the token that it joined with.
    pub token: String,
    /// Who it is.
    pub credentials: Credentials,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct HostFile {
    server: String,
    host: String,
    token: String,
    authority: String,
    identity: String,
}

impl Vault {
    /// A directory, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(dir: &Path) -> Result<Self, RemoteError> {
        disk::private_dir(dir).map_err(failed("make the directory", dir))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Who the host is; `None` if it never joined.
    ///
    /// # Errors
    /// If the file is there and cannot be read, or is not what it should be.
    pub fn joined(&self) -> Result<Option<Joined>, RemoteError> {
        let path = self.dir.join(HOST_FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(failed("read", &path))?,
        };
        let file: HostFile =
            serde_json::from_slice(&bytes).map_err(|error| failed("read", &path)(error.into()))?;
        let credentials = Credentials::new(&file.host, &file.authority, file.identity)?;
        Ok(Some(Joined { server: file.server, token: file.token, credentials }))
    }

    /// Keeps who the host is.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&self, joined: &Joined) -> Result<(), RemoteError> {
        let Joined { server, token, credentials } = joined;
        let file = HostFile {
            server: server.clone(),
            host: credentials.host().to_owned(),
            token: token.clone(),
            authority: credentials.authority().to_owned(),
            identity: credentials.identity().to_owned(),
        };
        let path = self.dir.join(HOST_FILE);
        let bytes = serde_json::to_vec_pretty(&file).expect("texts are JSON");
        disk::replace(&path, HOST_FILE_MODE, &[&bytes, b"\n"], Outlives::Power)
            .map_err(failed("write", &path))
    }

    /// The file of the documents that were accepted last.
    pub fn journal(&self) -> PathBuf {
        self.dir.join(JOURNAL)
    }

    /// The folder of flow records that the server does not have yet.
    pub fn flows(&self) -> PathBuf {
        self.dir.join(FLOWS)
    }
}

/// An error about a file.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RemoteError {
    let path = path.to_owned();
    move |source| RemoteError::File { action, path, source }
}
