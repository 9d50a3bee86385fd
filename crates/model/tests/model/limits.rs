//! Each limit takes its last value and refuses the next.

use palisade_model::{
    Code, ResourceId, is_valid_name,
    limits::{
        ADDRESSES_PER_NSG_SIDE_MAX, ADMIN_PRIORITY_MIN, ASGS_MAX, ASGS_PER_IP_CONFIGURATION_MAX,
        ASGS_PER_NSG_MAX, ASGS_PER_RULE_SIDE_MAX, DESCRIPTION_LENGTH_MAX, FLOW_TIMEOUT_MINUTES_MAX,
        FLOW_TIMEOUT_MINUTES_MIN, IP_CONFIGURATIONS_PER_ASG_MAX, NSGS_MAX, PEERINGS_PER_NETWORK_MAX,
        PRIORITY_MAX, PRIORITY_MIN, ROUTE_TABLES_MAX, ROUTES_PER_TABLE_MAX, RULES_PER_NSG_MAX,
        SUBNETS_PER_NETWORK_MAX, VIRTUAL_NETWORKS_MAX,
    },
    spec::{
        AdminCollectionSpec, AdminRuleSpec, AsgSpec, At, EstateSpec, NicSpec, NsgSpec, PeeringSpec,
        RouteSpec, RouteTableSpec, RuleSpec, SubnetSpec, VirtualNetworkSpec,
    },
};

use crate::support::{
    codes, codes_of, id, network, nic, nsg, numbered, rule, source_addresses, text, texts, to,
};

/// What a limit is about: `make(n)` has `n` of it.
fn check(max: usize, code: Code, make: impl Fn(usize) -> EstateSpec) {
    let found = |count| codes(&make(count)).into_iter().filter(|found| *found == code).count();
    assert_eq!(found(max), 0, "{max} are within the limit of {code}");
    assert_eq!(found(max + 1), 1, "{} are told once by {code}", max + 1);
}

fn ids(kind: &str, count: usize) -> impl Iterator<Item = ResourceId> {
    (0..count).map(move |n| id(&format!("/{kind}/n{n}")))
}

fn estate() -> EstateSpec {
    EstateSpec::default()
}

#[test]
fn counts_of_an_estate() {
    let code = Code::PalResourceCountLimitReached;
    check(NSGS_MAX, code, |n| EstateSpec { nsgs: ids("nsgs", n).map(NsgSpec::new).collect(), ..estate() });
    check(ASGS_MAX, code, |n| EstateSpec { asgs: ids("asgs", n).map(AsgSpec::new).collect(), ..estate() });
    check(VIRTUAL_NETWORKS_MAX, code, |n| EstateSpec {
        virtual_networks: ids("vnets", n).map(VirtualNetworkSpec::new).collect(),
        ..estate()
    });
    check(ROUTE_TABLES_MAX, code, |n| EstateSpec {
        route_tables: ids("tables", n).map(RouteTableSpec::new).collect(),
        ..estate()
    });
}

#[test]
fn counts_of_a_network_and_a_route_table() {
    let code = Code::PalResourceCountLimitReached;
    let of = |network| EstateSpec { virtual_networks: vec![network], ..estate() };
    check(SUBNETS_PER_NETWORK_MAX, code, |n| {
        let mut network = network("a", "10.0.0.0/8");
        network.subnets = ids("vnets/a/subnets", n).map(SubnetSpec::new).collect();
        of(network)
    });
    check(PEERINGS_PER_NETWORK_MAX, code, |n| {
        let peering =
            |id| PeeringSpec { remote_prefixes: Some(texts("10.9.0.0/16")), ..PeeringSpec::new(id) };
        of(VirtualNetworkSpec {
            peerings: ids("vnets", n).map(peering).collect(),
            ..network("a", "10.0.0.0/16")
        })
    });
    check(ROUTES_PER_TABLE_MAX, code, |n| {
        let routes = (0..n).map(|n| RouteSpec::new(&format!("r{n}"), "10.0.0.0/8", "None")).collect();
        let table = RouteTableSpec { routes, ..RouteTableSpec::new(id("/tables/t")) };
        EstateSpec { route_tables: vec![table], ..estate() }
    });
}

#[test]
fn rules_and_addresses_of_an_nsg() {
    check(RULES_PER_NSG_MAX, Code::SecurityRuleCountLimitReached, |n| nsg(numbered(n)));
    check(ADDRESSES_PER_NSG_SIDE_MAX, Code::PalAddressLimitReached, |n| nsg(source_addresses(n)));
    // The sides are counted apart.
    let both = |mut rule: RuleSpec| {
        rule.destination = rule.source.clone();
        rule
    };
    let rules = source_addresses(ADDRESSES_PER_NSG_SIDE_MAX).into_iter().map(both).collect();
    assert_eq!(codes(&nsg(rules)), []);
}

/// Rules of an NSG that name `count` groups, ten a rule.
fn groups_in_rules(count: usize) -> EstateSpec {
    let names: Vec<String> = (0..count).map(|n| format!("n{n}")).collect();
    let mut rules = numbered(count.div_ceil(ASGS_PER_RULE_SIDE_MAX));
    for (rule, names) in rules.iter_mut().zip(names.chunks(ASGS_PER_RULE_SIDE_MAX)) {
        rule.source.address_prefix = None;
        let groups: Vec<_> = names.iter().map(|name| to(&format!("/asgs/{name}"))).collect();
        rule.source.groups = Some(At::known(groups));
    }
    EstateSpec { asgs: ids("asgs", count).map(AsgSpec::new).collect(), ..nsg(rules) }
}

