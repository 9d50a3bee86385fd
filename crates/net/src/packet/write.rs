//! The bytes of IP packets: headers, lengths, checksums.
//!
//! Each function returns one header or packet, so that what encloses it can take its length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    BuildError, Extension, IPV4_BYTES, IPV6_BYTES, IcmpBody, Packet, Quoted, TCP_BYTES, Transport,
    checksum::Checksum, next_header,
};
use crate::{Family, Protocol};

/// Options of IPv4 and of TCP fit into 15 words minus the fixed header's 5.
const OPTIONS_BYTES_MAX: usize = 40;
/// Lengths of extension headers count units of 8 bytes after the first, in one byte.
const EXTENSION_BYTES_MAX: usize = 8 * 256;
const FRAGMENT_OFFSET_MAX: u16 = 0x1fff;

/// The packet from its IP header on.
pub(super) fn ip(packet: &Packet) -> Result<Vec<u8>, BuildError> {
    let is_later_fragment = match packet.fragment {
        Some((offset, _)) if offset > FRAGMENT_OFFSET_MAX => return Err(BuildError::FragmentOffset(offset)),
        Some((offset, _)) => offset > 0,
        None => false,
    };
    let body = if is_later_fragment { packet.payload.clone() } else { transport(packet)? };
    match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) if packet.extensions.is_empty() => {
            ipv4(packet, source, destination, &body)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) if packet.options.is_empty() => {
            ipv6(packet, source, destination, &body)
        }
        (source, destination) if Family::of(source) == Family::of(destination) => {
            Err(BuildError::WrongFamily)
        }
        _ => Err(BuildError::Families),
    }
}

