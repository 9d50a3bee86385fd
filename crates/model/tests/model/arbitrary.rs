//! No input makes validation or the effective rules panic, and an input without an error has an estate.

use palisade_model::{
    Estate, Severity, TagCatalog, Truth,
    spec::{
        AdminCollectionSpec, AdminRuleSpec, AsgSpec, At, EstateSpec, Flag, FrontendSpec, Given,
        LearnedPrefixesSpec, LoadBalancerSpec, MappingSpec, NatRuleSpec, NicSpec, NsgSpec, PeeringSpec,
        PublicIpSpec, Reference, ResourceTags, RouteSpec, RouteTableSpec, RuleSpec, SideSpec, SubnetSpec,
        Text, TextList, VirtualNetworkSpec,
    },
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};

use crate::support::{catalog, id, network, nic, place};

const PREFIXES: &[&str] = &["10.0.0.0/16", "10.1.0.0/24", "10.0.0.4", "0.0.0.0/0", "192.0.2.0/24"];
const ADDRESSES: &[&str] =
    &["*", "10.0.0.0/16", "10.0.0.4", "Internet", "VirtualNetwork", "AzurePlatformDNS", "AzureLoadBalancer"];
const PORTS: &[&str] = &["*", "80", "1024-65535"];
const NAMES: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h"];

/// Texts that fields have, texts that they nearly have, and anything else.
fn value() -> impl Strategy<Value = String> {
    let known = [
        "",
        "*",
        "Tcp",
        "Icmp",
        "47",
        "Any",
        "Allow",
        "Deny",
        "AlwaysAllow",
        "Inbound",
        "Outbound",
        "100",
        "4096",
        "99",
        "10.0.0.4",
        "10.0.0.0/8",
        "10.0.0.1/8",
        "0.0.0.0/0",
        "fd00::/8",
        "::/0",
        "Internet",
        "VirtualNetwork",
        "Storage",
        "AzurePlatformDNS",
        "VIRTUAL_NETWORK",
        "80",
        "1-2",
        "2-1",
        "Basic",
        "Standard",
        "Connected",
        "Enabled",
        "00:0d:3a:12:34:56",
    ];
    prop_oneof![8 => select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,12}"]
}

/// Mostly one of the values that the field takes.
fn text(good: &'static [&'static str]) -> impl Strategy<Value = Text> {
    let given = prop_oneof![
        200 => select(good).prop_map(|value| Given::Known(value.to_owned())),
        5 => value().prop_map(Given::Known),
        20 => Just(Given::Unknown("parameter".to_owned())),
    ];
    (given, 0u32..5).prop_map(|(value, line)| At { value, place: place(line) })
}

fn list(good: &'static [&'static str]) -> impl Strategy<Value = TextList> {
    let given = prop_oneof![
        5 => vec(text(good), 0..3).prop_map(Given::Known),
        1 => Just(Given::Unknown("parameter".to_owned())),
    ];
    given.prop_map(|value| At { value, place: place(1) })
}

/// A reference to one of few resources, to one that is not there, or to an unknown one.
fn reference(kind: &'static str) -> impl Strategy<Value = Reference> {
    (0u8..4).prop_map(move |n| match n {
        0 => At::unknown("parameter"),
        n => At::known(id(&format!("/{kind}/{}", ["a", "b", "gone"][usize::from(n - 1)]))),
    })
}

fn side() -> impl Strategy<Value = SideSpec> {
    let groups = prop_oneof![
        5 => vec(reference("asgs"), 1..3).prop_map(Given::Known),
        1 => Just(Given::Unknown("parameter".to_owned())),
    ];
    let groups = groups.prop_map(|value| At { value, place: place(2) });
    let addresses = prop_oneof![
        8 => (text(ADDRESSES).prop_map(Some), Just(None), Just(None)),
        3 => (Just(None), list(PREFIXES).prop_map(Some), Just(None)),
        3 => (Just(None), Just(None), groups.prop_map(Some)),
        1 => (option::of(text(ADDRESSES)), option::of(list(PREFIXES)), Just(None)),
    ];
    let ports = prop_oneof![
        8 => (text(PORTS).prop_map(Some), Just(None)),
        3 => (Just(None), list(PORTS).prop_map(Some)),
        1 => (option::of(text(PORTS)), option::of(list(PORTS))),
    ];
    (addresses, ports).prop_map(|((address_prefix, address_prefixes, groups), (port_range, port_ranges))| {
        SideSpec { address_prefix, address_prefixes, groups, port_range, port_ranges }
    })
}

