//! Connections that came through an endpoint that is no more: the kernel would go on translating them, and is told to forget them.
//!
//! A connection that is forgotten is not translated any longer: the next packet from outside ends at the host, and the next one of the machine's
//! leaves with an address that nobody outside knows. Asked over ctnetlink, by hand as interfaces are ([`crate::interfaces::dump`]). It must not touch a
//! connection that somebody else's table translated elsewhere. Reference: `linux/netfilter/nfnetlink_conntrack.h`.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};

use super::Lead;
use crate::interfaces::dump::{Attributes, number};

/// Connections that are confirmed while others are listed are found by another look; there are none after the table is replaced but
/// those whose first packet was on its way.
const LOOKS_MAX: usize = 4;
/// Bytes that one answer may have; the kernel fills at most 32 KiB.
const BUFFER_BYTES: usize = 64 << 10;
const HEADER: usize = size_of::<libc::nlmsghdr>();
/// `struct nfgenmsg`: family, version, resource.
const FAMILY_HEADER: usize = 4;
const ALIGNMENT: usize = 4;

/// `NFNL_SUBSYS_CTNETLINK << 8` with `IPCTNL_MSG_CT_NEW`, `_GET` and `_DELETE`.
const NEW: u16 = 1 << 8;
const GET: u16 = NEW | 1;
const DELETE: u16 = NEW | 2;
/// Attributes of a connection.
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const STATUS: u16 = 3;
const ID: u16 = 12;
const ZONE: u16 = 18;
const STATUS_MASK: u16 = 26;
/// `IPS_DST_NAT`: its destination was translated.
const DESTINATION_TRANSLATED: u32 = 1 << 5;

/// Ends every connection that came through one of these; gives how many there were.
///
/// # Errors
/// What the kernel says; an answer that ends too early is an error too.
pub(crate) fn cut(ended: &BTreeSet<Lead>) -> io::Result<usize> {
    let families: BTreeSet<i32> = ended.iter().map(|lead| family(lead.frontend.ip())).collect();
    let mut count = 0;
    for family in families {
        let socket = conntrack_socket()?;
        for _ in 0..LOOKS_MAX {
            let found = list(&socket, family, ended)?;
            if found.is_empty() {
                break;
            }
            for connection in &found {
                count += usize::from(forget(&socket, family, connection)?);
            }
        }
    }
    Ok(count)
}

fn family(address: IpAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

fn conntrack_socket() -> io::Result<OwnedFd> {
    let protocol = SockProtocol::NetlinkNetFilter;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(socket)
}

/// By what the kernel finds a connection again: the attributes that it told, as they were.
type Connection = Vec<u8>;

/// The connections of a family that came through one of these. Older kernels do not know the mask, and list all of the family.
fn list(socket: &OwnedFd, family: i32, ended: &BTreeSet<Lead>) -> io::Result<Vec<Connection>> {
    let translated = DESTINATION_TRANSLATED.to_be_bytes();
    let asked = [attribute(STATUS, &translated), attribute(STATUS_MASK, &translated)].concat();
    send(socket.as_raw_fd(), &request(GET, libc::NLM_F_DUMP, family, &asked), MsgFlags::empty())?;
    let mut found = Vec::new();
    receive(socket, |body| found.extend(through(body, ended)))?;
    Ok(found)
}

/// Makes the kernel forget a connection; false if it had ended by itself.
fn forget(socket: &OwnedFd, family: i32, connection: &[u8]) -> io::Result<bool> {
    let message = request(DELETE, libc::NLM_F_ACK, family, connection);
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;
    match receive(socket, |_| ()) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn request(kind: u16, flags: libc::c_int, family: i32, attributes: &[u8]) -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | flags) as u16;
    let length = (HEADER + FAMILY_HEADER + attributes.len()) as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and port: this socket asks one thing at a time
    bytes.extend([family as u8, 0, 0, 0]);
    bytes.extend(attributes);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((ALIGNMENT + value.len()).next_multiple_of(ALIGNMENT));
    bytes.extend(((ALIGNMENT + value.len()) as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

/// Reads an answer to its end, and gives the body of each connection in it.
fn receive(socket: &OwnedFd, mut connection: impl FnMut(&[u8])) -> io::Result<()> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the kernel's list of connections is cut");
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC)?;
        let mut bytes = buffer.get(..length).ok_or_else(broken)?;
        while !bytes.is_empty() {
            let length = number(bytes, 0).map(u32::from_ne_bytes).ok_or_else(broken)? as usize;
            let kind = number(bytes, 4).map(u16::from_ne_bytes).ok_or_else(broken)?;
            let body = bytes.get(HEADER..length).ok_or_else(broken)?;
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => {
                    return match number(body, 0).map(i32::from_ne_bytes).ok_or_else(broken)? {
                        0 => Ok(()),
                        code => Err(io::Error::from_raw_os_error(-code)),
                    };
                }
                _ if kind == NEW => connection(body),
                _ => {}
            }
            bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        }
    }
}

