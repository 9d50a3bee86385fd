//! IP protocol numbers, and what a rule's protocol field matches.

use core::{fmt, str::FromStr};

use crate::Family;

/// An IP protocol number (IANA "Assigned Internet Protocol Numbers").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4 (RFC 792).
    pub const ICMP: Self = Self(1);
    /// Internet Group Management Protocol (RFC 3376).
    pub const IGMP: Self = Self(2);
    /// TCP (RFC 9293).
    pub const TCP: Self = Self(6);
    /// UDP (RFC 768).
    pub const UDP: Self = Self(17);
    /// Encapsulating Security Payload (RFC 4303).
    pub const ESP: Self = Self(50);
    /// Authentication Header (RFC 4302).
    pub const AH: Self = Self(51);
    /// ICMP for IPv6 (RFC 4443).
    pub const ICMPV6: Self = Self(58);

    /// The control message protocol of a family.
    pub const fn icmp_of(family: Family) -> Self {
        match family {
            Family::V4 => Self::ICMP,
            Family::V6 => Self::ICMPV6,
        }
    }

    /// The family whose control message protocol this is.
    pub const fn icmp_family(self) -> Option<Family> {
        match self {
            Self::ICMP => Some(Family::V4),
            Self::ICMPV6 => Some(Family::V6),
            _ => None,
        }
    }

    /// Whether packets carry a source and a destination port that rules can match: TCP and UDP.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP)
    }

    /// Whether this is ICMP or ICMPv6, whose type stands in the place of the destination port.
    pub const fn is_icmp(self) -> bool {
        matches!(self, Self::ICMP | Self::ICMPV6)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ICMP => f.write_str("Icmp"),
            Self::ICMPV6 => f.write_str("Icmpv6"),
            Self::TCP => f.write_str("Tcp"),
            Self::UDP => f.write_str("Udp"),
            Self::ESP => f.write_str("Esp"),
            Self::AH => f.write_str("Ah"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

/// What a rule's protocol field matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolMatch {
    /// Every IP protocol.
    Any,
    /// ICMP in IPv4 packets and ICMPv6 in IPv6 packets.
    Icmp,
    /// One protocol number.
    Number(Protocol),
}

impl ProtocolMatch {
    /// TCP.
    pub const TCP: Self = Self::Number(Protocol::TCP);
    /// UDP.
    pub const UDP: Self = Self::Number(Protocol::UDP);

    /// Whether packets of `protocol` match.
    pub fn matches(self, protocol: Protocol) -> bool {
        match self {
            Self::Any => true,
            Self::Icmp => protocol.is_icmp(),
            Self::Number(number) => number == protocol,
        }
    }

    /// The protocol of a packet of which this is the name: `Icmp` is that of IPv4; `None` for `*`.
    pub const fn of_packet(self) -> Option<Protocol> {
        match self {
            Self::Any => None,
            Self::Icmp => Some(Protocol::ICMP),
            Self::Number(protocol) => Some(protocol),
        }
    }
}

/// Reads `Tcp`, `Udp`, `Icmp`, `Esp`, `Ah`, `*`, `Any` in any case, or a number 0 to 255.
impl FromStr for ProtocolMatch {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "*" | "any" => Self::Any,
            "tcp" => Self::TCP,
            "udp" => Self::UDP,
            "icmp" => Self::Icmp,
            "icmpv6" => Self::Number(Protocol::ICMPV6),
            "esp" => Self::Number(Protocol::ESP),
            "ah" => Self::Number(Protocol::AH),
            number if number.bytes().all(|b| b.is_ascii_digit()) => {
                Self::Number(Protocol(number.parse().map_err(|_| ())?))
            }
            _ => return Err(()),
        })
    }
}

impl fmt::Display for ProtocolMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Icmp => f.write_str("Icmp"),
            Self::Number(number) => number.fmt(f),
        }
    }
}
