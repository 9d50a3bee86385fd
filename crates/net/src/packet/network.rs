//! IPv4 and IPv6 headers (RFC 791, RFC 8200), of whole packets and of packets that an ICMP error quotes.
//!
//! Invariant: the body that is returned lies within the bytes that were given.

#[cfg(test)]
mod tests;

use core::ops::Range;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    EXTENSION_HEADERS_MAX, Fragment, IPV4_BYTES, IPV6_BYTES, ParseError, address::are_impossible, next_header,
};
use crate::{Family, Protocol};

/// Longest packet, as its length field can say it.
const BYTES_MAX: usize = 0xffff;

/// What the headers before the transport header say.
pub(super) struct Network {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) hop_limit: u8,
    pub(super) protocol: Protocol,
    pub(super) fragment: Fragment,
    /// Bytes of IPv6 extension headers.
    pub(super) extensions: usize,
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
    let network = match family {
        Family::V4 => ipv4(packet, extent),
        Family::V6 => ipv6(packet, extent),
    }?;
    if are_impossible(network.source, network.destination, network.protocol) {
        return Err(ParseError::Malformed("no host sends from or to such an address"));
    }
    Ok(network)
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
    if extent == Extent::Whole {
        options(&packet[IPV4_BYTES..start])?;
    }
    let protocol = Protocol(fixed[9]);
    let field = u16::from_be_bytes([fixed[6], fixed[7]]);
    let piece = Piece {
        offset: usize::from(field & 0x1fff) * 8,
        length: end - start,
        before: start,
        more: field & 0x2000 != 0,
    };
    let address = |at: usize| Ipv4Addr::from(core::array::from_fn::<u8, 4, _>(|i| fixed[at + i])).into();
    Ok(Network {
        source: address(12),
        destination: address(16),
        hop_limit: fixed[8],
        protocol,
        fragment: if piece.is_all() { Fragment::None } else { piece.check(protocol, extent)? },
        extensions: 0,
        body: start..end,
    })
}

/// Walks the options of an IPv4 header. A packet that names its own way is refused (RFC 7126); what other options mean is
/// the receiver's business.
fn options(mut list: &[u8]) -> Result<(), ParseError> {
    const END: u8 = 0;
    const NONE: u8 = 1;
    const LOOSE_ROUTE: u8 = 131;
    const STRICT_ROUTE: u8 = 137;
    while let [kind, rest @ ..] = list {
        list = match (*kind, rest.first()) {
            (END, _) => return Ok(()),
            (NONE, _) => rest,
            (kind, Some(&size)) if size >= 2 && usize::from(size) <= list.len() => match kind {
                LOOSE_ROUTE | STRICT_ROUTE => return Err(ParseError::SourceRoute),
                _ => &list[usize::from(size)..],
            },
            _ => return Err(ParseError::Malformed("the IPv4 options do not fit into their header")),
        };
    }
    Ok(())
}

fn ipv6(packet: &[u8], extent: Extent) -> Result<Network, ParseError> {
    let short = ParseError::Malformed("shorter than an IPv6 header");
    let fixed = packet.first_chunk::<IPV6_BYTES>().ok_or(short)?;
    if fixed[0] >> 4 != 6 {
        return Err(ParseError::Malformed("an IPv6 packet of another version"));
    }
    let length = IPV6_BYTES + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    let end = extent.end(length, packet.len())?;
    let chain = extension_headers(fixed[6], &packet[..end], extent)?;
    let address = |at: usize| Ipv6Addr::from(core::array::from_fn::<u8, 16, _>(|i| fixed[at + i])).into();
    Ok(Network {
        source: address(8),
        destination: address(24),
        hop_limit: fixed[7],
        protocol: chain.protocol,
        fragment: chain.fragment,
        extensions: chain.end - IPV6_BYTES,
        body: chain.end..end,
    })
}

/// Where the extension headers lead.
struct Chain {
    protocol: Protocol,
    end: usize,
    fragment: Fragment,
}