fn rule() -> impl Strategy<Value = RuleSpec> {
    let field = |good| option::weighted(0.98, text(good));
    let rest = (
        field(&["Allow", "Deny"]),
        field(&["100", "200", "300", "400", "500", "600", "700", "800"]),
        field(&["Inbound", "Outbound"]),
    );
    let protocol = field(&["Tcp", "Udp", "Icmp", "*", "47"]);
    let texts = (field(NAMES), field(&[""]), protocol);
    let settings = (
        option::of(text(&["1970-01-01T00:00:00Z", "2026-01-31T08:00:00Z"])),
        option::of(text(&["2026-01-31T08:00:01Z", "2106-02-07T06:28:15Z"])),
        option::of(text(&["Enforce", "Audit"])),
    );
    (texts, side(), side(), rest, settings, any::<bool>()).prop_map(
        |(texts, source, destination, (access, priority, direction), settings, certain)| {
            let ((name, description, protocol), (not_before, expires_at, mode)) = (texts, settings);
            RuleSpec {
                name,
                description,
                protocol,
                source,
                destination,
                access,
                priority,
                direction,
                not_before,
                expires_at,
                mode,
                certain,
                place: place(3),
            }
        },
    )
}

/// Tags of ours, and others.
fn tags(names: &'static [&'static str]) -> impl Strategy<Value = Option<ResourceTags>> {
    let value = text(&["audit", "enforce", "", "no-mac,no-vlan", "expiresAt=2026-01-31T08:00:00Z"]);
    let some = prop_oneof![
        9 => btree_map(select(names).prop_map(str::to_owned), value, 0..2).prop_map(Given::Known),
        1 => Just(Given::Unknown("parameter".to_owned())),
    ];
    option::of(some.prop_map(|value| At { value, place: place(5) }))
}

fn flag() -> impl Strategy<Value = Option<Flag>> {
    let given = prop_oneof![
        8 => any::<bool>().prop_map(Given::Known),
        1 => Just(Given::Unknown("parameter".to_owned())),
    ];
    option::of(given.prop_map(|value| At { value, place: place(6) }))
}

fn nsg() -> impl Strategy<Value = NsgSpec> {
    let unknown = option::weighted(0.2, Just("a loop".to_owned()));
    let tags = tags(&["palisade-mode", "palisade-rule:a", "palisade-rule:b", "env"]);
    let rest = (unknown, any::<bool>(), tags, flag());
    (select(vec!["/nsgs/a", "/nsgs/b"]), vec(rule(), 0..3), rest).prop_map(
        |(name, rules, (rules_unknown, certain, tags, flush_connection))| NsgSpec {
            rules,
            rules_unknown,
            certain,
            tags,
            flush_connection,
            ..NsgSpec::new(id(name))
        },
    )
}

fn truth() -> impl Strategy<Value = Truth> {
    select(vec![Truth::Yes, Truth::Maybe, Truth::No])
}

fn virtual_network() -> impl Strategy<Value = VirtualNetworkSpec> {
    let peering = (
        option::of(reference("vnets")),
        option::of(list(PREFIXES)),
        truth(),
        option::of(text(&["Connected", "Initiated"])),
        truth(),
    )
        .prop_map(|(remote, remote_prefixes, allow_access, state, use_remote_gateways)| PeeringSpec {
            remote,
            remote_prefixes,
            allow_access,
            state,
            use_remote_gateways,
            ..PeeringSpec::new(id("/p"))
        });
    let subnet = (
        option::of(list(PREFIXES)),
        option::of(reference("nsgs")),
        option::of(reference("tables")),
        option::of(text(&["Enabled", "Disabled"])),
    );
    (select(vec!["a", "b"]), option::of(list(PREFIXES)), vec(peering, 0..3), subnet, option::of(3i64..31))
        .prop_map(|(name, address_prefixes, peerings, subnet, minutes)| {
            let mut network =
                VirtualNetworkSpec { address_prefixes, peerings, ..network(name, "10.0.0.0/8") };
            network.flow_timeout_minutes =
                minutes.map(|value| At { value: Given::Known(value), place: place(4) });
            let (address_prefixes, nsg, route_table, private_endpoint_policies) = subnet;
            let spec = network.subnets.remove(0);
            network.subnets =
                vec![SubnetSpec { address_prefixes, nsg, route_table, private_endpoint_policies, ..spec }];
            network
        })
}

