//! The fields of a rule: what they take, what they refuse, what order they give.

use palisade_model::{
    Access, AddressField, Code, Maybe, Ports, TagCatalog,
    spec::{EstateSpec, RuleSpec},
};
use palisade_net::{Direction, Protocol, ProtocolMatch};

use crate::support::{accept, catalog, codes, codes_of, nsg, problems, rule, the_nsg};

/// The names of an NSG's rules in order.
fn order(rules: Vec<RuleSpec>, direction: Direction) -> Vec<String> {
    let estate = accept(&nsg(rules), TagCatalog::default());
    the_nsg(&estate, "/nsgs/web").rules(direction).iter().map(|rule| rule.name().to_owned()).collect()
}

#[test]
fn rules_are_asked_by_priority_within_their_direction() {
    let rules = || {
        vec![
            rule(&[("name", "late"), ("priority", "4096")]),
            rule(&[("name", "out"), ("priority", "300"), ("direction", "outbound")]),
            rule(&[("name", "early"), ("priority", "100")]),
            rule(&[("name", "same"), ("priority", "100"), ("direction", "OUTBOUND")]),
        ]
    };
    assert_eq!(
        order(rules(), Direction::Inbound),
        ["early", "late", "AllowVnetInBound", "AllowAzureLoadBalancerInBound", "DenyAllInBound"]
    );
    assert_eq!(
        order(rules(), Direction::Outbound),
        ["same", "out", "AllowVnetOutBound", "AllowInternetOutBound", "DenyAllOutBound"]
    );
}

#[test]
fn the_default_rules_are_azures() {
    let estate = accept(&nsg(vec![]), TagCatalog::default());
    let nsg = the_nsg(&estate, "/nsgs/web");
    let shown: Vec<String> = Direction::ALL
        .iter()
        .flat_map(|direction| nsg.rules(*direction))
        .map(|rule| {
            let tag = |field: &AddressField| match field {
                AddressField::Tag(name) => name.to_string(),
                AddressField::Any => "*".to_owned(),
                other => format!("{other:?}"),
            };
            let number = rule.priority().known().expect("a default rule has a priority").get();
            let access = rule.access().known().expect("a default rule has an access");
            assert_eq!(rule.protocol(), Maybe::Known(ProtocolMatch::Any));
            assert!(rule.is_resolved() && palisade_model::is_default(rule) && !rule.description().is_empty());
            let [source, destination] = [rule.source(), rule.destination()].map(|side| {
                assert!(side.ports.may().is_full());
                tag(&side.addresses)
            });
            format!("{number} {} {source} {destination} {access}", rule.name())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "65000 AllowVnetInBound VirtualNetwork VirtualNetwork Allow",
            "65001 AllowAzureLoadBalancerInBound AzureLoadBalancer * Allow",
            "65500 DenyAllInBound * * Deny",
            "65000 AllowVnetOutBound VirtualNetwork VirtualNetwork Allow",
            "65001 AllowInternetOutBound * Internet Allow",
            "65500 DenyAllOutBound * * Deny",
        ]
    );
}

#[test]
fn a_priority_is_taken_once_a_direction() {
    let other = |changes: &[(&str, &str)]| {
        let named = [&[("name", "other")], changes].concat();
        codes(&nsg(vec![rule(&[]), rule(&named)]))
    };
    assert_eq!(other(&[]), [Code::SecurityRuleConflict]);
    assert_eq!(other(&[("direction", "Outbound")]), []);
    assert_eq!(other(&[("priority", "101")]), []);
    // Rules under conditions may exclude each other.
    assert_eq!(other(&[("certain", "false")]), []);
    assert_eq!(other(&[("priority", "?")]), []);
    assert_eq!(other(&[("direction", "?")]), []);
}

/// The names of default rules are not reserved.
#[test]
fn names_are_unique_in_both_directions_and_without_case() {
    let other = |name: &str, changes: &[(&str, &str)]| {
        let named = [&[("name", name), ("direction", "Outbound")], changes].concat();
        codes(&nsg(vec![rule(&[]), rule(&named)]))
    };
    assert_eq!(other("R", &[]), [Code::DuplicateResourceName]);
    assert_eq!(other("R", &[("certain", "false")]), []);
    assert_eq!(other("DenyAllOutBound", &[]), []);
    let unnamed = || rule(&[("name", "?")]);
    let outbound = rule(&[("name", "?"), ("direction", "Outbound")]);
    assert_eq!(codes(&nsg(vec![unnamed(), outbound])), [], "two names that are not known may differ");
    assert_eq!(codes_of(&[("name", "-")]), [Code::SecurityRuleParametersMissing]);
}

