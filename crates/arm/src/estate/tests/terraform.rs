//! Terraform plans: values, what is known after apply only, and references through the configuration.

use palisade_model::spec::{Given, Reference, Text};
use palisade_model::{ResourceId, Truth};

use super::*;
use crate::estate::PlanSide;

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

fn sides(text: &str) -> [ReadResult; 2] {
    [PlanSide::Before, PlanSide::After].map(|plans| {
        let options = Options { plans, ..Options::default() };
        let result = read(&[Document::new("plan.json", text)], &options);
        assert_eq!(result.problems, []);
        result
    })
}

/// The ports that the rules of the only NSG let in, in their order.
fn ports(result: &ReadResult) -> Vec<&str> {
    let [nsg] = &result.spec.nsgs[..] else { panic!("{:?}", result.spec.nsgs) };
    nsg.rules.iter().filter_map(|rule| known(rule.destination.port_range.as_ref())).collect()
}

#[test]
fn a_plan_tells_what_there_is_before_it_under_the_same_ids() {
    let [before, after] = sides(include_str!("../../../tests/fixtures/plan-replaced.json"));
    assert_eq!((ports(&before), ports(&after)), (vec!["443", "22", "9100"], vec!["443", "9100"]));
    // The plan replaces the NSG, so that its new id is not known; it is the old one, and so is what the subnet refers to.
    assert_eq!(before.spec.nsgs[0].id, after.spec.nsgs[0].id);
    for result in [&before, &after] {
        let subnet = &result.spec.virtual_networks[0].subnets[0];
        let attached = subnet.nsg.as_ref().and_then(|nsg| nsg.value.known());
        assert_eq!(attached, Some(&result.spec.nsgs[0].id));
        assert_eq!(result.spec.nics.len(), 1);
        assert_eq!(result.spec.unknowns, []);
    }
}

#[test]
fn without_a_state_the_changes_tell_what_there_was() {
    let text = include_str!("../../../tests/fixtures/plan-replaced.json");
    let without = text.replace("\"prior_state\"", "\"other\"").replace("\"planned_values\"", "\"another\"");
    let [before, after] = sides(&without);
    assert_eq!((ports(&before), ports(&after)), (vec!["443", "22", "9100"], vec!["443", "9100"]));
}

#[test]
fn a_plan_that_only_creates_has_nothing_before() {
    let text = include_str!("../../../tests/fixtures/plan.json");
    let options = Options { plans: PlanSide::Before, ..Options::default() };
    let result = read(&[Document::new("plan.json", text)], &options);
    assert!(result.problems.is_empty() && result.spec.nsgs.is_empty() && result.spec.nics.is_empty());
}

#[test]
fn neither_side_of_a_plan_holds_what_others_keep_secret() {
    let text = include_str!("../../../tests/fixtures/plan-replaced.json");
    assert!(text.contains("correct-horse") && text.contains("another-horse"));
    for result in sides(text) {
        let all = format!("{result:?}");
        assert!(!all.contains("horse") && !all.contains("c2VjcmV0"), "{all}");
    }
}
