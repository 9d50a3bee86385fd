//! Rule lists of three shapes, from a seed: what a busy NSG has, as many prefixes as rules can name, and no shape at all.
//!
//! Each list is the only one of a policy and ends with Azure's default rules, so that every engine, ours or a peer's, can be
//! given the same. It must not know any engine.

use palisade_classify::generate::Random;
use palisade_model::{
    Access, AddressField, Addresses, EffectiveLayer, EffectivePolicy, EffectiveRule, Layer, Maybe, Mode,
    Ports, Window,
};
use palisade_net::{AddressSet, Family, PortSet, Prefix, ProtocolMatch};

/// Which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A busy NSG: 40 port objects, 200 subnets, a pool of 4,000 prefixes of which a rule names up to 20, and tags.
    Busy,
    /// The same with 4,000 prefixes a rule, most of one subnet: each takes a tenth of all sources, so that few that were for all
    /// subnets would leave nothing to others.
    Wide,
    /// Four random ranges a rule and a protocol, IPv4 alone: what nobody would write. Each range is up to this part of its field:
    /// up to a half, most rules share packets with hundreds; up to a quarter, decision diagrams still end.
    Adversarial(usize),
}

/// Prefixes that rules of a busy NSG choose from.
const POOL: usize = 4_000;
/// Prefixes of each rule of a wide one.
const WIDE: usize = 4_000;
/// Destinations.
const SUBNETS: usize = 200;
/// What rules are about: ports and ranges of them.
const SERVICES: usize = 40;

/// Lists of prefixes that stand for service tags.
#[derive(Debug, Clone)]
pub struct Tags(pub Vec<Vec<Prefix>>);

impl Tags {
    /// Tags that nobody has, about as many prefixes as Microsoft's file lists.
    pub fn made_up() -> Self {
        let mut random = Random::new(40);
        let count = |random: &mut Random| *random.pick(&[4, 12, 40, 120, 400]);
        let tag = |random: &mut Random| (0..count(random)).map(|_| public(random)).collect();
        Self((0..400).map(|_| tag(&mut random)).collect())
    }
}

/// A policy of one list for packets to a machine: `count` rules and the three default rules.
pub fn policy(shape: Shape, count: usize, tags: &Tags, seed: u64) -> EffectivePolicy {
    let mut maker = Maker::new(tags, seed);
    let mut rules: Vec<EffectiveRule> = (0..count).map(|number| maker.rule(shape, number)).collect();
    rules.extend(defaults(count));
    alone(rules)
}

/// The same policy after `count` edits: rules replaced, removed, added, moved a little, or turned round.
///
/// # Panics
/// If the policy has no rules for packets to a machine.
pub fn edited(
    before: &EffectivePolicy,
    shape: Shape,
    count: usize,
    tags: &Tags,
    seed: u64,
) -> EffectivePolicy {
    let mut maker = Maker::new(tags, seed);
    let mut rules = before.inbound[0].rules.clone();
    for edit in 0..count {
        // The default rules stay where they are.
        let rule = maker.random.below(rules.len() - DEFAULTS);
        match edit % 5 {
            0 => rules[rule] = maker.rule(shape, 10_000 + edit),
            1 => drop(rules.remove(rule)),
            2 => rules.insert(rule, maker.rule(shape, 10_000 + edit)),
            3 => {
                let to = (rule + maker.random.below(10)).min(rules.len() - DEFAULTS - 1);
                let moved = rules.remove(rule);
                rules.insert(to, moved);
            }
            _ => {
                let turned = if rules[rule].access == Maybe::Known(Access::Allow) {
                    Access::Deny
                } else {
                    Access::Allow
                };
                rules[rule].access = Maybe::Known(turned);
            }
        }
    }
    alone(rules)
}

fn alone(rules: Vec<EffectiveRule>) -> EffectivePolicy {
    let layer = EffectiveLayer {
        layer: Layer::NetworkInterface,
        source: None,
        name: Some("generated".to_owned()),
        rules,
        mode: Mode::Enforce,
        flush: true,
        certain: true,
    };
    EffectivePolicy { inbound: vec![layer], outbound: Vec::new(), services: Vec::new() }
}

/// Makes rules.
struct Maker<'t> {
    random: Random,
    tags: &'t [Vec<Prefix>],
    /// Every prefix of every tag, to choose from.
    known: Vec<Prefix>,
    pool: Vec<Prefix>,
    subnets: Vec<Prefix>,
    services: Vec<(u16, u16)>,
}

impl<'t> Maker<'t> {
    fn new(tags: &'t Tags, seed: u64) -> Self {
        // What rules choose from is the same for every seed, as an estate's objects are before and after an edit.
        let mut random = Random::new(1);
        let pool = (0..POOL).map(|_| public(&mut random)).collect();
        let subnets = (0..SUBNETS).map(|number| prefix(Family::V4, 10 << 24 | (number as u128) << 8, 24));
        let services = (0..SERVICES).map(|number| service(number, &mut random)).collect();
        let mut known: Vec<Prefix> = tags.0.iter().flatten().copied().collect();
        known.sort_unstable();
        known.dedup();
        Self { random: Random::new(seed), tags: &tags.0, known, pool, subnets: subnets.collect(), services }
    }

    fn rule(&mut self, shape: Shape, number: usize) -> EffectiveRule {
        let access = if self.random.chance(30) { Access::Deny } else { Access::Allow };
        let any = any(format!("rule-{number}"), access);
        match shape {
            Shape::Busy => {
                EffectiveRule { source: Addresses::exactly(self.sources()), ..self.usual(any, 25) }
            }
            Shape::Wide => {
                let sources = (0..WIDE).map(|_| *self.random.pick(&self.known)).collect();
                EffectiveRule { source: Addresses::exactly(sources), ..self.usual(any, 1) }
            }
            Shape::Adversarial(part) => self.adversarial(any, part),
        }
    }

