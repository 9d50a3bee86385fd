//! Frames of captures, from the link's header to ports and flags.
//!
//! What was on a wire is read as far as it was kept, whether or not a host would take it: a capture may hold the beginning of each packet
//! only, tags upon tags, a machine's talk with itself, or packets that the network card has yet to cut. That is why it is not
//! [`palisade_net::packet::parse`], which answers what the kernel program answers. Numbers of links: tcpdump.org/linktypes.html. It must not
//! look behind transport headers, nor into tunnels.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_net::{Protocol, packet::TcpFlags};

/// Tags of VLANs in front of a packet, at most.
const TAGS_MAX: usize = 4;
/// IPv6 extension headers in front of a transport header, at most.
const EXTENSIONS_MAX: usize = 8;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;

/// Types of what Ethernet carries.
mod ethertype {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const PPPOE: u16 = 0x8864;
    /// 802.1Q, 802.1ad, and what was used before it.
    pub(super) const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
}

/// What stands in front of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    /// Nothing.
    Raw,
    /// A number of the address family, in either byte order: the loopback interface of BSD and macOS.
    Loopback,
    Ppp,
    /// What Linux makes up for interfaces without a header, and for all interfaces together (`tcpdump -i any`).
    Cooked,
    Cooked2,
}

/// What the headers of a packet say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headers {
    /// Bytes of the IP packet.
    pub(super) bytes: u64,
    pub(super) protocol: Protocol,
    pub(super) from: (IpAddr, u16),
    pub(super) to: (IpAddr, u16),
    pub(super) flags: TcpFlags,
}

impl Link {
    /// The link of a number.
    pub(super) fn of(number: u32) -> Result<Self, String> {
        Ok(match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            9 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            113 => Self::Cooked,
            276 => Self::Cooked2,
            other => {
                return Err(format!(
                    "frames of link type {other} are not read (capture at an interface with Ethernet, Linux cooked, \
                     loopback, PPP or no headers)"
                ));
            }
        })
    }

    /// The IP packet in a frame; `None` of other protocols.
    fn packet(self, frame: &[u8]) -> Result<Option<&[u8]>, Cut> {
        match self {
            Self::Raw => Ok(Some(frame)),
            Self::Ethernet => carried(word(frame, 12)?, frame.get(14..).ok_or(Cut)?),
            Self::Cooked => carried(word(frame, 14)?, frame.get(16..).ok_or(Cut)?),
            Self::Cooked2 => carried(word(frame, 0)?, frame.get(20..).ok_or(Cut)?),
            Self::Ppp => Ok(point_to_point(frame.strip_prefix(&[0xff, 3]).unwrap_or(frame))),
            Self::Loopback => {
                let (family, packet) = frame.split_first_chunk().ok_or(Cut)?;
                let family = u32::from_le_bytes(*family).min(u32::from_be_bytes(*family));
                // IPv4, and IPv6 of Linux, NetBSD, FreeBSD and macOS.
                Ok(matches!(family, 2 | 10 | 24 | 28 | 30).then_some(packet))
            }
        }
    }
}

/// What is missing was not kept, or never there, or the header says that it ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut;

/// What a frame is, of which `length` bytes were on the wire; `None` if it is of a protocol without flows.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn headers(link: Link, frame: &[u8], length: u64) -> Result<Option<Headers>, String> {
    let read = link.packet(frame).and_then(|packet| {
        let Some(packet) = packet else { return Ok(None) };
        let in_front = (frame.len() - packet.len()) as u64;
        match packet.first().ok_or(Cut)? >> 4 {
            4 => ipv4(packet, length.saturating_sub(in_front)),
            6 => ipv6(packet, length.saturating_sub(in_front)),
            _ => Ok(None),
        }
    });
    read.map_err(|Cut| match frame.len() as u64 {
        kept if kept < length => format!(
            "only {kept} of its {length} bytes were kept, too few for its headers (capture with a larger snapshot length)"
        ),
        kept => format!("malformed frame: its {kept} bytes end within its headers, or these contradict themselves"),
    })
}

