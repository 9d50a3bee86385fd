//! Random policies over few values, and every packet that they can tell apart.
//!
//! Fields are cut into cells of unequal sizes, single values and ends of the field among them; rules match whole cells. So one
//! packet of each combination of cells stands for all, and its weight is how many there are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_analysis::Volume;
use palisade_classify::generate::Random;
use palisade_model::{
    Access, AddressField, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode,
    PlatformService, Ports, Window,
};
use palisade_net::{AddressSet, Direction, Family, Flow, Number, PortSet, Protocol, ProtocolMatch, RangeSet};

/// Where cells begin; the last one ends with the field.
const V4: [u32; 4] = [0, 0x0a00_0000, 0x0a00_0001, 0x8000_0000];
const V6: [u128; 4] = [0, 0xfd00 << 112, (0xfd00 << 112) + 1, u128::MAX];
/// The service of the platform that policies know listens at port 53; types of ICMP end at 255.
const PORTS: [u16; 5] = [0, 22, 53, 54, 300];
const SOURCE_PORTS: [u16; 2] = [0, 1024];

/// When everything is asked.
pub const NOW: u32 = 1_800_000_000;

/// A packet, and how many it stands for.
#[derive(Debug, Clone, Copy)]
pub struct Weighted {
    pub flow: Flow,
    pub weight: Volume,
}

/// The cells of a field that ends at `last`, as first values and sizes.
fn cells<T: Number + Into<u128>>(starts: &[T], last: T) -> Vec<(T, Volume)> {
    let ends = starts[1..].iter().map(|next| next.previous().expect("a cell begins after the first one"));
    let ends = ends.chain([last]);
    let inside = starts.iter().zip(ends).filter(|(start, _)| **start <= last);
    let size = |first: T, end: T| Volume::from(end.min(last).into() - first.into()) + Volume::from(1);
    inside.map(|(first, end)| (*first, size(*first, end))).collect()
}

/// Every packet of one direction.
pub fn packets(direction: Direction) -> Vec<Weighted> {
    let v4: Vec<(IpAddr, Volume)> =
        cells(&V4, u32::MAX).into_iter().map(|(bits, size)| (Ipv4Addr::from(bits).into(), size)).collect();
    let v6: Vec<(IpAddr, Volume)> =
        cells(&V6, u128::MAX).into_iter().map(|(bits, size)| (Ipv6Addr::from(bits).into(), size)).collect();
    let transport = transport();
    let mut all = Vec::new();
    for addresses in [v4, v6] {
        for (source, many) in &addresses {
            for (destination, more) in &addresses {
                all.extend(transport.iter().map(|&(protocol, from, to, weight)| {
                    Weighted {
                        flow: Flow::new(direction, protocol, (*source, from), (*destination, to))
                            .expect("one family"),
                        weight: weight * *many * *more,
                    }
                }));
            }
        }
    }
    all
}

/// Every combination of protocol, source port and destination port or type.
fn transport() -> Vec<(Protocol, u16, u16, Volume)> {
    let mut all = Vec::new();
    for protocol in [Protocol::TCP, Protocol::UDP] {
        for (from, many) in cells(&SOURCE_PORTS, u16::MAX) {
            all.extend(
                cells(&PORTS, u16::MAX).into_iter().map(|(to, more)| (protocol, from, to, many * more)),
            );
        }
    }
    for protocol in [Protocol::ICMP, Protocol::ICMPV6] {
        all.extend(cells(&PORTS, 255).into_iter().map(|(kind, many)| (protocol, 0, kind, many)));
    }
    all.push((Protocol::ESP, 0, 0, Volume::from(1)));
    // Two TCP and UDP, two ICMP, and ESP are the ones that rules name.
    all.push((Protocol(47), 0, 0, Volume::from(256 - 5)));
    all
}

/// Makes random policies.
pub struct Maker {
    pub random: Random,
    /// Percent of the parts of rules that are left open.
    pub open: usize,
}

impl Maker {
    /// A policy of one list of up to `rules` rules.
    pub fn list(&mut self, direction: Direction, layer: Layer, rules: usize) -> EffectivePolicy {
        let layer = self.layer(layer, rules);
        policy(direction, vec![layer])
    }

    /// A policy of the lists that may stand at an interface.
    pub fn chain(&mut self, direction: Direction, rules: usize) -> EffectivePolicy {
        use Layer::{Admin, NetworkInterface, PublicAddress, Subnet};
        let places = match direction {
            Direction::Inbound => vec![Admin, Subnet, NetworkInterface, PublicAddress],
            Direction::Outbound => vec![Admin, NetworkInterface, Subnet],
        };
        let layers = places.into_iter().filter(|_| self.random.chance(60)).collect::<Vec<_>>();
        policy(direction, layers.into_iter().map(|layer| self.layer(layer, rules)).collect())
    }

