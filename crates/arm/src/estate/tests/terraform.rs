//! Terraform plans: values, what is known after apply only, and references through the configuration.

use palisade_model::spec::{Given, Reference, Text};
use palisade_model::{ResourceId, Truth};

use super::*;

fn target(reference: Option<&Reference>) -> Option<&str> {
    reference.and_then(|reference| reference.value.known()).map(ResourceId::name)
}

fn known(text: Option<&Text>) -> Option<&str> {
    text.and_then(|text| text.value.known()).map(String::as_str)
}

#[test]
fn a_plan_is_read_with_references_through_modules() {
    let result = read_clean(&[fixture!("plan.json")]);
    let spec = &result.spec;
    let names: Vec<_> =
        spec.nsgs.iter().map(|nsg| (nsg.id.name(), nsg.rules.len(), nsg.rules_unknown.is_some())).collect();
    assert_eq!(names, [("web-nsg", 2, false), ("inline-nsg", 1, false), ("open-nsg", 0, true)]);
    assert_eq!(spec.nsgs[0].id, ResourceId::new(&id("networkSecurityGroups/web-nsg")));

    let https = &spec.nsgs[0].rules[0];
    let groups = https.destination.groups.as_ref().and_then(|groups| groups.value.known()).expect("known");
    assert_eq!((known(https.priority.as_ref()), target(groups.first())), (Some("100"), Some("web")));
    let db = &spec.nsgs[0].rules[1];
    assert!(
        matches!(db.source.address_prefix.as_ref().map(|p| &p.value), Some(Given::Unknown(reason)) if reason.contains("applied"))
    );
    assert_eq!((result.summary.rules, result.summary.rules_resolved), (3, 2));

    let network = &spec.virtual_networks[0];
    let subnets: Vec<_> = network
        .subnets
        .iter()
        .map(|subnet| (subnet.id.name(), target(subnet.nsg.as_ref()), target(subnet.route_table.as_ref())))
        .collect();
    assert_eq!(subnets, [("web", Some("web-nsg"), Some("egress")), ("data", None, None)]);
    assert_eq!(target(network.peerings[0].remote.as_ref()), Some("hub"));
    assert_eq!(spec.route_tables[0].disable_gateway_propagation, Truth::Yes);
    assert_eq!(spec.route_tables[0].routes.len(), 1);

    let nic = &spec.nics[0];
    assert!(
        matches!(nic.nsg.as_ref().map(|nsg| &nsg.value), Some(Given::Unknown(_))),
        "it may be either of two"
    );
    let configuration = &nic.ip_configurations[0];
    assert_eq!(
        configuration.subnet.as_ref().map(|subnet| subnet.value.clone()),
        Some(Given::Known(network.subnets[0].id.clone()))
    );
    assert_eq!(
        (target(configuration.public_ip.as_ref()), target(configuration.asgs.first())),
        (Some("web1-ip"), Some("web"))
    );
    assert_eq!(known(configuration.private_address.as_ref()), Some("10.0.1.4"));
    assert_eq!(nic.ip_forwarding.as_ref().map(|flag| &flag.value), Some(&Given::Known(true)));
    assert_eq!(known(spec.public_ips[0].sku.as_ref()), Some("Standard"));
    assert_eq!(result.summary.ignored.get("azurerm_linux_virtual_machine"), Some(&1));
    assert_eq!(spec.unknowns, []);
}

#[test]
fn places_lead_into_the_plan() {
    let result = read_clean(&[fixture!("plan.json")]);
    let priority = result.spec.nsgs[0].rules[0].priority.as_ref().expect("given");
    assert_eq!(priority.place.pointer, "/planned_values/root_module/resources/3/values/priority");
    assert!(priority.place.line > 1);
}

#[test]
fn names_that_are_not_known_yet_still_meet() {
    let text = include_str!("../../../tests/fixtures/plan.json").replace("\"name\": \"web-nsg\",", "");
    let text = text.replace("\"network_security_group_name\": \"web-nsg\",", "");
    let result = read_clean(&[Document::new("plan.json", text)]);
    let group = &result.spec.nsgs[0];
    assert_eq!((group.id.name(), group.rules.len()), ("{azurerm_network_security_group.web.name}", 2));
    assert_eq!(
        result.spec.virtual_networks[0].subnets[0].nsg.as_ref().map(|nsg| nsg.value.clone()),
        Some(Given::Known(group.id.clone()))
    );
}
