//! What is written is read back as it was.

use palisade_model::{
    ResourceId,
    spec::{At, EstateSpec, Given, NsgSpec, Text},
};
use serde_json::json;

use super::{group, rule, template};
use crate::estate::{self, Document, Options};

const SOURCE: &str = r#"[
  { "id": "/subscriptions/s/resourceGroups/one/providers/Microsoft.Network/networkSecurityGroups/a",
    "name": "a", "type": "Microsoft.Network/networkSecurityGroups", "location": "westus",
    "tags": { "palisade-mode": "audit", "owner": "[team]" },
    "properties": { "flushConnection": false, "securityRules": [
      { "name": "in", "properties": { "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
        "description": "[as it is]", "notBefore": "2026-03-01T08:00:00Z", "mode": "Audit",
        "sourceAddressPrefixes": ["198.51.100.0/24", "203.0.113.7"], "sourcePortRange": "*",
        "destinationApplicationSecurityGroups": [
          { "id": "/subscriptions/s/resourceGroups/one/providers/Microsoft.Network/applicationSecurityGroups/web" }],
        "destinationPortRanges": ["80", "443-445"] } },
      { "name": "out", "properties": { "priority": 200, "direction": "Outbound", "access": "Deny", "protocol": "*",
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "Internet", "destinationPortRange": "*" } } ] } },
  { "id": "/subscriptions/s/resourceGroups/two/providers/Microsoft.Network/networkSecurityGroups/b",
    "name": "b", "type": "Microsoft.Network/networkSecurityGroups", "properties": { "securityRules": [] } } ]"#;

fn read(name: &str, text: &str) -> EstateSpec {
    let mut options = Options::default();
    (options.context.subscription_id, options.context.resource_group) = ("s".to_owned(), "one".to_owned());
    options.context.location = "westus".to_owned();
    let read = estate::read(&[Document::new(name, text)], &options);
    assert!(!read.has_errors(), "{:?}", read.problems);
    read.spec
}

/// NSGs without places.
fn content(spec: &EstateSpec) -> Vec<String> {
    let place = regex_free_places(&format!("{:#?}", spec.nsgs));
    place.split("NsgSpec {").map(str::to_owned).collect()
}

/// The lines of a debug text that tell no place.
fn regex_free_places(text: &str) -> String {
    let is_place = |line: &str| {
        let line = line.trim_start();
        ["file:", "line:", "pointer:"].iter().any(|key| line.starts_with(key))
    };
    text.lines().filter(|line| !is_place(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn groups_of_several_resource_groups_are_read_back() {
    let mut spec = read("dump.json", SOURCE);
    spec.nsgs[1].location = Some(Text::known("westus"));
    let written = spec.nsgs.iter().map(|nsg| group(nsg).expect("all is known")).collect();
    let template = template(written, &json!({ "palisade": 1 })).expect("the ids are whole");
    assert_eq!(template["resources"][1]["resourceGroup"], "two");
    let back = read("template.json", &template.to_string());
    assert_eq!(content(&back), content(&spec));
}

#[test]
fn rules_alone_are_read_back_into_their_group() {
    let spec = read("dump.json", SOURCE);
    let nsg = &spec.nsgs[0];
    let written = nsg.rules.iter().map(|one| rule(&nsg.id, one).expect("all is known")).collect();
    let template = template(written, &json!({})).expect("the ids are whole");
    assert_eq!(template["resources"][0]["name"], "a/in");
    let back = read("template.json", &template.to_string());
    let names = |nsg: &NsgSpec| regex_free_places(&format!("{:#?}", nsg.rules));
    assert_eq!(names(&back.nsgs[0]), names(nsg));
    assert_eq!(back.nsgs[0].id, nsg.id);
}

#[test]
fn what_only_a_deployment_tells_is_not_written() {
    let id = ResourceId::new(
        "/subscriptions/s/resourceGroups/one/providers/Microsoft.Network/networkSecurityGroups/a",
    );
    let open = NsgSpec {
        rules_unknown: Some("parameter \"rules\" has no value".to_owned()),
        ..NsgSpec::new(id.clone())
    };
    let error = group(&open).expect_err("rules are missing").to_string();
    assert!(error.contains("parameter \"rules\" has no value"), "{error}");
    let unnamed =
        NsgSpec { name: At { value: Given::Unknown("x".to_owned()), ..Text::known("") }, ..NsgSpec::new(id) };
    assert!(group(&unnamed).is_err());
    let nowhere = group(&NsgSpec::new(ResourceId::new("/nsgs/a"))).expect("all is known");
    assert!(template(vec![nowhere], &json!({})).is_err());
}
