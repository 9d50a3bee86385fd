//! The spaces in which first packets lie: a family, and how its packets carry ports.
//!
//! TCP and UDP have two ports; ICMP has a type in the place of one; other protocols have neither, so their port fields have one
//! value. Each space is a plain product of five fields, and together they hold every first packet once. It must not know
//! rules. Which protocols carry what: `docs/semantics.md`, Decisions.

use palisade_net::{Direction, Family, Flow, PortSet, Protocol, RangeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::volume::Volume;

/// How packets carry ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Both: TCP and UDP.
    Ports,
    /// A type in the place of the destination port: ICMP and ICMPv6.
    Types,
    /// Neither: all others.
    Bare,
}

impl Kind {
    /// How packets of a protocol carry them.
    pub(crate) const fn of(protocol: Protocol) -> Self {
        if protocol.has_ports() {
            Self::Ports
        } else if protocol.is_icmp() {
            Self::Types
        } else {
            Self::Bare
        }
    }
}

/// A field of a first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    Protocol,
    DestinationPort,
    SourcePort,
    Destination,
    Source,
}

impl Field {
    /// Every field; `as usize` is the position.
    pub(crate) const ALL: [Self; 5] =
        [Self::Protocol, Self::DestinationPort, Self::SourcePort, Self::Destination, Self::Source];
}

/// Packets of one family that carry ports alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Space {
    pub(crate) family: Family,
    pub(crate) kind: Kind,
}

impl Space {
    /// Every space.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let kinds = [Kind::Ports, Kind::Types, Kind::Bare];
        Family::ALL.into_iter().flat_map(move |family| kinds.map(|kind| Self { family, kind }))
    }

    /// The space in which packets of a protocol lie.
    pub(crate) fn of(family: Family, protocol: Protocol) -> Self {
        let kinds = [Kind::Ports, Kind::Types, Kind::Bare].map(|kind| Self { family, kind });
        kinds.into_iter().find(|space| space.holds(protocol)).expect("every protocol is of one kind")
    }

    /// Whether packets of a protocol lie in a space of this kind.
    pub(crate) fn holds(self, protocol: Protocol) -> bool {
        self.kind == Kind::of(protocol)
    }

    /// Numbers of the protocols of this space.
    pub(crate) fn protocols(self) -> RangeSet<u16> {
        let numbers = (0..=u8::MAX).filter(|number| self.holds(Protocol(*number)));
        numbers.map(|number| (u16::from(number), u16::from(number))).collect()
    }

    /// Values of a port field.
    pub(crate) fn ports(self, field: Field) -> PortSet {
        match (self.kind, field) {
            (Kind::Ports, _) => PortSet::full(),
            (Kind::Types, Field::DestinationPort) => [(0, u16::from(u8::MAX))].into_iter().collect(),
            _ => [(0, 0)].into_iter().collect(),
        }
    }

    /// How many first packets there are.
    pub(crate) fn volume(self) -> Volume {
        let count = |set: RangeSet<u16>| -> u128 {
            set.ranges().iter().map(|&(first, last)| u128::from(last - first) + 1).sum()
        };
        let addresses = match self.family {
            Family::V4 => Volume::from(1 << 32),
            Family::V6 => Volume::from(u128::MAX) + Volume::ONE,
        };
        let ports = count(self.ports(Field::DestinationPort)) * count(self.ports(Field::SourcePort));
        Volume::from(count(self.protocols()) * ports) * addresses * addresses
    }

    /// Values by which people best understand an example, the best first. `machine` are addresses of the machine's own.
    pub(crate) fn preferred(self, field: Field, direction: Direction, machine: &[IpAddr]) -> Vec<u128> {
        let own = machine.iter().copied().filter(|address| Family::of(*address) == self.family).map(number);
        let own: Vec<u128> = own.chain([number(self.usual_machine()), number(self.usual_peer())]).collect();
        let peer: Vec<u128> = vec![number(self.usual_peer()), number(self.usual_machine())];
        match (field, direction) {
            (Field::Protocol, _) => vec![6, 17, Protocol::icmp_of(self.family).0.into(), 50],
            (Field::DestinationPort, _) if self.kind == Kind::Ports => {
                vec![443, 80, 22, 3389, 445, 1433, 53, 25, 5432, 3306, 5985, 8080]
            }
            (Field::DestinationPort, _) if self.family == Family::V4 => vec![8],
            (Field::DestinationPort, _) => vec![128],
            (Field::SourcePort, _) => vec![50_000],
            (Field::Source, Direction::Inbound) | (Field::Destination, Direction::Outbound) => peer,
            (Field::Source, Direction::Outbound) | (Field::Destination, Direction::Inbound) => own,
        }
    }

    const fn usual_machine(self) -> IpAddr {
        match self.family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 4)),
        }
    }

    /// An address in the Internet.
    const fn usual_peer(self) -> IpAddr {
        match self.family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888)),
        }
    }

    /// The first packet of these values, one a field in the order of [`Field::ALL`].
    pub(crate) fn flow(self, direction: Direction, values: [u128; 5]) -> Flow {
        let value = |field: Field| values[field as usize];
        let port = |field| u16::try_from(value(field)).expect("a port field has 16 bits");
        let address = |field| -> IpAddr {
            match self.family {
                Family::V4 => {
                    let bits = u32::try_from(value(field)).expect("an IPv4 address has 32 bits");
                    Ipv4Addr::from(bits).into()
                }
                Family::V6 => Ipv6Addr::from(value(field)).into(),
            }
        };
        let protocol = Protocol(u8::try_from(value(Field::Protocol)).expect("protocols are numbers to 255"));
        let source = (address(Field::Source), port(Field::SourcePort));
        let destination = (address(Field::Destination), port(Field::DestinationPort));
        Flow::new(direction, protocol, source, destination).expect("both addresses are of the space's family")
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// How many first packets of a family there are: every protocol, and the ports or types of those that have them.
pub fn universe(family: Family) -> Volume {
    Space::all().filter(|space| space.family == family).map(Space::volume).sum()
}