    fn layer(&mut self, layer: Layer, rules: usize) -> EffectiveLayer {
        let count = 1 + self.random.below(rules);
        let mut rules: Vec<EffectiveRule> = (0..count).map(|number| self.rule(number, layer)).collect();
        if self.random.chance(60) {
            rules.push(EffectiveRule { access: Maybe::Known(Access::Deny), ..everything(count) });
        }
        EffectiveLayer {
            layer,
            source: None,
            name: None,
            rules,
            mode: if self.random.chance(4) { Mode::Audit } else { Mode::Enforce },
            flush: true,
            certain: !self.random.chance(self.open),
        }
    }

    /// A rule for a list at a place.
    pub fn rule(&mut self, number: usize, layer: Layer) -> EffectiveRule {
        let protocols = [
            ProtocolMatch::Any,
            ProtocolMatch::Any,
            ProtocolMatch::TCP,
            ProtocolMatch::UDP,
            ProtocolMatch::Icmp,
            ProtocolMatch::Number(Protocol::ICMP),
            ProtocolMatch::Number(Protocol::ESP),
        ];
        let accesses = match layer {
            Layer::Admin => &[Access::Allow, Access::Deny, Access::AlwaysAllow][..],
            _ => &[Access::Allow, Access::Deny][..],
        };
        let (access, protocol) = (*self.random.pick(accesses), *self.random.pick(&protocols));
        EffectiveRule {
            access: if self.is_open() { Maybe::Unknown } else { Maybe::Known(access) },
            protocol: if self.is_open() { Maybe::Unknown } else { Maybe::Known(protocol) },
            source: self.addresses(),
            source_ports: self.ports(&SOURCE_PORTS, 80),
            destination: self.addresses(),
            destination_ports: self.ports(&PORTS, 35),
            window: if self.random.chance(5) {
                Window::new(Some(NOW + 1), None).expect("it is not empty")
            } else {
                Window::ALWAYS
            },
            mode: if self.random.chance(5) { Mode::Audit } else { Mode::Enforce },
            certain: !self.is_open(),
            services: if self.random.chance(20) { vec![PlatformService::Dns] } else { Vec::new() },
            ..everything(number)
        }
    }

    fn is_open(&mut self) -> bool {
        self.random.chance(self.open)
    }

    fn addresses(&mut self) -> Addresses {
        let must = self.address_set();
        if !self.is_open() {
            return Addresses::exactly(must);
        }
        Addresses::exactly(must).union(&Addresses::at_most(self.address_set()))
    }

    fn address_set(&mut self) -> AddressSet {
        match self.random.below(30) {
            0 => AddressSet::empty(),
            1..14 => AddressSet::full(),
            14..17 => AddressSet::from_ranges(self.some(&V4, u32::MAX), RangeSet::empty()),
            17 => AddressSet::from_ranges(RangeSet::empty(), self.some(&V6, u128::MAX)),
            _ => AddressSet::from_ranges(self.some(&V4, u32::MAX), self.some(&V6, u128::MAX)),
        }
    }

    fn ports(&mut self, starts: &[u16], full: usize) -> Ports {
        if self.is_open() {
            return Ports::Unknown;
        }
        Ports::Known(if self.random.chance(full) { PortSet::full() } else { self.some(starts, u16::MAX) })
    }

    /// Some of the cells.
    fn some<T: Number>(&mut self, starts: &[T], last: T) -> RangeSet<T> {
        let ends = starts[1..].iter().map(|next| next.previous().expect("a cell begins after the first one"));
        let ranges = starts.iter().copied().zip(ends.chain([last]));
        ranges.filter(|_| self.random.chance(65)).collect()
    }
}

fn policy(direction: Direction, layers: Vec<EffectiveLayer>) -> EffectivePolicy {
    let (inbound, outbound) = match direction {
        Direction::Inbound => (layers, Vec::new()),
        Direction::Outbound => (Vec::new(), layers),
    };
    let dns = AddressSet::from_ranges([(V4[1], V4[1])].into_iter().collect(), RangeSet::empty());
    EffectivePolicy { inbound, outbound, services: vec![(PlatformService::Dns, dns)] }
}

/// A rule that allows everything.
fn everything(number: usize) -> EffectiveRule {
    EffectiveRule {
        name: format!("r{number}"),
        path: format!("securityRules/r{number}"),
        priority: Maybe::Unknown,
        access: Maybe::Known(Access::Allow),
        protocol: Maybe::Known(ProtocolMatch::Any),
        source: Addresses::any(),
        source_field: AddressField::Any,
        source_ports: Ports::Known(PortSet::full()),
        destination: Addresses::any(),
        destination_field: AddressField::Any,
        destination_ports: Ports::Known(PortSet::full()),
        window: Window::ALWAYS,
        mode: Mode::Enforce,
        certain: true,
        collection: None,
        own_list: None,
        services: Vec::new(),
    }
}

/// The family of a packet.
pub fn family(packet: &Weighted) -> Family {
    packet.flow.family()
}
