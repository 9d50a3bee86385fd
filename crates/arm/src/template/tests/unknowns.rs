//! How the unknown spreads, and where it stops.

use super::*;

/// Parameters without values: a string, a number, a truth value, an array and an object.
const ASK: &str = r#""parameters": {"s": {"type": "string"}, "t": {"type": "string"}, "n": {"type": "int"},
    "b": {"type": "bool"}, "a": {"type": "array"}, "o": {"type": "object"}},"#;

fn ask(expression: &str) -> Value {
    let (value, problems) = value_of(expression, ASK);
    assert!(problems.is_empty(), "{expression}: {problems:?}");
    value.unwrap_or_else(|| panic!("{expression}: no value"))
}

#[test]
fn expressions_are_canonical() {
    for (expression, shown) in [
        ("parameters('S')", "{parameters('s')}"),
        ("concat(parameters('s'), '-nsg')", "{parameters('s')}-nsg"),
        ("CONCAT('a', Parameters('s'), 'b', 'c')", "a{parameters('s')}bc"),
        ("format('{0}-{1}', 'x', parameters('s'))", "x-{parameters('s')}"),
        ("format('{0:D2}', parameters('n'))", "{format('{0:D2}', parameters('n'))}"),
        ("toLower(concat('A', parameters('s')))", "a{toLower(parameters('s'))}"),
        ("toLower(toLower(parameters('s')))", "{toLower(parameters('s'))}"),
        ("substring(parameters('s'), 0, 3)", "{substring(parameters('s'), 0, 3)}"),
        (
            "replace(concat('it''s', parameters('s')), 'a', 'b')",
            "{replace(concat('it''s', parameters('s')), 'a', 'b')}",
        ),
        ("parameters('o').list[0].name", "{parameters('o').list[0].name}"),
        ("parameters('o')[parameters('s')]", "{parameters('o')[parameters('s')]}"),
        ("parameters('a')[0]", "{parameters('a')[0]}"),
        ("add(parameters('n'), 1)", "{add(parameters('n'), 1)}"),
        ("uri(parameters('s'), 'nested/a.json')", "{uri(parameters('s'), '')}nested/a.json"),
        ("join(createArray('a', parameters('s')), ',')", "a,{parameters('s')}"),
        ("string(parameters('s'))", "{parameters('s')}"),
    ] {
        let found = ask(expression).to_json();
        assert_eq!(found.as_str(), Some(shown), "{expression}");
    }
}

#[test]
fn known_parts_decide_where_they_can() {
    for (expression, expected) in [
        ("if(parameters('b'), 'same', 'same')", "\"same\""),
        ("and(false(), parameters('b'))", "false"),
        ("and(parameters('b'), false())", "false"),
        ("or(parameters('b'), true())", "true"),
        ("equals(parameters('s'), parameters('s'))", "true"),
        ("equals(concat('a', parameters('s')), concat('b', parameters('s')))", "false"),
        ("empty(concat('a', parameters('s')))", "false"),
        ("length(createArray(parameters('s'), 'b'))", "2"),
        ("contains(createArray(parameters('s'), 'b'), 'b')", "true"),
        ("createArray(parameters('s'), 'b')[1]", "\"b\""),
        ("last(concat(createArray(parameters('s')), createArray('b')))", "\"b\""),
        ("union(createArray('a'), createArray(parameters('s'), 'a'))[0]", "\"a\""),
        ("createObject('k', parameters('s'), 'l', 1).l", "1"),
        ("objectKeys(createObject('k', parameters('s')))", "[\"k\"]"),
        ("if(empty(null()), 'a', parameters('s'))", "\"a\""),
    ] {
        assert_eq!(ask(expression).to_json(), json(expected), "{expression}");
    }
}

