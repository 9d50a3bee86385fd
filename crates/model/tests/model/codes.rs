//! Every code, with the input that makes it and the message that says it.

mod settings;

use std::collections::BTreeSet;

use palisade_model::{
    Code, Severity,
    spec::{
        AsgSpec, At, EstateSpec, IpConfigurationSpec, LearnedPrefixesSpec, NatRuleSpec, NicSpec, NsgSpec,
        PeeringSpec, PublicIpSpec, RouteSpec, RouteTableSpec, SubnetSpec, ThrottleSpec, VirtualNetworkSpec,
    },
};

use crate::endpoints;
use crate::support::{id, network, nic, nsg, numbered, problems, rule, source_addresses, text, texts, to};

/// One input, and the only problem that it has.
struct Case {
    code: Code,
    severity: Severity,
    message: &'static str,
    spec: EstateSpec,
}

/// An NSG of one rule that is changed from a right one.
fn of_rule(code: Code, message: &'static str, changes: &[(&str, &str)]) -> Case {
    error(code, message, nsg(vec![rule(changes)]))
}

fn error(code: Code, message: &'static str, spec: EstateSpec) -> Case {
    Case { code, severity: Severity::Error, message, spec }
}

fn warning(code: Code, message: &'static str, spec: EstateSpec) -> Case {
    Case { code, severity: Severity::Warning, message, spec }
}

fn throttle(interface: &str, per_second: i64) -> ThrottleSpec {
    ThrottleSpec {
        id: id(&format!("/throttled/{interface}")),
        throttle: None,
        interface: Some(to(&format!("/nics/{interface}"))),
        per_second: Some(At::known(per_second)),
        working_set: None,
        expires_at: None,
        place: palisade_model::Place::default(),
    }
}

/// One field of one rule.
fn rule_cases() -> Vec<Case> {
    let name_message = "Resource name web-rule- is invalid. The name can be up to 80 characters long. It must begin with \
                        a word character, and it must end with a word character or with '_'. The name may contain word \
                        characters or '.', '-', '_'.";
    vec![
        of_rule(
            Code::SecurityRuleInvalidAddressPrefix,
            "Security rule /nsgs/web/securityRules/r has invalid Address prefix. Value provided: 50.206.209.68/27 \
             (50.206.209.68/27 has host bits set (write 50.206.209.64/27))",
            &[("sourceAddressPrefix", "50.206.209.68/27")],
        ),
        of_rule(
            Code::SecurityRuleInvalidPortRange,
            "Security rule has invalid Port range. Value provided: 80,443. Value should be an integer OR integer range \
             with '-' delimiter. Valid range 0-65535. (/nsgs/web/securityRules/r: \"80,443\" is not a port, a range of \
             ports or * (write 443, 1024-65535 or *; the range is 0-65535))",
            &[("destinationPortRange", "80,443")],
        ),
        of_rule(
            Code::SecurityRuleParameterContainsUnsupportedValue,
            "Security rule parameter SourceAddressPrefix for rule with Id /nsgs/web/securityRules/r cannot specify \
             existing VIRTUALNETWORK, INTERNET, AZURELOADBALANCER, '*' or system tags. Unsupported value used: Internet.",
            &[("sourceAddressPrefix", "-"), ("sourceAddressPrefixes", "10.0.0.0/8,Internet")],
        ),
        of_rule(
            Code::OverlappingSubnetsNotPermittedInSecurityRule,
            "Security rule /nsgs/web/securityRules/r has overlapping address prefixes 10.0.0.0/8 and 10.0.0.0/16",
            &[("sourceAddressPrefix", "-"), ("sourceAddressPrefixes", "10.0.0.0/16,10.0.0.0/8")],
        ),
        of_rule(
            Code::ResourceCannotContainAddressPrefixesFromDifferentAddressFamilies,
            "Resource /nsgs/web/securityRules/r contains IP addresses or prefixes that belong to different address \
             families. All IP addresses or prefixes in the resource should belong to the same address family.",
            &[("sourceAddressPrefix", "10.0.0.0/8"), ("destinationAddressPrefix", "fd00::/8")],
        ),
        of_rule(
            Code::SecurityRuleParametersMissing,
            "Required security rule parameters are missing for security rule with Id: /nsgs/web/securityRules/r. \
             Security rule must specify SourceAddressPrefixes, SourceAddressPrefix, or SourceApplicationSecurityGroups.",
            &[("sourceAddressPrefix", "-"), ("sourceAddressPrefixes", "")],
        ),
        of_rule(
            Code::PalExactlyOneValue,
            "Security rule with Id /nsgs/web/securityRules/r must specify a non empty value for exactly one of: \
             DestinationAddressPrefixes, DestinationAddressPrefix, DestinationApplicationSecurityGroups.",
            &[("destinationAddressPrefixes", "10.0.0.4")],
        ),
        of_rule(Code::InvalidResourceName, name_message, &[("name", "web-rule-")]),
        of_rule(
            Code::SecurityRuleInvalidPriority,
            "Security rule /nsgs/web/securityRules/r has invalid Priority. Value provided: 99. Allowed range 100-4096.",
            &[("priority", "99")],
        ),
        of_rule(
            Code::PalInvalidValue,
            "Protocol \"Gre\" of security rule /nsgs/web/securityRules/r is not one of Tcp, Udp, Icmp, Esp, Ah, * or 0 \
             to 255",
            &[("protocol", "Gre")],
        ),
        warning(
            Code::PalPortsWithoutProtocol,
            "security rule /nsgs/web/securityRules/r restricts destination ports: they are matched against the ICMP type \
             (write *)",
            nsg(vec![rule(&[("protocol", "Icmp")])]),
        ),
        warning(
            Code::PalServiceTagUnresolved,
            "service tag Storage.WestUS of /nsgs/web/securityRules/r is not resolved (give a tag file)",
            nsg(vec![rule(&[("destinationAddressPrefix", "Storage.WestUS")])]),
        ),
    ]
}

