//! Matrices compared with the oracle, packet by packet, at both ends.
//!
//! Every outcome must be reached: packets that pass, that the sender's lists stop, that the receiver's stop, and of which it is
//! not known. Routes and assigned addresses are in `networks`.

use std::{collections::HashMap, net::IpAddr};

use palisade_analysis::{
    Limits,
    matrix::{Cell, FamilyPlan, Matrix, Member, Node, Options, Plan},
};
use palisade_classify::{
    Verdict,
    generate::{
        Random,
        estate::{self, MOMENTS},
    },
    oracle,
};
use palisade_model::{EffectivePolicy, Estate, ResourceId};
use palisade_net::{AddressSet, Direction, Family, Flow, Prefix, Protocol};

use crate::cases;

/// What was reached.
#[derive(Debug, Default)]
struct Reached {
    probes: usize,
    allowed: usize,
    stopped_out: usize,
    stopped_in: usize,
    unknown: usize,
    partly: usize,
}

/// A packet without its addresses.
type Probe = (Protocol, u16, u16);

/// The policies of an estate's interfaces, and its matrix.
struct Subject<'e> {
    policies: HashMap<ResourceId, EffectivePolicy>,
    estate: &'e Estate,
    now: u32,
}

/// What the oracle says of packets between two ends, for each address of a peer outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Allowed,
    Partly,
    Unknown,
    Denied,
}

impl<'e> Subject<'e> {
    fn new(estate: &'e Estate, now: u32) -> Self {
        let policies = estate.nics().map(|nic| (nic.id().clone(), estate.effective(nic))).collect();
        Self { policies, estate, now }
    }

    fn ask(
        &self,
        end: Option<&Member>,
        direction: Direction,
        ends: (IpAddr, IpAddr),
        probe: Probe,
    ) -> Verdict {
        let Some(member) = end else { return Verdict::Allow };
        let (protocol, port, source_port) = probe;
        let flow = Flow::new(direction, protocol, (ends.0, source_port), (ends.1, port));
        let flow = flow.expect("both addresses are of one family");
        oracle::decide_by_rules(&self.policies[&member.nic], &flow, self.now).verdict
    }

    /// Verdicts out of the sender and into the receiver.
    fn both(&self, members: [Option<&Member>; 2], ends: (IpAddr, IpAddr), probe: Probe) -> [Verdict; 2] {
        [
            self.ask(members[0], Direction::Outbound, ends, probe),
            self.ask(members[1], Direction::Inbound, ends, probe),
        ]
    }

    /// The addresses that a member may have: all of a block's that rules may tell apart are not tried, but its ends are.
    fn addresses(&self, member: &Member, random: &mut Random) -> Vec<IpAddr> {
        if let Some(prefix) = member.address {
            return vec![prefix.address()];
        }
        let nic = self.estate.nics().find(|nic| *nic.id() == member.nic).expect("it is of the estate");
        let own = nic.ip_configurations().iter().find(|own| own.name() == member.configuration);
        let own = own.expect("it is of the interface");
        let set = self.estate.assignable_to(own);
        let prefixes: Vec<Prefix> =
            set.prefixes().into_iter().filter(|prefix| prefix.family() == own.family()).collect();
        (0..3).map(|_| *random.pick(&prefixes)).flat_map(|prefix| [prefix.address(), prefix.last()]).collect()
    }
}

const fn conjunction(verdicts: [Verdict; 2]) -> Verdict {
    match verdicts {
        [Verdict::Deny, _] | [_, Verdict::Deny] => Verdict::Deny,
        [Verdict::Allow, Verdict::Allow] => Verdict::Allow,
        _ => Verdict::Unknown,
    }
}

fn said(plan: &FamilyPlan, cell: &Cell, (protocol, port, source_port): Probe) -> Said {
    let holds = |set| plan.holds(set, protocol, port, source_port);
    match (holds(&cell.allowed), holds(&cell.partly), holds(&cell.unknown)) {
        (true, false, false) => Said::Allowed,
        (false, true, false) => Said::Partly,
        (false, false, true) => Said::Unknown,
        (false, false, false) => Said::Denied,
        _ => panic!("a service is in two sets of a cell"),
    }
}

fn expected(verdicts: &[Verdict]) -> Said {
    let all = |verdict| verdicts.iter().all(|found| *found == verdict);
    match verdicts {
        _ if all(Verdict::Allow) => Said::Allowed,
        _ if all(Verdict::Deny) => Said::Denied,
        some if some.contains(&Verdict::Allow) => Said::Partly,
        _ => Said::Unknown,
    }
}

/// Some packets of each kind: values on the edges of generated rules, and any.
fn probe(family: Family, random: &mut Random) -> Probe {
    const PORTS: [u16; 14] = [0, 8, 22, 53, 79, 80, 81, 443, 1023, 1024, 1433, 3389, 8080, u16::MAX];
    let any = |random: &mut Random| match random.chance(70) {
        true => *random.pick(&PORTS),
        false => u16::try_from(random.below(65_536)).expect("a port has 16 bits"),
    };
    match random.below(10) {
        0..5 => (Protocol::TCP, any(random), any(random)),
        5..8 => (Protocol::UDP, any(random), any(random)),
        8 => (Protocol::icmp_of(family), any(random) % 256, 0),
        _ => (*random.pick(&[Protocol::ESP, Protocol::AH, Protocol(47)]), 0, 0),
    }
}

