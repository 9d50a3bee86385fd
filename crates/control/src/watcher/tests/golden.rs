//! Whole answers in Azure's shapes, about one machine behind a subnet's NSG.

use super::super::{effective, routes, tags, topology};
use super::*;

fn resources() -> Vec<Value> {
    let mut rules = nsg(
        "n",
        &["web 100 Allow Inbound Tcp Internet asg:web 443", "dns 110 Deny Outbound Udp * 192.0.2.0/24 53"],
    );
    rules["properties"]["defaultSecurityRules"] = json!([{"name": "AllowVnetInBound"}]);
    rules["properties"]["securityRules"][0]["properties"]["destinationPortRanges"] =
        json!(["80", "8000-8080"]);
    rules["properties"]["securityRules"][0]["properties"]
        .as_object_mut()
        .expect("an object")
        .remove("destinationPortRange");
    vec![
        resource("applicationSecurityGroups", "web", json!({})),
        rules,
        network("10.0.0.0/16", &[("a", "10.0.0.0/24", Some("n"))]),
        interface("nic", "a", "10.0.0.4", None, &["web"]),
    ]
}

#[test]
fn effective_network_security_groups() {
    let estate = estate(&resources());
    let answer = effective::network_security_groups(&estate, nic_of(&estate, "nic"));
    let entries = answer["value"].as_array().expect("a list");
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry["networkSecurityGroup"], json!({"id": id("networkSecurityGroups", "n")}));
    let subnet = format!("{}/subnets/a", id("virtualNetworks", "v"));
    assert_eq!(entry["association"], json!({"subnet": {"id": subnet}}));
    let rules = entry["effectiveSecurityRules"].as_array().expect("a list");
    let names: Vec<&str> = rules.iter().filter_map(|rule| rule["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "securityRules/web",
            "defaultSecurityRules/AllowVnetInBound",
            "defaultSecurityRules/AllowAzureLoadBalancerInBound",
            "defaultSecurityRules/DenyAllInBound",
            "securityRules/dns",
            "defaultSecurityRules/AllowVnetOutBound",
            "defaultSecurityRules/AllowInternetOutBound",
            "defaultSecurityRules/DenyAllOutBound",
        ]
    );
    let mut web = rules[0].clone();
    let expanded =
        web.as_object_mut().and_then(|rule| rule.remove("expandedSourceAddressPrefix")).expect("a tag");
    assert!(expanded.as_array().is_some_and(|prefixes| prefixes.contains(&json!("1.0.0.0/8"))), "{expanded}");
    assert_eq!(
        web,
        json!({
            "name": "securityRules/web", "protocol": "Tcp",
            "sourcePortRange": "0-65535", "sourcePortRanges": ["0-65535"],
            "destinationPortRanges": ["80-80", "8000-8080"],
            "sourceAddressPrefix": "Internet", "sourceAddressPrefixes": ["Internet"],
            "destinationAddressPrefix": "10.0.0.4/32", "destinationAddressPrefixes": ["10.0.0.4/32"],
            "access": "Allow", "priority": 100, "direction": "Inbound",
        })
    );
    let own = json!(["10.0.0.0/16", "168.63.129.16/32"]);
    assert_eq!(
        rules[1],
        json!({
            "name": "defaultSecurityRules/AllowVnetInBound", "protocol": "All",
            "sourcePortRange": "0-65535", "sourcePortRanges": ["0-65535"],
            "destinationPortRange": "0-65535", "destinationPortRanges": ["0-65535"],
            "sourceAddressPrefix": "VirtualNetwork", "sourceAddressPrefixes": ["VirtualNetwork"],
            "destinationAddressPrefix": "VirtualNetwork", "destinationAddressPrefixes": ["VirtualNetwork"],
            "expandedSourceAddressPrefix": own, "expandedDestinationAddressPrefix": own,
            "access": "Allow", "priority": 65000, "direction": "Inbound",
        })
    );
    let any = |side: &str| {
        (rules[3][format!("{side}AddressPrefix")].clone(), rules[3][format!("{side}AddressPrefixes")].clone())
    };
    assert_eq!(any("source"), (json!("0.0.0.0/0"), json!(["0.0.0.0/0", "0.0.0.0/0"])));
    assert_eq!(any("destination"), any("source"));
    let tagged: Vec<&String> = entry["tagMap"].as_object().expect("a map").keys().collect();
    assert_eq!(tagged, ["AzureLoadBalancer", "Internet", "VirtualNetwork"]);
    assert_eq!(entry["tagMap"]["AzureLoadBalancer"], json!(["168.63.129.16/32", "fe80::1234:5678:9abc/128"]));
}