#[test]
fn what_cannot_be_decided_is_unknown_with_all_reasons() {
    for expression in [
        "equals(parameters('s'), parameters('t'))",
        "equals(concat(parameters('s'), 'a'), 'ba')",
        "and(true(), parameters('b'))",
        "not(parameters('b'))",
        "if(parameters('b'), 'x', 'y')",
        "if(parameters('b'), div(1, 0), 'y')",
        "length(parameters('s'))",
        "length(concat('a', parameters('s')))",
        "contains(createArray(parameters('s')), 'b')",
        "coalesce(parameters('o').x, 'y')",
        "filter(parameters('a'), lambda('x', true()))",
        "filter(createArray(1), lambda('x', parameters('b')))",
        "concat(parameters('a'), createArray(1))",
        "union(createObject(), parameters('o'))",
        "resourceId(parameters('s'), parameters('t'), 'x')",
        "variables(parameters('s'))",
    ] {
        let found = ask(expression);
        assert!(found.as_unknown().is_some(), "{expression}: {found:?}");
    }
    let found = ask("equals(parameters('s'), parameters('t'))");
    let reasons = found.as_unknown().expect("unknown").reasons();
    assert_eq!(
        reasons,
        [Reason::ParameterWithoutValue("s".to_owned()), Reason::ParameterWithoutValue("t".to_owned())]
    );
}

#[test]
fn names_and_ids_with_holes_still_meet() {
    let deployment = deploy(
        r#"{"parameters": {"vm": {"type": "string"}},
          "variables": {"nsg": "[concat(parameters('vm'), '-nsg')]"},
          "resources": [
            {"type": "Microsoft.Network/networkSecurityGroups", "name": "[variables('nsg')]"},
            {"type": "Microsoft.Network/networkInterfaces", "name": "[format('{0}-nic', parameters('VM'))]",
             "dependsOn": ["[variables('nsg')]"],
             "properties": {"networkSecurityGroup": {
               "id": "[resourceId('microsoft.network/networkSecurityGroups', concat(parameters('vm'), '-NSG'))]"}}}]}"#,
    );
    assert_clean(&deployment);
    let (nsg, nic) = (&deployment.resources[0], &deployment.resources[1]);
    let referred = nic.body.at_pointer("/properties/networkSecurityGroup/id").and_then(Value::text);
    assert_eq!(referred.expect("a text").key(), nsg.id.key());
    assert_eq!(nic.depends_on[0], nsg.id);
    assert_eq!(nsg.name.to_string(), "{parameters('vm')}-nsg");
    assert!(!nsg.name.is_known());
    assert_eq!(nsg.name.reasons(), [Reason::ParameterWithoutValue("vm".to_owned())]);
    let expressions: Vec<&str> = deployment.unknowns.iter().map(|u| u.expression()).collect();
    assert_eq!(expressions, ["parameters('vm')"]);
}

#[test]
fn equal_parameters_of_different_deployments_are_different() {
    let inner = r#"{"parameters": {"p": {"type": "string"}}, "resources": [{"type": "A.B/c", "name": "[parameters('p')]"}]}"#;
    let deployment = deploy(&format!(
        r#"{{"parameters": {{"p": {{"type": "string"}}}}, "resources": [
          {{"type": "A.B/c", "name": "[parameters('p')]"}},
          {{"type": "Microsoft.Resources/deployments", "name": "d", "properties": {{
            "expressionEvaluationOptions": {{"scope": "inner"}}, "template": {inner}}}}},
          {{"type": "Microsoft.Resources/deployments", "name": "e", "properties": {{
            "expressionEvaluationOptions": {{"scope": "inner"}},
            "parameters": {{"p": {{"value": "[parameters('p')]"}}}}, "template": {inner}}}}}]}}"#
    ));
    assert_clean(&deployment);
    let found: Vec<String> =
        deployment.resources.iter().filter(|r| r.is("A.B/c")).map(|r| r.name.to_string()).collect();
    assert_eq!(found, ["{parameters('p')}", "{deployment('d').parameters('p')}", "{parameters('p')}"]);
}

#[test]
fn every_reason_is_told() {
    let sections = r#""parameters": {
        "none": {"type": "string"},
        "made": {"type": "string", "defaultValue": "[newGuid()]"},
        "made2": {"type": "string", "defaultValue": "[newGuid()]"}},"#;
    for (expression, told) in [
        ("parameters('none')", "parameter 'none' has no value and no default"),
        ("parameters('made')", "newGuid() is made at deployment"),
        ("reference('x').y", "reference('x') is read from the live resource"),
        ("listKeys('x', '1').k", "listKeys('x', '1') asks the live resource for secrets"),
        ("pickZones('A', 'b', 'c')", "pickZones() is answered by the deployment service"),
        ("resourceGroup().tags.owner", "resourceGroup().tags is answered by the deployment service"),
    ] {
        let (value, problems) = value_of(expression, sections);
        assert!(problems.is_empty(), "{expression}: {problems:?}");
        let value = value.expect("a value");
        let reasons = value.as_unknown().expect("unknown").reasons().to_vec();
        assert_eq!(reasons.iter().map(Reason::to_string).collect::<Vec<_>>(), [told], "{expression}");
    }
    let (same, _) = value_of("equals(parameters('made'), parameters('made2'))", sections);
    assert!(same.expect("a value").as_unknown().is_some(), "two new guids need not be equal");
}

