//! Time-limited access stands behind security admin rules: one list decides as both would, asked one after the other.

use std::cell::Cell;
use std::net::IpAddr;

use palisade_model::{
    Access, EffectiveRule, Maybe, Ports, TagCatalog, Truth,
    spec::{AdminCollectionSpec, AdminRuleSpec, EstateSpec},
};
use palisade_net::{Direction, Protocol, ProtocolMatch};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::support::{accept, id, network, nic, text, the_nic, to};

const PROTOCOLS: [&str; 5] = ["Any", "Tcp", "Udp", "Icmp", "Esp"];
const ACCESSES: [&str; 3] = ["Allow", "Deny", "AlwaysAllow"];
const SOURCES: [&str; 4] = ["*", "10.0.0.0/8", "10.1.0.0/16", "192.0.2.7"];
const PORTS: [&str; 4] = ["*", "22", "20-30", "3389"];
const ENDS: [Option<&str>; 3] = [None, Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z")];

type Choice = (usize, usize, usize, usize, usize, usize);

fn choice() -> impl Strategy<Value = Choice> {
    // Mostly anything, so that rules meet.
    let mostly_first = |last: usize| prop_oneof![3 => Just(0), 1 => 0..last];
    (mostly_first(5), 0..3_usize, 0..4_usize, mostly_first(4), mostly_first(4), mostly_first(3))
}

fn rule(name: &str, (protocol, access, source, from, port, end): Choice, priority: usize) -> AdminRuleSpec {
    AdminRuleSpec {
        protocol: Some(text(PROTOCOLS[protocol])),
        access: Some(text(ACCESSES[access])),
        sources: vec![text(SOURCES[source])],
        source_port_ranges: vec![text(PORTS[from])],
        destination_port_ranges: vec![text(PORTS[port])],
        priority: Some(text(&priority.to_string())),
        direction: Some(text("Inbound")),
        expires_at: ENDS[end].map(text),
        ..AdminRuleSpec::new(name)
    }
}

/// The rules that hold at the interface.
fn resolved(collections: Vec<AdminCollectionSpec>) -> Vec<EffectiveRule> {
    let spec = EstateSpec {
        virtual_networks: vec![network("a", "10.0.0.0/16")],
        nics: vec![nic("n", "a", "10.0.0.4")],
        admin_collections: collections,
        ..EstateSpec::default()
    };
    let estate = accept(&spec, TagCatalog::default());
    let policy = estate.effective(the_nic(&estate, "n"));
    policy.layers(Direction::Inbound).first().map(|layer| layer.rules.clone()).unwrap_or_default()
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    from: IpAddr,
    protocol: Protocol,
    ports: [u16; 2],
    at: u32,
}

fn port_matches(rule: &EffectiveRule, ports: &Ports, packet: Packet, is_destination: bool) -> bool {
    let Ports::Known(set) = ports else { return false };
    let is_type =
        is_destination && packet.protocol.is_icmp() && rule.protocol != Maybe::Known(ProtocolMatch::Any);
    set.is_full()
        || (packet.protocol.has_ports() || is_type) && set.contains(packet.ports[usize::from(is_destination)])
}

/// What the first rule that matches does.
fn first(rules: &[EffectiveRule], packet: Packet) -> Option<Access> {
    let matches = |rule: &&EffectiveRule| {
        rule.protocol.known().is_some_and(|own| own.matches(packet.protocol))
            && rule.source.contains(packet.from) == Truth::Yes
            && rule.window.contains(packet.at)
            && port_matches(rule, &rule.source_ports, packet, false)
            && port_matches(rule, &rule.destination_ports, packet, true)
    };
    rules.iter().find(matches).and_then(|rule| rule.access.known())
}

fn packets() -> impl Iterator<Item = Packet> {
    let from = ["10.1.0.9", "10.2.0.9", "192.0.2.7", "8.8.8.8"].map(|text| text.parse().expect("an address"));
    let protocols = [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ESP];
    let ends = [1_767_225_599, 1_767_225_600, 1_767_312_000];
    from.into_iter().flat_map(move |from| {
        protocols.into_iter().flat_map(move |protocol| {
            [[22, 22], [22, 3389], [25, 22], [5, 80]]
                .into_iter()
                .flat_map(move |ports| ends.into_iter().map(move |at| Packet { from, protocol, ports, at }))
        })
    })
}

#[test]
fn one_list_decides_as_both_would() {
    let reached: [Cell<usize>; 3] = Default::default();
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let lists = (proptest::collection::vec(choice(), 0..5), proptest::collection::vec(choice(), 1..5));
    let checked = runner.run(&lists, |(admin, doors)| {
        let of_network = AdminCollectionSpec {
            rules: admin.iter().enumerate().map(|(n, one)| rule(&format!("a{n}"), *one, n + 1)).collect(),
            ..AdminCollectionSpec::new(id("/admin/c"), [id("/vnets/a")])
        };
        let of_nic = AdminCollectionSpec {
            rules: doors.iter().enumerate().map(|(n, one)| rule(&format!("d{n}"), *one, n + 1)).collect(),
            interface: Some(to("/nics/n")),
            ..AdminCollectionSpec::new(id("/doors/d"), [])
        };
        let together = resolved(vec![of_network.clone(), of_nic.clone()]);
        let (admin, doors) = (resolved(vec![of_network]), resolved(vec![of_nic]));
        for packet in packets() {
            let one_by_one = match first(&admin, packet) {
                Some(decided @ (Access::Deny | Access::AlwaysAllow)) => Some(decided),
                // What is allowed, and what is said nothing of, the doors decide, and then the NSGs.
                left => first(&doors, packet).or(left),
            };
            prop_assert_eq!(first(&together, packet), one_by_one, "{:?}", packet);
            let at = match (first(&admin, packet), first(&doors, packet)) {
                (Some(Access::Allow), Some(_)) => 0,
                (Some(_), Some(_)) => 1,
                _ => 2,
            };
            reached[at].set(reached[at].get() + 1);
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(reached.iter().all(|count| count.get() > 1_000), "reached too little: {reached:?}");
}

#[test]
fn the_doors_of_one_interface_are_no_other_s() {
    let doors = |of: &str| AdminCollectionSpec {
        rules: vec![rule("d", (1, 1, 0, 0, 1, 0), 1)],
        interface: Some(to(of)),
        ..AdminCollectionSpec::new(id("/doors/d"), [])
    };
    assert_eq!(resolved(vec![doors("/nics/n")]).len(), 1);
    assert_eq!(resolved(vec![doors("/nics/other")]).len(), 0);
}
