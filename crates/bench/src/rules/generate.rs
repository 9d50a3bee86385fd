//! Rule sets of any size from a seed, of the shape that lists of clients have.
//!
//! Each prefix has a block of addresses of its own, and rules that share one differ in their ports, so no packet matches
//! two rules. Up to 1,000 lines, which is what an NSG may have, a rule is a line; beyond, a rule has four prefixes.

use std::net::IpAddr;

use palisade_classify::generate::Random;
use palisade_model::limits::RULES_PER_NSG_MAX;
use palisade_net::{Family, PortRange, Prefix, Protocol};

use super::{Rule, RuleSet, SERVICE_PORT, clients};

/// Prefixes of a rule where an NSG could not have as many rules as there are lines.
const PREFIXES_A_RULE: usize = 4;

/// Where the rule stands that the measured traffic matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Behind all others: the worst place for whoever asks one rule after the other.
    Last,
    /// Anywhere.
    Random,
}

impl Place {
    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Random => "random",
        }
    }
}

/// A rule set of `lines` lines.
///
/// # Panics
/// If there are no lines, or more than four times as many as an NSG may have rules.
pub fn generate(family: Family, lines: usize, place: Place, seed: u64) -> RuleSet {
    let share = if lines <= RULES_PER_NSG_MAX { 1 } else { PREFIXES_A_RULE };
    assert!((1..=RULES_PER_NSG_MAX * share).contains(&lines), "{lines} lines fit an NSG");
    let mut random = Random::new(seed);
    let count = lines.div_ceil(share);
    let mut blocks = Blocks { family, next: 0 };
    let mut rules: Vec<Rule> = Vec::with_capacity(count);
    for _ in 1..count {
        let shared = rules.last().filter(|rule| rule.ports.last() < 1_024 && random.chance(30));
        rules.push(match shared {
            Some(rule) => Rule { ports: registered(&mut random), ..rule.clone() },
            None => Rule {
                protocol: if random.chance(80) { Protocol::TCP } else { Protocol::UDP },
                sources: (0..share).map(|_| blocks.prefix(&mut random)).collect(),
                ports: well_known(&mut random),
                allows: random.chance(70),
            },
        });
    }
    let at = match place {
        Place::Last => rules.len(),
        Place::Random => random.below(count),
    };
    // The other prefixes of the rule stand before the one that is meant.
    let mut sources: Vec<Prefix> = (1..share).map(|_| blocks.prefix(&mut random)).collect();
    sources.push(clients(family));
    let ports = PortRange::new(SERVICE_PORT, SERVICE_PORT).expect("one port is a range");
    rules.insert(at, Rule { protocol: Protocol::TCP, sources, ports, allows: true });
    RuleSet { family, rules }
}

/// A port below 1,024.
fn well_known(random: &mut Random) -> PortRange {
    let port = *random.pick(&[22, 25, 53, 80, 110, 123, 143, 389, 443, 445, 636, 853, 993]);
    PortRange::new(port, port).expect("one port is a range")
}

/// A few ports from 1,024 on.
fn registered(random: &mut Random) -> PortRange {
    let first = *random.pick(&[1433, 3306, 3389, 5432, 5671, 8080, 8443, 9000]);
    let more = *random.pick(&[0, 0, 1, 3, 7]);
    PortRange::new(first, first + more).expect("the last port is not before the first")
}

/// Blocks of addresses that do not overlap, each as large as the longest prefix in use is short.
struct Blocks {
    family: Family,
    next: u32,
}

impl Blocks {
    /// A prefix in the next block: a /20 of 10.0.0.0/8, or a /64 of 2001:db8::/32.
    fn prefix(&mut self, random: &mut Random) -> Prefix {
        let block = self.next;
        self.next += 1;
        let (address, length) = match self.family {
            Family::V4 => {
                let inside = random.v4() & 0xfff;
                let address = IpAddr::V4((10 << 24 | block << 12 | inside).into());
                (address, *random.pick(&[20, 22, 24, 24, 24, 26, 28, 32, 32]))
            }
            Family::V6 => {
                let inside = u128::from(random.next());
                let address = IpAddr::V6((0x2001_0db8 << 96 | u128::from(block) << 64 | inside).into());
                (address, *random.pick(&[64, 64, 64, 80, 96, 112, 128, 128]))
            }
        };
        Prefix::truncated(address, length).expect("the lengths above are within the family's width")
    }
}
