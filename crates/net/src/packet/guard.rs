//! What a VM may say at its NIC beside what rules govern: the model of `bpf/guard.h`, `bpf/frame.h` and `bpf/arp.h`.
//!
//! Guards hold for what the VM sends. What it receives was guarded where it was sent; only what cannot be right, a VLAN tag
//! and another Ethernet type are refused there too. It knows neither rules nor flows.

mod guards;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Arp, Content, Ip, ParseError, Parsed, Transport,
    address::{eui64, is_platform, may_be_drawn},
    dhcp, link_control, neighbour,
    parse::Header,
};
pub use guards::Guards;

use crate::{AddressSet, Direction, Family, Mac};

/// A VM at its NIC, as far as guards must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// What it is guarded against.
    pub guards: Guards,
    /// Its MAC address.
    pub mac: Mac,
    /// Its addresses. One of which none are known owns no link-local ones either.
    pub owned: AddressSet,
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
        if self.of_sender(direction).contains(Guards::MAC) && header.source_mac != self.mac {
            return Err(Refusal::ForeignMac);
        }
        if header.is_tagged() && self.guards.contains(Guards::VLAN) {
            return Err(ParseError::VlanTagged.into());
        }
        let parsed = match header.behind_tag(frame)?.content(frame) {
            // The rules know nothing of such a frame.
            Err(ParseError::UnsupportedEtherType(_)) if !self.guards.contains(Guards::ETHER_TYPE) => {
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
        if guards.contains(Guards::PLATFORM) && is_platform(source) {
            return Err(Refusal::ForgedPlatform);
        }
        if guards.contains(Guards::SOURCE) && !self.owns(source) {
            return Err(Refusal::ForeignSource);
        }
        Ok(())
    }

    /// Whether the NIC owns the address. A link-local address is its own if it is made of its MAC address; or, where frames
    /// carry no other, if it may be drawn at random.
    pub fn owns(&self, address: IpAddr) -> bool {
        let is_link_local = match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(a) => a == eui64(self.mac.0) || (self.guards.contains(Guards::MAC) && may_be_drawn(a)),
        };
        self.owned.contains(address) || (is_link_local && !self.owned.is_empty())
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
        let is_guarded = self.of_sender(direction).contains(Guards::NEIGHBOUR);
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
