//! What a VM may say at its NIC beside what rules govern: the model of `bpf/guard.h`, `bpf/frame.h` and `bpf/arp.h`.
//!
//! Guards hold for what the VM sends. What it receives was guarded where it was sent; only what cannot be right, a VLAN tag
//! and another Ethernet type are refused there too. It knows neither rules nor flows.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Arp, Content, Ip, ParseError, Parsed, Transport,
    address::{eui64, is_platform, may_be_drawn},
    dhcp, link_control, neighbour,
    parse::Header,
};
use crate::{AddressSet, Direction, Family, Mac};

/// One thing that a NIC is guarded against. Its number is that of its bit in the shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// Frames from the VM carry the NIC's MAC address.
    Mac = 0,
    /// Packets from the VM carry an address that the NIC owns.
    Source = 1,
    /// ARP and neighbour discovery from the VM speak for the NIC alone.
    Neighbour = 2,
    /// No answers of a DHCP or DHCPv6 server come from the VM.
    DhcpServer = 3,
    /// No router advertisements and no redirects come from the VM.
    Router = 4,
    /// Only IPv4, IPv6 and ARP.
    EtherType = 5,
    /// No VLAN tags.
    Vlan = 6,
    /// No packets from the VM in the name of the platform's addresses.
    Platform = 7,
}

impl Guard {
    /// Every guard.
    pub const ALL: [Self; 8] = [
        Self::Mac,
        Self::Source,
        Self::Neighbour,
        Self::DhcpServer,
        Self::Router,
        Self::EtherType,
        Self::Vlan,
        Self::Platform,
    ];
}

/// A set of guards; bit `n` is the [`Guard`] with the number `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guards(pub u32);

impl Guards {
    /// No guard.
    pub const NONE: Self = Self(0);
    /// Every guard.
    pub const ALL: Self = Self(0xff);

    /// The set with `guard`.
    #[must_use]
    pub const fn with(self, guard: Guard) -> Self {
        Self(self.0 | 1 << guard as u32)
    }

    /// The set without `guard`.
    #[must_use]
    pub const fn without(self, guard: Guard) -> Self {
        Self(self.0 & !(1 << guard as u32))
    }

    /// Whether `guard` is in the set.
    pub const fn has(self, guard: Guard) -> bool {
        self.0 & 1 << guard as u32 != 0
    }
}

/// A VM at its NIC, as far as guards must know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Station {
    /// What it is guarded against.
    pub guards: Guards,
    /// Its MAC address.
    pub mac: Mac,
    /// Its addresses; of which none are known, it owns none.
    pub owned: Option<AddressSet>,
}

/// How a frame goes on that no guard stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// It passes: the link needs it, or nobody guards against its type.
    LinkControl,
    /// Flows and rules decide.
    Packet(Parsed),
}

/// Why a frame ends at the NIC before a rule is asked; one variant for each reason that the kernel program counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a packet that rules can judge, or one that discovery tells its receiver to discard.
    #[error(transparent)]
    Unreadable(#[from] ParseError),
    /// The frame does not carry the NIC's MAC address.
    #[error("the frame is not from the NIC's MAC address")]
    ForeignMac,
    /// The packet carries an address that the NIC does not own.
    #[error("the packet is not from an address of the NIC")]
    ForeignSource,
    /// An ARP message speaks for an address that the NIC does not own.
    #[error("an ARP message for an address of somebody else")]
    ForeignArp,
    /// A message of neighbour discovery speaks for an address that the NIC does not own.
    #[error("a message of neighbour discovery for an address of somebody else")]
    ForeignNeighbour,
    /// The VM answers as a DHCP or DHCPv6 server.
    #[error("an answer of a DHCP server")]
    DhcpServer,
    /// The VM sends a router advertisement or a redirect.
    #[error("a message of a router")]
    RouterMessage,
    /// The VM sends in the name of a platform address.
    #[error("a packet in the platform's name")]
    ForgedPlatform,
}

