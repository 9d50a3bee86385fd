//! A TCP knock: connect, say something that suits any of the lab's servers, and wait for one byte.
//!
//! The byte matters: a handshake alone would not show that data passes in both directions.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::poll::PollFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::{Attempt, Outcome, connect};

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

pub(super) struct Connection {
    stream: TcpStream,
    is_connected: bool,
}

impl Connection {
    pub(super) fn open(at: SocketAddr) -> io::Result<Self> {
        let family = if at.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let descriptor = socket(family, SockType::Stream, flags, None)?;
        match connect(&descriptor, at) {
            Ok(()) | Err(nix::Error::EINPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(Connection { stream: descriptor.into(), is_connected: false })
    }

    fn advance(&mut self) -> io::Result<Option<Outcome>> {
        if !self.is_connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            self.is_connected = true;
            self.stream.write_all(REQUEST)?;
        }
        match self.stream.read(&mut [0; 64]) {
            Ok(0) => Ok(Some(Outcome::Refused)),
            Ok(_) => Ok(Some(Outcome::Answered)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Attempt for Connection {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    fn waits_for(&self) -> PollFlags {
        if self.is_connected { PollFlags::POLLIN } else { PollFlags::POLLOUT }
    }

    fn proceed(&mut self) -> Option<Outcome> {
        self.advance().unwrap_or_else(|error| Some(Outcome::from_error(&error)))
    }
}
