//! Lockdown and learn on estates and flows made from a seed: what they claim is asked of the oracle flow by flow, and the tests
//! assert that every kind of rule and every fate was reached.

use std::collections::BTreeMap;

use palisade_analysis::{FlowFate, LearnOptions, LockdownOptions, Seen, Sources, TagChoice, learn, lockdown};
use palisade_classify::{Verdict, generate::Random, oracle};
use palisade_model::{
    Estate, LoggedDecision, ResourceId, TagCatalog,
    spec::{
        AsgSpec, At, EstateSpec, IpConfigurationSpec, NicSpec, NsgSpec, RuleSpec, SideSpec, SubnetSpec, Text,
        TextList, VirtualNetworkSpec,
    },
};
use palisade_net::{AddressSet, Direction, Flow, Prefix, Protocol};

use crate::cases;

const NOW: u32 = 1_800_000_000;
/// An interface: name, subnet, addresses, groups, and whether the NSG `nic` is attached.
type Interface = (&'static str, &'static str, [&'static str; 2], &'static [&'static str], bool);
const NICS: [Interface; 4] = [
    ("web1", "front", ["10.0.1.4", "fd00:0:0:1::4"], &["web"], true),
    ("web2", "front", ["10.0.1.5", "fd00:0:0:1::5"], &["web"], false),
    ("job1", "front", ["10.0.1.6", "fd00:0:0:1::6"], &["job"], false),
    ("db1", "back", ["10.0.2.4", "fd00:0:0:2::4"], &[], false),
];
const PEERS: [&str; 18] = [
    "20.60.0.4",
    "20.60.0.5",
    "20.60.0.6",
    "20.60.0.7",
    "20.60.7.8",
    "20.60.99.9",
    "20.61.0.9",
    "20.62.0.1",
    "20.70.0.1",
    "13.64.9.9",
    "198.51.100.7",
    "198.51.100.9",
    "198.51.100.200",
    "8.8.8.8",
    "10.0.1.5",
    "10.0.2.4",
    "10.0.9.9",
    "131.107.0.1",
];
const PEERS_V6: [&str; 5] =
    ["2603:1000::4", "2603:1000:1::4", "2001:4860::8", "fd00:0:0:1::5", "fd00:0:0:2::4"];

fn id(text: &str) -> ResourceId {
    ResourceId::new(text)
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("prefixes of this file are canonical")
}

fn texts(list: &[&str]) -> TextList {
    At::known(list.iter().map(|text| Text::known(*text)).collect::<Vec<_>>())
}

fn catalog() -> TagCatalog {
    let tags: [(&str, &[&str]); 7] = [
        ("Storage", &["20.60.0.0/16", "20.61.0.0/16", "20.62.0.0/16", "2603:1000::/32"]),
        ("Storage.WestUS", &["20.60.0.0/16", "2603:1000::/48"]),
        ("Storage.EastUS", &["20.61.0.0/16"]),
        ("Storage.NorthEurope", &["20.62.0.0/16"]),
        ("Sql.WestUS", &["20.70.0.0/24"]),
        ("AzureCloud", &["13.64.0.0/16", "20.0.0.0/8", "2603:1000::/24"]),
        ("AzureCloud.WestUS", &["13.64.0.0/17", "20.60.0.0/16"]),
    ];
    TagCatalog::new(tags.into_iter().map(|(name, prefixes)| {
        (name.parse().expect("these are names of tags"), prefixes.iter().map(|text| prefix(text)).collect())
    }))
}

fn side(addresses: &str, ports: &str) -> SideSpec {
    let mut side = SideSpec { port_range: Some(Text::known(ports)), ..SideSpec::default() };
    match addresses.strip_prefix("asg:") {
        Some(group) => side.groups = Some(At::known(vec![At::known(id(&format!("/asgs/{group}")))])),
        None => side.address_prefix = Some(Text::known(addresses)),
    }
    side
}

fn rule(random: &mut Random, number: usize) -> RuleSpec {
    const ENDS: [&str; 14] = [
        "*",
        "*",
        "*",
        "Internet",
        "VirtualNetwork",
        "Storage",
        "Storage.WestUS",
        "Sql.WestUS",
        "20.60.0.0/24",
        "198.51.100.0/24",
        "10.0.1.0/24",
        "10.0.0.0/16",
        "asg:web",
        "8.8.8.8/32",
    ];
    let direction = *random.pick(&["Inbound", "Outbound", "Outbound"]);
    let protocol = *random.pick(&["*", "*", "Tcp", "Tcp", "Udp", "Icmp", "Esp"]);
    let ports = *random.pick(&["*", "*", "*", "443", "80", "400-500", "8"]);
    let source_ports = if random.chance(35) { "50000" } else { "*" };
    let text = |text: &str| Some(Text::known(text));
    let mut rule = RuleSpec {
        protocol: text(protocol),
        access: text(if random.chance(60) { "Allow" } else { "Deny" }),
        direction: text(direction),
        priority: text(&(100 + 37 * number + random.below(30)).to_string()),
        source: side(random.pick::<&str>(&ENDS), source_ports),
        destination: side(random.pick::<&str>(&ENDS), ports),
        ..RuleSpec::new(&format!("user-{number}"))
    };
    if random.chance(5) {
        rule.mode = text("Audit");
    }
    rule
}

fn estate(random: &mut Random) -> EstateSpec {
    let mut nsg = |name: &str| NsgSpec {
        rules: (0..random.below(7)).map(|number| rule(random, number)).collect(),
        ..NsgSpec::new(id(name))
    };
    let nsgs = vec![nsg("/nsgs/front"), nsg("/nsgs/nic")];
    let subnet = |name: &str, prefixes: &[&str], nsg: Option<&str>| SubnetSpec {
        address_prefixes: Some(texts(prefixes)),
        nsg: nsg.map(|nsg| At::known(id(nsg))),
        ..SubnetSpec::new(id(&format!("/vnets/shop/subnets/{name}")))
    };
    let space: &[&str] = if random.chance(30) {
        &["10.0.0.0/16", "fd00::/48", "131.107.0.0/16"]
    } else {
        &["10.0.0.0/16", "fd00::/48"]
    };
    let network = VirtualNetworkSpec {
        address_prefixes: Some(texts(space)),
        subnets: vec![
            subnet("front", &["10.0.1.0/24", "fd00:0:0:1::/64"], Some("/nsgs/front")),
            subnet("back", &["10.0.2.0/24", "fd00:0:0:2::/64"], None),
        ],
        ..VirtualNetworkSpec::new(id("/vnets/shop"))
    };
    let nic = |(name, subnet, addresses, groups, attached): Interface| NicSpec {
        nsg: attached.then(|| At::known(id("/nsgs/nic"))),
        ip_configurations: addresses
            .iter()
            .map(|address| IpConfigurationSpec {
                private_address: Some(Text::known(*address)),
                asgs: groups.iter().map(|group| At::known(id(&format!("/asgs/{group}")))).collect(),
                ..IpConfigurationSpec::new(address, id(&format!("/vnets/shop/subnets/{subnet}")))
            })
            .collect(),
        ..NicSpec::new(id(&format!("/nics/{name}")))
    };
    EstateSpec {
        nsgs,
        asgs: ["web", "job"].map(|name| AsgSpec::new(id(&format!("/asgs/{name}")))).into(),
        virtual_networks: vec![network],
        nics: NICS.map(nic).into(),
        ..EstateSpec::default()
    }
}

fn flows(random: &mut Random, count: usize) -> Vec<Seen> {
    let one = |random: &mut Random| {
        let (name, _, addresses, ..) = *random.pick(&NICS);
        let six = random.chance(20);
        let local = addresses[usize::from(six)].parse().expect("an address");
        let remote = random.pick::<&str>(if six { &PEERS_V6 } else { &PEERS }).parse().expect("an address");
        let icmp = if six { Protocol::ICMPV6 } else { Protocol::ICMP };
        let protocol =
            *random.pick(&[Protocol::TCP, Protocol::TCP, Protocol::TCP, Protocol::UDP, icmp, Protocol::ESP]);
        let direction = *random.pick(&[Direction::Inbound, Direction::Outbound, Direction::Outbound]);
        let service = *random.pick(&[443, 443, 80, 445, 8443, 53]);
        let (client, service) = match (protocol.has_ports(), protocol.is_icmp()) {
            (true, _) => (*random.pick(&[50_000, 50_001]), service),
            (_, true) => (0, *random.pick(&[8, 8, 3])),
            _ => (0, 0),
        };
        let (near, far) =
            if direction == Direction::Outbound { (client, service) } else { (service, client) };
        let flow = Flow::between(direction, protocol, (local, near), (remote, far)).expect("one family");
        let decision = if random.chance(12) { LoggedDecision::Denied } else { LoggedDecision::Allowed };
        Seen { place: id(&format!("/nics/{name}")), flow, decision, records: 1, bytes: 100, last_ms: 1 }
    };
    (0..count).map(|_| one(random)).collect()
}

fn valid(spec: &EstateSpec) -> Estate {
    let (estate, problems) = Estate::validate(spec, catalog());
    estate.unwrap_or_else(|| panic!("the rules are refused: {problems:#?}"))
}

fn verdict(estate: &Estate, seen: &Seen) -> Verdict {
    let nic = estate.nics().find(|nic| *nic.id() == seen.place).expect("the interface is there");
    oracle::decide(&estate.effective(nic), &seen.flow, NOW).verdict
}

/// What of kinds was reached.
#[derive(Default)]
struct Reached(BTreeMap<String, u32>);

impl Reached {
    fn add(&mut self, kind: impl Into<String>) {
        *self.0.entry(kind.into()).or_default() += 1;
    }

    fn rules(&mut self, rules: &[RuleSpec]) {
        for rule in rules {
            let name = rule.name.as_ref().and_then(|name| name.value.known()).expect("rules have names");
            for part in [
                "Storage",
                "Sql.WestUS",
                "addresses",
                "for-web",
                "for-",
                "from-",
                "any",
                "icmp",
                "esp",
                "v6",
                "web",
                "AzureCloud",
            ] {
                if name.contains(part) {
                    self.add(part);
                }
            }
        }
    }

    fn assert(&self, kinds: &[&str]) {
        println!("{:?}", self.0);
        for kind in kinds {
            assert!(self.0.contains_key(*kind), "{kind} was never reached: {:?}", self.0);
        }
    }
}

fn options(random: &mut Random) -> LockdownOptions {
    let nsgs: &[&str] = random.pick::<&[&str]>(&[&[], &["/nsgs/front"], &["/nsgs/nic"]]);
    let forbidden: AddressSet = match random.below(3) {
        0 => ["198.51.100.9/32", "20.61.0.0/24"].into_iter().map(prefix).collect(),
        _ => AddressSet::empty(),
    };
    let tag = |name: &str| name.parse().expect("it is a tag");
    LockdownOptions {
        nsgs: nsgs.iter().map(|nsg| id(nsg)).collect(),
        priority: *random.pick(&[4000, 3000, 350]),
        tags: TagChoice {
            allow: if random.chance(20) { vec![tag("AzureCloud")] } else { Vec::new() },
            never: if random.chance(20) { vec![tag("Storage")] } else { Vec::new() },
        },
        regions_max: *random.pick(&[1, 4]),
        forbidden,
        only_tags: random.chance(20),
        widest: if random.chance(40) { [24, 64] } else { [32, 128] },
        ignore_denied: random.chance(50),
        sources: *random.pick(&[Sources::Any, Sources::Named, Sources::Exact]),
        port_gap: *random.pick(&[0, 0, 1]),
        expand_tags: random.chance(30),
        shadow: random.chance(30),
        now: NOW,
        ..LockdownOptions::default()
    }
}

#[test]
fn lockdown_keeps_what_is_wanted_and_opens_nothing() {
    let mut reached = Reached::default();
    for seed in 0..cases(40) {
        let random = &mut Random::new(seed);
        let (spec, options) = (estate(random), options(random));
        let count = 1 + random.below(30);
        let seen = flows(random, count);
        let tags = catalog();
        let found = match lockdown(&spec, &tags, &seen, &options, &mut |_| {}) {
            Ok(found) => found,
            Err(error) => {
                reached.add(
                    error
                        .to_string()
                        .split(' ')
                        .find(|word| ["room", "priority"].contains(word))
                        .unwrap_or("?"),
                );
                continue;
            }
        };
        assert!(found.proof.holds, "seed {seed}: {:#?}", found.proof.diff);
        let (before, result) = (valid(&spec), valid(&found.spec));
        for &(index, fate) in &found.fates {
            let one = &seen[index];
            assert_eq!(verdict(&before, one), Verdict::Allow, "seed {seed}");
            let expected =
                if fate == FlowFate::Kept || options.shadow { Verdict::Allow } else { Verdict::Deny };
            assert_eq!(verdict(&result, one), expected, "seed {seed}: {one:?} {fate:?}");
            let is_forbidden = options.forbidden.contains(one.flow.remote());
            match fate {
                FlowFate::Kept => {}
                FlowFate::Forbidden => assert!(is_forbidden),
                FlowFate::NoTag => assert!(options.only_tags),
                FlowFate::Cut => panic!("seed {seed}: {one:?} is cut without a reason"),
            }
            reached.add(format!("{fate:?}"));
        }
        for opened in &found.opened {
            assert!(opened.peers.intersection(&options.forbidden).is_empty(), "seed {seed}: {opened:?}");
        }
        if options.shadow {
            assert_eq!(found.shadow_is_silent, Some(true), "seed {seed}");
        }
        found.groups.iter().for_each(|group| reached.rules(&group.rules));
        found.left.iter().for_each(|(_, left)| reached.add(format!("{left:?}")));
        let again = lockdown(&found.spec, &tags, &seen, &options, &mut |_| {}).expect("it was taken before");
        for (one, other) in found.groups.iter().zip(&again.groups) {
            assert_eq!(
                format!("{:?}", one.rules),
                format!("{:?}", other.rules),
                "seed {seed}: a second run differs"
            );
            assert!(other.dropped.is_empty(), "seed {seed}");
        }
    }
    reached.assert(&[
        "Kept",
        "Forbidden",
        "NoTag",
        "Storage",
        "Sql.WestUS",
        "addresses",
        "for-web",
        "for-",
        "any",
        "icmp",
        "esp",
        "v6",
        "AzureCloud",
        "DeniedNow",
        "DeniedThen",
        "Elsewhere",
        "OtherDirection",
    ]);
}

#[test]
fn learned_rules_keep_what_was_observed_and_allow_nothing_new() {
    let mut reached = Reached::default();
    for seed in 0..cases(40) {
        let random = &mut Random::new(seed + 1_000_000);
        let spec = estate(random);
        let lock = options(random);
        let options = LearnOptions {
            tags: lock.tags,
            forbidden: lock.forbidden,
            widest: lock.widest,
            sources: lock.sources,
            port_gap: lock.port_gap,
            now: NOW,
            ..LearnOptions::default()
        };
        let count = 1 + random.below(60);
        let seen = flows(random, count);
        let nsg = id(random.pick::<&str>(&["/nsgs/front", "/nsgs/nic"]));
        let tags = catalog();
        let found = learn(&spec, &tags, &nsg, &seen, &options, &mut |_| {}).expect("there is room");
        assert!(found.proof.holds, "seed {seed}: {:#?}", found.proof.diff);
        let (before, result) = (valid(&spec), valid(&found.spec));
        for &(index, fate) in &found.fates {
            let one = &seen[index];
            assert_eq!(verdict(&before, one), Verdict::Allow, "seed {seed}");
            let expected = if fate == FlowFate::Kept { Verdict::Allow } else { Verdict::Deny };
            assert_eq!(verdict(&result, one), expected, "seed {seed}: {one:?}");
            let is_forbidden = options.forbidden.contains(one.flow.remote());
            assert!(
                fate == FlowFate::Kept || (fate == FlowFate::Forbidden && is_forbidden),
                "seed {seed}: {one:?}"
            );
            reached.add(format!("{fate:?}"));
        }
        for opened in &found.opened {
            assert!(opened.peers.intersection(&options.forbidden).is_empty(), "seed {seed}: {opened:?}");
        }
        reached.rules(&found.rules);
        let again = learn(&found.spec, &tags, &nsg, &seen, &options, &mut |_| {}).expect("there is room");
        assert!(
            again.proof.holds
                && again.fates.iter().all(|(_, fate)| matches!(fate, FlowFate::Kept | FlowFate::Forbidden)),
            "seed {seed}"
        );
    }
    reached.assert(&[
        "Kept",
        "Forbidden",
        "Storage",
        "addresses",
        "for-web",
        "for-",
        "any",
        "icmp",
        "esp",
        "v6",
        "web",
    ]);
}
