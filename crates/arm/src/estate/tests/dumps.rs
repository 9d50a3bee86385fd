//! What az, the REST API and Resource Graph print.

use palisade_model::spec::Given;
use palisade_model::{ResourceId, Truth};

use super::*;

#[test]
fn one_estate_is_the_same_in_every_shape() {
    let flat = read_clean(&[fixture!("estate-flat.json")]);
    assert_eq!((flat.summary.nsgs, flat.summary.rules, flat.summary.rules_resolved), (1, 3, 3));
    assert_eq!(flat.summary.resources, 6);
    let rest = read_clean(&[fixture!("estate-rest.json")]);
    let graph = read_clean(&[fixture!("estate-graph.json")]);
    let template =
        read_clean(&[fixture!("estate-template.json"), fixture!("estate-template.parameters.json")]);
    same(&flat, &rest);
    same(&flat, &graph);
    same(&flat, &template);
    let merged = read_clean(&[fixture!("estate-flat.json"), fixture!("estate-rest.json")]);
    same(&flat, &merged);
}

fn known(texts: &[palisade_model::spec::Text]) -> Vec<&str> {
    texts.iter().map(|text| text.value.known().map_or("?", String::as_str)).collect()
}

#[test]
fn children_gateways_managers_and_scale_sets_are_mapped() {
    let result = read_clean(&[fixture!("estate-more.json")]);
    let spec = &result.spec;
    let network = &spec.virtual_networks[0];
    assert_eq!(
        (network.subnets[0].id.name(), network.peerings[0].allow_access),
        ("GatewaySubnet", Truth::No)
    );
    assert_eq!(known(&spec.asgs[0].address_prefixes), ["192.0.2.0/24", "2001:db8::/32"]);
    assert_eq!(spec.route_tables[0].routes.len(), 1);

    let learned: Vec<_> = spec
        .learned_prefixes
        .iter()
        .map(|learned| {
            assert_eq!(learned.virtual_network.value, Given::Known(network.id.clone()));
            learned.address_prefixes.value.known().map(|list| known(list).join(","))
        })
        .collect();
    let (site, clients) = ("192.168.0.0/16".to_owned(), "172.31.0.0/24".to_owned());
    assert_eq!(learned, [Some(site), None, Some(clients)], "a site, a circuit, and clients");

    let collections = &spec.admin_collections;
    let members = collections[0].virtual_networks.value.known().map(|networks| networks[0].value.clone());
    assert_eq!(members, Some(Given::Known(network.id.clone())));
    assert!(collections[1].virtual_networks.value.known().is_none(), "members that only a policy knows");
    let rule = &collections[0].rules[0];
    assert_eq!((known(&rule.sources), known(&rule.destination_port_ranges)), (vec!["Internet"], vec!["445"]));

    let nic = &spec.nics[0];
    assert_eq!(
        nic.id,
        ResourceId::new(&id("x").replace(
            "Microsoft.Network/x",
            "Microsoft.Compute/virtualMachineScaleSets/web/networkInterfaces/nic"
        ))
    );
    assert!(nic.ip_forwarding.is_some() && nic.ip_configurations[0].private_address.is_none());
    assert_eq!(
        nic.ip_configurations[0].public_ip.as_ref().map(|ip| ip.value.clone()),
        Some(Given::Known(spec.public_ips[0].id.clone()))
    );
    assert_eq!(result.summary.ignored.get("microsoft.compute/virtualmachines"), Some(&1));
}