fn interface() -> impl Strategy<Value = NicSpec> {
    let configuration = (
        option::of(text(&["10.0.0.4", "10.0.0.5", "fd00::4"])),
        option::of(reference("vnets/a/subnets")),
        vec(reference("asgs"), 0..3),
    );
    let tags = tags(&["palisade-mode", "palisade-guards", "palisade-interface", "env"]);
    let flags = (flag(), flag(), any::<bool>(), any::<bool>(), tags);
    (
        select(vec!["a", "b"]),
        option::of(reference("nsgs")),
        option::of(text(&["00:0d:3a:12:34:56", ""])),
        vec(configuration, 0..3),
        flags,
    )
        .prop_map(|(name, nsg, mac, configurations, flags)| {
            let (ip_forwarding, disable_tcp_state_tracking, private_endpoint, home, tags) = flags;
            let mut nic = nic(name, name, "-");
            let template = nic.ip_configurations.remove(0);
            nic.ip_configurations = configurations
                .into_iter()
                .map(|(address, subnet, asgs)| {
                    let mut configuration = template.clone();
                    configuration.private_address = address;
                    configuration.subnet = if home { configuration.subnet } else { subnet };
                    configuration.asgs = asgs;
                    configuration.public_ip = Some(At::known(id("/ips/a")));
                    configuration
                })
                .collect();
            NicSpec { nsg, mac, ip_forwarding, disable_tcp_state_tracking, private_endpoint, tags, ..nic }
        })
}

fn admin() -> impl Strategy<Value = AdminCollectionSpec> {
    let texts = |good| vec(text(good), 0..3);
    let field = |good| option::weighted(0.98, text(good));
    let rest = (field(&["Any", "Tcp", "58"]), field(&["1", "2", "4096"]), field(&["Inbound", "Outbound"]));
    let access = field(&["Allow", "Deny", "AlwaysAllow"]);
    let rule = (texts(ADDRESSES), texts(PREFIXES), texts(PORTS), texts(PORTS), access, rest).prop_map(
        |(sources, destinations, source_port_ranges, destination_port_ranges, access, rest)| AdminRuleSpec {
            sources,
            destinations,
            source_port_ranges,
            destination_port_ranges,
            access,
            protocol: rest.0,
            priority: rest.1,
            direction: rest.2,
            ..AdminRuleSpec::new("r")
        },
    );
    (vec(rule, 0..3), vec(reference("vnets"), 0..3)).prop_map(|(rules, networks)| {
        let virtual_networks = At { value: Given::Known(networks), place: place(0) };
        AdminCollectionSpec { rules, virtual_networks, ..AdminCollectionSpec::new(id("/admin/a"), []) }
    })
}

fn nat_rule() -> impl Strategy<Value = NatRuleSpec> {
    let port = || option::of((0_i64..3).prop_map(At::<Given<i64>>::known));
    let sources = option::of(list(&["10.0.0.0/8", "*", "198.51.100.1", "wrong"]));
    let name = prop_oneof![Just("a"), Just("b")];
    (name, option::of(text(&["Tcp", "Udp", "All", "Icmp"])), port(), port(), sources, truth(), any::<bool>())
        .prop_map(|(name, protocol, frontend_port, backend_port, sources, floating, certain)| NatRuleSpec {
            frontend: Some(At::known(id("/lbs/a/f"))),
            protocol,
            frontend_port,
            backend_port,
            sources,
            target: Some(At::known(id("/nics/a/ipConfigurations/c"))),
            floating,
            certain,
            ..NatRuleSpec::new(id(&format!("/lbs/a/inboundNatRules/{name}")))
        })
}