/// Several rules of one NSG.
fn nsg_cases() -> Vec<Case> {
    let description = "d".repeat(141);
    let twice = EstateSpec {
        nsgs: vec![
            NsgSpec::new(id("/nsgs/web")),
            NsgSpec { certain: false, ..NsgSpec::new(id("/NSGS/Web")) },
        ],
        ..EstateSpec::default()
    };
    vec![
        error(
            Code::SecurityRuleConflict,
            "Security rule r conflicts with rule other. Rules cannot have the same Priority and Direction. To learn \
             more, see aka.ms/nsgrules.",
            nsg(vec![rule(&[]), rule(&[("name", "other")])]),
        ),
        error(
            Code::DuplicateResourceName,
            "Resource /nsgs/web has two child resources with the same name (R).",
            nsg(vec![rule(&[]), rule(&[("name", "R"), ("direction", "Outbound")])]),
        ),
        of_rule(
            Code::PalDescriptionTooLong,
            "description of security rule /nsgs/web/securityRules/r has 141 characters; the limit is 140",
            &[("description", &description)],
        ),
        error(
            Code::SecurityRuleCountLimitReached,
            "A security group cannot have more than 1000 security rules. /nsgs/web has 1001.",
            nsg(numbered(1001)),
        ),
        error(
            Code::PalAddressLimitReached,
            "/nsgs/web has 4001 source addresses and ranges; the limit is 4000",
            nsg(source_addresses(4001)),
        ),
        warning(
            Code::PalDuplicateResource,
            "resource /NSGS/Web stands twice and differs; this one counts (remove one of them)",
            twice,
        ),
    ]
}

fn networks(virtual_networks: Vec<VirtualNetworkSpec>) -> EstateSpec {
    EstateSpec { virtual_networks, ..EstateSpec::default() }
}

fn asgs(names: &[&str]) -> Vec<AsgSpec> {
    names.iter().map(|name| AsgSpec::new(id(&format!("/asgs/{name}")))).collect()
}

fn member(mut nic: NicSpec, groups: &[&str]) -> NicSpec {
    nic.ip_configurations[0].asgs = groups.iter().map(|group| to(&format!("/asgs/{group}"))).collect();
    nic
}

fn second(mut nic: NicSpec, subnet: &str, groups: &[&str]) -> NicSpec {
    let asgs = groups.iter().map(|group| to(&format!("/asgs/{group}"))).collect();
    nic.ip_configurations.push(IpConfigurationSpec { asgs, ..IpConfigurationSpec::new("d", id(subnet)) });
    nic
}

