//! One rule set, which every firewall is given in its own language.
//!
//! Rules name who may reach the machine: prefixes, a protocol, ports. No packet matches two of them: sets and maps, which
//! some of the peers need to be fast, have no order, and could not express rules that overlap. What none of them matches is
//! denied. One rule is about the traffic that is measured. It must not know how a packet is sent or judged.

mod generate;
mod template;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use palisade_classify::generate::Random;
use palisade_net::{Direction, Family, Flow, PortRange, Prefix, Protocol};

pub use generate::{Place, generate};
pub use template::{NIC, template};

/// One rule: an NSG has it as it is, most others as a line for each prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Who sends the first packet.
    pub sources: Vec<Prefix>,
    /// Ports of the machine.
    pub ports: PortRange,
    /// Whether such a packet passes.
    pub allows: bool,
}

/// What the machine behind the firewall is reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    /// Family of all prefixes.
    pub family: Family,
    /// In order, though no packet matches two.
    pub rules: Vec<Rule>,
}

/// One rule and one of its prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Who sends the first packet.
    pub source: Prefix,
    /// Ports of the machine.
    pub ports: PortRange,
    /// Whether such a packet passes.
    pub allows: bool,
}

/// Port of the measured traffic.
pub const SERVICE_PORT: u16 = 443;

/// The machine's address.
pub fn machine(family: Family) -> IpAddr {
    nth_machine(family, 0)
}

/// The address of one of several machines, of which there are few.
pub fn nth_machine(family: Family, number: usize) -> IpAddr {
    let last = 4 + number as u16;
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 168, 0, last as u8)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd42, 0, 0, 0, 0, 0, 0, last)),
    }
}

/// The prefix that all clients of the measured traffic are in: the ones for benchmarks (RFC 2544, RFC 5180).
pub fn clients(family: Family) -> Prefix {
    let text = match family {
        Family::V4 => "198.18.0.0/16",
        Family::V6 => "2001:2:0:1::/112",
    };
    text.parse().expect("the prefixes of this file are valid")
}

impl RuleSet {
    /// The rules, one prefix a line.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.rules.iter().flat_map(|rule| {
            rule.sources.iter().map(|source| Line {
                protocol: rule.protocol,
                source: *source,
                ports: rule.ports,
                allows: rule.allows,
            })
        })
    }

    /// First packets at the edges of `count` rules, inside and just outside, and one of the measured traffic.
    pub fn probes(&self, count: usize, seed: u64) -> Vec<Flow> {
        let mut random = Random::new(seed);
        let lines: Vec<Line> = self.lines().collect();
        let mut probes = vec![self.flow(Protocol::TCP, clients(self.family).address(), SERVICE_PORT)];
        for _ in 0..count {
            let line = *random.pick(&lines);
            let (first, last) = (line.ports.first(), line.ports.last());
            let port = *random.pick(&[first, first, last, last, first.wrapping_sub(1), last.wrapping_add(1)]);
            let inside = [line.source.address(), line.source.last()];
            let source = if random.chance(80) { *random.pick(&inside) } else { next(line.source.last()) };
            let other = if line.protocol == Protocol::TCP { Protocol::UDP } else { Protocol::TCP };
            let protocol = if random.chance(90) { line.protocol } else { other };
            probes.push(self.flow(protocol, source, port));
        }
        probes
    }

    fn flow(&self, protocol: Protocol, source: IpAddr, port: u16) -> Flow {
        /// Outside of every range that systems choose client ports from.
        const CLIENT_PORT: u16 = 20_000;
        let local = (machine(self.family), port);
        Flow::between(Direction::Inbound, protocol, local, (source, CLIENT_PORT))
            .expect("the machine has an address of each family")
    }
}

/// The address after this one.
fn next(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(u32::from(address).wrapping_add(1).into()),
        IpAddr::V6(address) => IpAddr::V6(u128::from(address).wrapping_add(1).into()),
    }
}
