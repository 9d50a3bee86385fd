//! Which rule lists hold at an interface, in which order, and how sure that is.

use palisade_model::{
    Addresses, Estate, Layer, Maybe, Priority, TagCatalog,
    spec::{AdminCollectionSpec, AdminRuleSpec, AsgSpec, At, EstateSpec, NsgSpec, PublicIpSpec},
};
use palisade_net::Direction;

use crate::support::{accept, id, network, nic, nsg, rule, set_of, text, the_nic, the_nsg, to};

/// An interface `n` in network `a`; NSGs `subnet` and `nic` stand nowhere yet.
fn spec() -> EstateSpec {
    EstateSpec {
        virtual_networks: vec![network("a", "10.0.0.0/16")],
        nics: vec![nic("n", "a", "10.0.0.4")],
        nsgs: vec![NsgSpec::new(id("/nsgs/subnet")), NsgSpec::new(id("/nsgs/nic"))],
        ..EstateSpec::default()
    }
}

fn at_subnet(spec: &mut EstateSpec, nsg: &str) {
    spec.virtual_networks[0].subnets[0].nsg = Some(to(nsg));
}

fn public_ip(spec: &mut EstateSpec, sku: Option<&str>) {
    spec.public_ips = vec![PublicIpSpec { sku: sku.map(text), ..PublicIpSpec::new(id("/ips/p")) }];
    spec.nics[0].ip_configurations[0].public_ip = Some(to("/ips/p"));
}

/// Layers of `n` in one direction; a `?` marks one that may not be there.
fn layers(spec: &EstateSpec, direction: Direction) -> Vec<String> {
    let estate = accept(spec, TagCatalog::default());
    let policy = estate.effective(the_nic(&estate, "n"));
    let shown = policy.layers(direction).iter().map(|layer| {
        let certain = if layer.certain { "" } else { "?" };
        format!("{} {}{certain}", layer.layer, layer.name.as_deref().unwrap_or("-"))
    });
    shown.collect()
}

#[test]
fn the_subnet_is_asked_first_inbound_and_last_outbound() {
    let mut spec = spec();
    at_subnet(&mut spec, "/nsgs/subnet");
    spec.nics[0].nsg = Some(to("/nsgs/nic"));
    let collection = AdminCollectionSpec::new(id("/admin/c"), [id("/vnets/a")]);
    let elsewhere = AdminCollectionSpec::new(id("/admin/d"), [id("/vnets/b")]);
    spec.admin_collections = vec![collection, elsewhere];
    assert_eq!(layers(&spec, Direction::Inbound), ["Admin c", "Subnet subnet", "NetworkInterface nic"]);
    assert_eq!(layers(&spec, Direction::Outbound), ["Admin c", "NetworkInterface nic", "Subnet subnet"]);
}

#[test]
fn without_an_nsg_no_layer_stands() {
    assert_eq!(layers(&spec(), Direction::Inbound), [""; 0]);
    assert_eq!(layers(&spec(), Direction::Outbound), [""; 0]);
}

#[test]
fn a_standard_public_address_waits_for_an_nsg() {
    let inbound = |sku: Option<&str>, change: &dyn Fn(&mut EstateSpec)| {
        let mut spec = spec();
        public_ip(&mut spec, sku);
        change(&mut spec);
        assert_eq!(layers(&spec, Direction::Outbound).iter().filter(|l| l.starts_with("None")).count(), 0);
        layers(&spec, Direction::Inbound)
    };
    let nothing: &dyn Fn(&mut EstateSpec) = &|_| {};
    assert_eq!(inbound(Some("Standard"), nothing), ["None -"]);
    assert_eq!(inbound(Some("StandardV2"), nothing), ["None -"]);
    assert_eq!(inbound(Some("Basic"), nothing), [""; 0]);
    assert_eq!(inbound(None, nothing), [""; 0], "the interface's default is Basic");
    assert_eq!(inbound(Some("?"), nothing), ["None -?"]);
    assert_eq!(inbound(Some("Basic"), &|spec| spec.public_ips.clear()), ["None -?"]);
    assert_eq!(inbound(Some("Standard"), &|spec| at_subnet(spec, "/nsgs/subnet")), ["Subnet subnet"]);
    let conditional = inbound(Some("Standard"), &|spec| {
        at_subnet(spec, "/nsgs/subnet");
        spec.nsgs[0].certain = false;
    });
    assert_eq!(
        conditional,
        ["Subnet subnet?", "None -?"],
        "an NSG that may not be there may leave it closed"
    );
}

#[test]
fn what_the_input_does_not_hold_is_perhaps_there() {
    let mut gone = spec();
    at_subnet(&mut gone, "/nsgs/gone");
    gone.nics[0].nsg = Some(At::unknown("parameter"));
    assert_eq!(layers(&gone, Direction::Inbound), ["Subnet gone?", "NetworkInterface -?"]);
    let mut nowhere = spec();
    nowhere.nics[0].ip_configurations[0].subnet = None;
    nowhere.admin_collections = vec![AdminCollectionSpec::new(id("/admin/c"), [id("/vnets/a")])];
    assert_eq!(layers(&nowhere, Direction::Inbound), ["Admin c", "Subnet -?"]);
}

