//! Packets: what the kernel program's parser sees in a frame, in software, and a builder of frames for tests and tools.
//!
//! [`parse()`] answers for every frame what the program in `bpf/` answers, or tests between the two fail:
//!
//! 1. Ethernet II with IPv4, IPv6 or ARP; every other type, a VLAN tag among them, is unsupported. ARP is not read.
//! 2. A length that does not fit, a wrong version, a chain of more than [`EXTENSION_HEADERS_MAX`] IPv6 extension
//!    headers, hop-by-hop options that are not the first of them, a type 0 routing header (RFC 5095) or an incomplete
//!    transport header is malformed. So are a first fragment without its whole transport header and a TCP fragment at
//!    offset 1 (RFC 1858, RFC 3128).
//! 3. Any later fragment carries no ports; it is refused as a fragment.
//!
//! It must not decide whether a packet passes. Checksums and options are the receiver's business and are not looked at.
//! No input makes it panic.

mod build;
mod checksum;
mod icmp;
mod link_control;
mod network;
mod parse;
#[cfg(test)]
mod tests;
mod transport;
mod write;

use core::ops::Range;
use std::net::{IpAddr, Ipv4Addr};

pub use build::{BuildError, Extension, Packet, arp};
pub use icmp::IcmpBody;
pub use link_control::is_dhcp_server;
pub use parse::parse;

use crate::{Direction, Family, Flow, Mac, Protocol};

/// IPv6 extension headers that are walked before the chain counts as malformed.
pub const EXTENSION_HEADERS_MAX: usize = 8;

/// Bytes of an Ethernet II header.
const ETHERNET_BYTES: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ARP_BYTES: usize = 28;
/// Ethernet, IPv4, and the sizes of their addresses: what ARP starts with here (RFC 826).
const ARP_ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const ICMP_BYTES: usize = 8;

/// IPv6 next-header values that stand for extension headers (RFC 8200 section 4).
mod next_header {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const DESTINATION_OPTIONS: u8 = 60;
}

/// What a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Hardware address it goes to.
    pub destination_mac: Mac,
    /// Hardware address it comes from.
    pub source_mac: Mac,
    /// What it carries.
    pub content: Content,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An ARP message; read only if it is about IPv4 over Ethernet, and none of the kernel program's business.
    Arp(Option<Arp>),
    /// An IPv4 or IPv6 packet.
    Ip(Ip),
}

/// An ARP message for IPv4 over Ethernet (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// 1 for a request, 2 for a reply.
    pub operation: u16,
    /// Who says so.
    pub sender: (Mac, Ipv4Addr),
    /// Who is asked or answered.
    pub target: (Mac, Ipv4Addr),
}

/// An IP packet that is whole or a first fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip {
    /// Address it comes from.
    pub source: IpAddr,
    /// Address it goes to; of the same family.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// Whether it may be a part: more fragments follow, or an IPv6 fragment header says that it is the only one.
    pub is_fragment: bool,
    /// The transport header.
    pub transport: Transport,
    /// Where in the frame the bytes after the transport header are; padding does not belong to them.
    pub payload: Range<usize>,
}

/// A transport header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// RFC 9293.
    Tcp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// Control bits; none in a packet that an ICMP error quotes, which ends before them.
        flags: TcpFlags,
    },
    /// RFC 768.
    Udp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
    },
    /// ICMP.
    Icmp {
        /// Whose ICMP it is: RFC 792 for IPv4, RFC 4443 for IPv6. The other family's packets may carry it too; rules
        /// then see its protocol number and type.
        family: Family,
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// What follows.
        body: IcmpBody,
    },
    /// Any other protocol; its header belongs to the payload.
    Other(Protocol),
}

/// The packet that an ICMP error is about, as far as the error quotes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// Address it came from.
    pub source: IpAddr,
    /// Address it went to.
    pub destination: IpAddr,
    /// Its transport header.
    pub transport: Transport,
}

/// Control bits of a TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The sender is done.
    pub const FIN: Self = Self(0x01);
    /// The first segment each way.
    pub const SYN: Self = Self(0x02);
    /// The connection is refused or broken.
    pub const RST: Self = Self(0x04);
    /// Deliver without waiting.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);

    /// Bits of either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Why a frame is not a packet that rules can judge; one variant for each reason that the kernel program counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is too short or contradicts itself.
    #[error("malformed frame: {0}")]
    Malformed(&'static str),
    /// It is not IPv4, IPv6 or ARP.
    #[error("unsupported Ethernet type {0:#06x} (IPv4, IPv6 and ARP are supported, without a VLAN tag)")]
    UnsupportedEtherType(u16),
    /// It is a fragment after the first one.
    #[error("fragment without a transport header")]
    Fragment,
}

impl Parsed {
    /// The IP packet, if it is one.
    pub const fn ip(&self) -> Option<&Ip> {
        match &self.content {
            Content::Ip(ip) => Some(ip),
            Content::Arp(_) => None,
        }
    }

    /// The flow whose first packet this would be; `None` for ARP. Also ask [`Self::is_link_control`]: rules govern
    /// no such packet.
    pub fn to_flow(&self, direction: Direction) -> Option<Flow> {
        let ip = self.ip()?;
        let (source_port, destination_port) = ip.transport.ports();
        Flow::new(direction, ip.protocol(), (ip.source, source_port), (ip.destination, destination_port))
    }
}

impl Ip {
    /// Number of the transport protocol.
    pub const fn protocol(&self) -> Protocol {
        self.transport.protocol()
    }
}

impl Transport {
    /// Its number.
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Tcp { .. } => Protocol::TCP,
            Self::Udp { .. } => Protocol::UDP,
            Self::Icmp { family, .. } => Protocol::icmp_of(*family),
            Self::Other(protocol) => *protocol,
        }
    }

    /// Source and destination port as a [`Flow`] has them: the ICMP type stands in the second place.
    pub fn ports(&self) -> (u16, u16) {
        match *self {
            Self::Tcp { source_port, destination_port, .. } | Self::Udp { source_port, destination_port } => {
                (source_port, destination_port)
            }
            Self::Icmp { kind, .. } => (0, kind.into()),
            Self::Other(_) => (0, 0),
        }
    }
}