#[test]
fn a_load_balancer_tells_where_it_listens_and_whether_machines_see_that() {
    let text = r#"[{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb",
        "type":"Microsoft.Network/loadBalancers","name":"lb","properties":{
          "frontendIPConfigurations":[
            {"name":"in","properties":{"privateIPAddress":"10.0.1.10"}},
            {"name":"out","properties":{"publicIPAddress":{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/p"}}}],
          "loadBalancingRules":[{"name":"sql","properties":{"enableFloatingIP":true,"frontendPort":1433,
            "frontendIPConfiguration":{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb/frontendIPConfigurations/in"}}}],
          "inboundNatRules":[]}},
       {"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb/inboundNatRules/rdp",
        "type":"Microsoft.Network/loadBalancers/inboundNatRules","name":"lb/rdp","properties":{"frontendPort":50001,
          "frontendIPConfiguration":{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb/frontendIPConfigurations/out"}}}]"#;
    let result = read_clean(&[Document::new("lb.json", text)]);
    let balancer = &result.spec.load_balancers[0];
    let [inner, outer] = &balancer.frontends[..] else { panic!("two frontends: {balancer:#?}") };
    assert!(inner.private_address.is_some() && outer.private_address.is_none());
    assert!(balancer.mappings_known);
    let mappings: Vec<_> = balancer
        .mappings
        .iter()
        .map(|one| (one.frontend.as_ref().and_then(|to| to.value.known()), one.floating))
        .collect();
    assert_eq!(mappings, [(Some(&inner.id), Truth::Yes), (Some(&outer.id), Truth::No)]);
    assert!(outer.public_ip.is_some() && inner.public_ip.is_none());
    let [rdp] = &balancer.nat_rules[..] else { panic!("one rule: {balancer:#?}") };
    assert_eq!(rdp.id.as_str().rsplit('/').next(), Some("rdp"));
    assert_eq!(rdp.frontend_port.as_ref().and_then(|port| port.value.known()), Some(&50_001));
}

#[test]
fn an_inbound_nat_rule_is_one_inside_its_load_balancer_and_alone() {
    let text = r#"[{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb",
        "type":"Microsoft.Network/loadBalancers","name":"lb","frontendIPConfigurations":[{"name":"f","privateIPAddress":"10.0.1.10"}],
          "inboundNatRules":[{"name":"rdp","protocol":"Tcp","frontendPort":50001,"backendPort":3389},
                             {"name":"web","protocol":"Tcp","frontendPort":50002,"backendPort":80,
                              "allowedSourceAddressPrefixes":["198.51.100.0/24"],
                              "backendIPConfiguration":{"id":"/nics/n/ipConfigurations/c"}}]},
       {"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/LB/inboundNatRules/RDP",
        "type":"Microsoft.Network/loadBalancers/inboundNatRules","name":"rdp","protocol":"Tcp","frontendPort":50003,
        "backendPort":3389,"enableFloatingIP":false},
       {"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/n","type":"Microsoft.Network/networkInterfaces","name":"n","ipConfigurations":[{"name":"c",
        "loadBalancerInboundNatRules":[{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/lb/inboundNatRules/rdp"}]}]}]"#;
    let result = read_clean(&[Document::new("lb.json", text)]);
    let [rdp, web] = &result.spec.load_balancers[0].nat_rules[..] else { panic!("two rules") };
    assert_eq!(
        rdp.frontend_port.as_ref().and_then(|port| port.value.known()),
        Some(&50_003),
        "the later counts"
    );
    assert!(rdp.sources.is_none() && web.sources.is_some() && web.target.is_some());
    let named = &result.spec.nics[0].ip_configurations[0].nat_rules;
    assert_eq!(named.iter().filter_map(|rule| rule.value.known()).collect::<Vec<_>>(), [&rdp.id]);
}

#[test]
fn unused_fields_are_absent_but_a_missing_one_stays_empty() {
    let text = r#"{"name":"web","securityRules":[{"name":"a","sourceAddressPrefix":"","sourceAddressPrefixes":["10.0.0.0/8"],
        "destinationAddressPrefixes":[],"destinationApplicationSecurityGroups":[],"sourcePortRange":"*","sourcePortRanges":[]}]}"#;
    let result = read_clean(&[Document::new("web.json", text)]);
    let rule = &result.spec.nsgs[0].rules[0];
    assert!(rule.source.address_prefix.is_none() && rule.source.address_prefixes.is_some());
    assert!(rule.destination.address_prefixes.is_some() && rule.destination.groups.is_some());
    assert!(rule.source.port_range.is_some() && rule.source.port_ranges.is_none());
    assert!(rule.destination.port_range.is_none());
}

#[test]
fn a_body_without_an_id_is_named_after_itself_or_its_file() {
    let body =
        r#"{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}"#;
    let result = read_clean(&[Document::new("bodies/shop-net.json", body)]);
    assert_eq!(result.spec.virtual_networks[0].id, ResourceId::new(&id("virtualNetworks/shop-net")));
    let flat = r#"{"name":"x","resourceGroup":"other","macAddress":"00-0D-3A-00-00-01"}"#;
    let result = read_clean(&[Document::new("a.json", flat)]);
    assert_eq!(
        result.spec.nics[0].id,
        ResourceId::new(&id("networkInterfaces/x").replace("/shop/", "/other/"))
    );
}

#[test]
fn what_az_prints_on_creation_is_read() {
    let text = format!(
        r#"{{"NewNSG":{{"id":"{}","name":"web","securityRules":[]}}}}"#,
        id("networkSecurityGroups/web")
    );
    assert_eq!(read_clean(&[Document::new("new.json", text)]).summary.nsgs, 1);
}

#[test]
fn of_two_different_copies_the_later_comes_last_and_children_join_it() {
    let nsg = |flush: bool| {
        format!(
            r#"{{"id":"{}","flushConnection":{flush},"securityRules":[]}}"#,
            id("networkSecurityGroups/web")
        )
    };
    let rule = format!(
        r#"{{"id":"{}","name":"a","priority":"100"}}"#,
        id("networkSecurityGroups/WEB/securityRules/a")
    );
    let result = read_clean(&[
        Document::new("rule.json", rule),
        Document::new("1.json", nsg(true)),
        Document::new("2.json", nsg(false)),
        Document::new("3.json", nsg(false)),
    ]);
    let found: Vec<_> = result
        .spec
        .nsgs
        .iter()
        .map(|nsg| (nsg.flush_connection.as_ref().map(|flag| flag.value.clone()), nsg.rules.len()))
        .collect();
    assert_eq!(found, [(Some(Given::Known(true)), 0), (Some(Given::Known(false)), 1)]);
}

/// `az resource list` and `az group list` beside the dumps that say more.
#[test]
fn what_is_only_listed_replaces_nothing() {
    let listed = r#"{"changedTime":"2025-01-01","createdTime":"2025-01-01","extendedLocation":null,"id":"ID","identity":null,
        "kind":null,"location":"westeurope","managedBy":null,"name":"web-nsg","plan":null,"properties":null,"resourceGroup":"shop",
        "sku":null,"tags":{},"type":"TYPE"}"#;
    let of = |id: &str, kind: &str| listed.replace("ID", id).replace("TYPE", kind);
    let nsg = read_clean(&[fixture!("estate-flat.json")]).spec.nsgs[0].id.to_string();
    let group = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop";
    let text = format!(
        "[{},{},{},{}]",
        of(&nsg, "Microsoft.Network/networkSecurityGroups"),
        of(group, "Microsoft.Resources/resourceGroups"),
        of("/subscriptions/11111111-2222-3333-4444-555555555555", "Microsoft.Resources/subscriptions"),
        of(&id("applicationSecurityGroups/listed"), "Microsoft.Network/applicationSecurityGroups"),
    );
    let result = read_here(&[fixture!("estate-flat.json"), Document::new("all.json", text)]);
    assert!(!result.has_errors(), "{:?}", result.problems);
    let found = problems(&result);
    assert!(
        found.iter().any(|problem| problem.contains("PalSkippedFile") && problem.contains(&nsg)),
        "{found:?}"
    );
    assert_eq!((result.summary.nsgs, result.summary.rules), (1, 3));
    assert_eq!(result.spec.asgs.len(), 2, "of a group there is no more to say");
}
