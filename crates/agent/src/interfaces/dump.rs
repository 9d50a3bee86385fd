//! Asks the kernel for all interfaces of this network namespace, over rtnetlink.
//!
//! Read by hand instead of with a crate that types every attribute: such a crate refuses the whole message when a newer
//! kernel changes one attribute that nobody here asked for, and an interface that cannot be read cannot be closed.
//! Seven attributes are taken, all others are stepped over. Reference: rtnetlink(7), `linux/if_link.h`.

mod functions;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use palisade_net::Mac;

use super::{Link, LinkKind};

pub use functions::virtual_functions;

/// Bytes that one answer may have; the kernel fills at most 32 KiB.
const BUFFER_BYTES: usize = 64 << 10;
/// Interfaces may change while they are listed; the kernel says so and the list is asked for again, so often.
const ATTEMPTS_MAX: usize = 16;

const HEADER: usize = size_of::<libc::nlmsghdr>();
const LINK_HEADER: usize = 16;
const ALIGNMENT: usize = 4;
/// `RTEXT_FILTER_SKIP_STATS`: leave the counters out.
const SKIP_STATS: u32 = 1 << 3;
/// `IFLA_INFO_KIND`, inside `IFLA_LINKINFO`.
const INFO_KIND: u16 = 1;
/// `IFLA_PHYS_PORT_NAME`: what a card calls the port of it that an interface stands for.
const PHYS_PORT_NAME: u16 = 38;
/// `IFLA_PARENT_DEV_NAME` and `IFLA_PARENT_DEV_BUS_NAME`: the device behind an interface, and its bus.
const PARENT_DEVICE: u16 = 56;
const PARENT_BUS: u16 = 57;

/// Every interface of the namespace this thread is in, by number.
///
/// # Errors
/// What the kernel says; an answer that ends too early is an error too.
pub fn links() -> io::Result<Vec<Link>> {
    let socket = route_socket(0, SockFlag::empty())?;
    for _ in 0..ATTEMPTS_MAX {
        send(socket.as_raw_fd(), &request(libc::NLM_F_DUMP, 0, SKIP_STATS), MsgFlags::empty())?;
        if let Some(mut links) = receive(&socket)? {
            links.sort_by_key(|link| link.index);
            return Ok(links);
        }
    }
    Err(io::Error::other("the interfaces changed whenever they were listed"))
}

/// A socket to the kernel's routing side that hears the given groups.
pub(super) fn route_socket(groups: u32, flags: SockFlag) -> io::Result<OwnedFd> {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

/// `RTM_GETLINK` for one interface, or for all; `mask` says what to tell of them.
fn request(flags: libc::c_int, index: u32, mask: u32) -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | flags) as u16;
    let attribute_length = 8_u16;
    let length = (HEADER + LINK_HEADER + usize::from(attribute_length)) as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(libc::RTM_GETLINK.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and port: this socket asks one thing at a time
    bytes.extend([0; 4]);
    bytes.extend(index.to_ne_bytes());
    bytes.extend([0; LINK_HEADER - 8]);
    bytes.extend(attribute_length.to_ne_bytes());
    bytes.extend(libc::IFLA_EXT_MASK.to_ne_bytes());
    bytes.extend(mask.to_ne_bytes());
    bytes
}

/// Reads until the list ends; `None` if it changed meanwhile.
fn receive(socket: &OwnedFd) -> io::Result<Option<Vec<Link>>> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut answer = Answer::default();
    while !answer.is_complete {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC)?;
        let bytes = buffer.get(..length).ok_or_else(|| broken("it is longer than the kernel's limit"))?;
        answer.read(bytes)?;
    }
    Ok((!answer.was_interrupted).then_some(answer.links))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the kernel's list of interfaces cannot be read: {what}"),
    )
}

/// What was heard so far.
#[derive(Debug, Default)]
struct Answer {
    links: Vec<Link>,
    /// Virtual functions, if they were asked for.
    functions: Vec<(u32, Mac)>,
    is_complete: bool,
    was_interrupted: bool,
}

