//! The connection to a server in a thread of its own, beside the loop of the agent.
//!
//! The loop says how it stands ([`Standing`]), the thread what is new ([`News`]); both keep only the newest, so a slow one
//! skips what is old, and memory is bounded by one state each way. Flow records come from the [`Outbox`], not from the loop. News wake the loop by an eventfd. The thread takes the
//! signals that its maker blocks as blocked, and stays in its maker's network namespace.

mod driver;
mod sending;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::sys::eventfd::{EfdFlags, EventFd};
use palisade_sync::trust::Authority;
use palisade_sync::{Inventory, JoinToken, Report};
use tokio::runtime;
use tokio::sync::{oneshot, watch};

use super::{ServerAddress, Snapshot, Vault};
use crate::error::{AgentError, Context};
use crate::records::Outbox;
use driver::Driver;

/// Troubles that wait to be told; of more, the newest are kept.
const TROUBLES_MAX: usize = 16;

/// Which server, and who is asking.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where it is.
    pub server: ServerAddress,
    /// What to join with, if this host did not do so already with this token.
    pub token: Option<JoinToken>,
    /// The authority's certificate, if it was given and need not be found by the token's fingerprint.
    pub authority: Option<Authority>,
    /// The name of this host; a host that has joined keeps the name that it joined by.
    pub host: String,
    /// What outlives a reboot: key, certificate, documents.
    pub data_dir: PathBuf,
    /// Files of service tags; a tag that several define is the last one's.
    pub service_tags: Vec<PathBuf>,
}

/// How the agent stands: what the server is to know, and from where to go on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The interfaces of this host.
    pub inventory: Inventory,
    /// What is in force; `None` before that was looked at.
    pub report: Option<Report>,
    /// What was accepted last.
    pub accepted: Option<Snapshot>,
}

/// What happened since this was last asked.
#[derive(Debug, Default)]
pub struct News {
    /// The newest documents.
    pub arrived: Option<Snapshot>,
    /// Whether there is a connection now, and why not.
    pub contact: Option<Contact>,
    /// What failed otherwise; it is tried again.
    pub troubles: Vec<String>,
}

/// Whether there is a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// There is one, by this name of the host.
    Connected {
        /// The name.
        host: String,
    },
    /// There is none.
    Lost {
        /// Why.
        why: String,
    },
}

/// The thread.
#[derive(Debug)]
pub struct Link {
    board: Board,
    standing: watch::Sender<Standing>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread, or nothing to wake by.
    pub fn start(
        options: ServerOptions,
        vault: Vault,
        outbox: Arc<Outbox>,
        standing: Standing,
    ) -> Result<Self, AgentError> {
        let action = || "start the connection to the server".to_owned();
        let board = Board::new().context(action)?;
        let (standing, watched) = watch::channel(standing);
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.context(action)?;
        let driver = Driver::new(options, vault, outbox, watched, board.clone());
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = driver.run() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("server".to_owned()).spawn(work).context(action)?;
        Ok(Self { board, standing, stop: Some(stop), thread: Some(thread) })
    }

    /// What is new; asking makes it old.
    pub fn take(&self) -> News {
        self.board.take()
    }

    /// Says how the agent stands.
    pub fn stand(&self, standing: Standing) {
        self.standing.send_if_modified(|before| {
            let differs = *before != standing;
            *before = standing;
            differs
        });
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.board.wake.as_fd()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _over = stop.send(());
            let _panicked = thread.join();
        }
    }
}

/// Where the thread leaves news for the loop.
#[derive(Debug, Clone)]
struct Board {
    news: Arc<Mutex<News>>,
    wake: Arc<EventFd>,
}

impl Board {
    fn new() -> io::Result<Self> {
        let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Self { news: Arc::default(), wake: wake.into() })
    }

    fn post(&self, write: impl FnOnce(&mut News)) {
        write(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner));
        // Full means that the loop is already to be woken.
        let _full = self.wake.write(1);
    }

    fn trouble(&self, text: String) {
        self.post(|news| {
            if news.troubles.len() == TROUBLES_MAX {
                news.troubles.remove(0);
            }
            news.troubles.push(text);
        });
    }

    fn take(&self) -> News {
        // First the sign, then the news: what comes in between is a sign too many, not one too few.
        let _none = self.wake.read();
        std::mem::take(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
