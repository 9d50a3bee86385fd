//! `reference()`: what is declared is known, the rest is not.

use super::*;

const VNET: &str = r#"{"type": "Microsoft.Network/virtualNetworks", "name": "v", "apiVersion": "1", "location": "westus",
  "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
    "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.1.0/24"}}]}}"#;

/// What `[expression]` gives beside a declared network.
fn beside_vnet(expression: &str) -> Value {
    let deployment = deploy(&format!(
        r#"{{"resources": [{{"type": "A.B/c", "name": "n", "properties": {{"x": "[{expression}]"}}}}, {VNET}]}}"#
    ));
    assert_clean(&deployment);
    only(&deployment, "A.B/c").body.at_pointer("/properties/x").expect("a value").clone()
}

#[test]
fn declared_properties_are_known_however_the_resource_is_named() {
    for name in [
        "'v'",
        "'Microsoft.Network/virtualNetworks/v'",
        "resourceId('microsoft.network/VIRTUALNETWORKS', 'V')",
        "resourceId('Microsoft.Network/virtualNetworks', 'v'), '2020-01-01'",
    ] {
        let found = beside_vnet(&format!("reference({name}).addressSpace.addressPrefixes[0]"));
        assert_eq!(found.as_str(), Some("10.0.0.0/16"), "{name}");
    }
    assert_eq!(
        beside_vnet("reference('v').addressSpace.addressPrefixes").to_json(),
        json(r#"["10.0.0.0/16"]"#)
    );
    assert_eq!(beside_vnet("reference('v', '1', 'Full').location").as_str(), Some("westus"));
    assert_eq!(
        beside_vnet("reference('v').subnets[0].properties.addressPrefix").as_str(),
        Some("10.0.1.0/24")
    );
    let child = "reference(resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 's')).addressPrefix";
    assert_eq!(beside_vnet(child).as_str(), Some("10.0.1.0/24"));
}

#[test]
fn what_the_service_adds_is_unknown() {
    for expression in [
        "reference('v').resourceGuid",
        "reference('v').subnets[0].properties.provisioningState",
        "reference('v').addressSpace",
        "reference('elsewhere').x.y[0]",
        "listKeys('a', '1').keys[0].value",
        "pickZones('A.B', 'c', 'westus')",
    ] {
        let found = beside_vnet(expression);
        assert!(found.as_unknown().is_some(), "{expression}: {found:?}");
    }
    let found = beside_vnet("reference('v').subnets[0].properties.provisioningState");
    let unknown = found.as_unknown().expect("it is unknown");
    assert_eq!(unknown.expression(), "reference('v').subnets[0].properties.provisioningState");
    assert!(matches!(unknown.reasons(), [Reason::LiveResource(_)]));
}

#[test]
fn outputs_of_nested_deployments_are_known() {
    let deployment = deploy(
        r#"{"resources": [
          {"type": "A.B/c", "name": "n", "properties": {
            "a": "[reference('d').outputs.rules.value]",
            "b": "[reference(resourceId('Microsoft.Resources/deployments', 'd')).outputs.prefix.value]",
            "c": "[reference('d').outputs.live.value]",
            "d": "[reference('d').correlationId]"}},
          {"type": "Microsoft.Resources/deployments", "name": "d", "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": {"resources": [], "outputs": {
              "rules": {"type": "array", "value": [{"name": "r"}]},
              "prefix": {"type": "string", "value": "[concat('10.', '0.0.0/8')]"},
              "live": {"type": "string", "value": "[reference('x').y]"}}}}}]}"#,
    );
    assert_clean(&deployment);
    let found = only(&deployment, "A.B/c").properties().expect("properties");
    assert_eq!(found.get("a").expect("a").to_json(), json(r#"[{"name": "r"}]"#));
    assert_eq!(found.get("b").and_then(Value::as_str), Some("10.0.0.0/8"));
    assert!(found.get("c").expect("c").as_unknown().is_some());
    assert!(found.get("d").expect("d").as_unknown().is_some());
}

#[test]
fn one_deployment_feeds_another() {
    let deployment = deploy(
        r#"{"resources": [
          {"type": "Microsoft.Resources/deployments", "name": "second", "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"n": {"value": "[reference('first').outputs.n.value]"}},
            "template": {"parameters": {"n": {"type": "string"}},
              "resources": [{"type": "A.B/c", "name": "[parameters('n')]"}]}}},
          {"type": "Microsoft.Resources/deployments", "name": "first", "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": {"resources": [], "outputs": {"n": {"type": "string", "value": "made"}}}}}]}"#,
    );
    assert_clean(&deployment);
    assert_eq!(only(&deployment, "A.B/c").name.known(), Some("made"));
}

#[test]
fn copies_are_referenced_one_by_one_or_together() {
    let deployment = deploy(
        r#"{"languageVersion": "2.0", "resources": {
          "ips": {"type": "A.B/ips", "name": "[format('ip{0}', copyIndex())]", "copy": {"name": "ips", "count": 2},
                  "properties": {"n": "[copyIndex()]"}},
          "user": {"type": "A.B/c", "name": "n", "properties": {
            "one": "[reference('ips[1]').n]",
            "all": "[map(references('ips'), lambda('ip', lambdaVariables('ip').n))]"}}}}"#,
    );
    assert_clean(&deployment);
    let found = only(&deployment, "A.B/c").properties().expect("properties").to_json();
    assert_eq!(found, json(r#"{"one": 1, "all": [0, 1]}"#));
}

#[test]
fn a_resource_that_needs_itself_is_a_problem() {
    let deployment = deploy(
        r#"{"resources": [{"type": "A.B/c", "name": "n", "properties": {"x": "[reference('n').x]"}}]}"#,
    );
    assert_eq!(deployment.problems.len(), 1, "{:?}", deployment.problems);
    assert!(deployment.problems[0].message.contains("circular dependency"), "{:?}", deployment.problems);
}
