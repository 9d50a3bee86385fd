//! Interfaces of the network namespace that the calling thread is in: their numbers, and sockets for frames.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// An interface's number.
pub fn index(name: &str) -> u32 {
    let name = CString::new(name).expect("no zero bytes");
    // SAFETY: the name is a C string that lives during the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    assert_ne!(index, 0, "{name:?}: {}", io::Error::last_os_error());
    index
}

/// A socket for frames at an interface. It sees the frames of `protocol` (an Ethernet type), of all with `ETH_P_ALL`, and
/// of none with 0; it sends any.
pub fn packet_socket(ifindex: u32, protocol: i32) -> OwnedFd {
    let protocol = (protocol as u16).to_be();
    // SAFETY: a new socket; the descriptor is checked and owned at once.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol.into());
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: all zeros is a valid address of this type.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    address.sll_ifindex = ifindex as i32;
    // SAFETY: the address lives during the call and its size is given.
    let bound = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    };
    assert!(bound == 0, "{}", io::Error::last_os_error());
    socket
}