/// Networks, interfaces and what they refer to.
fn network_cases() -> Vec<Case> {
    let two_networks = || networks(vec![network("a", "10.0.0.0/16"), network("b", "10.1.0.0/16")]);
    let flow_timeout =
        VirtualNetworkSpec { flow_timeout_minutes: Some(At::known(31)), ..network("a", "10.0.0.0/16") };
    let two_subnets = {
        let mut network = network("a", "10.0.0.0/16");
        let other = SubnetSpec::new(network.id.child("subnets", "t"));
        network.subnets.push(SubnetSpec { address_prefixes: Some(texts("10.0.9.0/24")), ..other });
        networks(vec![network])
    };
    let rule_of_groups = rule(&[
        ("sourceAddressPrefix", "-"),
        ("sourceApplicationSecurityGroups", "a"),
        ("destinationAddressPrefix", "-"),
        ("destinationApplicationSecurityGroups", "b"),
    ]);
    let in_groups = |first: &[&str], other: &[&str]| {
        vec![member(nic("n", "a", "10.0.0.4"), first), member(nic("m", "b", "-"), other)]
    };
    vec![
        error(
            Code::AllApplicationSecurityGroupsInSecurityRuleMustBeFromSameVnet,
            "Security Rule /nsgs/web/securityRules/r has Application Security Groups (ASGs) from multiple virtual networks \
             (/vnets/a, /vnets/b). All ASGs on the Security Rule must be from the same virtual network.",
            EstateSpec {
                asgs: asgs(&["a", "b"]),
                nics: in_groups(&["a"], &["b"]),
                nsgs: nsg(vec![rule_of_groups]).nsgs,
                ..two_networks()
            },
        ),
        error(
            Code::PalGroupMembersInDifferentNetworks,
            "members of /asgs/a are in different virtual networks: /vnets/a, /vnets/b",
            EstateSpec { asgs: asgs(&["a"]), nics: in_groups(&["a"], &["a"]), ..two_networks() },
        ),
        error(
            Code::PalIpConfigurationGroupsDiffer,
            "IP configurations of /nics/n are in different application security groups",
            EstateSpec {
                asgs: asgs(&["a", "b"]),
                nics: vec![second(member(nic("n", "a", "10.0.0.4"), &["a"]), "/vnets/a/subnets/s", &["b"])],
                ..two_networks()
            },
        ),
        error(
            Code::PalIpConfigurationSubnetsDiffer,
            "IPConfigurations on a Nic cannot belong to different subnets. /nics/n is in /vnets/a/subnets/s and \
             /vnets/a/subnets/t.",
            EstateSpec {
                nics: vec![second(nic("n", "a", "10.0.0.4"), "/vnets/a/subnets/t", &[])],
                ..two_subnets
            },
        ),
        error(
            Code::PalInvalidFlowTimeout,
            "flowTimeoutInMinutes 31 of /vnets/a is outside 4 to 30",
            networks(vec![flow_timeout]),
        ),
        error(
            Code::InvalidAddressPrefixFormat,
            "address prefix \"10.0.0.0/33\" is invalid: prefix length 33 is above 32",
            EstateSpec {
                virtual_networks: vec![VirtualNetworkSpec {
                    address_prefixes: Some(texts("10.0.0.0/33")),
                    ..network("a", "10.0.0.0/16")
                }],
                ..EstateSpec::default()
            },
        ),
        error(
            Code::PalInvalidMacAddress,
            "\"00-0D-3A\" is not a hardware address (write 00-0D-3A-12-34-56 or 00:0d:3a:12:34:56)",
            EstateSpec {
                nics: vec![NicSpec { mac: Some(text("00-0D-3A")), ..nic("n", "a", "-") }],
                ..two_networks()
            },
        ),
        error(
            Code::PalInvalidThrottle,
            "newDestinationsPerSecond of /throttled/n is 0 and must be 1 to 1000",
            EstateSpec {
                throttles: vec![throttle("n", 0)],
                nics: vec![nic("n", "a", "-")],
                ..two_networks()
            },
        ),
        warning(
            Code::InvalidResourceReference,
            "Resource /nsgs/gone not found in the input; what depends on it is unknown (add its file)",
            EstateSpec {
                nics: vec![NicSpec { nsg: Some(to("/nsgs/gone")), ..nic("n", "a", "-") }],
                ..two_networks()
            },
        ),
    ]
}

