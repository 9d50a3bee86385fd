//! Computed tags: what they hold at which subnet, what replaces them, and what is only perhaps in them.

use palisade_model::{
    AddressField, Addresses, Code, ComputedTag, PlatformService, TagCatalog, Truth,
    spec::{
        At, EstateSpec, LearnedPrefixesSpec, NsgSpec, PeeringSpec, RouteSpec, RouteTableSpec, TextList,
        VirtualNetworkSpec,
    },
};
use palisade_net::Direction;

use crate::support::{
    accept, catalog, id, network, nic, nsg, problems, rule, set_of, text, texts, the_nic, the_nsg, to,
};

const HOST: &str = "168.63.129.16";

/// An interface in network `a`, 10.0.0.0/16, whose subnet has an NSG; the network and its subnet are changed first.
fn estate(change: impl FnOnce(&mut EstateSpec)) -> EstateSpec {
    let mut spec = EstateSpec {
        virtual_networks: vec![network("a", "10.0.0.0/16")],
        nics: vec![nic("n", "a", "10.0.0.4")],
        nsgs: vec![NsgSpec::new(id("/nsgs/web"))],
        ..EstateSpec::default()
    };
    spec.virtual_networks[0].subnets[0].nsg = Some(to("/nsgs/web"));
    change(&mut spec);
    spec
}

/// What `VirtualNetwork` means at the interface.
fn virtual_network(spec: &EstateSpec) -> Addresses {
    let estate = accept(spec, TagCatalog::default());
    let policy = estate.effective(the_nic(&estate, "n"));
    let rule = policy.inbound[0].rules.iter().find(|rule| rule.name == "AllowVnetInBound");
    rule.expect("an NSG has its default rules").source.clone()
}

#[track_caller]
fn check(expected: &str, change: impl FnOnce(&mut EstateSpec)) {
    let expected = Addresses::exactly(set_of(&format!("{expected},{HOST}")));
    assert_eq!(virtual_network(&estate(change)), expected);
}

/// The tag surely holds `must` and the host address, and anything more is open.
#[track_caller]
fn check_open(must: &str, change: impl FnOnce(&mut EstateSpec)) {
    let tag = virtual_network(&estate(change));
    assert_eq!(*tag.must(), set_of(&format!("{must},{HOST}")));
    assert!(tag.may().is_full());
}

fn peer(spec: &mut EstateSpec, prefixes: &str, change: impl FnOnce(&mut PeeringSpec)) {
    let remote = network("b", prefixes);
    let mut peering = PeeringSpec::new(remote.id.clone());
    change(&mut peering);
    spec.virtual_networks[0].peerings.push(peering);
    spec.virtual_networks.push(remote);
}

fn learn(spec: &mut EstateSpec, network: &str, prefixes: TextList) {
    spec.learned_prefixes
        .push(LearnedPrefixesSpec { virtual_network: to(network), address_prefixes: prefixes });
}

fn route(spec: &mut EstateSpec, prefix: &str, next_hop: &str) {
    if spec.route_tables.is_empty() {
        spec.route_tables.push(RouteTableSpec::new(id("/tables/t")));
        spec.virtual_networks[0].subnets[0].route_table = Some(to("/tables/t"));
    }
    let routes = &mut spec.route_tables[0].routes;
    routes.push(RouteSpec {
        address_prefix: Some(text(prefix)),
        ..RouteSpec::new(&format!("r{}", routes.len()), "", next_hop)
    });
}

#[test]
fn virtual_network_is_the_networks_space_and_the_host_address() {
    check("10.0.0.0/16", |_| {});
    check("10.0.0.0/16,10.7.0.0/16,fd00::/48", |spec| {
        spec.virtual_networks[0].address_prefixes = Some(texts("10.0.0.0/16,10.7.0.0/16,fd00::/48"));
    });
}

#[test]
fn virtual_network_has_the_peers_that_are_connected_and_let_through() {
    check("10.0.0.0/16,10.1.0.0/16", |spec| peer(spec, "10.1.0.0/16", |_| {}));
    check("10.0.0.0/16,10.1.0.0/16", |spec| {
        peer(spec, "10.1.0.0/16", |peering| peering.state = Some(text("connected")));
    });
    for state in ["Initiated", "Disconnected"] {
        check("10.0.0.0/16", |spec| {
            peer(spec, "10.1.0.0/16", |peering| peering.state = Some(text(state)));
        });
    }
    check("10.0.0.0/16", |spec| peer(spec, "10.1.0.0/16", |peering| peering.allow_access = Truth::No));
    let perhaps = virtual_network(&estate(|spec| {
        peer(spec, "10.1.0.0/16", |peering| peering.allow_access = Truth::Maybe);
    }));
    assert_eq!(perhaps.contains("10.1.0.1".parse().expect("an address")), Truth::Maybe);
}