impl Answer {
    /// Takes the messages of one datagram.
    fn read(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let length =
                number(bytes, 0).map(u32::from_ne_bytes).ok_or_else(|| broken("a header is cut"))? as usize;
            let kind = number(bytes, 4).map(u16::from_ne_bytes).unwrap_or_default();
            let flags = number(bytes, 6).map(u16::from_ne_bytes).unwrap_or_default();
            let body = bytes.get(HEADER..length).ok_or_else(|| broken("a message is cut"))?;
            self.was_interrupted |= i32::from(flags) & libc::NLM_F_DUMP_INTR != 0;
            self.message(kind, body)?;
            bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        }
        Ok(())
    }

    fn message(&mut self, kind: u16, body: &[u8]) -> io::Result<()> {
        match (kind, i32::from(kind)) {
            (libc::RTM_NEWLINK, _) => {
                self.links.push(link(body).ok_or_else(|| broken("an interface is cut"))?);
                self.functions.extend(functions::functions(Attributes(&body[LINK_HEADER..])));
            }
            (_, libc::NLMSG_DONE) => self.is_complete = true,
            (_, libc::NLMSG_ERROR) => {
                let code = number(body, 0).map(i32::from_ne_bytes).unwrap_or_default();
                return Err(io::Error::from_raw_os_error(-code));
            }
            _ => {}
        }
        Ok(())
    }
}

/// One interface from the body of its message.
fn link(body: &[u8]) -> Option<Link> {
    let hardware = u16::from_ne_bytes(number(body, 2)?);
    let index = i32::from_ne_bytes(number(body, 4)?);
    let flags = u32::from_ne_bytes(number(body, 8)?);
    let mut link = Link {
        index: u32::try_from(index).ok()?,
        name: String::new(),
        alias: None,
        mac: None,
        kind: LinkKind::Hardware,
        card: None,
        is_up: flags & libc::IFF_UP as u32 != 0,
    };
    let mut is_pci = false;
    for (kind, value) in Attributes(body.get(LINK_HEADER..)?) {
        match kind {
            libc::IFLA_IFNAME => link.name = text(value),
            libc::IFLA_IFALIAS => link.alias = Some(text(value)).filter(|alias| !alias.is_empty()),
            libc::IFLA_ADDRESS => link.mac = value.try_into().ok().map(Mac),
            libc::IFLA_LINKINFO => {
                let kinds = Attributes(value).find(|(kind, _)| *kind == INFO_KIND);
                link.kind = kinds.map_or(LinkKind::Hardware, |(_, name)| kind_of(&text(name), hardware));
            }
            PHYS_PORT_NAME if is_inner_port(&text(value)) => link.kind = LinkKind::Representor,
            PARENT_DEVICE => link.card = Some(text(value)),
            PARENT_BUS => is_pci = text(value) == "pci",
            _ => {}
        }
    }
    link.card = link.card.filter(|_| is_pci);
    Some(link)
}

/// Whether this is a card's name for the other end of a virtual function or subfunction: `pf0vf3`, `c1pf0sf88`. The
/// card's outer ports are called `p0` and so on.
fn is_inner_port(name: &str) -> bool {
    name.contains("pf") && (name.contains("vf") || name.contains("sf"))
}

fn kind_of(name: &str, hardware: u16) -> LinkKind {
    match name {
        "tun" if hardware == libc::ARPHRD_ETHER => LinkKind::Tap,
        "tun" => LinkKind::Tun,
        "veth" => LinkKind::Veth,
        "macvtap" => LinkKind::Macvtap,
        other => LinkKind::Other(other.to_owned()),
    }
}

/// Type and value of the attributes in a run of them; ends at the first that is cut.
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16::from_ne_bytes(number(self.0, 0)?));
        let kind = u16::from_ne_bytes(number(self.0, 2)?) & libc::NLA_TYPE_MASK as u16;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// The bytes of a number at an offset.
pub(crate) fn number<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset + N)?.try_into().ok()
}

/// A text of the kernel, which ends with a zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