#[test]
fn application_security_groups() {
    let code = Code::PalApplicationSecurityGroupLimitReached;
    check(ASGS_PER_NSG_MAX, code, groups_in_rules);
    check(ASGS_PER_RULE_SIDE_MAX, code, |n| {
        let names: Vec<String> = (0..n).map(|n| format!("n{n}")).collect();
        let changes = [("sourceAddressPrefix", "-"), ("sourceApplicationSecurityGroups", &*names.join(","))];
        EstateSpec { asgs: ids("asgs", n).map(AsgSpec::new).collect(), ..nsg(vec![rule(&changes)]) }
    });
    let member = |nic: NicSpec, groups: Vec<ResourceId>| {
        let mut nic = nic;
        nic.ip_configurations[0].asgs = groups.into_iter().map(At::known).collect();
        nic
    };
    let networks = || vec![network("a", "10.0.0.0/8")];
    check(ASGS_PER_IP_CONFIGURATION_MAX, code, |n| EstateSpec {
        asgs: ids("asgs", n).map(AsgSpec::new).collect(),
        nics: vec![member(nic("n", "a", "-"), ids("asgs", n).collect())],
        virtual_networks: networks(),
        ..estate()
    });
    check(IP_CONFIGURATIONS_PER_ASG_MAX, code, |n| EstateSpec {
        asgs: vec![AsgSpec::new(id("/asgs/g"))],
        nics: (0..n).map(|n| member(nic(&format!("n{n}"), "a", "-"), vec![id("/asgs/g")])).collect(),
        virtual_networks: networks(),
        ..estate()
    });
}

#[test]
fn priorities() {
    let user = |priority: u16| codes_of(&[("priority", &priority.to_string())]);
    assert_eq!(user(PRIORITY_MIN), []);
    assert_eq!(user(PRIORITY_MAX), []);
    for refused in [PRIORITY_MIN - 1, PRIORITY_MAX + 1, 65_000, 0] {
        assert_eq!(user(refused), [Code::SecurityRuleInvalidPriority], "{refused}");
    }
    for refused in ["-1", "100.5", "99999999999999999999", "", "high"] {
        assert_eq!(codes_of(&[("priority", refused)]), [Code::SecurityRuleInvalidPriority], "{refused}");
    }
    let admin = |priority: u16| {
        let rule = AdminRuleSpec {
            access: Some(text("Deny")),
            direction: Some(text("Inbound")),
            priority: Some(text(&priority.to_string())),
            ..AdminRuleSpec::new("r")
        };
        let collection =
            AdminCollectionSpec { rules: vec![rule], ..AdminCollectionSpec::new(id("/admin/c"), []) };
        codes(&EstateSpec { admin_collections: vec![collection], ..estate() })
    };
    assert_eq!(admin(ADMIN_PRIORITY_MIN), []);
    assert_eq!(admin(PRIORITY_MAX), []);
    assert_eq!(admin(ADMIN_PRIORITY_MIN - 1), [Code::SecurityRuleInvalidPriority]);
    assert_eq!(admin(PRIORITY_MAX + 1), [Code::SecurityRuleInvalidPriority]);
}

#[test]
fn texts_and_times() {
    let described = |length| codes_of(&[("description", &"ä".repeat(length))]);
    assert_eq!(described(DESCRIPTION_LENGTH_MAX), []);
    assert_eq!(described(DESCRIPTION_LENGTH_MAX + 1), [Code::PalDescriptionTooLong]);
    let timeout = |value| {
        let flow_timeout_minutes = Some(At::known(value));
        let network = VirtualNetworkSpec { flow_timeout_minutes, ..network("a", "10.0.0.0/16") };
        codes(&EstateSpec { virtual_networks: vec![network], ..estate() })
    };
    assert_eq!(timeout(FLOW_TIMEOUT_MINUTES_MIN), []);
    assert_eq!(timeout(FLOW_TIMEOUT_MINUTES_MAX), []);
    assert_eq!(timeout(FLOW_TIMEOUT_MINUTES_MIN - 1), [Code::PalInvalidFlowTimeout]);
    assert_eq!(timeout(FLOW_TIMEOUT_MINUTES_MAX + 1), [Code::PalInvalidFlowTimeout]);
}

#[test]
fn names() {
    let longest = format!("a{}_", "-".repeat(78));
    for name in ["a", "_", "A.b-c_", "0", &longest] {
        assert!(is_valid_name(name), "{name}");
        assert_eq!(codes_of(&[("name", name)]), []);
    }
    for name in ["", "-a", ".a", "a-", "a.", "a b", "a/b", "ä", &format!("{longest}_")] {
        assert!(!is_valid_name(name), "{name}");
        assert_eq!(codes_of(&[("name", name)]), [Code::InvalidResourceName], "{name}");
    }
    let mut spec = nsg(vec![]);
    spec.nsgs[0].name = text("web nsg");
    assert_eq!(codes(&spec), [Code::InvalidResourceName]);
}