    /// A service of a subnet or two; of this percentage of rules, of all subnets.
    fn usual(&mut self, rule: EffectiveRule, everywhere: usize) -> EffectiveRule {
        let protocol = match self.random.below(100) {
            0..55 => ProtocolMatch::TCP,
            55..75 => ProtocolMatch::UDP,
            75..78 => ProtocolMatch::Icmp,
            _ => ProtocolMatch::Any,
        };
        let destination: AddressSet = match self.random.below(100) {
            percent if percent < everywhere => AddressSet::full(),
            0..90 => [*self.random.pick(&self.subnets)].into_iter().collect(),
            _ => (0..2).map(|_| *self.random.pick(&self.subnets)).collect(),
        };
        let is_any = protocol == ProtocolMatch::Icmp || self.random.chance(everywhere.min(20));
        let ports = match is_any {
            true => PortSet::full(),
            false => [*self.random.pick(&self.services)].into_iter().collect(),
        };
        let from =
            if self.random.chance(2) { [(1_024, u16::MAX)].into_iter().collect() } else { PortSet::full() };
        EffectiveRule {
            protocol: Maybe::Known(protocol),
            source_ports: Ports::Known(from),
            destination: Addresses::exactly(destination),
            destination_ports: Ports::Known(ports),
            ..rule
        }
    }

    /// A tag, or up to 20 prefixes of the pool.
    fn sources(&mut self) -> AddressSet {
        if self.random.chance(14) {
            return self.random.pick(self.tags).iter().copied().collect();
        }
        (0..=self.random.below(20)).map(|_| *self.random.pick(&self.pool)).collect()
    }

    fn adversarial(&mut self, rule: EffectiveRule, part: usize) -> EffectiveRule {
        let protocol = *self.random.pick(&[
            ProtocolMatch::TCP,
            ProtocolMatch::UDP,
            ProtocolMatch::Any,
            ProtocolMatch::Any,
        ]);
        let mut range = |last: u32| {
            let width = 1 + self.random.below(last as usize / part) as u32;
            let first = self.random.below((last - width) as usize + 1) as u32;
            (first, first + width)
        };
        let mut addresses = || {
            let v4 = [range(u32::MAX)].into_iter().collect();
            Addresses::exactly(AddressSet::from_ranges(v4, palisade_net::RangeSet::empty()))
        };
        let (source, destination) = (addresses(), addresses());
        let mut ports = || {
            let (first, last) = range(u16::MAX.into());
            Ports::Known([(first as u16, last as u16)].into_iter().collect())
        };
        let (source_ports, destination_ports) = (ports(), ports());
        EffectiveRule {
            protocol: Maybe::Known(protocol),
            source,
            source_ports,
            destination,
            destination_ports,
            ..rule
        }
    }
}

/// A public prefix, one in eight IPv6.
fn public(random: &mut Random) -> Prefix {
    if random.chance(12) {
        let address = 0x2603_1000_u128 << 96 | (random.v6() & (u128::MAX >> 32));
        return prefix(Family::V6, address, *random.pick(&[40, 44, 48, 56, 64, 124]));
    }
    let cluster = *random.pick(&[4, 13, 20, 23, 40, 51, 52, 65, 68, 70, 102, 104, 135, 137, 168, 191]);
    let address = cluster << 24 | u128::from(random.v4() & 0x00ff_ffff);
    prefix(Family::V4, address, *random.pick(&[10, 14, 16, 20, 22, 24, 24, 25, 27, 28, 30, 32]))
}

fn prefix(family: Family, address: u128, length: u8) -> Prefix {
    let address = match family {
        Family::V4 => std::net::Ipv4Addr::from(address as u32).into(),
        Family::V6 => std::net::Ipv6Addr::from(address).into(),
    };
    Prefix::truncated(address, length).expect("the lengths of this file are within the family's width")
}

/// A well-known port, or a few others.
fn service(number: usize, random: &mut Random) -> (u16, u16) {
    const COMMON: [u16; 16] =
        [22, 25, 53, 80, 123, 135, 389, 443, 445, 636, 1433, 3306, 3389, 5432, 8080, 8443];
    match COMMON.get(number) {
        Some(&port) => (port, port),
        None => {
            let first = 10_000 + random.port() % 40_000;
            (first, first + *random.pick(&[0, 0, 9, 99, 999]))
        }
    }
}

/// How many there are.
const DEFAULTS: usize = 3;

fn defaults(number: usize) -> [EffectiveRule; DEFAULTS] {
    let network: AddressSet =
        [prefix(Family::V4, 10 << 24, 8), prefix(Family::V6, 0xfd00 << 112, 16)].into_iter().collect();
    let probe: AddressSet = [prefix(Family::V4, 0xa83f_8110, 32)].into_iter().collect();
    let rule = |place: usize, access| any(format!("rule-{}", number + place), access);
    let within = Addresses::exactly(network);
    [
        EffectiveRule { source: within.clone(), destination: within, ..rule(0, Access::Allow) },
        EffectiveRule { source: Addresses::exactly(probe), ..rule(1, Access::Allow) },
        rule(2, Access::Deny),
    ]
}

/// A rule that matches everything.
fn any(name: String, access: Access) -> EffectiveRule {
    EffectiveRule {
        path: format!("securityRules/{name}"),
        name,
        priority: Maybe::Unknown,
        access: Maybe::Known(access),
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
