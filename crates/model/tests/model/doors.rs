//! The lists of an interface's own stand before and behind the security admin rules: one list decides as all would, asked one after
//! the other.

use std::cell::Cell;
use std::net::IpAddr;

use palisade_model::{
    Access, EffectiveRule, Maybe, Mode, Ports, TagCatalog, Truth,
    spec::{AdminCollectionSpec, AdminRuleSpec, EstateSpec, OwnList},
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

fn matches(rule: &EffectiveRule, packet: Packet) -> bool {
    rule.protocol.known().is_some_and(|own| own.matches(packet.protocol))
        && rule.source.contains(packet.from) == Truth::Yes
        && rule.window.contains(packet.at)
        && port_matches(rule, &rule.source_ports, packet, false)
        && port_matches(rule, &rule.destination_ports, packet, true)
}

/// What the first rule that matches does.
fn first(rules: &[EffectiveRule], packet: Packet) -> Option<Access> {
    rules.iter().find(|rule| matches(rule, packet)).and_then(|rule| rule.access.known())
}

/// What a list decides, where `next` stands behind it: what it allows, and what it says nothing of, is asked there.
fn then(rules: &[EffectiveRule], packet: Packet, next: Option<Access>) -> Option<Access> {
    match first(rules, packet) {
        Some(decided @ (Access::Deny | Access::AlwaysAllow)) => Some(decided),
        left => next.or(left),
    }
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
            let one_by_one = then(&admin, packet, first(&doors, packet));
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
fn quarantine_stands_before_lock_outs_and_these_before_all_but_grants() {
    let reached: [Cell<usize>; 5] = Default::default();
    let mut runner = TestRunner::new(Config { cases: 1_500, failure_persistence: None, ..Config::default() });
    let some = || proptest::collection::vec(choice(), 0..4);
    let checked = runner.run(&(some(), some(), some(), some()), |(isolation, lockouts, admin, doors)| {
        let rules = |prefix: &str, all: &[Choice]| {
            all.iter().enumerate().map(|(n, one)| rule(&format!("{prefix}{n}"), *one, n + 1)).collect()
        };
        let own = |name: &str, all: &[Choice], own_list| AdminCollectionSpec {
            rules: rules(name, all),
            interface: Some(to("/nics/n")),
            own_list,
            ..AdminCollectionSpec::new(id(&format!("/own/{name}")), [])
        };
        let lists = [
            own("q", &isolation, OwnList::Quarantine),
            own("l", &lockouts, OwnList::Lockout),
            AdminCollectionSpec {
                rules: rules("a", &admin),
                ..AdminCollectionSpec::new(id("/admin/c"), [id("/vnets/a")])
            },
            own("d", &doors, OwnList::Door),
        ];
        let together = resolved(lists.to_vec());
        let [isolation, lockouts, admin, doors] = lists.map(|list| resolved(vec![list]));
        for packet in packets() {
            let open = then(&admin, packet, first(&doors, packet));
            let is_granted = doors
                .iter()
                .any(|rule| rule.access.known() == Some(Access::AlwaysAllow) && matches(rule, packet));
            let barred = if is_granted { open } else { then(&lockouts, packet, open) };
            let one_by_one = then(&isolation, packet, barred);
            prop_assert_eq!(first(&together, packet), one_by_one, "{:?}", packet);
            let denies = |rules: &[EffectiveRule]| first(rules, packet) == Some(Access::Deny);
            for (at, holds) in [
                denies(&isolation) && open == Some(Access::AlwaysAllow),
                first(&isolation, packet) == Some(Access::AlwaysAllow) && denies(&lockouts),
                denies(&lockouts) && is_granted && one_by_one == Some(Access::AlwaysAllow),
                denies(&lockouts) && is_granted && denies(&admin),
                denies(&lockouts) && !is_granted && open == Some(Access::AlwaysAllow),
            ]
            .into_iter()
            .enumerate()
            {
                reached[at].set(reached[at].get() + usize::from(holds));
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(reached.iter().all(|count| count.get() > 50), "reached too little: {reached:?}");
}

#[test]
fn what_is_isolated_is_not_being_tried_out() {
    let tags = |mode: &str| Some(palisade_model::spec::At::known([("palisade-mode".to_owned(), text(mode))]));
    let isolation = AdminCollectionSpec {
        rules: vec![rule("q", (0, 1, 0, 0, 0, 0), 1)],
        interface: Some(to("/nics/n")),
        own_list: OwnList::Quarantine,
        ..AdminCollectionSpec::new(id("/own/q"), [])
    };
    for (collections, expected) in [(vec![], Mode::Audit), (vec![isolation], Mode::Enforce)] {
        let spec = EstateSpec {
            virtual_networks: vec![network("a", "10.0.0.0/16")],
            nics: vec![palisade_model::spec::NicSpec { tags: tags("Audit"), ..nic("n", "a", "10.0.0.4") }],
            admin_collections: collections,
            ..EstateSpec::default()
        };
        let estate = accept(&spec, TagCatalog::default());
        assert_eq!(the_nic(&estate, "n").mode(), expected);
    }
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