#[test]
fn protocols_are_names_or_numbers() {
    for (text, expected) in [
        ("Tcp", ProtocolMatch::TCP),
        ("TCP", ProtocolMatch::TCP),
        ("udp", ProtocolMatch::UDP),
        ("Icmp", ProtocolMatch::Icmp),
        ("Esp", ProtocolMatch::Number(Protocol::ESP)),
        ("AH", ProtocolMatch::Number(Protocol::AH)),
        ("*", ProtocolMatch::Any),
        ("0", ProtocolMatch::Number(Protocol(0))),
        ("6", ProtocolMatch::TCP),
        ("47", ProtocolMatch::Number(Protocol(47))),
        ("58", ProtocolMatch::Number(Protocol::ICMPV6)),
        ("255", ProtocolMatch::Number(Protocol(255))),
    ] {
        let spec = nsg(vec![rule(&[("protocol", text), ("destinationPortRange", "*")])]);
        let estate = accept(&spec, TagCatalog::default());
        let rule = &the_nsg(&estate, "/nsgs/web").rules(Direction::Inbound)[0];
        assert_eq!(rule.protocol(), Maybe::Known(expected), "{text}");
    }
    for text in ["Any", "Icmpv6", "256", "-", "", "Gre", "6 ", "-1"] {
        let expected = if text == "-" { Code::SecurityRuleParametersMissing } else { Code::PalInvalidValue };
        assert_eq!(codes_of(&[("protocol", text), ("destinationPortRange", "*")]), [expected], "{text}");
    }
}

#[test]
fn accesses_and_directions_are_azures() {
    for (field, refused) in [("access", "AlwaysAllow"), ("access", "Block"), ("direction", "In")] {
        assert_eq!(codes_of(&[(field, refused)]), [Code::PalInvalidValue], "{refused}");
        assert_eq!(codes_of(&[(field, "-")]), [Code::SecurityRuleParametersMissing]);
        assert_eq!(codes_of(&[(field, "?")]), []);
    }
    let estate = accept(&nsg(vec![rule(&[("access", "deny")])]), TagCatalog::default());
    let rule = &the_nsg(&estate, "/nsgs/web").rules(Direction::Inbound)[0];
    assert_eq!(rule.access(), Maybe::Known(Access::Deny));
}

#[test]
fn ports_are_numbers_ranges_or_everything() {
    for good in ["*", "0", "65535", "1-2", "443-443", "0-65535", " 80 "] {
        assert_eq!(codes_of(&[("destinationPortRange", good)]), [], "{good}");
    }
    for bad in ["65536", "80,443", "2-1", "a", "1-", "-1", "1-2-3", "0x50", "http", "+80"] {
        assert_eq!(codes_of(&[("destinationPortRange", bad)]), [Code::SecurityRuleInvalidPortRange], "{bad}");
    }
    // Each element of a list is read like the single field, and each wrong one is told.
    let list = |list: &'static str| codes_of(&[("sourcePortRange", "-"), ("sourcePortRanges", list)]);
    assert_eq!(list("80,443,1000-2000"), []);
    assert_eq!(list("80,*"), []);
    assert_eq!(list("80,x,y"), [Code::SecurityRuleInvalidPortRange; 2]);
    assert_eq!(list(""), [Code::SecurityRuleParametersMissing]);
}

