//! Forgets the connections that conntrack knows in a network namespace, between two measurements.

use std::{io, os::fd::AsRawFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// IPCTNL_MSG_CT_DELETE of the subsystem NFNL_SUBSYS_CTNETLINK; without a tuple it is about all.
const DELETE: u16 = 1 << 8 | 2;
/// NLM_F_REQUEST and NLM_F_ACK.
const REQUEST: u16 = 1 | 4;
const HEADER: u32 = 16;
/// `struct nfgenmsg`: any family, version 0.
const ANY_FAMILY: [u8; 4] = [0; 4];

/// Forgets every connection of the calling thread's network namespace.
///
/// # Errors
/// If the kernel refuses, or has no conntrack.
pub fn flush() -> io::Result<()> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    let length = HEADER + ANY_FAMILY.len() as u32;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend([DELETE, REQUEST].map(u16::to_ne_bytes).concat());
    message.extend([0; 8]); // sequence number and port
    message.extend(ANY_FAMILY);
    sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut answer = [0; 64];
    let received = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // The acknowledgement is a header and then an errno, negative, or 0.
    let errno = answer[..received].get(16..20).map(|bytes| bytes.try_into().expect("four bytes"));
    match errno.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
