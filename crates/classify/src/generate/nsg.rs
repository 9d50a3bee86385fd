//! Rule lists of the shape that NSGs have.
//!
//! Few rules name one address; some name a handful of prefixes, some a service tag, most a list of ports. The three
//! default rules stand last: inside the virtual network, from the load balancer's probe, nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_abi::verdict::Action;
use palisade_model::Window;
use palisade_net::{AddressSet, PortRange, PortSet, Prefix, ProtocolMatch};

use super::Random;
use crate::Row;

/// How large a generated rule list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rules before the three default rules.
    pub rules: usize,
    /// Prefixes named by all rules of each side together.
    pub prefixes: usize,
    /// Service tags that rules choose from.
    pub tags: usize,
    /// Prefixes of each service tag, one in four of them IPv6.
    pub tag_prefixes: usize,
    /// Percent of the rules that restrict the source port.
    pub source_port_percent: usize,
}

impl Shape {
    /// An NSG of `rules` rules with four prefixes a rule and side, and no service tags.
    pub const fn nsg(rules: usize) -> Self {
        Self { rules, prefixes: rules * 4, tags: 0, tag_prefixes: 0, source_port_percent: 0 }
    }

    /// The same with ten service tags of 3,000 prefixes each.
    pub const fn nsg_with_tags(rules: usize) -> Self {
        Self { tags: 10, tag_prefixes: 3_000, ..Self::nsg(rules) }
    }
}

/// The rules of one direction: `shape.rules` rules and three default rules.
pub fn policy(shape: &Shape, seed: u64) -> Vec<Row> {
    let mut random = Random::new(seed);
    let tags: Vec<AddressSet> = (0..shape.tags).map(|_| tag(&mut random, shape.tag_prefixes)).collect();
    // Prefixes that are left are shared out over the rules that are left, so that the total comes out exact.
    let mut left = [shape.prefixes; 2];
    let mut rows = Vec::with_capacity(shape.rules + 3);
    for index in 0..shape.rules {
        let share = left.map(|left| left / (shape.rules - index));
        let [sources, destinations] = [0, 1].map(|side| {
            if !tags.is_empty() && random.chance(20) {
                return random.pick(&tags).clone();
            }
            // Half the rules name little, the other half make up for it.
            let count = if random.chance(50) { 1 } else { share[side] * 2 }.min(left[side]);
            left[side] -= count;
            prefixes(&mut random, count)
        });
        rows.push(rule(&mut random, shape, sources, destinations));
    }
    rows.extend(defaults());
    rows
}

fn rule(random: &mut Random, shape: &Shape, sources: AddressSet, destinations: AddressSet) -> Row {
    let protocol = match random.below(100) {
        0..65 => ProtocolMatch::TCP,
        65..85 => ProtocolMatch::UDP,
        85..90 => ProtocolMatch::Icmp,
        _ => ProtocolMatch::Any,
    };
    let restricts_source_port = random.chance(shape.source_port_percent);
    let destination_ports = if protocol == ProtocolMatch::Icmp { PortSet::full() } else { ports(random) };
    Row {
        protocol,
        sources,
        source_ports: if restricts_source_port { ports(random) } else { PortSet::full() },
        destinations,
        destination_ports,
        action: if random.chance(70) { Action::Allow } else { Action::Deny },
        window: Window::ALWAYS,
        audit: false,
    }
}

/// `count` prefixes of private networks, one in eight of them IPv6; all addresses if `count` is 0.
fn prefixes(random: &mut Random, count: usize) -> AddressSet {
    if count == 0 {
        return AddressSet::full();
    }
    let prefix = |_| {
        if random.chance(12) {
            let address = 0xfd00_u128 << 112 | (random.v6() & (u128::MAX >> 16));
            return truncated(Ipv6Addr::from(address).into(), *random.pick(&[48, 64, 64, 128]));
        }
        let address = 10 << 24 | (random.v4() & 0x00ff_ffff);
        truncated(Ipv4Addr::from(address).into(), *random.pick(&[16, 20, 22, 24, 24, 24, 26, 28, 32, 32, 32]))
    };
    (0..count).map(prefix).collect()
}

/// Public prefixes, as service tags list them: clustered, and never overlapping much.
fn tag(random: &mut Random, count: usize) -> AddressSet {
    let prefix = |index: usize| {
        if index % 4 == 3 {
            let address = 0x2603_1000_u128 << 96 | (random.v6() & (u128::MAX >> 32));
            return truncated(Ipv6Addr::from(address).into(), *random.pick(&[44, 48, 56, 64, 124]));
        }
        let cluster = *random.pick(&[4, 13, 20, 23, 40, 51, 52, 65, 68, 70, 102, 104, 135, 137, 168, 191]);
        let address = cluster << 24 | (random.v4() & 0x00ff_ffff);
        truncated(Ipv4Addr::from(address).into(), *random.pick(&[20, 22, 24, 25, 27, 28, 29, 30, 32]))
    };
    (0..count).map(prefix).collect()
}

fn truncated(address: IpAddr, length: u8) -> Prefix {
    Prefix::truncated(address, length).expect("the lengths above are within the family's width")
}

/// All ports, one port, a few ports or a range.
fn ports(random: &mut Random) -> PortSet {
    const COMMON: [u16; 12] = [22, 25, 53, 80, 123, 443, 1433, 3306, 3389, 5432, 8080, 8443];
    let single = |port| (port, port);
    match random.below(100) {
        0..15 => PortSet::full(),
        15..45 => [single(*random.pick(&COMMON))].into_iter().collect(),
        45..65 => [single(random.port())].into_iter().collect(),
        65..85 => {
            let range = |_| {
                let first = random.port();
                (first, first.saturating_add(u16::try_from(random.below(200)).expect("below 200")))
            };
            (0..4).map(range).collect()
        }
        _ => [PortRange::new(*random.pick(&[1024, 32_768, 49_152]), u16::MAX).expect("ascending")]
            .into_iter()
            .collect(),
    }
}

fn defaults() -> [Row; 3] {
    let network: AddressSet = [
        truncated(Ipv4Addr::new(10, 0, 0, 0).into(), 8),
        truncated(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0).into(), 16),
    ]
    .into_iter()
    .collect();
    let probe: AddressSet = [Prefix::host(Ipv4Addr::new(168, 63, 129, 16).into())].into_iter().collect();
    let row = |sources, destinations, action| Row { sources, destinations, ..Row::any(action) };
    [
        row(network.clone(), network, Action::Allow),
        row(probe, AddressSet::full(), Action::Allow),
        row(AddressSet::full(), AddressSet::full(), Action::Deny),
    ]
}
