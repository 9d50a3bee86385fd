//! From a frame to [`Parsed`].
//!
//! It must not copy payload: what is returned refers to the frame by position.

use super::{
    ARP_BYTES, ARP_ETHERNET_IPV4, Arp, Content, ETHERNET_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4,
    ETHERTYPE_IPV6, Ip, ParseError, Parsed,
    network::{self, Extent, Network},
    transport,
};
use crate::{Family, Mac};

/// Reads an Ethernet II frame.
///
/// # Errors
/// See [`ParseError`]; each variant is one of the kernel program's reasons to drop.
pub fn parse(frame: &[u8]) -> Result<Parsed, ParseError> {
    let short = ParseError::Malformed("shorter than an Ethernet header");
    let (header, body) = frame.split_first_chunk::<ETHERNET_BYTES>().ok_or(short)?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, type_high, type_low] = *header;
    let content = match u16::from_be_bytes([type_high, type_low]) {
        ETHERTYPE_IPV4 => Content::Ip(ip(Family::V4, body)?),
        ETHERTYPE_IPV6 => Content::Ip(ip(Family::V6, body)?),
        ETHERTYPE_ARP => Content::Arp(arp(body)),
        other => return Err(ParseError::UnsupportedEtherType(other)),
    };
    Ok(Parsed {
        destination_mac: Mac([d0, d1, d2, d3, d4, d5]),
        source_mac: Mac([s0, s1, s2, s3, s4, s5]),
        content,
    })
}

fn arp(message: &[u8]) -> Option<Arp> {
    let message = message.first_chunk::<ARP_BYTES>().filter(|m| m.starts_with(&ARP_ETHERNET_IPV4))?;
    let party = |at: usize| {
        let mac = core::array::from_fn(|i| message[at + i]);
        let address: [u8; 4] = core::array::from_fn(|i| message[at + 6 + i]);
        (Mac(mac), address.into())
    };
    Some(Arp { operation: u16::from_be_bytes([message[6], message[7]]), sender: party(8), target: party(18) })
}

fn ip(family: Family, packet: &[u8]) -> Result<Ip, ParseError> {
    let Network { source, destination, hop_limit, protocol, is_fragment, body } =
        network::read(family, packet, Extent::Whole)?;
    let (transport, header) = transport::whole(family, protocol, &packet[body.clone()])?;
    Ok(Ip {
        source,
        destination,
        hop_limit,
        is_fragment,
        transport,
        payload: ETHERNET_BYTES + body.start + header..ETHERNET_BYTES + body.end,
    })
}
