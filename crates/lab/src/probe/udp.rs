//! A UDP knock: a datagram that the other side must send back.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::poll::PollFlags;

use super::{Attempt, Outcome};

const QUESTION: &[u8] = b"palisade lab";

pub(super) struct Datagram {
    socket: UdpSocket,
}

impl Datagram {
    pub(super) fn open(at: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match at {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(at)?;
        socket.send(QUESTION)?;
        Ok(Datagram { socket })
    }
}

impl Attempt for Datagram {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn waits_for(&self) -> PollFlags {
        PollFlags::POLLIN
    }

    fn proceed(&mut self) -> Option<Outcome> {
        let mut answer = [0; 64];
        match self.socket.recv(&mut answer) {
            Ok(length) => (&answer[..length] == QUESTION).then_some(Outcome::Answered),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => Some(Outcome::from_error(&error)),
        }
    }

    fn resend(&mut self) {
        // An error that belongs to the last datagram is reported here too; the next receive tells it again or not.
        let _ = self.socket.send(QUESTION);
    }
}