impl Station {
    /// What becomes of a frame before flows and rules are asked. Also ask [`Self::check_source`] of a packet that begins
    /// something.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn examine(&self, frame: &[u8], direction: Direction) -> Result<Passage, Refusal> {
        let header = Header::read(frame)?;
        if self.of_sender(direction).has(Guard::Mac) && header.source_mac != self.mac {
            return Err(Refusal::ForeignMac);
        }
        if header.is_tagged() && self.guards.has(Guard::Vlan) {
            return Err(ParseError::VlanTagged.into());
        }
        let parsed = match header.behind_tag(frame)?.content(frame) {
            // The rules know nothing of such a frame.
            Err(ParseError::UnsupportedEtherType(_)) if !self.guards.has(Guard::EtherType) => {
                return Ok(Passage::LinkControl);
            }
            other => other?,
        };
        match &parsed.content {
            Content::Arp(message) => self.check_arp(message, direction).map(|()| Passage::LinkControl),
            Content::Ip(ip) if self.controls(ip, frame, direction)? => Ok(Passage::LinkControl),
            Content::Ip(_) => Ok(Passage::Packet(parsed)),
        }
    }

    /// Whether a packet, which begins something, may have the source that it has. That of the platform is forged even where
    /// sources are not guarded.
    ///
    /// # Errors
    /// [`Refusal::ForgedPlatform`] and [`Refusal::ForeignSource`].
    pub fn check_source(&self, source: IpAddr, direction: Direction) -> Result<(), Refusal> {
        let guards = self.of_sender(direction);
        if guards.has(Guard::Platform) && is_platform(source) {
            return Err(Refusal::ForgedPlatform);
        }
        if guards.has(Guard::Source) && !self.owns(source) {
            return Err(Refusal::ForeignSource);
        }
        Ok(())
    }

    /// Whether the NIC owns the address. A link-local address is its own if it is made of its MAC address; or, where frames
    /// carry no other, if it may be drawn at random.
    pub fn owns(&self, address: IpAddr) -> bool {
        let Some(owned) = &self.owned else { return false };
        let is_link_local = match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(a) => a == eui64(self.mac.0) || (self.guards.has(Guard::Mac) && may_be_drawn(a)),
        };
        is_link_local || owned.contains(address)
    }

    /// The guards that hold for who sends.
    pub(super) fn of_sender(&self, direction: Direction) -> Guards {
        match direction {
            Direction::Outbound => self.guards,
            Direction::Inbound => Guards::NONE,
        }
    }

    pub(super) fn owns_v6(&self, address: Ipv6Addr) -> bool {
        self.owns(address.into())
    }

    /// Whether an ARP message speaks for the NIC alone. To ask from 0.0.0.0 is to claim the address asked for (RFC 5227).
    fn check_arp(&self, message: &Arp, direction: Direction) -> Result<(), Refusal> {
        let (mac, address) = message.sender;
        let is_own = match address {
            Ipv4Addr::UNSPECIFIED => message.operation == Arp::REQUEST && self.owns(message.target.1.into()),
            address => self.owns(address.into()),
        };
        let is_guarded = self.of_sender(direction).has(Guard::Neighbour);
        if is_guarded && !(mac == self.mac && is_own) { Err(Refusal::ForeignArp) } else { Ok(()) }
    }

    /// Whether the packet passes without a rule because the link needs it. A sender that has no address yet has no wrong one.
    fn controls(&self, ip: &Ip, frame: &[u8], direction: Direction) -> Result<bool, Refusal> {
        let payload = &frame[ip.payload.clone()];
        let passes = match (&ip.transport, ip.source, ip.destination) {
            (&Transport::Udp { source_port, destination_port }, ..) => {
                dhcp::judge(self, ip, (source_port, destination_port), payload, direction)?
            }
            (
                &Transport::Icmp { family: Family::V6, kind, code, .. },
                IpAddr::V6(source),
                IpAddr::V6(destination),
            ) => {
                if neighbour::is_discovery(kind) {
                    // What an ICMP message says before its body.
                    let flags = frame[ip.payload.start - 4];
                    let message =
                        neighbour::Message { kind, code, flags, source, destination, body: payload };
                    neighbour::judge(self, ip, &message, direction)?
                } else {
                    link_control::judge_listener(ip, kind, (source, destination))?
                }
            }
            _ => false,
        };
        if passes
            && ip.source != IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            && ip.source != IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        {
            self.check_source(ip.source, direction)?;
        }
        Ok(passes)
    }
}