#[test]
fn a_peer_that_the_input_does_not_hold_may_be_told_by_the_peering() {
    let absent = |spec: &mut EstateSpec, prefixes: Option<TextList>| {
        let peering = PeeringSpec { remote_prefixes: prefixes, ..PeeringSpec::new(id("/vnets/gone")) };
        spec.virtual_networks[0].peerings.push(peering);
    };
    check("10.0.0.0/16,10.2.0.0/16", |spec| absent(spec, Some(texts("10.2.0.0/16"))));
    check_open("10.0.0.0/16", |spec| absent(spec, None));
    // Where both tell, the network itself counts: the peering may not have been synchronised yet.
    check("10.0.0.0/16,10.1.0.0/16", |spec| {
        peer(spec, "10.1.0.0/16", |peering| peering.remote_prefixes = Some(texts("10.9.0.0/16")));
    });
}

#[test]
fn a_peering_of_unknown_state_is_perhaps_in_the_tag() {
    let tag = virtual_network(&estate(|spec| {
        peer(spec, "10.1.0.0/16", |peering| peering.state = Some(text("?")));
    }));
    assert_eq!(*tag.must(), set_of(&format!("10.0.0.0/16,{HOST}")));
    assert_eq!(*tag.may(), set_of(&format!("10.0.0.0/16,10.1.0.0/16,{HOST}")));
}

#[test]
fn virtual_network_has_what_its_gateway_learned() {
    let on_premises = || texts("192.168.0.0/16");
    check("10.0.0.0/16,192.168.0.0/16", |spec| learn(spec, "/vnets/a", on_premises()));
    // Another network's gateway is reached through a peering that says so.
    check("10.0.0.0/16,10.1.0.0/16", |spec| {
        peer(spec, "10.1.0.0/16", |_| {});
        learn(spec, "/vnets/b", on_premises());
    });
    check("10.0.0.0/16,10.1.0.0/16,192.168.0.0/16", |spec| {
        peer(spec, "10.1.0.0/16", |peering| peering.use_remote_gateways = Truth::Yes);
        learn(spec, "/vnets/b", on_premises());
    });
    // A route table may refuse what the gateways learned.
    for refused in [true, false] {
        let expected = if refused { "10.0.0.0/16" } else { "10.0.0.0/16,192.168.0.0/16" };
        check(&format!("{expected},10.9.0.0/16"), |spec| {
            learn(spec, "/vnets/a", on_premises());
            route(spec, "10.9.0.0/16", "VirtualAppliance");
            spec.route_tables[0].disable_gateway_propagation = refused.into();
        });
    }
    // Where it is not known whether, they are perhaps there.
    let on_premises_perhaps = |change: &dyn Fn(&mut EstateSpec)| {
        let tag = virtual_network(&estate(|spec| {
            learn(spec, "/vnets/a", on_premises());
            change(spec);
        }));
        tag.contains("192.168.0.1".parse().expect("an address"))
    };
    let table = |disable: Truth| {
        on_premises_perhaps(&|spec| {
            route(spec, "10.9.0.0/16", "VirtualAppliance");
            spec.route_tables[0].disable_gateway_propagation = disable;
        })
    };
    assert_eq!([Truth::No, Truth::Maybe, Truth::Yes].map(table), [Truth::Yes, Truth::Maybe, Truth::No]);
    let absent = on_premises_perhaps(&|spec| {
        spec.virtual_networks[0].subnets[0].route_table = Some(to("/tables/absent"));
    });
    assert_eq!(absent, Truth::Maybe, "a table that is not in the input may refuse them");
    let of_some_network = virtual_network(&estate(|spec| {
        learn(spec, "/vnets/a", on_premises());
        spec.learned_prefixes[0].virtual_network = At::unknown("parameter");
    }));
    assert!(!of_some_network.is_certain());
}

#[test]
fn virtual_network_has_the_destinations_of_all_routes() {
    for next_hop in ["VirtualAppliance", "Internet", "None", "VnetLocal", "VirtualNetworkGateway"] {
        check("10.0.0.0/16,172.16.0.0/12", |spec| route(spec, "172.16.0.0/12", next_hop));
    }
    check("0.0.0.0/0", |spec| route(spec, "0.0.0.0/0", "VirtualAppliance"));
    // Host bits are cleared, as the portal does.
    check("10.0.0.0/16,10.9.0.0/16", |spec| route(spec, "10.9.1.1/16", "VirtualAppliance"));
    check_open("10.0.0.0/16,10.9.0.0/16", |spec| {
        route(spec, "?", "VirtualAppliance");
        route(spec, "10.9.0.0/16", "VirtualAppliance");
    });
    check_open("10.0.0.0/16", |spec| {
        spec.virtual_networks[0].subnets[0].route_table = Some(to("/tables/gone"));
    });
    check_open("10.0.0.0/16", |spec| {
        spec.virtual_networks[0].subnets[0].route_table = Some(At::unknown("parameter"));
    });
}