/// Singular and plural fields, and groups: exactly one of them, where an empty one does not count.
#[test]
fn each_side_gives_exactly_one_value() {
    let sides = |single, list, groups| {
        let changes = [
            ("sourceAddressPrefix", single),
            ("sourceAddressPrefixes", list),
            ("sourceApplicationSecurityGroups", groups),
        ];
        let found = codes_of(&changes).into_iter();
        found.filter(|code| *code != Code::InvalidResourceReference).collect::<Vec<_>>()
    };
    for one in [("*", "-", "-"), ("*", "", ""), ("-", "10.0.0.4", "-"), ("", "10.0.0.4", ""), ("-", "-", "g")]
    {
        assert_eq!(sides(one.0, one.1, one.2), [], "{one:?}");
    }
    for none in [("-", "-", "-"), ("", "", ""), (" ", "-", "-")] {
        assert_eq!(sides(none.0, none.1, none.2), [Code::SecurityRuleParametersMissing], "{none:?}");
    }
    for more in [("*", "10.0.0.4", "-"), ("*", "-", "g"), ("-", "10.0.0.4", "g"), ("*", "10.0.0.4", "g")] {
        assert_eq!(sides(more.0, more.1, more.2), [Code::PalExactlyOneValue], "{more:?}");
    }
    for unknown in [("?", "?", "?"), ("?", "-", "-"), ("10.0.0.4", "?", "-"), ("-", "10.0.0.4", "?")] {
        assert_eq!(sides(unknown.0, unknown.1, unknown.2), [], "{unknown:?}");
    }
    let ports = |single, list| codes_of(&[("sourcePortRange", single), ("sourcePortRanges", list)]);
    assert_eq!(ports("80", ""), []);
    assert_eq!(ports("80", "443"), [Code::PalExactlyOneValue]);
    assert_eq!(ports("?", "443"), []);
    assert_eq!(ports("-", "-"), [Code::SecurityRuleParametersMissing]);
}

/// What is unknown may be empty: a known value beside it counts.
#[test]
fn a_known_value_counts_beside_an_unknown_one() {
    let changes = [("sourceAddressPrefix", "?"), ("sourceAddressPrefixes", "10.0.0.4")];
    let estate = accept(&nsg(vec![rule(&changes)]), TagCatalog::default());
    let source = &the_nsg(&estate, "/nsgs/web").rules(Direction::Inbound)[0].source().clone();
    assert_eq!(source.addresses, AddressField::Prefixes(vec!["10.0.0.4".parse().expect("an address")]));
    let unknown = [("sourceAddressPrefix", "?"), ("sourcePortRange", "?"), ("destinationPortRange", "*")];
    let estate = accept(&nsg(vec![rule(&unknown)]), TagCatalog::default());
    let rule = &the_nsg(&estate, "/nsgs/web").rules(Direction::Inbound)[0];
    let reason = AddressField::Unknown("parameter \"p\" has no value".to_owned());
    assert_eq!((&rule.source().addresses, &rule.source().ports), (&reason, &Ports::Unknown));
    assert!(!rule.is_resolved());
}

#[test]
fn addresses_are_canonical() {
    for good in ["*", "10.0.0.4", "10.0.0.0/24", "0.0.0.0/0", "fd00::4", "::/0", "2001:db8::/32"] {
        assert_eq!(codes_of(&[("sourceAddressPrefix", good)]), [], "{good}");
    }
    for bad in [
        "10.0.0.1/24",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0",
        "010.0.0.0/8",
        "10.0.0.0-10.0.0.9",
        "10.0.0.4,10.0.0.5",
        "fd00::1/64",
        "fd00::/129",
        "any",
        "VIRTUAL_NETWORK",
        "AZURE_LOADBALANCER",
        "some tag",
        "Storage.",
        "web-server",
    ] {
        assert_eq!(
            codes_of(&[("sourceAddressPrefix", bad)]),
            [Code::SecurityRuleInvalidAddressPrefix],
            "{bad}"
        );
    }
}

#[test]
fn retired_tags_say_what_to_write() {
    for (retired, instead) in
        [("VIRTUAL_NETWORK", "VirtualNetwork"), ("azure_loadbalancer", "AzureLoadBalancer"), ("Any", "*")]
    {
        let found = problems(&nsg(vec![rule(&[("sourceAddressPrefix", retired)])]));
        assert!(found[0].message.contains(&format!("(write {instead})")), "{}", found[0]);
    }
}