#[test]
fn an_interface_without_an_nsg_has_no_effective_rules() {
    let estate = estate(&[
        network("10.0.0.0/16", &[("a", "10.0.0.0/24", None)]),
        interface("nic", "a", "10.0.0.4", None, &[]),
    ]);
    assert_eq!(effective::network_security_groups(&estate, nic_of(&estate, "nic")), json!({"value": []}));
}

#[test]
fn security_group_view() {
    let resources = resources();
    let estate = estate(&resources);
    let document =
        |id: &ResourceId| resources.iter().find(|r| r["id"].as_str() == Some(id.as_str())).cloned();
    let answer = effective::security_group_view(&estate, &[nic_of(&estate, "nic")], document);
    let view = &answer["networkInterfaces"][0];
    assert_eq!(view["id"], json!(id("networkInterfaces", "nic")));
    let associations = &view["securityRuleAssociations"];
    assert_eq!(associations["networkInterfaceAssociation"], Value::Null);
    let subnet = format!("{}/subnets/a", id("virtualNetworks", "v"));
    assert_eq!(
        associations["subnetAssociation"],
        json!({"id": subnet, "securityRules": resources[1]["properties"]["securityRules"]})
    );
    assert_eq!(associations["defaultSecurityRules"], json!([{"name": "AllowVnetInBound"}]));
    let rules = associations["effectiveSecurityRules"].as_array().expect("a list").iter();
    let names: Vec<&str> = rules.filter_map(|rule| rule["name"].as_str()).collect();
    assert_eq!((names[0], names[1], names.len()), ("UserRule_web", "DefaultRule_AllowVnetInBound", 8));
}

#[test]
fn diagnostics_say_which_fields_match() {
    let estate = estate(&resources());
    let profile = json!({"direction": "Outbound", "protocol": "UDP", "source": "10.0.0.4", "destination": "192.0.2.7",
        "destinationPort": "54"});
    let body = json!({"profiles": [profile]});
    let answer =
        super::super::diagnostic::diagnose(&estate, nic_of(&estate, "nic"), &body, 0).expect("an answer");
    let row = |name: &str, [protocol, destination, port]: [bool; 3]| {
        json!({"name": name, "protocolMatched": protocol, "sourceMatched": true, "sourcePortMatched": true,
            "destinationMatched": destination, "destinationPortMatched": port})
    };
    let outside = json!({"name": "DefaultRule_AllowVnetOutBound", "protocolMatched": true, "sourceMatched": true,
        "sourcePortMatched": true, "destinationMatched": false, "destinationPortMatched": true});
    assert_eq!(
        answer,
        json!({"results": [{"profile": profile, "networkSecurityGroupResult": {
            "securityRuleAccessResult": "Deny",
            "evaluatedNetworkSecurityGroups": [{
                "networkSecurityGroupId": id("networkSecurityGroups", "n"),
                "appliedTo": format!("{}/subnets/a", id("virtualNetworks", "v")),
                "matchedRule": {"ruleName": "DefaultRule_DenyAllOutBound", "action": "Deny"},
                "rulesEvaluationResult": [
                    row("UserRule_dns", [true, true, false]),
                    outside,
                    row("DefaultRule_AllowInternetOutBound", [true, false, true]),
                    row("DefaultRule_DenyAllOutBound", [true, true, true]),
                ],
            }],
        }}]})
    );
}

