//! From a frame to [`Parsed`].
//!
//! It must not copy payload: what is returned refers to the frame by position.

use super::{
    ARP_BYTES, ARP_ETHERNET_IPV4, Arp, Content, ETHERNET_BYTES, ETHERNET_PAYLOAD_MIN, ETHERTYPE_ARP,
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, Fragment, Ip, ParseError, Parsed, TAG_BYTES, TAGS, Transport,
    network::{self, Extent, Network},
    transport,
};
use crate::{Family, Mac};

/// Reads an Ethernet II frame.
///
/// # Errors
/// See [`ParseError`]; each variant is one of the kernel program's reasons to drop.
pub fn parse(frame: &[u8]) -> Result<Parsed, ParseError> {
    Header::read(frame)?.behind_tag(frame)?.content(frame)
}

/// An Ethernet header.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) destination_mac: Mac,
    pub(super) source_mac: Mac,
    ethertype: u16,
    /// Where what it announces begins.
    at: usize,
}

impl Header {
    /// Reads the header as far as the first type.
    pub(super) fn read(frame: &[u8]) -> Result<Self, ParseError> {
        let short = ParseError::Malformed("shorter than an Ethernet header");
        let header = frame.first_chunk::<ETHERNET_BYTES>().ok_or(short)?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, type_high, type_low] = *header;
        Ok(Self {
            destination_mac: Mac([d0, d1, d2, d3, d4, d5]),
            source_mac: Mac([s0, s1, s2, s3, s4, s5]),
            ethertype: u16::from_be_bytes([type_high, type_low]),
            at: ETHERNET_BYTES,
        })
    }

    /// Whether a VLAN tag stands where the type is.
    pub(super) fn is_tagged(&self) -> bool {
        TAGS.contains(&self.ethertype)
    }

    /// The same header as if its tag were not there. Behind two tags nobody looks.
    pub(super) fn behind_tag(self, frame: &[u8]) -> Result<Self, ParseError> {
        if !self.is_tagged() {
            return Ok(self);
        }
        let at = ETHERNET_BYTES + TAG_BYTES;
        let short = ParseError::Malformed("the frame ends within its VLAN tag");
        let [high, low] = *frame.get(at - 2..).and_then(|rest| rest.first_chunk()).ok_or(short)?;
        let inner = Self { ethertype: u16::from_be_bytes([high, low]), at, ..self };
        if inner.is_tagged() { Err(ParseError::VlanTagged) } else { Ok(inner) }
    }

    /// Reads what the header announces.
    pub(super) fn content(self, frame: &[u8]) -> Result<Parsed, ParseError> {
        let content = match self.ethertype {
            ETHERTYPE_IPV4 => Content::Ip(ip(Family::V4, frame, self.at)?),
            ETHERTYPE_IPV6 => Content::Ip(ip(Family::V6, frame, self.at)?),
            ETHERTYPE_ARP => Content::Arp(arp(&frame[self.at..])?),
            other => return Err(ParseError::UnsupportedEtherType(other)),
        };
        Ok(Parsed { destination_mac: self.destination_mac, source_mac: self.source_mac, content })
    }
}

fn arp(message: &[u8]) -> Result<Arp, ParseError> {
    let kind = ParseError::Malformed("not an ARP message about IPv4 over Ethernet");
    let fixed =
        message.first_chunk::<ARP_BYTES>().filter(|m| m.starts_with(&ARP_ETHERNET_IPV4)).ok_or(kind)?;
    let operation = u16::from_be_bytes([fixed[6], fixed[7]]);
    if !matches!(operation, Arp::REQUEST | Arp::REPLY) {
        return Err(ParseError::Malformed("an ARP message that neither asks nor answers"));
    }
    if message.len() > ETHERNET_PAYLOAD_MIN {
        return Err(ParseError::Malformed("more behind an ARP message than fills the shortest frame"));
    }
    let party = |at: usize| {
        let mac = core::array::from_fn(|i| fixed[at + i]);
        let address: [u8; 4] = core::array::from_fn(|i| fixed[at + 6 + i]);
        (Mac(mac), address.into())
    };
    Ok(Arp { operation, sender: party(8), target: party(18) })
}

fn ip(family: Family, frame: &[u8], at: usize) -> Result<Ip, ParseError> {
    let packet = &frame[at..];
    let Network { source, destination, hop_limit, protocol, fragment, extensions, body } =
        network::read(family, packet, Extent::Whole)?;
    let (transport, header) = match fragment {
        Fragment::Later => (Transport::Other(protocol), 0),
        _ => transport::whole(family, protocol, &packet[body.clone()], fragment)?,
    };
    Ok(Ip {
        source,
        destination,
        hop_limit,
        fragment,
        extensions,
        transport,
        payload: at + body.start + header..at + body.end,
    })
}
