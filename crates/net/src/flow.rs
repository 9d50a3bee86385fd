//! A flow as a rule sees it: who talks to whom, seen from one network interface.

use core::{fmt, str::FromStr};
use std::net::{IpAddr, SocketAddr};

use crate::{Family, Protocol};

/// Which way the first packet of a flow goes, seen from the virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To the virtual machine.
    Inbound,
    /// From the virtual machine.
    Outbound,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Inbound, Self::Outbound];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inbound => "Inbound",
            Self::Outbound => "Outbound",
        })
    }
}

/// Reads the names in any case.
impl FromStr for Direction {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "inbound" => Ok(Self::Inbound),
            "outbound" => Ok(Self::Outbound),
            _ => Err(()),
        }
    }
}

/// The first packet of a flow, in the packet's own orientation.
///
/// Invariant: both addresses are of one family. Ports are 0 for protocols without ports; for ICMP the destination
/// port holds the ICMP type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    direction: Direction,
    protocol: Protocol,
    source: IpAddr,
    source_port: u16,
    destination: IpAddr,
    destination_port: u16,
}

impl Flow {
    /// A flow from its parts; `None` if the addresses are of different families.
    pub fn new(
        direction: Direction,
        protocol: Protocol,
        (source, source_port): (IpAddr, u16),
        (destination, destination_port): (IpAddr, u16),
    ) -> Option<Self> {
        let same_family = Family::of(source) == Family::of(destination);
        same_family.then_some(Self {
            direction,
            protocol,
            source,
            source_port,
            destination,
            destination_port,
        })
    }

    /// A flow from the interface's side and the other side; `None` if the addresses are of different families.
    pub fn between(
        direction: Direction,
        protocol: Protocol,
        local: (IpAddr, u16),
        remote: (IpAddr, u16),
    ) -> Option<Self> {
        match direction {
            Direction::Inbound => Self::new(direction, protocol, remote, local),
            Direction::Outbound => Self::new(direction, protocol, local, remote),
        }
    }

    /// Which way it goes.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// IP protocol.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Address that sends the first packet.
    pub const fn source(&self) -> IpAddr {
        self.source
    }

    /// Port it sends from; 0 where the protocol has none.
    pub const fn source_port(&self) -> u16 {
        self.source_port
    }

    /// Address that receives the first packet.
    pub const fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Port that receives it, or the ICMP type; 0 where the protocol has neither.
    pub const fn destination_port(&self) -> u16 {
        self.destination_port
    }

    /// IPv4 or IPv6.
    pub const fn family(&self) -> Family {
        Family::of(self.source)
    }

    /// Address of the virtual machine's side.
    pub const fn local(&self) -> IpAddr {
        match self.direction {
            Direction::Inbound => self.destination,
            Direction::Outbound => self.source,
        }
    }

    /// Address of the other side.
    pub const fn remote(&self) -> IpAddr {
        match self.direction {
            Direction::Inbound => self.source,
            Direction::Outbound => self.destination,
        }
    }

    /// Port of the virtual machine's side.
    pub const fn local_port(&self) -> u16 {
        match self.direction {
            Direction::Inbound => self.destination_port,
            Direction::Outbound => self.source_port,
        }
    }

    /// Port of the other side.
    pub const fn remote_port(&self) -> u16 {
        match self.direction {
            Direction::Inbound => self.source_port,
            Direction::Outbound => self.destination_port,
        }
    }
}

/// The protocol and both ends, with ports where it has any: `Tcp 10.0.0.4:50000 -> 10.0.1.4:443`.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, destination) = (self.source, self.destination);
        if self.protocol.has_ports() {
            let from = SocketAddr::new(source, self.source_port);
            let to = SocketAddr::new(destination, self.destination_port);
            write!(f, "{} {from} -> {to}", self.protocol)
        } else {
            write!(f, "{} {source} -> {destination}", self.protocol)
        }
    }
}
