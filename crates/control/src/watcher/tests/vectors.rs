//! The documented examples: what Azure's own pages say of these packets.

use super::*;

/// Two subnets' NSGs and an interface's, with and without a rule for port 80 (how NSGs filter traffic).
fn documented(nsg1: &[&str], nsg2: &[&str]) -> Estate {
    estate(&[
        nsg("nsg1", nsg1),
        nsg("nsg2", nsg2),
        network(
            "10.0.0.0/16",
            &[
                ("one", "10.0.1.0/24", Some("nsg1")),
                ("two", "10.0.2.0/24", None),
                ("three", "10.0.3.0/24", None),
            ],
        ),
        interface("vm1", "one", "10.0.1.4", Some("nsg2"), &[]),
        interface("vm2", "one", "10.0.1.5", None, &[]),
        interface("vm3", "two", "10.0.2.4", Some("nsg2"), &[]),
        interface("vm4", "three", "10.0.3.4", None, &[]),
    ])
}

const MACHINES: [(&str, &str); 4] =
    [("vm1", "10.0.1.4"), ("vm2", "10.0.1.5"), ("vm3", "10.0.2.4"), ("vm4", "10.0.3.4")];

#[test]
fn subnet_and_interface_both_have_a_say() {
    const IN: &str = "in80 100 Allow Inbound Tcp Internet * 80";
    const OUT: &str = "out80 100 Deny Outbound Tcp * Internet 80";
    const DENIED: &str = "Deny defaultSecurityRules/DenyAllInBound";
    const ALLOWED: &str = "Allow securityRules/in80";
    const OPEN: &str = "Allow defaultSecurityRules/AllowInternetOutBound";
    const CLOSED: &str = "Deny securityRules/out80";
    let inbound = [
        ([].as_slice(), [].as_slice(), [DENIED, DENIED, DENIED, "Allow"]),
        (&[IN], &[], [DENIED, ALLOWED, DENIED, "Allow"]),
        (&[IN], &[IN], [ALLOWED, ALLOWED, ALLOWED, "Allow"]),
        (&[], &[IN], [DENIED, DENIED, ALLOWED, "Allow"]),
    ];
    for (nsg1, nsg2, expected) in inbound {
        let estate = documented(nsg1, nsg2);
        let found =
            MACHINES.map(|(vm, own)| verified(&estate, vm, &format!("In TCP {own}:80 8.8.8.8:40000")));
        assert_eq!(found, expected, "{nsg1:?} {nsg2:?}");
    }
    let outbound = [
        ([].as_slice(), [].as_slice(), [OPEN, OPEN, OPEN, "Allow"]),
        (&[], &[OUT], [CLOSED, OPEN, CLOSED, "Allow"]),
        (&[OUT], &[], [CLOSED, CLOSED, OPEN, "Allow"]),
    ];
    for (nsg1, nsg2, expected) in outbound {
        let estate = documented(nsg1, nsg2);
        let found =
            MACHINES.map(|(vm, own)| verified(&estate, vm, &format!("Out TCP {own}:40000 8.8.8.8:80")));
        assert_eq!(found, expected, "{nsg1:?} {nsg2:?}");
    }
}

#[test]
fn groups_of_interfaces_decide_by_their_members() {
    let groups = ["web", "logic", "db"].map(|name| resource("applicationSecurityGroups", name, json!({})));
    let rules = nsg(
        "nsg1",
        &[
            "web 100 Allow Inbound Tcp Internet asg:web 80",
            "logic 110 Allow Inbound Tcp asg:logic asg:db 1433",
            "rest 120 Deny Inbound * * asg:db 1433",
        ],
    );
    let mut resources = groups.to_vec();
    resources.extend([
        rules,
        network("10.0.0.0/16", &[("a", "10.0.1.0/24", Some("nsg1"))]),
        interface("nic1", "a", "10.0.1.4", None, &["web"]),
        interface("nic3", "a", "10.0.1.6", None, &["logic"]),
        interface("nic4", "a", "10.0.1.7", None, &["db"]),
    ]);
    let estate = estate(&resources);
    for (nic, question, expected) in [
        ("nic1", "In TCP 10.0.1.4:80 8.8.8.8:4000", "Allow securityRules/web"),
        ("nic3", "In TCP 10.0.1.6:80 8.8.8.8:4000", "Deny defaultSecurityRules/DenyAllInBound"),
        ("nic4", "In TCP 10.0.1.7:1433 10.0.1.6:4000", "Allow securityRules/logic"),
        ("nic4", "In TCP 10.0.1.7:1433 10.0.1.4:4000", "Deny securityRules/rest"),
        ("nic4", "In UDP 10.0.1.7:1433 10.0.1.6:4000", "Deny securityRules/rest"),
        ("nic4", "In TCP 10.0.1.7:22 10.0.1.4:4000", "Allow defaultSecurityRules/AllowVnetInBound"),
    ] {
        assert_eq!(verified(&estate, nic, question), expected, "{question}");
    }
}

