//! Windows, modes, guards and timeouts: from properties and resource tags, in every shape.

use palisade_model::spec::{At, Flag, Given, ResourceTags, Text};

use super::*;

const TEMPLATE: &str = r#"{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
"contentVersion":"1.0.0.0","parameters":{"start":{"type":"string","defaultValue":"2026-01-31 08:00:00Z"},
"end":{"type":"string"},"tags":{"type":"object"},"flag":{"type":"bool"},"minutes":{"type":"int"}},"resources":[
{"type":"Microsoft.Network/networkSecurityGroups","apiVersion":"2023-11-01","name":"web",
"tags":{"palisade-mode":"audit","Palisade-Rule:ssh":"[concat('expiresAt=', dateTimeAdd(parameters('start'), 'PT1H'))]",
"palisade-rule:web":"[concat('expiresAt=', parameters('end'))]","owner":"[parameters('end')]","env":"test","none":null},
"properties":{"flushConnection":"[parameters('flag')]","securityRules":[
{"name":"ssh","properties":{"protocol":"Tcp","priority":100,"notBefore":"[parameters('start')]","mode":"Audit"}},
{"name":"web","properties":{"protocol":"Tcp","priority":110,"expiresAt":"[parameters('end')]"}},
{"name":"dns","properties":{"protocol":"Udp","priority":120}}]}},
{"type":"Microsoft.Network/networkSecurityGroups","apiVersion":"2023-11-01","name":"open","tags":"[parameters('tags')]",
"properties":{"securityRules":[{"name":"a","properties":{"priority":100}}]}},
{"type":"Microsoft.Network/virtualNetworks","apiVersion":"2023-11-01","name":"net",
"properties":{"flowTimeoutInMinutes":"[parameters('minutes')]","addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}},
{"type":"Microsoft.Network/networkInterfaces","apiVersion":"2023-11-01","name":"web1",
"tags":{"palisade-guards":"no-vlan","palisade-mode":7},
"properties":{"enableIPForwarding":"[parameters('flag')]","disableTcpStateTracking":true,"ipConfigurations":[]}}]}"#;

const NO_END: &str = "parameter 'end' has no value and no default";

fn value(text: Option<&Text>) -> Option<&str> {
    text.map(|text| match &text.value {
        Given::Known(text) => text.as_str(),
        Given::Unknown(reason) => reason.as_str(),
    })
}

fn tag<'a>(tags: Option<&'a ResourceTags>, name: &str) -> Option<&'a str> {
    value(tags.and_then(|tags| tags.value.known()).and_then(|tags| tags.get(name)))
}

fn flag(flag: Option<&Flag>) -> Option<Option<bool>> {
    flag.map(|flag| flag.value.known().copied())
}

#[test]
fn templates_say_when_and_how() {
    let result = read_text(TEMPLATE);
    assert_eq!(result.problems, []);
    let web = &result.spec.nsgs[0];
    let [ssh, http, dns] = web.rules.as_slice() else { panic!("three rules") };
    assert_eq!(value(ssh.not_before.as_ref()), Some("2026-01-31 08:00:00Z"));
    assert_eq!((value(ssh.mode.as_ref()), ssh.expires_at.is_none()), (Some("Audit"), true));
    assert_eq!(value(http.expires_at.as_ref()), Some(NO_END));
    assert!(dns.not_before.is_none() && dns.expires_at.is_none() && dns.mode.is_none());
    let tags = web.tags.as_ref();
    assert_eq!(tag(tags, "palisade-mode"), Some("audit"));
    assert_eq!(tag(tags, "Palisade-Rule:ssh"), Some("expiresAt=2026-01-31 09:00:00Z"));
    assert_eq!(tag(tags, "palisade-rule:web"), Some(NO_END));
    assert_eq!((tag(tags, "env"), tag(tags, "owner"), tag(tags, "none")), (Some("test"), None, None));
    assert_eq!(flag(web.flush_connection.as_ref()), Some(None));
}

