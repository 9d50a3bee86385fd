//! Signals as something to wait for, not as interruptions.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{AgentError, Context};

/// What a signal asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// End; the signal's name.
    Stop(String),
    /// Read the estate again.
    Reload,
}

/// The signals that this thread does not act on by itself, until dropped.
#[derive(Debug)]
pub(super) struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Blocks the signals in this thread and makes them readable.
    pub(super) fn block() -> Result<Self, AgentError> {
        let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
        let action = || "take over the signals".into();
        let before = SigSet::thread_get_mask().context(action)?;
        signals.thread_block().context(action)?;
        let fd =
            SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).context(action)?;
        Ok(Self { fd, before })
    }

    /// The next request; one to end goes before one to reload.
    pub(super) fn take(&mut self) -> Result<Option<Request>, AgentError> {
        let mut request = None;
        while let Some(signal) = self.fd.read_signal().context(|| "read a signal".into())? {
            let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
            match Signal::try_from(number) {
                Ok(Signal::SIGHUP) => request = Some(Request::Reload),
                Ok(signal) => return Ok(Some(Request::Stop(signal.to_string()))),
                Err(_) => {}
            }
        }
        Ok(request)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // The mask was valid when it was read.
        let _kept = self.before.thread_set_mask();
    }
}