fn one_machine(rules: &[&str]) -> Estate {
    estate(&[
        nsg("n", rules),
        network("10.0.0.0/16", &[("a", "10.0.0.0/24", None)]),
        interface("nic", "a", "10.0.0.4", Some("n"), &[]),
    ])
}

#[test]
fn default_rules_answer_as_in_the_tutorial() {
    let estate = one_machine(&[]);
    for (question, expected) in [
        ("Out TCP 10.0.0.4:60000 13.107.21.200:80", "Allow defaultSecurityRules/AllowInternetOutBound"),
        ("Out TCP 10.0.0.4:60000 172.31.0.100:80", "Deny defaultSecurityRules/DenyAllOutBound"),
        ("In TCP 10.0.0.4:80 172.31.0.100:60000", "Deny defaultSecurityRules/DenyAllInBound"),
        ("In TCP 10.0.0.4:80 172.31.0.100:*", "Deny defaultSecurityRules/DenyAllInBound"),
        ("Out TCP 10.0.0.4:* 10.0.5.5:80", "Allow defaultSecurityRules/AllowVnetOutBound"),
        // The platform's name service passes, and no rule says so.
        ("Out UDP 10.0.0.4:60000 168.63.129.16:53", "Allow defaultSecurityRules/AllowVnetOutBound"),
        ("Out TCP 10.0.0.4:60000 169.254.169.254:80", "Allow"),
    ] {
        assert_eq!(verified(&estate, "nic", question), expected, "{question}");
    }
}

#[test]
fn the_documented_prefixes_are_inside_or_outside_their_tags() {
    let estate = one_machine(&[]);
    let ask = |remote: &str| verified(&estate, "nic", &format!("Out TCP 10.0.0.4:60000 {remote}:81"));
    for remote in ["10.0.5.5", "168.63.129.16"] {
        assert_eq!(ask(remote), "Allow defaultSecurityRules/AllowVnetOutBound", "{remote}");
    }
    for remote in ["203.0.113.5", "198.51.100.5", "1.1.1.1", "172.131.0.100", "192.88.99.1"] {
        assert_eq!(ask(remote), "Allow defaultSecurityRules/AllowInternetOutBound", "{remote}");
    }
    for remote in
        ["10.1.0.1", "192.0.2.5", "100.64.0.1", "198.18.0.1", "172.16.0.1", "192.168.1.1", "224.0.0.1"]
    {
        assert_eq!(ask(remote), "Deny defaultSecurityRules/DenyAllOutBound", "{remote}");
    }
}

#[test]
fn the_subnet_denies_before_the_interface_is_asked() {
    let estate = estate(&[
        nsg("subnet", &["denyRDP 1000 Deny Inbound Tcp Internet * 3389"]),
        nsg("nic", &["allowRDP 1000 Allow Inbound Tcp Internet * 3389"]),
        network("10.0.0.0/16", &[("a", "10.0.0.0/24", Some("subnet"))]),
        interface("vm", "a", "10.0.0.4", Some("nic"), &[]),
    ]);
    assert_eq!(verified(&estate, "vm", "In TCP 10.0.0.4:3389 8.8.8.8:4000"), "Deny securityRules/denyRDP");
}