/// The packet that an Ethernet type announces.
fn carried(mut kind: u16, mut rest: &[u8]) -> Result<Option<&[u8]>, Cut> {
    for _ in 0..TAGS_MAX {
        if ethertype::TAGS.contains(&kind) {
            (kind, rest) = (word(rest, 2)?, &rest[4..]);
        }
    }
    Ok(match kind {
        ethertype::IPV4 | ethertype::IPV6 => Some(rest),
        ethertype::PPPOE => point_to_point(rest.get(6..).ok_or(Cut)?),
        _ => None,
    })
}

fn point_to_point(frame: &[u8]) -> Option<&[u8]> {
    match frame {
        [0x00, 0x21 | 0x57, packet @ ..] | [0x21 | 0x57, packet @ ..] => Some(packet),
        _ => None,
    }
}

/// `available` are the bytes that were on the wire; a length of 0 means all of them, where a network card cuts packets.
fn ipv4(packet: &[u8], available: u64) -> Result<Option<Headers>, Cut> {
    let fixed = packet.first_chunk::<IPV4_BYTES>().ok_or(Cut)?;
    let said = u64::from(word(fixed, 2)?);
    let is_later_fragment = word(fixed, 6)? & 0x1fff != 0;
    let address = |at: usize| Ipv4Addr::from(std::array::from_fn::<u8, 4, _>(|i| fixed[at + i])).into();
    let header = usize::from(fixed[0] & 0x0f) * 4;
    let body = packet.get(header..).filter(|_| header >= IPV4_BYTES).ok_or(Cut)?;
    let bytes = if said == 0 { available } else { said };
    if is_later_fragment { Ok(None) } else { transport(fixed[9], body, (address(12), address(16)), bytes) }
}

fn ipv6(packet: &[u8], available: u64) -> Result<Option<Headers>, Cut> {
    let fixed = packet.first_chunk::<IPV6_BYTES>().ok_or(Cut)?;
    let said = u64::from(word(fixed, 4)?);
    let address = |at: usize| Ipv6Addr::from(std::array::from_fn::<u8, 16, _>(|i| fixed[at + i])).into();
    let bytes = if said == 0 { available } else { said + IPV6_BYTES as u64 };
    let (mut next, mut rest) = (fixed[6], &packet[IPV6_BYTES..]);
    for _ in 0..EXTENSIONS_MAX {
        let size = match next {
            // Hop by hop, routing, for the destination, mobility.
            0 | 43 | 60 | 135 => (usize::from(*rest.get(1).ok_or(Cut)?) + 1) * 8,
            // An authentication header counts by four.
            51 => (usize::from(*rest.get(1).ok_or(Cut)?) + 2) * 4,
            44 if word(rest, 2)? & 0xfff8 != 0 => return Ok(None),
            44 => 8,
            _ => break,
        };
        next = *rest.first().ok_or(Cut)?;
        rest = rest.get(size..).ok_or(Cut)?;
    }
    transport(next, rest, (address(8), address(24)), bytes)
}

fn transport(
    protocol: u8,
    body: &[u8],
    (source, destination): (IpAddr, IpAddr),
    bytes: u64,
) -> Result<Option<Headers>, Cut> {
    let protocol = Protocol(protocol);
    let (ports, flags) = match protocol {
        Protocol::TCP => ((word(body, 0)?, word(body, 2)?), TcpFlags(*body.get(13).ok_or(Cut)?)),
        Protocol::UDP => ((word(body, 0)?, word(body, 2)?), TcpFlags::default()),
        // The reply is filed under the request that it answers.
        Protocol::ICMP if source.is_ipv4() && matches!(body.first().ok_or(Cut)?, 0 | 8) => {
            ((8, 8), TcpFlags::default())
        }
        Protocol::ICMPV6 if source.is_ipv6() && matches!(body.first().ok_or(Cut)?, 128 | 129) => {
            ((128, 128), TcpFlags::default())
        }
        _ => return Ok(None),
    };
    Ok(Some(Headers { bytes, protocol, from: (source, ports.0), to: (destination, ports.1), flags }))
}

fn word(bytes: &[u8], at: usize) -> Result<u16, Cut> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u16::from_be_bytes(*word)).ok_or(Cut)
}

#[cfg(test)]
mod tests;
