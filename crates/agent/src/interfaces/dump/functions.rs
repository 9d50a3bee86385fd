//! The hardware addresses that a card has for its virtual functions.
//!
//! Asked for apart from the list of interfaces: a card with hundreds of functions has an answer that may be too long, and
//! that must not keep the other interfaces from being listed. Reference: `IFLA_VFINFO_LIST` in `linux/if_link.h`.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, SockFlag, recv, send};
use palisade_net::Mac;

use super::{Answer, Attributes, BUFFER_BYTES, SKIP_STATS, broken, number, request, route_socket};

/// `RTEXT_FILTER_VF`: tell of virtual functions.
const FILTER_VF: u32 = 1;
/// `IFLA_VFINFO_LIST`, of `IFLA_VF_INFO`, of `IFLA_VF_MAC`.
pub(super) const FUNCTION_LIST: u16 = 22;
pub(super) const FUNCTION: u16 = 1;
pub(super) const FUNCTION_MAC: u16 = 1;

/// Number and hardware address of each virtual function of the card behind an interface.
///
/// # Errors
/// What the kernel says.
pub fn virtual_functions(ifindex: u32) -> io::Result<Vec<(u32, Mac)>> {
    let socket = route_socket(0, SockFlag::empty())?;
    send(socket.as_raw_fd(), &request(0, ifindex, SKIP_STATS | FILTER_VF), MsgFlags::empty())?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC)?;
    let bytes = buffer.get(..length).ok_or_else(|| broken("it is longer than the kernel's limit"))?;
    let mut answer = Answer::default();
    answer.read(bytes)?;
    Ok(answer.functions)
}

/// The functions that the attributes of an interface tell of.
pub(super) fn functions(attributes: Attributes<'_>) -> Vec<(u32, Mac)> {
    let of_kind = |wanted: u16| move |(kind, value)| (kind == wanted).then_some(value);
    let lists = attributes.filter_map(of_kind(FUNCTION_LIST));
    let each = lists.flat_map(Attributes).filter_map(of_kind(FUNCTION));
    each.flat_map(Attributes).filter_map(of_kind(FUNCTION_MAC)).filter_map(function).collect()
}

/// `struct ifla_vf_mac`: a number, and room for an address.
fn function(value: &[u8]) -> Option<(u32, Mac)> {
    let mac = Mac(number(value, 4)?);
    Some((u32::from_ne_bytes(number(value, 0)?), mac)).filter(|_| mac != Mac([0; 6]))
}
