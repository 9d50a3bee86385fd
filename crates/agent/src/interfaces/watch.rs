//! Says that interfaces have changed, without saying how.
//!
//! The kernel drops notifications when nobody reads fast enough, so they are only a hint to list all interfaces again
//! ([`super::dump`]): a lost one costs nothing as long as one arrives, and the kernel reports the loss itself
//! (`ENOBUFS`), which is a hint as good as any.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, SockFlag, recv};

use super::dump::route_socket;

/// Listens for changes of interfaces in the namespace of the thread that made it.
#[derive(Debug)]
pub struct LinkWatch {
    socket: OwnedFd,
}

impl LinkWatch {
    /// Begins to listen; changes from here on are noticed.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        let socket = route_socket(libc::RTMGRP_LINK as u32, SockFlag::SOCK_NONBLOCK)?;
        Ok(Self { socket })
    }

    /// Forgets everything that was heard, and says whether that was anything.
    ///
    /// # Errors
    /// What the kernel says, other than that it had to drop notifications.
    pub fn drain(&self) -> io::Result<bool> {
        let mut heard = false;
        // Only whether something came matters, so the datagrams are cut to one byte.
        let mut byte = [0];
        loop {
            match recv(self.socket.as_raw_fd(), &mut byte, MsgFlags::empty()) {
                Ok(_) | Err(Errno::ENOBUFS) => heard = true,
                Err(Errno::EAGAIN) => return Ok(heard),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for LinkWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