#[test]
fn key_vault_values_are_unknown() {
    let template = with_property(
        r#""[concat('x', parameters('p'))]""#,
        r#""parameters": {"p": {"type": "securestring"}},"#,
    );
    let deployment =
        deploy_with(&template, &[r#"{"p": {"reference": {"keyVault": {"id": "/v"}, "secretName": "s"}}}"#]);
    assert_clean(&deployment);
    assert_eq!(deployment.unknowns[0].reasons(), [Reason::KeyVaultSecret("p".to_owned())]);
}

#[test]
fn unknown_counts_leave_one_template_of_the_copies() {
    let deployment = deploy(
        r#"{"parameters": {"count": {"type": "int"}}, "resources": [
          {"type": "A.B/c", "name": "[concat('vm', copyIndex())]", "copy": {"name": "vms", "count": "[parameters('count')]"},
           "properties": {"copy": [{"name": "disks", "count": "[parameters('count')]", "input": 1}]}}]}"#,
    );
    assert_clean(&deployment);
    let resource = only(&deployment, "A.B/c");
    assert_eq!(resource.name.to_string(), "vm{copyIndex(of parameters('count'))}");
    assert_eq!(resource.repeat.as_ref().map(|count| count.expression()), Some("parameters('count')"));
    let disks = resource.body.at_pointer("/properties/disks").and_then(Value::as_unknown).expect("unknown");
    assert!(disks.reasons().contains(&Reason::CopyCount("disks".to_owned())));
    assert_eq!(disks.kind(), Some(Type::Array));
}

#[test]
fn loops_with_the_same_unknown_count_run_together() {
    let deployment = deploy(
        r#"{"parameters": {"count": {"type": "int"}}, "resources": [
          {"type": "A.B/nics", "name": "[concat('nic', copyIndex())]", "copy": {"name": "nics", "count": "[parameters('count')]"}},
          {"type": "A.B/vms", "name": "[concat('vm', copyIndex())]", "copy": {"name": "vms", "count": "[parameters('count')]"},
           "properties": {"nic": "[resourceId('A.B/nics', concat('nic', copyIndex('vms')))]"},
           "resources": [{"type": "extensions", "name": "e"}]}]}"#,
    );
    assert_clean(&deployment);
    let nic = only(&deployment, "A.B/vms").body.at_pointer("/properties/nic").and_then(Value::text);
    assert_eq!(nic.expect("a text").key(), only(&deployment, "A.B/nics").id.key());
    assert!(
        only(&deployment, "A.B/vms/extensions").repeat.is_some(),
        "children are repeated with their parent"
    );
}

#[test]
fn conditions_of_deployments_pass_to_their_resources() {
    let deployment = deploy(
        r#"{"parameters": {"a": {"type": "bool"}, "b": {"type": "bool"}}, "resources": [
          {"type": "Microsoft.Resources/deployments", "name": "d", "condition": "[parameters('a')]", "properties": {
            "template": {"resources": [
              {"type": "A.B/plain", "name": "n"},
              {"type": "A.B/own", "name": "n", "condition": "[parameters('b')]"}]}}}]}"#,
    );
    assert_clean(&deployment);
    let condition = |kind: &str| match &only(&deployment, kind).condition {
        Condition::Yes => panic!("{kind} is not certain"),
        Condition::Unknown(unknown) => unknown.expression().to_owned(),
    };
    assert_eq!(condition("A.B/plain"), "parameters('a')");
    assert_eq!(condition("A.B/own"), "and(parameters('a'), parameters('b'))");
}

#[test]
fn long_expressions_are_cut_and_stay_distinct() {
    let long = |tail: &str| {
        let text = "x".repeat(3_000);
        ask(&format!("substring(concat(parameters('s'), '{text}{tail}'), 1)"))
    };
    let (one, two) = (long("1"), long("2"));
    assert_ne!(one, two);
    assert_eq!(one, long("1"));
    assert!(one.as_unknown().expect("unknown").expression().len() < 2_000);
}