/// Inbound NAT rules that stand in each other's way.
fn endpoint_cases() -> Vec<Case> {
    let two = |change: &dyn Fn(&mut NatRuleSpec)| {
        let mut other = endpoints::rule("other");
        change(&mut other);
        endpoints::estate(vec![endpoints::rule("rdp"), other])
    };
    let of_machine = to("/nics/vm/ipConfigurations/c");
    let mut two_targets = two(&|rule| rule.frontend_port = Some(At::known(50_002)));
    two_targets.nics.push(nic("vm2", "v", "10.0.0.5"));
    two_targets.nics[1].ip_configurations[0].nat_rules = vec![endpoints::named("rdp")];
    vec![
        error(
            Code::PalFrontendPortTaken,
            "inbound NAT rules /lbs/lb/inboundNatRules/rdp and /lbs/lb/inboundNatRules/other use the same frontend port \
             50001 and protocol Tcp of /lbs/lb/frontendIPConfigurations/outer (give one of them another port)",
            two(&|rule| rule.backend_port = Some(At::known(22))),
        ),
        error(
            Code::RulesUseSameBackendPortProtocolAndIPConfig,
            "Load balancer rules /lbs/lb/inboundNatRules/rdp and /lbs/lb/inboundNatRules/other with floating IP disabled \
             use the same backend port 3389 and protocol Tcp, and must not be used with the same backend IP \
             /nics/vm/ipConfigurations/c.",
            two(&|rule| {
                rule.frontend_port = Some(At::known(50_002));
                rule.target = Some(of_machine.clone());
            }),
        ),
        error(
            Code::PalInboundNatRuleTargetsDiffer,
            "inbound NAT rule /lbs/lb/inboundNatRules/rdp leads to /nics/vm/ipConfigurations/c and to \
             /nics/vm2/ipConfigurations/c (name it in one IP configuration)",
            two_targets,
        ),
    ]
}

/// Limits of counts; `limits.rs` holds each to its edge.
fn count_cases() -> Vec<Case> {
    let eleven: Vec<String> = (0..11).map(|n| format!("g{n}")).collect();
    let names: Vec<&str> = eleven.iter().map(String::as_str).collect();
    let eleven_groups = EstateSpec {
        asgs: asgs(&names),
        ..nsg(vec![rule(&[
            ("sourceAddressPrefix", "-"),
            ("sourceApplicationSecurityGroups", &eleven.join(",")),
        ])])
    };
    let route =
        |n: u32| RouteSpec::new(&format!("r{n}"), &format!("10.{}.{}.0/24", n / 256, n % 256), "None");
    let table =
        RouteTableSpec { routes: (0..401).map(route).collect(), ..RouteTableSpec::new(id("/tables/t")) };
    vec![
        error(
            Code::PalApplicationSecurityGroupLimitReached,
            "security rule /nsgs/web/securityRules/r names 11 groups on one side; the limit is 10",
            eleven_groups,
        ),
        error(
            Code::PalResourceCountLimitReached,
            "401 routes of /tables/t are more than the limit of 400",
            EstateSpec { route_tables: vec![table], ..EstateSpec::default() },
        ),
    ]
}

#[test]
fn every_code_has_an_input_that_makes_it_and_it_alone() {
    let cases =
        [rule_cases(), settings::cases(), nsg_cases(), network_cases(), count_cases(), endpoint_cases()];
    let mut reached = BTreeSet::new();
    for case in cases.into_iter().flatten() {
        let found = problems(&case.spec);
        let [problem] = found.as_slice() else { panic!("{}: {found:#?}", case.code) };
        assert_eq!((problem.code, problem.severity), (case.code, case.severity));
        assert_eq!(problem.message, case.message);
        reached.insert(case.code);
    }
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !reached.contains(code)).collect();
    assert!(missing.is_empty(), "no input makes {missing:?}");
}

#[test]
fn codes_that_azure_does_not_publish_say_so() {
    for code in Code::ALL {
        assert_eq!(code.name(), code.to_string());
        assert!(code.name().bytes().all(|b| b.is_ascii_alphabetic()), "{code}");
    }
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len(), "no two codes have one text");
}

