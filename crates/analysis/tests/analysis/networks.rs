//! Matrices of estates of several networks: groups, addresses that a deployment assigns, peerings and routes.
//!
//! An estate of which parts are assigned is compared with what it becomes: whatever addresses its interfaces get, what the
//! matrix said for sure is what the oracle then says.

use std::{collections::HashMap, net::IpAddr};

use palisade_analysis::{
    Limits,
    matrix::{Cell, Doubt, FamilyPlan, Node, Obstacle, Options, Plan, Route},
};
use palisade_classify::{Verdict, generate::Random, oracle};
use palisade_model::{
    EffectivePolicy, Estate, ResourceId, TagCatalog,
    spec::{
        AsgSpec, At, EstateSpec, IpConfigurationSpec, NicSpec, NsgSpec, PeeringSpec, PublicIpSpec, RouteSpec,
        RouteTableSpec, RuleSpec, SideSpec, SubnetSpec, Text, VirtualNetworkSpec,
    },
};
use palisade_net::{Direction, Family, Flow, Protocol};

use crate::cases;

const NOW: u32 = 1_800_000_000;
const PORTS: [&str; 5] = ["*", "22", "443", "1433", "400-500"];

fn id(text: &str) -> ResourceId {
    ResourceId::new(text)
}

fn texts(list: &[&str]) -> palisade_model::spec::TextList {
    At::known(list.iter().map(|text| Text::known(*text)).collect::<Vec<_>>())
}

fn estate(spec: &EstateSpec) -> Estate {
    let (estate, problems) = Estate::validate(spec, TagCatalog::default());
    estate.unwrap_or_else(|| panic!("the estate is refused: {problems:#?}"))
}

/// A network of one subnet, with the routes of table `/tables/NAME` if it has any.
fn network(name: &str, prefix: &str, routed: bool) -> VirtualNetworkSpec {
    let subnet = SubnetSpec {
        address_prefixes: Some(texts(&[prefix])),
        nsg: Some(At::known(id(&format!("/nsgs/{name}")))),
        route_table: routed.then(|| At::known(id(&format!("/tables/{name}")))),
        ..SubnetSpec::new(id(&format!("/vnets/{name}/subnets/s")))
    };
    VirtualNetworkSpec {
        address_prefixes: Some(texts(&[prefix])),
        subnets: vec![subnet],
        ..VirtualNetworkSpec::new(id(&format!("/vnets/{name}")))
    }
}

fn nic(name: &str, network: &str, address: Option<&str>, groups: &[&str]) -> NicSpec {
    let mut own = IpConfigurationSpec::new("c", id(&format!("/vnets/{network}/subnets/s")));
    own.private_address = address.map(Text::known);
    own.asgs = groups.iter().map(|group| At::known(id(&format!("/asgs/{group}")))).collect();
    NicSpec { ip_configurations: vec![own], ..NicSpec::new(id(&format!("/nics/{name}"))) }
}

fn table(name: &str, routes: &[(&str, &str)]) -> RouteTableSpec {
    let route =
        |(number, (prefix, hop)): (usize, &(&str, &str))| RouteSpec::new(&format!("r{number}"), prefix, hop);
    RouteTableSpec {
        routes: routes.iter().enumerate().map(route).collect(),
        ..RouteTableSpec::new(id(&format!("/tables/{name}")))
    }
}

/// Makes estates whose interfaces are in groups and get their addresses later.
struct Maker(Random);

