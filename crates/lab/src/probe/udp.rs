//! A UDP knock: a datagram that the other side must send back.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::poll::PollFlags;

use super::{Attempt, Outcome, receive};

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
        receive(&self.socket, |bytes| bytes == QUESTION)
    }

    fn resend(&mut self) {
        // An error that belongs to the last datagram is reported here too; the next receive tells it again or not.
        let _ = self.socket.send(QUESTION);
    }
}