/// References of every kind that lead nowhere are told, and nothing else is wrong.
#[test]
fn references_that_lead_nowhere_are_told() {
    let mut spec = networks(vec![network("a", "10.0.0.0/16")]);
    spec.virtual_networks[0].subnets[0].nsg = Some(to("/nsgs/gone"));
    spec.virtual_networks[0].subnets[0].route_table = Some(to("/tables/gone"));
    spec.virtual_networks[0].peerings.push(PeeringSpec::new(id("/vnets/gone")));
    let told =
        PeeringSpec { remote_prefixes: Some(texts("10.7.0.0/16")), ..PeeringSpec::new(id("/vnets/told")) };
    spec.virtual_networks[0].peerings.push(told);
    let mut nic = nic("n", "gone", "-");
    nic.ip_configurations[0].public_ip = Some(to("/ips/gone"));
    nic.ip_configurations[0].asgs = vec![to("/asgs/gone")];
    spec.nics.push(nic);
    spec.nsgs =
        nsg(vec![rule(&[("sourceAddressPrefix", "-"), ("sourceApplicationSecurityGroups", "lost")])]).nsgs;
    spec.learned_prefixes.push(LearnedPrefixesSpec {
        virtual_network: to("/vnets/hub"),
        address_prefixes: texts("192.168.0.0/16"),
    });
    let found = problems(&spec);
    assert!(found.iter().all(|problem| problem.code == Code::InvalidResourceReference), "{found:#?}");
    let told: BTreeSet<&str> =
        found.iter().map(|problem| problem.message.split(' ').nth(1).expect("an id")).collect();
    let expected = [
        "/asgs/gone",
        "/asgs/lost",
        "/ips/gone",
        "/nsgs/gone",
        "/tables/gone",
        "/vnets/gone",
        "/vnets/gone/subnets/s",
        "/vnets/hub",
    ];
    assert_eq!(told, expected.into());
}

#[test]
fn values_of_neighbours_are_checked() {
    let of_sku = |sku: &str| {
        let ip = PublicIpSpec { sku: Some(text(sku)), ..PublicIpSpec::new(id("/ips/p")) };
        EstateSpec { public_ips: vec![ip], ..EstateSpec::default() }
    };
    for sku in ["Basic", "standard", "StandardV2", "?"] {
        assert_eq!(problems(&of_sku(sku)), []);
    }
    let found = problems(&of_sku("Standardised"));
    assert_eq!(found[0].code, Code::PalInvalidValue);
    assert_eq!(
        found[0].message,
        "SKU \"Standardised\" of /ips/p is not one of Basic, Standard or StandardV2"
    );
    let mut spec = networks(vec![network("a", "10.0.0.0/16")]);
    spec.virtual_networks[0].subnets[0].private_endpoint_policies = Some(text("On"));
    assert_eq!(problems(&spec)[0].code, Code::PalInvalidValue);
    // A network's prefix may have host bits, as the portal takes it; an interface's address may not.
    let mut spec = networks(vec![network("a", "10.0.0.7/16")]);
    assert_eq!(problems(&spec), []);
    spec.nics.push(nic("n", "a", "10.0.0.4/24"));
    assert_eq!(problems(&spec)[0].code, Code::InvalidAddressPrefixFormat);
}

#[test]
fn routes_lead_to_prefixes_or_published_tags() {
    let routes = |prefix: &str| {
        let table = RouteTableSpec {
            routes: vec![RouteSpec { address_prefix: Some(text(prefix)), ..RouteSpec::new("r", "", "None") }],
            ..RouteTableSpec::new(id("/t"))
        };
        let spec = EstateSpec { route_tables: vec![table], ..EstateSpec::default() };
        problems(&spec).into_iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(routes("0.0.0.0/0"), []);
    assert_eq!(routes("?"), []);
    assert_eq!(routes("Storage"), [Code::PalServiceTagUnresolved]);
    for refused in ["VirtualNetwork", "Internet", "AzureLoadBalancer", "AzurePlatformDNS", "not a tag"] {
        assert_eq!(routes(refused), [Code::InvalidAddressPrefixFormat], "{refused}");
    }
}
