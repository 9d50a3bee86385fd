//! Packets: what the kernel program's parser and guards see in a frame, in software, and builders of frames for tests and
//! tools.
//!
//! [`parse()`] and [`Station::examine`] answer for every frame what the program in `bpf/` answers, or tests between the two
//! fail:
//!
//! 1. Ethernet II with IPv4, IPv6 or ARP; every other type is unsupported, and so is a second VLAN tag.
//! 2. A length that does not fit, a wrong version, an address that no host has, IPv4 options that do not fit, a chain of
//!    more than [`EXTENSION_HEADERS_MAX`] IPv6 extension headers, hop-by-hop options that are not the first of them or an
//!    incomplete transport header is malformed. So are a first fragment without its whole transport header, a TCP fragment
//!    at offset 1 (RFC 1858, RFC 3128), and pieces that fit no packet.
//! 3. Source routes of IPv4 and routing headers that are not done are refused.
//! 4. A later fragment is one, without ports.
//!
//! It must not decide what rules decide. Checksums and other options are the receiver's business and are not looked at.
//! No input makes it panic.

mod address;
mod build;
mod checksum;
mod dhcp;
mod guard;
mod icmp;
mod link_control;
mod message;
mod neighbour;
mod network;
mod parse;
#[cfg(test)]
mod tests;
mod transport;
mod write;

use core::ops::Range;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};

pub use build::{BuildError, Extension, Packet, arp, tagged};
pub use guard::{Guards, Passage, Refusal, Station};
pub use icmp::IcmpBody;
pub use link_control::is_link_control;
pub use message::{Dhcp, Discovery, dhcpv6};
pub use parse::parse;

use crate::{Direction, Family, Flow, Mac, Protocol};

/// IPv6 extension headers that are walked before the chain counts as malformed.
pub const EXTENSION_HEADERS_MAX: usize = 8;

/// Bytes of an Ethernet II header.
const ETHERNET_BYTES: usize = 14;
/// What is shorter is filled up.
const ETHERNET_PAYLOAD_MIN: usize = 46;
/// Bytes of a VLAN tag.
const TAG_BYTES: usize = 4;
/// Types that announce a VLAN tag: 802.1Q and 802.1ad.
const TAGS: [u16; 2] = [0x8100, 0x88a8];
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
    /// An ARP message.
    Arp(Arp),
    /// An IPv4 or IPv6 packet.
    Ip(Ip),
}

/// An ARP message for IPv4 over Ethernet (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// [`Arp::REQUEST`] or [`Arp::REPLY`].
    pub operation: u16,
    /// Who says so.
    pub sender: (Mac, Ipv4Addr),
    /// Who is asked or answered.
    pub target: (Mac, Ipv4Addr),
}

impl Arp {
    /// Who has the target's address?
    pub const REQUEST: u16 = 1;
    /// The sender has its address.
    pub const REPLY: u16 = 2;
}

/// Which part of a packet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fragment {
    /// All of it.
    None,
    /// The first one, with the transport header; an IPv6 fragment may also be the only one.
    First,
    /// A later one, without.
    Later,
}

/// An IP packet or a fragment of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip {
    /// Address it comes from.
    pub source: IpAddr,
    /// Address it goes to; of the same family.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// Which part of a packet it is.
    pub fragment: Fragment,
    /// Bytes of IPv6 extension headers.
    pub extensions: usize,
    /// The transport header; of a later fragment, [`Transport::Other`] with the protocol that the first one names.
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

    /// The letter of each bit, from the lowest: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR.
    const LETTERS: [char; 8] = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C'];

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

/// A letter for each bit that is set, such as `SA`; nothing for none.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Self::LETTERS.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        set.map(|(_, letter)| *letter).try_for_each(|letter| f.write_char(letter))
    }
}

impl TcpFlags {
    /// Reads what [`fmt::Display`] writes, in any order; `None` for text with other letters.
    pub fn from_letters(text: &str) -> Option<Self> {
        text.chars().try_fold(Self::default(), |all, letter| {
            let bit = Self::LETTERS.iter().position(|known| *known == letter)?;
            Some(all.with(Self(1 << bit)))
        })
    }
}

/// Why a frame is not a packet that rules can judge; one variant for each reason that the kernel program counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is too short or contradicts itself.
    #[error("malformed frame: {0}")]
    Malformed(&'static str),
    /// It is not IPv4, IPv6 or ARP.
    #[error("unsupported Ethernet type {0:#06x} (IPv4, IPv6 and ARP are supported)")]
    UnsupportedEtherType(u16),
    /// It carries more VLAN tags than are looked behind.
    #[error("a VLAN tag behind a VLAN tag")]
    VlanTagged,
    /// It names the way it wants to take.
    #[error("a source route of IPv4, or an IPv6 routing header that is of type 0 or has segments left")]
    SourceRoute,
}

impl Parsed {
    /// The IP packet, if it is one.
    pub const fn ip(&self) -> Option<&Ip> {
        match &self.content {
            Content::Ip(ip) => Some(ip),
            Content::Arp(_) => None,
        }
    }

    /// The flow whose first packet this would be; `None` for ARP. Also ask [`Station::examine`]: rules do not govern
    /// what keeps the link working. Of a later fragment, the ports are not known and are 0.
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