#[test]
fn routes_of_the_platform_and_of_the_user() {
    let mut network = network("10.0.0.0/16", &[("a", "10.0.0.0/24", None)]);
    network["properties"]["virtualNetworkPeerings"] = json!([
        {"name": "p", "properties": {"peeringState": "Connected", "remoteAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}},
        {"name": "q", "properties": {"peeringState": "Initiated", "remoteAddressSpace": {"addressPrefixes": ["10.8.0.0/16"]}}},
    ]);
    let table = resource(
        "routeTables",
        "t",
        json!({"disableBgpRoutePropagation": true, "routes": [
            {"name": "out", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.9"}},
            {"name": "tagged", "properties": {"addressPrefix": "Storage", "nextHopType": "Internet"}},
        ]}),
    );
    let tags = TagCatalog::default();
    let sources = routes::RouteSources { network: &network, table: Some(&table), tags: &tags };
    let line = |route: &Value| {
        let text = |key: &str| route[key].as_str().unwrap_or("-").to_owned();
        let prefixes = route["addressPrefix"].to_string();
        format!(
            "{} {} {prefixes} {} {}",
            text("source"),
            text("state"),
            text("nextHopType"),
            route["nextHopIpAddress"]
        )
    };
    let answer = routes::table(&sources);
    let lines: Vec<String> = answer["value"].as_array().expect("a list").iter().map(line).collect();
    assert_eq!(
        lines,
        [
            r#"Default Active ["10.0.0.0/16"] VnetLocal []"#,
            r#"Default Active ["10.9.0.0/16"] VNetPeering []"#,
            r#"Default Invalid ["0.0.0.0/0"] Internet []"#,
            r#"Default Active ["10.0.0.0/8"] None []"#,
            r#"Default Active ["100.64.0.0/10"] None []"#,
            r#"Default Active ["192.168.0.0/16"] None []"#,
            r#"User Active ["0.0.0.0/0"] VirtualAppliance ["10.0.0.9"]"#,
            r#"User Active ["Storage"] Internet []"#,
        ]
    );
    let hop = |address: &str| {
        let answer = routes::next_hop(&sources, address.parse().expect("an address"));
        let text = |key: &str| answer[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("nextHopType"), text("nextHopIpAddress"), text("routeTableId"))
    };
    assert_eq!(hop("10.0.7.7"), "VnetLocal - System Route");
    assert_eq!(hop("10.9.7.7"), "VirtualNetworkPeering - System Route");
    assert_eq!(hop("10.8.7.7"), "None - System Route");
    assert_eq!(hop("8.8.8.8"), format!("VirtualAppliance 10.0.0.9 {}", id("routeTables", "t")));
    assert_eq!(hop("2001:4860::1"), "None - System Route");
}

#[test]
fn topology_lists_what_holds_what() {
    let resources = [
        nsg("n", &[]),
        network("10.0.0.0/16", &[("a", "10.0.0.0/24", Some("n"))]),
        interface("nic", "a", "10.0.0.4", Some("n"), &[]),
    ];
    let answer = topology::topology(&resources, "7", "2026-01-01T00:00:00Z");
    let (subnet, group) =
        (format!("{}/subnets/a", id("virtualNetworks", "v")), id("networkSecurityGroups", "n"));
    let entry = |name: &str, id: &str, associations: &[(&str, &str, &str)]| {
        let associations = associations
            .iter()
            .map(|(name, id, kind)| json!({"name": name, "resourceId": id, "associationType": kind}));
        json!({"name": name, "id": id, "location": "westeurope", "associations": associations.collect::<Vec<_>>()})
    };
    let to_group = ("n", group.as_str(), "Associated");
    assert_eq!(
        answer,
        json!({"id": "7", "createdDateTime": "2026-01-01T00:00:00Z", "lastModified": "2026-01-01T00:00:00Z", "resources": [
            entry("n", &group, &[]),
            entry("a", &subnet, &[to_group]),
            entry("v", &id("virtualNetworks", "v"), &[("a", &subnet, "Contains")]),
            entry("nic", &id("networkInterfaces", "nic"), &[to_group, ("a", &subnet, "Associated")]),
        ]})
    );
    let about = |target: &ResourceId| resources.iter().filter(|r| topology::concerns(r, target)).count();
    assert_eq!(about(&resource_id("virtualNetworks", "v")), 2);
    assert_eq!(about(&resource_id("virtualNetworks", "w")), 0);
}

#[test]
fn service_tags_come_in_pages() {
    let prefix = |at: u32| palisade_net::Prefix::host(std::net::Ipv4Addr::from(at * 2).into());
    let many = |first: u32| (first..first + 12_000).map(prefix).collect::<Vec<_>>();
    let name = |text: &str| text.parse().expect("a tag");
    let catalog = TagCatalog::new([
        (name("Storage"), many(1)),
        (name("Sql.WestEurope"), many(1)),
        (name("A"), Vec::new()),
    ]);
    let (first, next) = tags::list(&catalog, "s", "westeurope", 0);
    let names = |page: &Value| -> Vec<String> {
        page["values"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|v| v["name"].as_str())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        names(&first),
        [
            "A",
            "AzureLoadBalancer",
            "AzurePlatformDNS",
            "AzurePlatformIMDS",
            "AzurePlatformLKM",
            "Internet",
            "Sql.WestEurope"
        ]
    );
    assert_eq!(next, Some(7));
    let (second, next) = tags::list(&catalog, "s", "westeurope", 7);
    assert_eq!((names(&second), next), (vec!["Storage".to_owned(), "VirtualNetwork".to_owned()], None));
    let mut sql = first["values"][6].clone();
    let prefixes = sql["properties"]["addressPrefixes"].take();
    assert_eq!(prefixes.as_array().map(Vec::len), Some(12_000));
    assert_eq!(
        sql,
        json!({"name": "Sql.WestEurope", "id": "Sql.WestEurope", "serviceTagChangeNumber": "1", "properties": {
            "changeNumber": "1", "region": "westeurope", "state": "GA", "networkFeatures": ["API", "NSG", "UDR", "FW"],
            "systemService": "Sql", "addressPrefixes": null}})
    );
}
