//! From a description of a packet to its frame, with lengths and checksums filled in.
//!
//! For every packet that is whole or a first fragment, [`super::parse()`] gives back what was described. It must not
//! invent content: what is not described is zero or empty. A packet that cannot be written down is refused.

use std::net::IpAddr;

use super::{
    ARP_ETHERNET_IPV4, Arp, ETHERNET_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IcmpBody, TAGS,
    TcpFlags, Transport, message, write,
};
use crate::{Flow, Mac, Protocol};

/// A packet to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Hardware address it goes to.
    pub destination_mac: Mac,
    /// Hardware address it comes from.
    pub source_mac: Mac,
    /// Address it comes from.
    pub source: IpAddr,
    /// Address it goes to.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// What all fragments of one packet have in common; IPv4 writes its low half.
    pub identification: u32,
    /// Position in the whole packet in units of 8 bytes, and whether more fragments follow. A later fragment is
    /// written without transport header: its payload follows the IP headers.
    pub fragment: Option<(u16, bool)>,
    /// IPv4 options; filled up to a multiple of 4 bytes.
    pub options: Vec<u8>,
    /// IPv6 extension headers, in order; a fragment header follows them.
    pub extensions: Vec<Extension>,
    /// The transport header.
    pub transport: Transport,
    /// TCP options; filled up to a multiple of 4 bytes.
    pub tcp_options: Vec<u8>,
    /// What follows the transport header, and the quoted packet of an ICMP error.
    pub payload: Vec<u8>,
}

/// An IPv6 extension header. Contents are filled up to a multiple of 8 bytes with zeros, which are `Pad1` options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension {
    /// Options for every router.
    HopByHop(Vec<u8>),
    /// Options for the receiver.
    Destination(Vec<u8>),
    /// A routing header.
    Routing {
        /// Routing type.
        kind: u8,
        /// Hosts that the packet is still to visit.
        segments_left: u8,
        /// Data of the type.
        data: Vec<u8>,
    },
}

/// Why a packet cannot be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The addresses are of different families, or an ICMP error quotes the other family.
    #[error("a packet's addresses must be of one family")]
    Families,
    /// Options or extension headers of the other family.
    #[error("IPv4 has no extension headers and IPv6 has no header options")]
    WrongFamily,
    /// Options are longer than the header allows.
    #[error("{0} bytes of options (at most 40)")]
    Options(usize),
    /// An extension header is longer than its length field can say.
    #[error("{0} bytes in an extension header (at most 2046, 2044 in a routing header)")]
    Extension(usize),
    /// The fragment lies beyond the longest packet.
    #[error("fragment offset {0} (at most 8191)")]
    FragmentOffset(u16),
    /// Fragments cannot be cut to this length.
    #[error("pieces of {0} bytes (a multiple of 8, and not 0)")]
    Piece(usize),
    /// The packet is longer than its length field can say.
    #[error("a packet of {0} bytes (at most 65535)")]
    Length(usize),
}

impl Packet {
    /// A packet without options and payload.
    pub const fn new(source: IpAddr, destination: IpAddr, transport: Transport) -> Self {
        Self {
            destination_mac: Mac([0; 6]),
            source_mac: Mac([0; 6]),
            source,
            destination,
            hop_limit: 64,
            identification: 0,
            fragment: None,
            options: Vec::new(),
            extensions: Vec::new(),
            transport,
            tcp_options: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// The first packet of a flow: a SYN, a datagram, or an ICMP message of the flow's type. What keeps a link working has
    /// the content and the hop limit without which it would not be that.
    pub fn first_of(flow: &Flow) -> Self {
        let (source_port, destination_port) = (flow.source_port(), flow.destination_port());
        let transport = match flow.protocol() {
            Protocol::TCP => Transport::Tcp { source_port, destination_port, flags: TcpFlags::SYN },
            Protocol::UDP => Transport::Udp { source_port, destination_port },
            other => match other.icmp_family() {
                Some(family) => {
                    // A flow from outside may name a number that is no ICMP type; no packet has it.
                    let kind = u8::try_from(destination_port).unwrap_or(u8::MAX);
                    Transport::Icmp { family, kind, code: 0, body: IcmpBody::blank(family, kind) }
                }
                None => Transport::Other(other),
            },
        };
        let mut packet = Self::new(flow.source(), flow.destination(), transport);
        packet.payload = message::content_of(&packet);
        packet.hop_limit = message::hop_limit_of(&packet.transport).unwrap_or(packet.hop_limit);
        packet
    }

    /// The same packet between other hardware addresses.
    #[must_use]
    pub fn between(self, source_mac: Mac, destination_mac: Mac) -> Self {
        Self { source_mac, destination_mac, ..self }
    }

    /// The same packet with another payload.
    #[must_use]
    pub fn with_payload(self, payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: payload.into(), ..self }
    }

    /// The packet as the first of several fragments. Its payload is filled up with zeros to where the next one may begin.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn into_first_fragment(mut self) -> Result<Self, BuildError> {
        let body = write::transport(&self)?.len();
        let filled = body.max(1).next_multiple_of(8);
        self.payload.resize(self.payload.len() + filled - body, 0);
        Ok(Self { fragment: Some((0, true)), ..self })
    }

    /// The packet in pieces of at most `piece` bytes after the IP headers, which must be a multiple of 8 and not 0.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn fragments(&self, piece: usize) -> Result<Vec<Self>, BuildError> {
        if piece == 0 || !piece.is_multiple_of(8) {
            return Err(BuildError::Piece(piece));
        }
        let body = write::transport(self)?;
        let transport = Transport::Other(self.transport.protocol());
        let pieces = body.chunks(piece).enumerate().map(|(index, bytes)| {
            let more = (index + 1) * piece < body.len();
            let offset = u16::try_from(index * piece / 8).expect("a body is shorter than 64 KiB");
            let fragment = Some((offset, more));
            Self { fragment, transport: transport.clone(), ..self.clone() }.with_payload(bytes)
        });
        Ok(pieces.collect())
    }

    /// The Ethernet frame.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let ethertype = match self.source {
            IpAddr::V4(_) => ETHERTYPE_IPV4,
            IpAddr::V6(_) => ETHERTYPE_IPV6,
        };
        let mut frame = ethernet(self.source_mac, self.destination_mac, ethertype);
        frame.extend(write::ip(self)?);
        Ok(frame)
    }
}

/// The frame of an ARP message.
pub fn arp(source_mac: Mac, destination_mac: Mac, message: &Arp) -> Vec<u8> {
    let mut frame = ethernet(source_mac, destination_mac, ETHERTYPE_ARP);
    frame.extend(ARP_ETHERNET_IPV4);
    frame.extend(message.operation.to_be_bytes());
    for (mac, address) in [message.sender, message.target] {
        frame.extend(mac.0);
        frame.extend(address.octets());
    }
    frame
}

/// The same frame with a VLAN tag in front of its type, of 802.1Q or, for a provider's, of 802.1ad.
pub fn tagged(frame: &[u8], id: u16, is_provider: bool) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(ETHERNET_BYTES - 2);
    let tag = TAGS[usize::from(is_provider)];
    [addresses, &tag.to_be_bytes(), &id.to_be_bytes(), rest].concat()
}

fn ethernet(source: Mac, destination: Mac, ethertype: u16) -> Vec<u8> {
    [&destination.0[..], &source.0, &ethertype.to_be_bytes()].concat()
}
