//! An ICMP knock: an echo request from a ping socket, in either family.
//!
//! The kernel chooses the identifier, fills in the checksum and hands over only replies to this very socket.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::poll::PollFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::{Attempt, Outcome, connect, receive};

/// Type, code, checksum, identifier (both the kernel's), sequence number.
const HEADER_LEN: usize = 8;

pub(super) struct Echo {
    socket: UdpSocket,
    request_type: u8,
    reply_type: u8,
    sequence: u16,
}

impl Echo {
    pub(super) fn open(at: IpAddr) -> io::Result<Self> {
        let (family, protocol, request_type, reply_type) = match at {
            IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
            IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let descriptor = socket(family, SockType::Datagram, flags, protocol)?;
        connect(&descriptor, SocketAddr::new(at, 0))?;
        // The standard library's datagram socket gives send and receive on any datagram descriptor.
        let mut echo = Echo { socket: descriptor.into(), request_type, reply_type, sequence: 0 };
        echo.send()?;
        Ok(echo)
    }

    fn send(&mut self) -> io::Result<()> {
        self.sequence += 1;
        let mut packet = [0; HEADER_LEN];
        packet[0] = self.request_type;
        packet[6..].copy_from_slice(&self.sequence.to_be_bytes());
        self.socket.send(&packet).map(|_| ())
    }
}

impl Attempt for Echo {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn waits_for(&self) -> PollFlags {
        PollFlags::POLLIN
    }

    fn proceed(&mut self) -> Option<Outcome> {
        let is_reply = |bytes: &[u8]| bytes.len() >= HEADER_LEN && bytes[0] == self.reply_type;
        receive(&self.socket, is_reply)
    }

    fn resend(&mut self) {
        // As with datagrams: an old error may surface here, and receiving tells it again if it still holds.
        let _ = self.send();
    }
}