/// Walks the headers from `next` on, which stands right after the fixed header. ESP and AH are protocols here, not
/// extension headers: rules name them. A later fragment ends the walk too: of what its first one has in front of the
/// transport header, it knows one number.
fn extension_headers(next: u8, packet: &[u8], extent: Extent) -> Result<Chain, ParseError> {
    let mut chain = Chain { protocol: Protocol(next), end: IPV6_BYTES, fragment: Fragment::None };
    let mut walked = 0;
    while chain.fragment != Fragment::Later && is_extension(chain.protocol) {
        let short = ParseError::Malformed("an IPv6 extension header is cut off");
        let kind = chain.protocol.0;
        if walked == EXTENSION_HEADERS_MAX {
            return Err(ParseError::Malformed("too many IPv6 extension headers"));
        }
        if kind == next_header::HOP_BY_HOP && walked > 0 {
            return Err(ParseError::Malformed("IPv6 hop-by-hop options are not the first extension header"));
        }
        walked += 1;
        let header = packet.get(chain.end..).and_then(|rest| rest.first_chunk::<8>()).ok_or(short)?;
        // Type 0 is deprecated (RFC 5095); segments left are hosts that the rules were not asked about.
        if kind == next_header::ROUTING && (header[2] == 0 || header[3] != 0) {
            return Err(ParseError::SourceRoute);
        }
        chain.protocol = Protocol(header[0]);
        if kind == next_header::FRAGMENT {
            chain.fragment = fragment_header(&chain, header, packet.len(), extent)?;
            chain.end += header.len();
        } else {
            chain.end += (usize::from(header[1]) + 1) * 8;
        }
        if chain.end > packet.len() {
            return Err(short);
        }
    }
    Ok(chain)
}

const fn is_extension(protocol: Protocol) -> bool {
    use next_header::{DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING};
    matches!(protocol.0, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS)
}

/// The fragment header at the end of `chain`, whose protocol is the one that it names.
fn fragment_header(
    chain: &Chain,
    header: &[u8; 8],
    end: usize,
    extent: Extent,
) -> Result<Fragment, ParseError> {
    let is_again = chain.fragment != Fragment::None || chain.protocol.0 == next_header::FRAGMENT;
    if is_again || chain.protocol.0 == next_header::HOP_BY_HOP {
        return Err(ParseError::Malformed("a piece of a piece, or one of hop-by-hop options"));
    }
    let field = u16::from_be_bytes([header[2], header[3]]);
    let piece = Piece {
        offset: usize::from(field & !7),
        length: end - chain.end - header.len(),
        before: chain.end - IPV6_BYTES,
        more: field & 1 != 0,
    };
    piece.check(chain.protocol, extent)
}

/// A piece of a packet; everything in bytes.
struct Piece {
    /// Of its first byte among all that was cut.
    offset: usize,
    length: usize,
    /// What the whole packet has in front of what was cut, and what its length counts.
    before: usize,
    /// Whether others follow.
    more: bool,
}

impl Piece {
    const fn is_all(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// Refuses what comes from attackers alone: pieces without content, pieces that no other can follow without overlap, and
    /// pieces beyond the longest packet.
    fn check(&self, protocol: Protocol, extent: Extent) -> Result<Fragment, ParseError> {
        // It would overwrite the flags of the TCP header that was judged (RFC 3128).
        if protocol == Protocol::TCP && self.offset == 8 {
            return Err(ParseError::Malformed("a TCP fragment at offset 1"));
        }
        if extent == Extent::Whole {
            let is_empty = self.length == 0 && !self.is_all();
            if is_empty || (self.more && !self.length.is_multiple_of(8)) {
                return Err(ParseError::Malformed("a fragment of an impossible length"));
            }
            if self.before + self.offset + self.length > BYTES_MAX {
                return Err(ParseError::Malformed("a fragment beyond the end of the longest packet"));
            }
        }
        Ok(if self.offset == 0 { Fragment::First } else { Fragment::Later })
    }
}
