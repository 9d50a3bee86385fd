//! The documents that were accepted last, on disk: what an agent enforces while it hears of no server.
//!
//! The file is what the server would have said: messages of the protocol, each with its length before it. A state counts
//! once its [`InSync`] is there and its hash is right, so a torn end is cut off and the state before it holds. A change is
//! appended, which costs the change and not the whole; once the file is twice the documents it is written anew.
//!
//! What was appended outlives this process at once, and a loss of power after [`Journal::settle`].

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_sync::from_server::Message;
use palisade_sync::{Documents, FromServer, InSync, Reset};
use prost::Message as _;

use super::vault::failed;
use super::{RemoteError, Snapshot};
use crate::disk::{self, Outlives};

/// Bytes by which the file may be larger than twice the documents.
const SLACK_BYTES: usize = 1 << 20;
/// Documents may hold what is nobody else's business.
const MODE: u32 = 0o600;

/// The file, and what it says.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Open for appending; `None` if it must be written anew.
    file: Option<File>,
    /// Bytes that count.
    bytes: usize,
    kept: Option<Snapshot>,
    is_settled: bool,
}

impl Journal {
    /// Opens the file of this path, and cuts off what is torn.
    ///
    /// # Errors
    /// If there is a file that the system does not give.
    pub fn open(path: &Path) -> Result<Self, RemoteError> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(failed("read", path))?,
        };
        let (kept, good) = replay(&bytes);
        let mut journal = Self { path: path.to_owned(), file: None, bytes: good, kept, is_settled: true };
        if journal.kept.is_some() {
            let opened = File::options().append(true).open(path).and_then(|file| {
                file.set_len(good as u64)?;
                Ok(file)
            });
            journal.file = Some(opened.map_err(failed("write", path))?);
        }
        Ok(journal)
    }

    /// What was accepted last.
    pub const fn kept(&self) -> Option<&Snapshot> {
        self.kept.as_ref()
    }

    /// Writes down what was accepted.
    ///
    /// # Errors
    /// If the file cannot be written; what was written before still counts.
    pub fn keep(&mut self, snapshot: &Snapshot) -> Result<(), RemoteError> {
        let before = self.kept.as_ref();
        if before == Some(snapshot) {
            return Ok(());
        }
        let nothing = Documents::default();
        let change = encoded(snapshot, before.map_or(&nothing, |before| &before.documents), false);
        let room = 2 * snapshot.documents.bytes() + SLACK_BYTES;
        match &mut self.file {
            Some(file) if self.bytes + change.len() <= room => {
                if let Err(error) = file.write_all(&change) {
                    // Half a message would make what follows unreadable.
                    if file.set_len(self.bytes as u64).is_err() {
                        self.file = None;
                    }
                    return Err(failed("write", &self.path)(error));
                }
                self.bytes += change.len();
                self.is_settled = false;
            }
            _ => self.rewrite(&encoded(snapshot, &nothing, true))?,
        }
        self.kept = Some(snapshot.clone());
        Ok(())
    }

    fn rewrite(&mut self, whole: &[u8]) -> Result<(), RemoteError> {
        self.file = None;
        let written = disk::replace(&self.path, MODE, &[whole], Outlives::Power);
        let opened = written.and_then(|()| File::options().append(true).open(&self.path));
        self.file = Some(opened.map_err(failed("write", &self.path))?);
        (self.bytes, self.is_settled) = (whole.len(), true);
        Ok(())
    }

    /// Waits until what was appended is on disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn settle(&mut self) -> Result<(), RemoteError> {
        if let Some(file) = self.file.as_ref().filter(|_| !self.is_settled) {
            file.sync_data().map_err(failed("write", &self.path))?;
        }
        self.is_settled = true;
        Ok(())
    }
}

/// What leads from documents to a state; after a [`Reset`] if it leads there from anything.
fn encoded(to: &Snapshot, from: &Documents, resets: bool) -> Vec<u8> {
    let reset = resets.then_some(Message::Reset(Reset {}));
    let changes = to.documents.changes_since(from).into_iter().map(Message::Change);
    let claim = Message::InSync(InSync { revision: to.revision, hash: to.hash.to_vec() });
    let mut bytes = Vec::new();
    for message in reset.into_iter().chain(changes).chain([claim]) {
        let message = FromServer { message: Some(message) };
        message.encode_length_delimited(&mut bytes).expect("a vector has room");
    }
    bytes
}

/// The last state whose hash is right, and how far it goes.
fn replay(bytes: &[u8]) -> (Option<Snapshot>, usize) {
    let mut documents = Arc::<Documents>::default();
    let (mut kept, mut good) = (None, 0);
    let mut rest = bytes;
    while let Ok(FromServer { message: Some(message) }) = FromServer::decode_length_delimited(&mut rest) {
        match message {
            Message::Reset(_) => documents = Arc::default(),
            Message::Change(change) => {
                if Arc::make_mut(&mut documents).apply(change).is_err() {
                    break;
                }
            }
            Message::InSync(claim) => match Snapshot::checked(Arc::clone(&documents), &claim) {
                Some(snapshot) => (kept, good) = (Some(snapshot), bytes.len() - rest.len()),
                None => break,
            },
            // They are about records and tunnels, not about documents.
            Message::FlowsKept(_) | Message::TunnelWanted(_) => {}
        }
    }
    (kept, good)
}