fn estate() -> impl Strategy<Value = EstateSpec> {
    let route = text(PREFIXES)
        .prop_map(|prefix| RouteSpec { address_prefix: Some(prefix), ..RouteSpec::new("r", "", "None") });
    let table = (vec(route, 0..3), truth()).prop_map(|(routes, disable_gateway_propagation)| {
        RouteTableSpec { routes, disable_gateway_propagation, ..RouteTableSpec::new(id("/tables/a")) }
    });
    let group = vec(text(PREFIXES), 0..2)
        .prop_map(|address_prefixes| AsgSpec { address_prefixes, ..AsgSpec::new(id("/asgs/a")) });
    let ip = (option::of(text(&["Basic", "Standard"])), option::of(text(&["198.51.100.1"])))
        .prop_map(|(sku, address)| PublicIpSpec { sku, address, ..PublicIpSpec::new(id("/ips/a")) });
    let learned = (reference("vnets"), list(PREFIXES)).prop_map(|(virtual_network, address_prefixes)| {
        LearnedPrefixesSpec { virtual_network, address_prefixes }
    });
    let balancer = (text(&["10.0.0.9", "192.0.2.9"]), truth(), any::<bool>(), vec(nat_rule(), 0..3))
        .prop_map(|(address, floating, mappings_known, nat_rules)| {
            let frontend =
                FrontendSpec { private_address: Some(address), ..FrontendSpec::new(id("/lbs/a/f"), "") };
            let mappings = vec![MappingSpec { floating, ..MappingSpec::new(frontend.id.clone()) }];
            let frontends = vec![frontend];
            LoadBalancerSpec {
                frontends,
                mappings,
                mappings_known,
                nat_rules,
                ..LoadBalancerSpec::new(id("/lbs/a"))
            }
        });
    let addresses = (vec(group, 0..2), vec(ip, 0..2), vec(balancer, 0..2));
    let others = (vec(table, 0..2), addresses, vec(learned, 0..2), vec(admin(), 0..2));
    (vec(nsg(), 0..3), vec(virtual_network(), 0..3), vec(interface(), 0..3), others).prop_map(
        |(
            nsgs,
            virtual_networks,
            nics,
            (route_tables, (asgs, public_ips, load_balancers), learned_prefixes, admin_collections),
        )| {
            EstateSpec {
                nsgs,
                asgs,
                virtual_networks,
                route_tables,
                nics,
                public_ips,
                load_balancers,
                learned_prefixes,
                admin_collections,
                throttles: Vec::new(),
                unknowns: Vec::new(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn any_estate_is_taken_or_refused_with_reasons(spec in estate(), with_file: bool) {
        let tags = if with_file { catalog(&[("Storage", "20.0.0.0/24")]) } else { TagCatalog::default() };
        let (estate, problems) = Estate::validate(&spec, tags);
        let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
        prop_assert_eq!(estate.is_none(), refused);
        prop_assert!(problems.iter().all(|problem| !problem.message.is_empty()));
        let Some(estate) = estate else { return Ok(()) };
        for nic in estate.nics() {
            let own = estate.addresses_of(nic);
            prop_assert_eq!(&own.must().intersection(own.may()), own.must());
            prop_assert!(estate.open_parts(nic).iter().all(|part| part.contains(": ")));
            let policy = estate.effective(nic);
            for rule in policy.inbound.iter().chain(&policy.outbound).flat_map(|layer| &layer.rules) {
                for set in [&rule.source, &rule.destination] {
                    prop_assert_eq!(&set.must().intersection(set.may()), set.must(), "what is sure is possible");
                }
            }
        }
        for nsg in estate.nsgs() {
            estate.effective_alone(nsg, None);
        }
    }
}

/// The strategy above is of use only if some of its estates are taken.
#[test]
fn some_arbitrary_estates_are_taken() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let strategy = estate();
    let taken = (0..300).filter(|_| {
        let spec = strategy.new_tree(&mut runner).expect("the strategy refuses nothing").current();
        Estate::validate(&spec, TagCatalog::default()).0.is_some_and(|estate| estate.nics().count() > 0)
    });
    let taken = taken.count();
    assert!(taken > 30, "{taken} of 300 were taken");
}