impl Maker {
    fn spec(&mut self) -> EstateSpec {
        let names = [("a", "10.1.0.0/24"), ("b", "10.2.0.0/24"), ("c", "172.16.0.0/24")];
        let mut networks: Vec<_> = names.map(|(name, prefix)| network(name, prefix, name == "a")).into();
        for (one, other) in [(0, 1), (1, 0), (0, 2), (2, 0)] {
            if self.0.chance(70) {
                networks[one].peerings.push(PeeringSpec::new(id(&format!("/vnets/{}", names[other].0))));
            }
        }
        let mut nics = Vec::new();
        for (name, prefix) in names {
            let start = prefix.trim_end_matches("0/24");
            for number in 0..3 {
                let groups: Vec<&str> =
                    ["web", "db"].into_iter().filter(|_| name == "a" && self.0.chance(50)).collect();
                let address = format!("{start}{}", 10 + number);
                let known = self.0.chance(40).then_some(&*address);
                let mut spec = nic(&format!("{name}{number}"), name, known, &groups);
                if self.0.chance(30) {
                    spec.nsg = Some(At::known(id("/nsgs/own")));
                }
                if self.0.chance(20) {
                    spec.ip_configurations[0].public_ip = Some(At::known(id("/ips/p")));
                }
                nics.push(spec);
            }
        }
        let hops = ["None", "VirtualAppliance", "VnetLocal", "Internet"];
        let prefixes = ["10.2.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "10.1.0.0/24", "172.16.0.128/25"];
        let mut routes: Vec<(&str, &str)> = Vec::new();
        for prefix in prefixes {
            if self.0.chance(35) {
                let hop = *self.0.pick(&hops);
                routes.push((prefix, hop));
            }
        }
        EstateSpec {
            nsgs: ["a", "b", "c", "own"].map(|name| self.nsg(name)).into(),
            asgs: ["web", "db"].map(|name| AsgSpec::new(id(&format!("/asgs/{name}")))).into(),
            virtual_networks: networks,
            route_tables: vec![table("a", &routes)],
            nics,
            public_ips: vec![PublicIpSpec::new(id("/ips/p"))],
            ..EstateSpec::default()
        }
    }

    fn nsg(&mut self, name: &str) -> NsgSpec {
        let rules = (0..self.0.below(7)).map(|number| self.rule(number, name == "a")).collect();
        NsgSpec { rules, ..NsgSpec::new(id(&format!("/nsgs/{name}"))) }
    }

    fn rule(&mut self, number: usize, grouped: bool) -> RuleSpec {
        let way = if self.0.chance(50) { "Inbound" } else { "Outbound" };
        let ports = *self.0.pick(&PORTS);
        let (source, destination) = (self.side(grouped, "*"), self.side(grouped, ports));
        RuleSpec {
            name: Some(Text::known(format!("r{number}"))),
            protocol: Some(Text::known(*self.0.pick(&["Tcp", "*", "*"]))),
            source,
            destination,
            access: Some(Text::known(*self.0.pick(&["Allow", "Deny"]))),
            priority: Some(Text::known((100 + number).to_string())),
            direction: Some(Text::known(way)),
            certain: true,
            ..RuleSpec::default()
        }
    }

    fn side(&mut self, grouped: bool, ports: &str) -> SideSpec {
        let port_range = Some(Text::known(if ports == "*" || self.0.chance(40) { "*" } else { ports }));
        if grouped && self.0.chance(45) {
            let group = *self.0.pick(&["web", "db"]);
            let groups = Some(At::known(vec![At::known(id(&format!("/asgs/{group}")))]));
            return SideSpec { groups, port_range, ..SideSpec::default() };
        }
        let prefixes =
            ["*", "VirtualNetwork", "Internet", "10.1.0.0/25", "10.1.0.10", "10.2.0.0/24", "172.16.0.0/16"];
        let address_prefix = Some(Text::known(*self.0.pick(&prefixes)));
        SideSpec { address_prefix, port_range, ..SideSpec::default() }
    }

    /// The same estate once the deployment has assigned what was open.
    fn deployed(&mut self, spec: &EstateSpec) -> EstateSpec {
        let mut spec = spec.clone();
        let mut taken: Vec<String> = Vec::new();
        for nic in &mut spec.nics {
            let own = &mut nic.ip_configurations[0];
            let subnet = own.subnet.as_ref().and_then(|subnet| subnet.value.known()).expect("it is known");
            let start = match subnet.as_str() {
                "/vnets/a/subnets/s" => "10.1.0",
                "/vnets/b/subnets/s" => "10.2.0",
                _ => "172.16.0",
            };
            while own.private_address.is_none() {
                // Not one that the input gives to another.
                let address = format!("{start}.{}", 13 + self.0.below(240));
                if !taken.contains(&address) {
                    taken.push(address.clone());
                    own.private_address = Some(Text::known(address));
                }
            }
        }
        spec
    }
}

fn node(plan: &FamilyPlan, nic: &ResourceId) -> usize {
    let is = |node: &Node| node.members.iter().any(|member| member.nic == *nic);
    plan.nodes().iter().position(is).expect("every interface is in a class")
}

/// The rules of every interface.
type Policies = HashMap<ResourceId, EffectivePolicy>;

fn policies(estate: &Estate) -> Policies {
    estate.nics().map(|nic| (nic.id().clone(), estate.effective(nic))).collect()
}

fn both(policies: &Policies, ends: [&ResourceId; 2], addresses: [IpAddr; 2], port: u16) -> Verdict {
    let ask = |nic: &ResourceId, direction| {
        let flow = Flow::new(direction, Protocol::TCP, (addresses[0], 50_000), (addresses[1], port));
        oracle::decide_by_rules(&policies[nic], &flow.expect("one family"), NOW).verdict
    };
    match (ask(ends[0], Direction::Outbound), ask(ends[1], Direction::Inbound)) {
        (Verdict::Deny, _) | (_, Verdict::Deny) => Verdict::Deny,
        (Verdict::Allow, Verdict::Allow) => Verdict::Allow,
        _ => Verdict::Unknown,
    }
}

fn address(estate: &Estate, nic: &ResourceId) -> IpAddr {
    let nic = estate.nics().find(|found| found.id() == nic).expect("it is there");
    nic.ip_configurations()[0].address().expect("it is assigned").address()
}

#[test]
fn what_is_sure_before_a_deployment_is_so_after_it() {
    let (mut sure, mut better, mut open, mut no_route, mut routed) = (0, 0, 0, 0, 0);
    for seed in 0..cases(25) {
        let mut maker = Maker(Random::new(seed));
        let spec = maker.spec();
        let before = estate(&spec);
        let after = estate(&maker.deployed(&spec));
        let plan = Plan::new(&before, &Options::default(), NOW, Limits::default()).expect("it is simple");
        let plan = plan.family(Family::V4);
        let matrix = plan.join(vec![plan.rows(0..plan.row_count())]);
        let (rules_before, rules_after) = (policies(&before), policies(&after));
        let nics: Vec<ResourceId> = after.nics().map(|nic| nic.id().clone()).collect();
        for from in &nics {
            for to in nics.iter().filter(|to| *to != from) {
                let cell: Cell = matrix.cell(node(plan, from), node(plan, to));
                match cell.route {
                    Route::No(_) => no_route += 1,
                    Route::Yes => routed += 1,
                    Route::Open(_) => {}
                }
                let addresses = [address(&after, from), address(&after, to)];
                for port in [22, 443, 1433, 450, 9999] {
                    let said = |set| plan.holds(set, Protocol::TCP, port, 50_000);
                    let found = both(&rules_after, [from, to], addresses, port);
                    let told = || format!("seed {seed}: {from} to {to} port {port}: {cell:?}");
                    if said(&cell.unknown) {
                        open += 1;
                        continue;
                    }
                    assert_eq!(found == Verdict::Allow, said(&cell.allowed), "{}", told());
                    assert_ne!(found, Verdict::Unknown, "{}", told());
                    sure += 1;
                    // What the oracle could say before, which sees addresses and not whose they are.
                    let earlier = both(&rules_before, [from, to], addresses, port);
                    better += usize::from(earlier == Verdict::Unknown);
                }
            }
        }
    }
    println!(
        "{sure} sure, of which {better} only by identity; {open} open; {no_route} no route, {routed} routed"
    );
    assert!(sure > 2_000 && better > 10 && open > 50 && no_route > 100 && routed > 100);
}

/// Routes between `a` and the other networks, by a few peerings and routes.
fn check_route(peerings: &[(&str, &str)], routes: &[(&str, &str)], from: &str, to: &str, expected: Route) {
    let mut networks = vec![
        network("a", "10.1.0.0/24", true),
        network("b", "10.2.0.0/24", false),
        network("c", "172.16.0.0/24", false),
    ];
    for (one, other) in peerings {
        let own = networks.iter_mut().find(|network| network.id.name() == *one).expect("it is there");
        own.peerings.push(PeeringSpec::new(id(&format!("/vnets/{other}"))));
    }
    let spec = EstateSpec {
        nsgs: ["a", "b", "c"].map(|name| NsgSpec::new(id(&format!("/nsgs/{name}")))).into(),
        virtual_networks: networks,
        route_tables: vec![table("a", routes)],
        nics: vec![
            nic("a", "a", Some("10.1.0.4"), &[]),
            nic("near", "a", Some("10.1.0.5"), &[]),
            nic("b", "b", Some("10.2.0.4"), &[]),
            nic("c", "c", Some("172.16.0.4"), &[]),
        ],
        ..EstateSpec::default()
    };
    let estate = estate(&spec);
    let plan = Plan::new(&estate, &Options::default(), NOW, Limits::default()).expect("it is simple");
    let plan = plan.family(Family::V4);
    let find = |name: &str| {
        let outside = plan.nodes().iter().position(|node| node.is_outside() && node.name == name);
        outside.unwrap_or_else(|| node(plan, &id(&format!("/nics/{name}"))))
    };
    assert_eq!(plan.route(find(from), find(to)), expected, "{from} to {to}, {peerings:?}, {routes:?}");
}

#[test]
fn routes_are_those_of_peerings_and_tables() {
    let (dropped, elsewhere) = (Route::No(Obstacle::Dropped), Route::No(Obstacle::Elsewhere));
    let both = [("a", "b"), ("b", "a")];
    check_route(&[], &[], "a", "near", Route::Yes);
    check_route(&both, &[], "a", "b", Route::Yes);
    check_route(&both, &[], "b", "a", Route::Yes);
    // A peering of one side carries nothing; private blocks of no network lead nowhere, others to the Internet.
    check_route(&both[..1], &[], "a", "b", dropped);
    check_route(&[], &[], "a", "b", dropped);
    check_route(&[], &[], "a", "c", elsewhere);
    // The longest prefix decides, and of equal ones the user's.
    check_route(&both, &[("10.2.0.0/24", "None")], "a", "b", dropped);
    check_route(&both, &[("10.0.0.0/8", "None")], "a", "b", Route::Yes);
    check_route(&both, &[("10.2.0.0/25", "VirtualAppliance")], "a", "b", Route::Open(Doubt::Appliance));
    check_route(&[], &[("10.1.0.0/24", "VirtualAppliance")], "a", "near", Route::Open(Doubt::Appliance));
    check_route(&[], &[("10.1.0.0/24", "VnetLocal")], "a", "near", Route::Yes);
    check_route(&[], &[("0.0.0.0/0", "None")], "a", "Internet", dropped);
    check_route(&[], &[("0.0.0.0/0", "VirtualNetworkGateway")], "a", "Internet", Route::Open(Doubt::Gateway));
    check_route(&[], &[], "a", "Internet", Route::Yes);
    check_route(&[], &[], "Internet", "a", Route::Open(Doubt::Behind));
}