/// Rules of a collection whose networks are not known, or of an interface whose network is not known, may not apply.
#[test]
fn admin_rules_of_unknown_networks_are_not_sure() {
    let rule = AdminRuleSpec {
        access: Some(text("Deny")),
        direction: Some(text("Inbound")),
        priority: Some(text("7")),
        ..AdminRuleSpec::new("block")
    };
    let certain = |spec: &EstateSpec| {
        let estate = accept(spec, TagCatalog::default());
        let policy = estate.effective(the_nic(&estate, "n"));
        assert_eq!(policy.outbound[0].rules.len(), 0, "the rule is about the other direction");
        let rule = &policy.inbound[0].rules[0];
        assert_eq!(
            (rule.path.as_str(), rule.priority),
            ("block", Maybe::Known(Priority::of_admin(7).expect("7")))
        );
        rule.certain
    };
    let collection = AdminCollectionSpec {
        rules: vec![rule],
        ..AdminCollectionSpec::new(id("/admin/c"), [id("/vnets/a")])
    };
    let mut spec = EstateSpec { admin_collections: vec![collection], ..spec() };
    assert!(certain(&spec));
    spec.nics[0].ip_configurations[0].subnet = Some(At::unknown("parameter"));
    assert!(!certain(&spec));
    spec.nics[0].ip_configurations[0].subnet = Some(to("/vnets/a/subnets/s"));
    spec.admin_collections[0].virtual_networks = At::unknown("a network group by condition");
    assert!(!certain(&spec));
}

#[test]
fn admin_rules_of_all_collections_are_one_list() {
    let rule = |name: &str, priority: &str, prefixes: &[&str]| AdminRuleSpec {
        access: Some(text("AlwaysAllow")),
        direction: Some(text("Inbound")),
        priority: Some(text(priority)),
        sources: prefixes.iter().map(|prefix| text(prefix)).collect(),
        ..AdminRuleSpec::new(name)
    };
    let collection = |name: &str, rules| AdminCollectionSpec {
        rules,
        ..AdminCollectionSpec::new(id(name), [id("/vnets/a")])
    };
    let spec = EstateSpec {
        admin_collections: vec![
            collection("/admin/z", vec![rule("late", "20", &["*"]), rule("tie", "10", &[])]),
            collection(
                "/admin/b",
                vec![rule("first", "10", &["10.0.0.0/8", "AzureLoadBalancer", "fd00::/8"])],
            ),
        ],
        ..spec()
    };
    let estate = accept(&spec, TagCatalog::default());
    let layer = &estate.effective(the_nic(&estate, "n")).inbound[0];
    let paths: Vec<&str> = layer.rules.iter().map(|rule| rule.path.as_str()).collect();
    assert_eq!(paths, ["first", "tie", "late"]);
    assert_eq!(layer.name.as_deref(), Some("b, z"));
    let mixed = set_of("10.0.0.0/8,fd00::/8,168.63.129.16,fe80::1234:5678:9abc");
    assert_eq!(layer.rules[0].source, Addresses::exactly(mixed));
    assert_eq!(layer.rules[1].source, Addresses::any());
}

#[test]
fn a_subnets_nsg_is_about_private_endpoints_where_the_subnet_says_so() {
    let inbound = |policies: Option<&str>| {
        let mut spec = spec();
        at_subnet(&mut spec, "/nsgs/subnet");
        spec.nics[0].private_endpoint = true;
        spec.virtual_networks[0].subnets[0].private_endpoint_policies = policies.map(text);
        layers(&spec, Direction::Inbound)
    };
    assert_eq!(inbound(None), [""; 0]);
    assert_eq!(inbound(Some("Disabled")), [""; 0]);
    assert_eq!(inbound(Some("RouteTableEnabled")), [""; 0]);
    assert_eq!(inbound(Some("enabled")), ["Subnet subnet"]);
    assert_eq!(inbound(Some("NetworkSecurityGroupEnabled")), ["Subnet subnet"]);
    assert_eq!(inbound(Some("?")), ["Subnet subnet?"]);
}

/// An NSG of the rule `source group g -> *` and its estate: interface `n`, and `m` in the same network.
fn grouped(change: impl FnOnce(&mut EstateSpec)) -> (Addresses, Addresses) {
    let rules = [
        rule(&[("sourceAddressPrefix", "-"), ("sourceApplicationSecurityGroups", "g")]),
        rule(&[
            ("name", "o"),
            ("direction", "Outbound"),
            ("sourceAddressPrefix", "-"),
            ("sourceApplicationSecurityGroups", "g"),
        ]),
    ];
    let mut spec = EstateSpec {
        nsgs: nsg(rules.into()).nsgs,
        asgs: vec![AsgSpec::new(id("/asgs/g"))],
        nics: vec![nic("n", "a", "10.0.0.4"), nic("m", "a", "10.0.0.5")],
        ..spec()
    };
    at_subnet(&mut spec, "/nsgs/web");
    change(&mut spec);
    let estate = accept(&spec, TagCatalog::default());
    let policy = estate.effective(the_nic(&estate, "n"));
    (policy.inbound[0].rules[0].source.clone(), policy.outbound[0].rules[0].source.clone())
}