#[test]
fn a_route_may_lead_to_a_service_tag() {
    let spec = estate(|spec| route(spec, "Storage", "Internet"));
    assert_eq!(problems(&spec)[0].code, Code::PalServiceTagUnresolved);
    assert!(virtual_network(&spec).may().is_full());
    let estate = accept(&spec, catalog(&[("Storage", "20.0.0.0/24")]));
    let rules = &estate.effective(the_nic(&estate, "n")).inbound[0].rules;
    assert_eq!(rules[0].source, Addresses::exactly(set_of("10.0.0.0/16,20.0.0.0/24,168.63.129.16")));
}

/// Two subnets of one network differ by their route tables.
#[test]
fn virtual_network_is_the_subnets_own() {
    let spec = estate(|spec| {
        route(spec, "0.0.0.0/0", "VirtualAppliance");
        let mut other = network("a", "10.0.0.0/16").subnets.remove(0);
        other.id = id("/vnets/a/subnets/plain");
        other.nsg = Some(to("/nsgs/web"));
        spec.virtual_networks[0].subnets.push(other);
        let mut nic = nic("m", "a", "10.0.1.4");
        nic.ip_configurations[0].subnet = Some(to("/vnets/a/subnets/plain"));
        spec.nics.push(nic);
    });
    let estate = accept(&spec, TagCatalog::default());
    let tag = |name| estate.effective(the_nic(&estate, name)).outbound[0].rules[0].destination.clone();
    assert_eq!(tag("n"), Addresses::exactly(set_of("0.0.0.0/0")));
    assert_eq!(tag("m"), Addresses::exactly(set_of("10.0.0.0/16,168.63.129.16")));
    // An NSG alone cannot say which of the two is meant.
    let alone = estate.effective_alone(the_nsg(&estate, "/nsgs/web"), None);
    assert!(!alone.inbound[0].rules[0].source.is_certain());
    let given = estate.effective_alone(the_nsg(&estate, "/nsgs/web"), Some(set_of("10.5.0.0/16")));
    assert_eq!(given.inbound[0].rules[0].source, Addresses::exactly(set_of("10.5.0.0/16,168.63.129.16")));
}

#[test]
fn an_nsg_alone_takes_the_tag_of_where_it_is_attached() {
    let spec = estate(|_| {});
    let estate = accept(&spec, TagCatalog::default());
    let alone = estate.effective_alone(the_nsg(&estate, "/nsgs/web"), None);
    assert_eq!(alone.inbound[0].rules[0].source, Addresses::exactly(set_of("10.0.0.0/16,168.63.129.16")));
}

#[test]
fn networks_without_a_known_space_leave_the_tag_open() {
    check_open("", |spec| spec.virtual_networks[0].address_prefixes = None);
    check_open("", |spec| spec.virtual_networks[0].address_prefixes = Some(At::unknown("parameter")));
    check_open("10.0.0.0/16", |spec| {
        spec.virtual_networks[0].address_prefixes = Some(texts("10.0.0.0/16,?"));
    });
}

#[test]
fn internet_is_all_but_the_special_use_blocks() {
    let internet = ComputedTag::Internet.fixed_addresses().expect("it is the same everywhere");
    let v4 = set_of(
        "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.0.2.0/24,192.168.0.0/16,\
         198.18.0.0/15,224.0.0.0/3",
    );
    let v6 = set_of("::/8,100::/64,2001:db8::/32,3fff::/20,5f00::/16,fc00::/7,fe80::/10,ff00::/8");
    assert_eq!(internet, v4.union(&v6).complement());
    for inside in
        ["1.1.1.1", "198.51.100.7", "203.0.113.5", "172.131.0.100", "192.88.99.1", HOST, "2606:4700::1"]
    {
        assert!(internet.contains(inside.parse().expect("an address")), "{inside}");
    }
    for outside in
        ["10.0.0.1", "169.254.169.254", "192.0.2.5", "255.255.255.255", "fd00::1", "fe80::1", "::1"]
    {
        assert!(!internet.contains(outside.parse().expect("an address")), "{outside}");
    }
}

