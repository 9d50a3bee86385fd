//! Ctrl-C, as something to wait for instead of something that happens.
//!
//! A lab that is killed halfway leaves namespaces behind, so the program that runs one takes the signals that mean
//! "stop" off their usual path and looks for them where it can clean up.

use std::cell::Cell;
use std::os::fd::AsFd as _;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{LabError, Result};

/// The wish to stop.
#[derive(Debug)]
pub struct Interrupt {
    signals: SignalFd,
    seen: Cell<bool>,
}

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP. To be called before the first thread is started, because only threads
    /// started later leave these signals alone too.
    pub fn take_over() -> Result<Interrupt> {
        let mut stopping = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            stopping.add(signal);
        }
        stopping.thread_block().map_err(LabError::sys("take over", "signals"))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&stopping, flags).map_err(LabError::sys("read", "signals"))?;
        Ok(Interrupt { signals, seen: Cell::new(false) })
    }

    /// Whether somebody wants this to stop.
    pub fn is_wanted(&self) -> bool {
        if !self.seen.get() {
            self.seen.set(matches!(self.signals.read_signal(), Ok(Some(_))));
        }
        self.seen.get()
    }

    /// Waits until somebody does.
    pub fn wait(&self) -> Result<()> {
        while !self.is_wanted() {
            let mut descriptors = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut descriptors, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(errno) => return Err(LabError::sys("wait for", "signals")(errno)),
            }
        }
        Ok(())
    }
}
