//! IPv4 and IPv6 headers (RFC 791, RFC 8200), of whole packets and of packets that an ICMP error quotes.
//!
//! Invariant: the body that is returned lies within the bytes that were given.

use core::ops::Range;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{EXTENSION_HEADERS_MAX, IPV4_BYTES, IPV6_BYTES, ParseError, next_header};
use crate::{Family, Protocol};

/// What the headers before the transport header say.
pub(super) struct Network {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) hop_limit: u8,
    pub(super) protocol: Protocol,
    pub(super) is_fragment: bool,
    /// Transport header and payload.
    pub(super) body: Range<usize>,
}

/// How much of a packet is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it, and perhaps padding: its length field tells where it ends.
    Whole,
    /// An ICMP error quotes its start: the length field is of no use.
    Quoted,
}

impl Extent {
    /// The end of a packet that says `length` and of which `available` bytes are there.
    fn end(self, length: usize, available: usize) -> Result<usize, ParseError> {
        match self {
            Self::Quoted => Ok(available),
            Self::Whole if length <= available => Ok(length),
            Self::Whole => Err(ParseError::Malformed("the packet is longer than the frame")),
        }
    }
}

/// Reads the headers before the transport header.
pub(super) fn read(family: Family, packet: &[u8], extent: Extent) -> Result<Network, ParseError> {
    match family {
        Family::V4 => ipv4(packet, extent),
        Family::V6 => ipv6(packet, extent),
    }
}

fn ipv4(packet: &[u8], extent: Extent) -> Result<Network, ParseError> {
    let short = ParseError::Malformed("shorter than an IPv4 header");
    let fixed = packet.first_chunk::<IPV4_BYTES>().ok_or(short)?;
    if fixed[0] >> 4 != 4 {
        return Err(ParseError::Malformed("an IPv4 packet of another version"));
    }
    let start = usize::from(fixed[0] & 0x0f) * 4;
    let end = extent.end(usize::from(u16::from_be_bytes([fixed[2], fixed[3]])), packet.len())?;
    if start < IPV4_BYTES || start > end {
        return Err(ParseError::Malformed("the lengths in the IPv4 header contradict each other"));
    }
    let protocol = Protocol(fixed[9]);
    let fragment = u16::from_be_bytes([fixed[6], fixed[7]]);
    reject_later_fragment(protocol, fragment & 0x1fff)?;
    let address = |at: usize| Ipv4Addr::from(core::array::from_fn::<u8, 4, _>(|i| fixed[at + i])).into();
    Ok(Network {
        source: address(12),
        destination: address(16),
        hop_limit: fixed[8],
        protocol,
        is_fragment: fragment & 0x2000 != 0,
        body: start..end,
    })
}

fn ipv6(packet: &[u8], extent: Extent) -> Result<Network, ParseError> {
    let short = ParseError::Malformed("shorter than an IPv6 header");
    let fixed = packet.first_chunk::<IPV6_BYTES>().ok_or(short)?;
    if fixed[0] >> 4 != 6 {
        return Err(ParseError::Malformed("an IPv6 packet of another version"));
    }
    let length = IPV6_BYTES + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let end = extent.end(length, packet.len())?;
    let chain = extension_headers(fixed[6], &packet[..end])?;
    let address = |at: usize| Ipv6Addr::from(core::array::from_fn::<u8, 16, _>(|i| fixed[at + i])).into();
    Ok(Network {
        source: address(8),
        destination: address(24),
        hop_limit: fixed[7],
        protocol: chain.protocol,
        is_fragment: chain.is_fragment,
        body: chain.end..end,
    })
}

/// Where the extension headers lead.
struct Chain {
    protocol: Protocol,
    end: usize,
    is_fragment: bool,
}

/// Walks the headers from `next` on, which stands right after the fixed header. ESP and AH are protocols here, not
/// extension headers: rules name them.
fn extension_headers(next: u8, packet: &[u8]) -> Result<Chain, ParseError> {
    let mut chain = Chain { protocol: Protocol(next), end: IPV6_BYTES, is_fragment: false };
    let mut walked = 0;
    while let kind @ (next_header::HOP_BY_HOP
    | next_header::ROUTING
    | next_header::FRAGMENT
    | next_header::DESTINATION_OPTIONS) = chain.protocol.0
    {
        let short = ParseError::Malformed("an IPv6 extension header is cut off");
        walked += 1;
        let header = packet.get(chain.end..).and_then(|rest| rest.first_chunk::<8>()).ok_or(short)?;
        chain.protocol = Protocol(header[0]);
        match kind {
            next_header::HOP_BY_HOP if walked > 1 => {
                return Err(ParseError::Malformed(
                    "IPv6 hop-by-hop options are not the first extension header",
                ));
            }
            next_header::FRAGMENT => {
                let fragment = u16::from_be_bytes([header[2], header[3]]);
                reject_later_fragment(chain.protocol, fragment >> 3)?;
                chain.is_fragment = true;
                chain.end += 8;
            }
            next_header::ROUTING if header[2] == 0 => {
                return Err(ParseError::Malformed("an IPv6 type 0 routing header"));
            }
            _ => chain.end += (usize::from(header[1]) + 1) * 8,
        }
        if chain.end > packet.len() {
            return Err(short);
        }
        // Checked last, as in the kernel: a later fragment is one, however long the chain before it is.
        if walked > EXTENSION_HEADERS_MAX {
            return Err(ParseError::Malformed("too many IPv6 extension headers"));
        }
    }
    Ok(chain)
}

/// Refuses a fragment that does not start the packet; `offset` counts units of 8 bytes.
fn reject_later_fragment(protocol: Protocol, offset: u16) -> Result<(), ParseError> {
    match offset {
        0 => Ok(()),
        // It would overwrite the flags of the TCP header that was judged.
        1 if protocol == Protocol::TCP => Err(ParseError::Malformed("a TCP fragment at offset 1")),
        _ => Err(ParseError::Fragment),
    }
}