#[test]
fn the_fixed_tags_are_azures_addresses() {
    let of = |tag: ComputedTag| tag.fixed_addresses().expect("it is the same everywhere");
    assert_eq!(of(ComputedTag::AzureLoadBalancer), set_of("168.63.129.16,fe80::1234:5678:9abc"));
    assert_eq!(of(ComputedTag::AzurePlatformDns), set_of("168.63.129.16,fe80::1234:5678:9abc"));
    assert_eq!(of(ComputedTag::AzurePlatformImds), set_of("169.254.169.254"));
    assert_eq!(of(ComputedTag::AzurePlatformLkm), set_of("20.118.99.224,23.102.135.246,40.83.235.53"));
    assert_eq!(ComputedTag::VirtualNetwork.fixed_addresses(), None);
}

/// The addresses of a tag in a rule of an NSG that stands alone in 10.0.0.0/16.
fn resolved(tag: &str, tags: TagCatalog) -> Addresses {
    let estate = accept(&nsg(vec![rule(&[("destinationAddressPrefix", tag)])]), tags);
    let policy = estate.effective_alone(the_nsg(&estate, "/nsgs/web"), Some(set_of("10.0.0.0/16")));
    policy.inbound[0].rules[0].destination.clone()
}

#[test]
fn a_file_replaces_computed_tags_but_virtual_network() {
    let file = || {
        catalog(&[
            ("Internet", "8.0.0.0/8"),
            ("azureplatformdns", "10.0.0.53/32"),
            ("VirtualNetwork", "1.0.0.0/8"),
            ("Storage", "20.0.0.0/24"),
        ])
    };
    assert_eq!(resolved("internet", file()), Addresses::exactly(set_of("8.0.0.0/8")));
    assert_eq!(resolved("AzurePlatformDNS", file()), Addresses::exactly(set_of("10.0.0.53")));
    assert_eq!(resolved("VirtualNetwork", file()), Addresses::exactly(set_of("10.0.0.0/16,168.63.129.16")));
    assert_eq!(resolved("storage", file()), Addresses::exactly(set_of("20.0.0.0/24")));
    assert_eq!(resolved("AzureLoadBalancer", file()).must().v4().ranges().len(), 1);
    assert_eq!(PlatformService::Dns.addresses(&file()), set_of("10.0.0.53"), "the exemption follows the tag");
    assert_eq!(file().len(), 4);
}

#[test]
fn a_tag_without_a_file_may_be_anything() {
    let tag = resolved("Storage", TagCatalog::default());
    assert!(tag.must().is_empty() && tag.may().is_full());
    assert_eq!(tag.contains("10.0.0.4".parse().expect("an address")), Truth::Maybe);
    assert!(TagCatalog::default().is_empty());
}

#[test]
fn rules_name_platform_services_by_their_tags() {
    let named = |field: &str, tag: &str| {
        let estate = accept(&nsg(vec![rule(&[(field, tag)])]), TagCatalog::default());
        let policy = estate.effective_alone(the_nsg(&estate, "/nsgs/web"), None);
        policy.inbound[0].rules[0].services.clone()
    };
    assert_eq!(named("destinationAddressPrefix", "AzurePlatformDNS"), [PlatformService::Dns]);
    assert_eq!(named("destinationAddressPrefix", "azureplatformimds"), [PlatformService::Metadata]);
    assert_eq!(named("destinationAddressPrefix", "AzurePlatformLKM"), [PlatformService::Licensing]);
    assert_eq!(named("sourceAddressPrefix", "AzurePlatformDNS"), []);
    assert_eq!(named("destinationAddressPrefix", "AzureLoadBalancer"), []);
    assert_eq!(named("destinationAddressPrefix", HOST), []);
}

#[test]
fn fields_keep_the_tag_as_it_was_written() {
    let estate = accept(&nsg(vec![rule(&[("sourceAddressPrefix", "internet")])]), TagCatalog::default());
    let rule = &the_nsg(&estate, "/nsgs/web").rules(Direction::Inbound)[0];
    let AddressField::Tag(name) = &rule.source().addresses else { panic!("{rule:?}") };
    assert_eq!(name.as_str(), "internet");
    assert_eq!(name.computed(), Some(ComputedTag::Internet));
}

/// A network of its own: nothing of `a` is in its tag.
#[test]
fn unpeered_networks_do_not_know_each_other() {
    check("10.0.0.0/16", |spec| {
        let stranger = VirtualNetworkSpec {
            peerings: vec![PeeringSpec::new(id("/vnets/a"))],
            ..network("b", "10.1.0.0/16")
        };
        spec.virtual_networks.push(stranger);
    });
}