/// Peers of few addresses, so that all can be tried.
fn peers() -> Vec<(String, Vec<IpAddr>)> {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
    [
        ("one", &["8.8.8.8", "2001:4860::8888"][..]),
        ("few", &["52.0.0.1", "203.0.113.7", "10.1.0.7", "2001:db8::1", "fd01::7"]),
        ("near", &["10.0.0.200", "192.168.3.4", "172.16.9.9", "fd00::99"]),
    ]
    .into_iter()
    .map(|(name, texts)| (name.to_owned(), addresses(texts)))
    .collect()
}

fn options() -> Options {
    let set =
        |(name, addresses): (String, Vec<IpAddr>)| (name, addresses.into_iter().collect::<AddressSet>());
    Options { outside: peers().into_iter().map(set).collect(), services: Vec::new() }
}

/// The members of an end that are tried, or the one that a peer outside has in their place.
fn tried<'n>(node: &'n Node, random: &mut Random) -> Option<&'n Member> {
    (!node.is_outside()).then(|| random.pick(&node.members))
}

fn compare(
    subject: &Subject<'_>,
    (plan, matrix, family): (&FamilyPlan, &Matrix<'_>, Family),
    (from, to): (usize, usize),
    random: &mut Random,
    reached: &mut Reached,
) {
    let nodes = [&plan.nodes()[from], &plan.nodes()[to]];
    let known: Vec<_> = peers();
    let outside = |node: &Node| known.iter().find(|(name, _)| *name == node.name).map(|(_, all)| all.clone());
    let members = nodes.map(|node| tried(node, random));
    if members == [None, None] {
        return;
    }
    let mut all: Vec<Vec<IpAddr>> = Vec::new();
    for (node, member) in nodes.into_iter().zip(members) {
        let found = match member {
            Some(member) => subject.addresses(member, random),
            // Of large peers too many addresses are meant to try them all.
            None => match outside(node) {
                Some(found) => found,
                None => return,
            },
        };
        all.push(found.into_iter().filter(|address| Family::of(*address) == family).collect());
    }
    let cell = matrix.cell(from, to);
    for _ in 0..12 {
        let probe = probe(family, random);
        let mut verdicts = Vec::new();
        for source in &all[0] {
            for destination in &all[1] {
                let both = subject.both(members, (*source, *destination), probe);
                reached.stopped_out += usize::from(both[0] == Verdict::Deny);
                reached.stopped_in += usize::from(both[0] != Verdict::Deny && both[1] == Verdict::Deny);
                verdicts.push(conjunction(both));
            }
        }
        let found = said(plan, &cell, probe);
        reached.probes += verdicts.len();
        let assigned = members.iter().flatten().any(|member| member.address.is_none());
        let told = || format!("{} to {}, {probe:?}: {found:?}, {verdicts:?}", nodes[0].name, nodes[1].name);
        if assigned {
            let contradicts = match found {
                Said::Allowed => verdicts.contains(&Verdict::Deny),
                Said::Denied => verdicts.contains(&Verdict::Allow),
                Said::Partly | Said::Unknown => false,
            };
            assert!(!contradicts, "{}", told());
        } else {
            assert_eq!(found, expected(&verdicts), "{}", told());
        }
        match found {
            Said::Allowed => reached.allowed += 1,
            Said::Partly => reached.partly += 1,
            Said::Unknown => reached.unknown += 1,
            Said::Denied => {}
        }
    }
}

#[test]
fn cells_are_what_the_oracle_says_at_both_ends() {
    let mut reached = Reached::default();
    for seed in 0..cases(60) {
        let generated = if seed % 3 == 0 { estate::known(seed, 0) } else { estate::any(seed, 0) };
        let now = MOMENTS[seed as usize % MOMENTS.len()];
        let subject = Subject::new(&generated.estate, now);
        let plan = Plan::new(&generated.estate, &options(), now, Limits::default()).expect("it is simple");
        let mut random = Random::new(seed);
        for family in Family::ALL {
            let plan = plan.family(family);
            let middle = plan.row_count() / 2;
            let rows = vec![plan.rows(middle..plan.row_count()), plan.rows(0..middle)];
            let matrix = plan.join(rows);
            for from in 0..plan.nodes().len() {
                for to in 0..plan.nodes().len() {
                    compare(&subject, (plan, &matrix, family), (from, to), &mut random, &mut reached);
                }
            }
        }
    }
    println!("{reached:?}");
    assert!(reached.probes > 5_000 && reached.allowed > 500 && reached.unknown > 100, "{reached:?}");
    assert!(reached.stopped_out > 500 && reached.stopped_in > 500 && reached.partly > 50, "{reached:?}");
}