fn join(spec: &mut EstateSpec, nic: usize) {
    spec.nics[nic].ip_configurations[0].asgs.push(to("/asgs/g"));
}

#[test]
fn a_group_is_the_addresses_of_its_members() {
    let exactly = |prefixes| Addresses::exactly(set_of(prefixes));
    assert_eq!(grouped(|_| {}).0, Addresses::empty(), "a group without members is an empty set");
    assert_eq!(grouped(|spec| join(spec, 1)).0, exactly("10.0.0.5"));
    let with_prefixes = grouped(|spec| {
        join(spec, 1);
        spec.asgs[0].address_prefixes = vec![text("192.168.0.0/24")];
    });
    assert_eq!(with_prefixes.0, exactly("10.0.0.5,192.168.0.0/24"));
    let gone = grouped(|spec| spec.asgs.clear());
    assert_eq!(gone.0, Addresses::unknown());
    let perhaps = grouped(|spec| spec.nics[1].ip_configurations[0].asgs.push(At::unknown("parameter")));
    assert_eq!((perhaps.0.must(), perhaps.0.may()), (&set_of(""), &set_of("10.0.0.5")));
    let open = grouped(|spec| spec.asgs[0].address_prefixes = vec![text("?")]);
    assert_eq!(open.0, Addresses::unknown());
}

/// The deployment assigns the address: somewhere in the subnet, as others see it; its own, as the interface sees it.
#[test]
fn a_member_without_an_address_is_somewhere_in_its_subnet() {
    let dynamic = |forwards: bool| {
        grouped(|spec| {
            spec.nics[0] = nic("n", "a", "-");
            spec.nics[0].ip_forwarding = Some(At::known(forwards));
            join(spec, 0);
        })
    };
    let (inbound, outbound) = dynamic(false);
    let others = set_of("10.0.0.0/16").difference(&set_of("10.0.0.5"));
    assert_eq!((inbound.must(), inbound.may()), (&set_of(""), &others));
    assert_eq!(outbound, Addresses::any());
    // One that forwards sends from addresses that are not its own.
    assert!(!dynamic(true).1.is_certain());
}

/// An address that is assigned later is none that somebody has already, and none of another interface.
#[test]
fn an_address_belongs_to_one_interface() {
    let (remote, local) = grouped(|spec| {
        spec.nics[1] = nic("m", "a", "-");
        join(spec, 1);
    });
    let others = set_of("10.0.0.0/16").difference(&set_of("10.0.0.4"));
    assert_eq!((remote.must(), remote.may()), (&set_of(""), &others));
    assert_eq!(local, Addresses::empty());
    let forwards = grouped(|spec| {
        spec.nics[0].ip_forwarding = Some(At::known(true));
        spec.nics[1] = nic("m", "a", "-");
        join(spec, 1);
    });
    assert_eq!(forwards.1.may(), &others, "what it forwards may be from anybody");
    let perhaps = grouped(|spec| {
        spec.nics[0] = nic("n", "a", "-");
        spec.nics[0].ip_configurations[0].asgs.push(At::unknown("parameter"));
    });
    assert!(!perhaps.1.is_certain(), "it may be a member itself");
}

#[test]
fn the_primary_configuration_comes_first() {
    let mut spec = spec();
    let mut second = spec.nics[0].ip_configurations[0].clone();
    second.name = text("second");
    second.primary = Some(true);
    spec.nics[0].ip_configurations.push(second);
    let estate = accept(&spec, TagCatalog::default());
    let names: Vec<&str> =
        the_nic(&estate, "n").ip_configurations().iter().map(palisade_model::IpConfiguration::name).collect();
    assert_eq!(names, ["second", "c"]);
}

#[test]
fn an_nsg_alone_stands_at_its_place_and_is_taken_to_exist() {
    let mut spec = spec();
    at_subnet(&mut spec, "/nsgs/subnet");
    spec.nics[0].nsg = Some(to("/nsgs/nic"));
    spec.nsgs[0].certain = false;
    let estate = accept(&spec, TagCatalog::default());
    let alone = |name: &str| {
        let policy = estate.effective_alone(the_nsg(&estate, name), None);
        assert!(policy.inbound[0].certain && policy.outbound[0].certain);
        policy.inbound[0].layer
    };
    assert_eq!(alone("/nsgs/subnet"), Layer::Subnet);
    assert_eq!(alone("/nsgs/nic"), Layer::NetworkInterface);
}

#[test]
fn resources_are_found_by_name_or_id_without_case() {
    let estate: Estate = accept(&spec(), TagCatalog::default());
    assert_eq!(estate.nsgs_named("SUBNET").len(), 1);
    assert_eq!(estate.nsgs_named("/NSGS/subnet").len(), 1);
    assert_eq!(estate.nics_named("x").len(), 0);
    assert_eq!(estate.subnet(&id("/VNETS/A/subnets/S")).expect("it is there").1.name(), "s");
    assert!(estate.subnet(&id("/vnets/a/subnets/t")).is_none());
}