/// A network manager with one rule for the network.
fn manager(access: &str, name: &str, source: &str, port: &str) -> Vec<Value> {
    let at = |kind: &str, path: &str, properties: Value| {
        let id = format!("{}/{path}", id("networkManagers", "m"));
        json!({"id": id, "name": path.rsplit('/').next(), "type": format!("Microsoft.Network/networkManagers/{kind}"),
            "properties": properties})
    };
    let group = format!("{}/networkGroups/all", id("networkManagers", "m"));
    let kind = if source == "*" { "IPPrefix" } else { "ServiceTag" };
    vec![
        at("networkGroups", "networkGroups/all", json!({})),
        at(
            "networkGroups/staticMembers",
            "networkGroups/all/staticMembers/v",
            json!({"resourceId": id("virtualNetworks", "v")}),
        ),
        at(
            "securityAdminConfigurations/ruleCollections",
            "securityAdminConfigurations/c/ruleCollections/r",
            json!({"appliesToGroups": [{"networkGroupId": group}]}),
        ),
        at(
            "securityAdminConfigurations/ruleCollections/rules",
            &format!("securityAdminConfigurations/c/ruleCollections/r/rules/{name}"),
            json!({"protocol": "Any", "access": access, "priority": 10, "direction": "Inbound",
                "sources": [{"addressPrefix": source, "addressPrefixType": kind}],
                "destinationPortRanges": [port]}),
        ),
    ]
}

fn administered(access: &str, rules: &[&str]) -> Estate {
    let mut resources = manager(access, "admin", "*", "443");
    resources.extend([
        nsg("n", rules),
        network("10.0.0.0/16", &[("a", "10.0.0.0/24", None)]),
        interface("nic", "a", "10.0.0.4", Some("n"), &[]),
    ]);
    estate(&resources)
}

#[test]
fn security_admin_rules_come_first() {
    let ask = |access: &str, nsg: &[&str]| {
        verified(&administered(access, nsg), "nic", "In TCP 10.0.0.4:443 8.8.8.8:4000")
    };
    let (allow, deny) =
        ("own 100 Allow Inbound Tcp Internet * 443", "own 100 Deny Inbound Tcp Internet * 443");
    assert_eq!(ask("Deny", &[allow]), "Deny admin");
    assert_eq!(ask("AlwaysAllow", &[deny]), "Allow admin");
    assert_eq!(ask("Allow", &[deny]), "Deny securityRules/own");
    assert_eq!(ask("Allow", &[allow]), "Allow securityRules/own");
}

/// The page on diagnosing network security rules: three lists, of which the last denies, and then a rule before it.
#[test]
fn diagnostics_name_a_rule_for_each_list() {
    let ask = |rules: &[&str]| {
        let mut resources = manager("Allow", "VirtualNetwork", "VirtualNetwork", "0-65535");
        resources.extend([
            nsg("subnet", &[]),
            nsg("nic", rules),
            network("10.0.0.0/16", &[("a", "10.0.0.0/24", Some("subnet"))]),
            interface("vm", "a", "10.0.0.4", Some("nic"), &[]),
        ]);
        let estate = estate(&resources);
        let body = json!({"profiles": [{"direction": "Inbound", "protocol": "TCP", "source": "10.0.1.0/26",
            "destination": "10.0.0.4", "destinationPort": "*"}]});
        let answer =
            super::super::diagnostic::diagnose(&estate, nic_of(&estate, "vm"), &body, 0).expect("an answer");
        let result = &answer["results"][0]["networkSecurityGroupResult"];
        let groups = result["evaluatedNetworkSecurityGroups"].as_array().expect("a list").iter();
        let said = groups.map(|group| {
            let text = |key: &str| group["matchedRule"][key].as_str().expect("a rule decided").to_owned();
            format!("{} {}", text("action"), text("ruleName"))
        });
        (result["securityRuleAccessResult"].as_str().expect("an access").to_owned(), said.collect::<Vec<_>>())
    };
    const DENY: &str = "DenyVnetInBound 1000 Deny Inbound * VirtualNetwork VirtualNetwork *";
    const ALLOW: &str = "AllowBastionConnections 900 Allow Inbound * 10.0.1.0/26 * *";
    let first = ["Allow VirtualNetwork", "Allow DefaultRule_AllowVnetInBound"];
    let (access, said) = ask(&[DENY]);
    assert_eq!((access.as_str(), &said[..2]), ("Deny", first.map(str::to_owned).as_slice()));
    assert_eq!(said[2], "Deny UserRule_DenyVnetInBound");
    let (access, said) = ask(&[DENY, ALLOW]);
    assert_eq!((access.as_str(), &said[..2]), ("Allow", first.map(str::to_owned).as_slice()));
    assert_eq!(said[2], "Allow UserRule_AllowBastionConnections");
}