fn ipv4(
    packet: &Packet,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    body: &[u8],
) -> Result<Vec<u8>, BuildError> {
    let options = options(&packet.options)?;
    let start = IPV4_BYTES + options.len();
    let total = length(start + body.len())?;
    let (offset, more) = packet.fragment.unwrap_or_default();
    let [_, _, id @ ..] = packet.identification.to_be_bytes();
    let mut header = vec![0x40 | words(start), 0];
    header.extend(total.to_be_bytes());
    header.extend(id);
    header.extend((offset | u16::from(more) << 13).to_be_bytes());
    header.extend([packet.hop_limit, packet.transport.protocol().0, 0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header.extend(options);
    let checksum = Checksum::default().add(&header).finish();
    header[10..12].copy_from_slice(&checksum);
    header.extend(body);
    Ok(header)
}

fn ipv6(
    packet: &Packet,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    body: &[u8],
) -> Result<Vec<u8>, BuildError> {
    let (first, chain) = extension_headers(packet)?;
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(length(chain.len() + body.len())?.to_be_bytes());
    header.extend([first, packet.hop_limit]);
    header.extend(source.octets());
    header.extend(destination.octets());
    debug_assert_eq!(header.len(), IPV6_BYTES);
    Ok([&header[..], &chain, body].concat())
}

/// The first next-header value and the bytes of the chain, written from its end.
fn extension_headers(packet: &Packet) -> Result<(u8, Vec<u8>), BuildError> {
    let mut next = packet.transport.protocol().0;
    let mut chain = Vec::new();
    if let Some((offset, more)) = packet.fragment {
        let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
        chain = [&[next, 0, high, low], &packet.identification.to_be_bytes()[..]].concat();
        next = next_header::FRAGMENT;
    }
    for extension in packet.extensions.iter().rev() {
        let (kind, fixed, data): (_, &[u8], _) = match extension {
            Extension::HopByHop(options) => (next_header::HOP_BY_HOP, &[], options),
            Extension::Destination(options) => (next_header::DESTINATION_OPTIONS, &[], options),
            Extension::Routing { kind, segments_left, data } => {
                (next_header::ROUTING, &[*kind, *segments_left], data)
            }
        };
        let mut header = [&[next, 0], fixed, data].concat();
        header.resize(header.len().next_multiple_of(8), 0);
        if header.len() > EXTENSION_BYTES_MAX {
            return Err(BuildError::Extension(data.len()));
        }
        header[1] = u8::try_from(header.len() / 8 - 1).expect("the length is within the maximum");
        header.extend(chain);
        chain = header;
        next = kind;
    }
    Ok((next, chain))
}

/// The transport header and the payload.
pub(super) fn transport(packet: &Packet) -> Result<Vec<u8>, BuildError> {
    let (mut bytes, checksum_at) = match &packet.transport {
        Transport::Tcp { source_port, destination_port, flags } => {
            let options = options(&packet.tcp_options)?;
            let mut header = ports(*source_port, *destination_port).to_vec();
            header.extend([0; 8]); // sequence and acknowledgement number
            header.extend([words(TCP_BYTES + options.len()) << 4, flags.0]);
            header.extend(u16::MAX.to_be_bytes()); // window
            header.extend([0; 4]); // checksum and urgent pointer
            header.extend(options);
            (header, Some(16))
        }
        Transport::Udp { source_port, destination_port } => {
            (udp(*source_port, *destination_port, packet.payload.len())?, Some(6))
        }
        Transport::Icmp { family, kind, code, body } => {
            let mut message = icmp(*kind, *code, body);
            if let IcmpBody::Error(Some(about)) = body {
                message.extend(quote(*family, about)?);
            }
            (message, Some(2))
        }
        Transport::Other(_) => (Vec::new(), None),
    };
    bytes.extend(&packet.payload);
    length(bytes.len())?;
    if let Some(at) = checksum_at {
        let checksum = checksum(packet, &bytes);
        bytes[at..at + 2].copy_from_slice(&checksum);
    }
    Ok(bytes)
}

fn checksum(packet: &Packet, bytes: &[u8]) -> [u8; 2] {
    let protocol = packet.transport.protocol();
    let start = if protocol == Protocol::ICMP {
        Checksum::default()
    } else {
        Checksum::with_pseudo_header(packet.source, packet.destination, protocol, bytes.len())
    };
    match start.add(bytes).finish() {
        // In UDP zero means that there is no checksum.
        [0, 0] if protocol == Protocol::UDP => [0xff, 0xff],
        checksum => checksum,
    }
}

/// The packet that an ICMP error is about: an IP header and 8 bytes, with no checksums, as nobody checks those.
fn quote(family: Family, about: &Quoted) -> Result<Vec<u8>, BuildError> {
    let start = match about.transport {
        Transport::Tcp { source_port, destination_port, .. } => {
            [ports(source_port, destination_port), [0; 4]].concat()
        }
        Transport::Udp { source_port, destination_port } => udp(source_port, destination_port, 0)?,
        Transport::Icmp { kind, code, ref body, .. } => icmp(kind, code, body),
        Transport::Other(_) => vec![0; 8],
    };
    if Family::of(about.source) != family {
        return Err(BuildError::Families);
    }
    let inner = Transport::Other(about.transport.protocol());
    ip(&Packet::new(about.source, about.destination, inner).with_payload(start))
}

fn icmp(kind: u8, code: u8, body: &IcmpBody) -> Vec<u8> {
    let [high, low] = match body {
        IcmpBody::Query { id } => id.to_be_bytes(),
        IcmpBody::Error(_) | IcmpBody::Other => [0, 0],
    };
    vec![kind, code, 0, 0, high, low, 0, 0]
}

fn udp(source_port: u16, destination_port: u16, payload: usize) -> Result<Vec<u8>, BuildError> {
    let [high, low] = length(super::UDP_BYTES + payload)?.to_be_bytes();
    Ok([ports(source_port, destination_port), [high, low, 0, 0]].concat())
}

const fn ports(source: u16, destination: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (source.to_be_bytes(), destination.to_be_bytes());
    [a, b, c, d]
}

/// Options, filled up to whole words with zeros, which end an option list.
fn options(bytes: &[u8]) -> Result<Vec<u8>, BuildError> {
    if bytes.len() > OPTIONS_BYTES_MAX {
        return Err(BuildError::Options(bytes.len()));
    }
    let mut options = bytes.to_vec();
    options.resize(bytes.len().next_multiple_of(4), 0);
    Ok(options)
}

/// A header's length field: 32-bit words, at most 15.
fn words(bytes: usize) -> u8 {
    u8::try_from(bytes / 4).expect("a fixed header and 40 bytes of options are 15 words")
}

fn length(bytes: usize) -> Result<u16, BuildError> {
    u16::try_from(bytes).map_err(|_| BuildError::Length(bytes))
}