#[test]
fn lists_hold_prefixes_that_are_apart() {
    let list =
        |list: &'static str| codes_of(&[("sourceAddressPrefix", "-"), ("sourceAddressPrefixes", list)]);
    let overlap = Code::OverlappingSubnetsNotPermittedInSecurityRule;
    assert_eq!(list("10.0.0.0/25,10.0.0.128/25"), []);
    assert_eq!(list("1.1.0.0/24,1.1.0.22/32"), [overlap]);
    assert_eq!(list("1.1.1.1,1.1.1.1"), [overlap]);
    assert_eq!(list("10.2.0.0/16,10.1.0.0/16,10.0.0.0/8,11.0.0.0/8"), [overlap; 2]);
    for tag in ["*", "Internet", "VirtualNetwork", "Storage.WestUS"] {
        let found = codes_of(&[("destinationAddressPrefix", "-"), ("destinationAddressPrefixes", tag)]);
        assert_eq!(found, [Code::SecurityRuleParameterContainsUnsupportedValue], "{tag}");
    }
    assert_eq!(list("any"), [Code::SecurityRuleInvalidAddressPrefix]);
    assert_eq!(list("10.0.0.4,?"), []);
}

#[test]
fn one_rule_names_addresses_of_one_family() {
    let mixed = [Code::ResourceCannotContainAddressPrefixesFromDifferentAddressFamilies];
    let both = |source, destination| {
        codes_of(&[("sourceAddressPrefix", source), ("destinationAddressPrefix", destination)])
    };
    assert_eq!(both("10.0.0.0/8", "fd00::/8"), mixed);
    assert_eq!(both("fd00::/8", "fd01::/16"), []);
    assert_eq!(both("fd00::/8", "*"), []);
    assert_eq!(both("10.0.0.0/8", "Internet"), []);
    let one_side = [("sourceAddressPrefix", "-"), ("sourceAddressPrefixes", "10.0.0.0/8,fd00::/8")];
    assert_eq!(codes_of(&one_side), mixed);
}

#[test]
fn a_tag_is_one_that_the_file_has_if_there_is_a_file() {
    let spec = |tag| nsg(vec![rule(&[("destinationAddressPrefix", tag)])]);
    let with_file = |tag| {
        let tags = catalog(&[("Storage", "20.0.0.0/24")]);
        let (_, problems) = palisade_model::Estate::validate(&spec(tag), tags);
        problems.into_iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&spec("Sql")), [Code::PalServiceTagUnresolved]);
    assert_eq!(with_file("Sql"), [Code::SecurityRuleInvalidAddressPrefix]);
    assert_eq!(with_file("Storage"), []);
    assert_eq!(with_file("sTORAGE"), [], "tags are read without case");
    for computed in ["VirtualNetwork", "internet", "AzureLoadBalancer", "AzurePlatformIMDS"] {
        assert_eq!(codes(&spec(computed)), [], "{computed}");
        assert_eq!(with_file(computed), [], "{computed}");
    }
}

/// A protocol with ports takes ports; for the others it is told what they do.
#[test]
fn ports_without_a_protocol_that_has_them_are_told() {
    let told = [Code::PalPortsWithoutProtocol];
    let ports = |protocol, source, destination| {
        codes_of(&[
            ("protocol", protocol),
            ("sourcePortRange", source),
            ("destinationPortRange", destination),
        ])
    };
    assert_eq!(ports("Icmp", "*", "8"), told);
    assert_eq!(ports("Icmp", "8", "*"), told);
    assert_eq!(ports("Icmp", "*", "0-65535"), []);
    assert_eq!(ports("Esp", "*", "500"), told);
    assert_eq!(ports("47", "1", "*"), told);
    for protocol in ["Tcp", "Udp", "*", "?"] {
        assert_eq!(ports(protocol, "1", "2"), [], "{protocol}");
    }
}

#[test]
fn what_is_unknown_comes_first_and_is_not_sure() {
    let rules = vec![
        rule(&[("name", "sure"), ("priority", "100")]),
        rule(&[("name", "anywhen"), ("priority", "?")]),
        rule(&[("name", "anyway"), ("priority", "200"), ("direction", "?")]),
    ];
    let spec = EstateSpec { ..nsg(rules) };
    let estate = accept(&spec, TagCatalog::default());
    for (direction, expected) in
        [(Direction::Inbound, &["anywhen", "sure", "anyway"][..]), (Direction::Outbound, &["anyway"])]
    {
        let rules = the_nsg(&estate, "/nsgs/web").rules(direction);
        let names: Vec<&str> = rules.iter().map(palisade_model::Rule::name).collect();
        assert_eq!(names[..expected.len()], *expected);
        assert_eq!(names.len(), expected.len() + 3);
    }
}