#[test]
fn what_a_deployment_must_tell_is_open() {
    let result = read_text(TEMPLATE);
    assert!(matches!(&result.spec.nsgs[1].tags, Some(At { value: Given::Unknown(_), .. })));
    let unresolved: Vec<_> =
        result.summary.unresolved.iter().map(|rule| (rule.rule.as_deref(), rule.reasons.clone())).collect();
    let no_tags = "parameter 'tags' has no value and no default".to_owned();
    let expected = [(Some("web"), vec![NO_END.to_owned()]), (Some("a"), vec![no_tags])];
    assert_eq!(unresolved, expected);
    let minutes = result.spec.virtual_networks[0].flow_timeout_minutes.as_ref().map(|minutes| &minutes.value);
    assert!(matches!(minutes, Some(Given::Unknown(_))));
    let nic = &result.spec.nics[0];
    assert_eq!(flag(nic.ip_forwarding.as_ref()), Some(None));
    assert_eq!(flag(nic.disable_tcp_state_tracking.as_ref()), Some(Some(true)));
    assert_eq!(tag(nic.tags.as_ref(), "palisade-guards"), Some("no-vlan"));
    assert_eq!(
        tag(nic.tags.as_ref(), "palisade-mode"),
        Some("7"),
        "as it is written, for the model to refuse"
    );
}

#[test]
fn dumps_and_plans_keep_tags() {
    let dump = format!(
        r#"[{{"id":"{}","name":"n","tags":{{"palisade-guards":"no-mac","env":"x"}},"disableTcpStateTracking":false,
        "ipConfigurations":[]}}]"#,
        id("networkInterfaces/n")
    );
    let result = read_clean(&[Document::new("nics.json", dump)]);
    assert_eq!(tag(result.spec.nics[0].tags.as_ref(), "palisade-guards"), Some("no-mac"));
    assert_eq!(flag(result.spec.nics[0].disable_tcp_state_tracking.as_ref()), Some(Some(false)));
    let plan = r#"{"format_version":"1.2","planned_values":{"root_module":{"resources":[
        {"address":"azurerm_network_security_group.web","mode":"managed","type":"azurerm_network_security_group","name":"web",
        "values":{"name":"web","resource_group_name":"shop","location":"westeurope","security_rule":[],
        "tags":{"palisade-mode":"audit","palisade_x":"y"}}}]}},"configuration":{"root_module":{}}}"#;
    let result = read_clean(&[Document::new("plan.json", plan)]);
    assert_eq!(tag(result.spec.nsgs[0].tags.as_ref(), "palisade-mode"), Some("audit"));
}

#[test]
fn tags_of_a_wrong_type_are_problems() {
    let body = |tags: &str| {
        format!(r#"{{"id":"{}","tags":{tags},"securityRules":[]}}"#, id("networkSecurityGroups/w"))
    };
    let found = |tags: &str| problems(&read_text(&body(tags))).len();
    assert_eq!((found("{}"), found("null"), found(r#"{"env":["a"]}"#)), (0, 0, 0));
    assert_eq!((found("[]"), found(r#"{"palisade-mode":{}}"#)), (1, 1));
}

#[test]
fn time_limited_access_is_a_list_of_one_interface_and_reads_its_ends() {
    let nic = id("networkInterfaces/vm1-nic");
    let doors = nic.replace("Microsoft.Network/networkInterfaces", "Palisade.Network/timedAccess");
    let rules = r#"[{"name":"open","properties":{"priority":1,"access":"AlwaysAllow","expiresAt":"2026-03-01T09:00:00Z"}},
        {"name":"closed","properties":{"priority":2,"access":"Deny"}}]"#;
    let text =
        format!(r#"{{"id":"{doors}","properties":{{"networkInterface":{{"id":"{nic}"}},"rules":{rules}}}}}"#);
    let result = read_text(&text);
    assert_eq!(result.problems, []);
    let [collection] = result.spec.admin_collections.as_slice() else { panic!("one list") };
    let interface = collection.interface.as_ref().and_then(|nic| nic.value.known());
    assert_eq!(interface.map(palisade_model::ResourceId::as_str), Some(nic.as_str()));
    let ends = collection.rules.iter().map(|rule| value(rule.expires_at.as_ref()));
    assert_eq!(ends.collect::<Vec<_>>(), [Some("2026-03-01T09:00:00Z"), None]);
    let nameless = read_text(&text.replace("networkInterface\"", "nic\""));
    let interface = &nameless.spec.admin_collections[0].interface;
    assert!(matches!(interface, Some(At { value: Given::Unknown(_), .. })), "{interface:?}");
}