/// What names a connection, if it came through one of these.
fn through(body: &[u8], ended: &BTreeSet<Lead>) -> Option<Connection> {
    let attributes = || Attributes(body.get(FAMILY_HEADER..).unwrap_or_default());
    let value = |wanted| attributes().find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let (protocol, frontend) = Tuple::read(value(TUPLE_ORIGINAL)?).to()?;
    let (_, machine) = Tuple::read(value(TUPLE_REPLY)?).from()?;
    if !ended.contains(&Lead { protocol, frontend, machine }) {
        return None;
    }
    let nested = TUPLE_ORIGINAL | libc::NLA_F_NESTED as u16;
    let parts = [(TUPLE_ORIGINAL, nested), (ZONE, ZONE), (ID, ID)];
    let parts = parts.into_iter().filter_map(|(kind, named)| Some(attribute(named, value(kind)?)));
    Some(parts.flatten().collect())
}

/// The ends of one direction of a connection, as far as they are told.
#[derive(Default)]
struct Tuple {
    addresses: [Option<IpAddr>; 2],
    ports: [Option<u16>; 2],
    protocol: Option<u8>,
}

impl Tuple {
    fn read(bytes: &[u8]) -> Self {
        const IP: u16 = 1;
        const PROTOCOL: u16 = 2;
        let mut tuple = Self::default();
        for (kind, inner) in Attributes(bytes) {
            for (inner, value) in Attributes(inner) {
                match (kind, inner) {
                    (IP, side @ (1 | 2)) => {
                        let octets = <[u8; 4]>::try_from(value).ok();
                        tuple.addresses[usize::from(side - 1)] = octets.map(IpAddr::from);
                    }
                    (IP, side @ (3 | 4)) => {
                        let octets = <[u8; 16]>::try_from(value).ok();
                        tuple.addresses[usize::from(side - 3)] = octets.map(IpAddr::from);
                    }
                    (PROTOCOL, 1) => tuple.protocol = value.first().copied(),
                    (PROTOCOL, side @ (2 | 3)) => {
                        tuple.ports[usize::from(side - 2)] = number(value, 0).map(u16::from_be_bytes);
                    }
                    _ => {}
                }
            }
        }
        tuple
    }

    fn from(&self) -> Option<(u8, SocketAddr)> {
        self.end(0)
    }

    fn to(&self) -> Option<(u8, SocketAddr)> {
        self.end(1)
    }

    fn end(&self, side: usize) -> Option<(u8, SocketAddr)> {
        Some((self.protocol?, SocketAddr::new(self.addresses[side]?, self.ports[side]?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection of a client to a public port, as the kernel tells it.
    fn told(client: &str, frontend: &str, machine: &str) -> Vec<u8> {
        let [client, frontend, machine]: [SocketAddr; 3] =
            [client, frontend, machine].map(|text| text.parse().unwrap());
        let octets = |at: SocketAddr| match at.ip() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let tuple = |kind: u16, from: SocketAddr, to: SocketAddr| {
            let first = if from.is_ipv4() { 1 } else { 3 };
            let addresses = [attribute(first, &octets(from)), attribute(first + 1, &octets(to))].concat();
            let ports = [from, to].map(|at| at.port().to_be_bytes());
            let protocol = [attribute(1, &[6]), attribute(2, &ports[0]), attribute(3, &ports[1])].concat();
            let inner = [attribute(1 | 0x8000, &addresses), attribute(2 | 0x8000, &protocol)].concat();
            attribute(kind | 0x8000, &inner)
        };
        let parts = [
            vec![0; FAMILY_HEADER],
            tuple(TUPLE_ORIGINAL, client, frontend),
            tuple(TUPLE_REPLY, machine, client),
            attribute(ID, &[1, 2, 3, 4]),
        ];
        parts.concat()
    }

    fn lead(frontend: &str, machine: &str) -> Lead {
        Lead { protocol: 6, frontend: frontend.parse().unwrap(), machine: machine.parse().unwrap() }
    }

    #[test]
    fn a_connection_is_known_by_both_its_ends() {
        for (client, frontend, machine, other) in [
            ("192.0.2.2:40000", "203.0.113.7:50001", "10.0.0.4:3389", "10.0.0.5:3389"),
            ("[2001:db8:1::2]:40000", "[2001:db8:7::7]:50001", "[fd00::4]:3389", "[fd00::4]:3390"),
        ] {
            let body = told(client, frontend, machine);
            let named = through(&body, &[lead(frontend, machine)].into()).expect("it came through it");
            assert!(named.ends_with(&attribute(ID, &[1, 2, 3, 4])));
            assert_eq!(through(&body, &[lead(frontend, other)].into()), None, "somebody else's");
            assert_eq!(through(&body, &[lead(client, machine)].into()), None);
            let udp = Lead { protocol: 17, ..lead(frontend, machine) };
            assert_eq!(through(&body, &[udp].into()), None);
            for cut in 0..body.len() {
                let _read = through(&body[..cut], &[lead(frontend, machine)].into());
            }
        }
    }
}
