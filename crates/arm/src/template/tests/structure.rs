//! Loops, conditions, children, nested and linked deployments.

use std::rc::Rc;

use super::*;

const RG: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/resource-group";

#[test]
fn variables_are_lazy_and_may_loop() {
    let template = with_property(
        r#"["[variables('names')]", "[variables('nested').disks[1].lun]", "[variables('numbers')[2]]"]"#,
        r#""variables": {
            "names": ["[variables('base')]", "[concat(variables('base'), '2')]"],
            "base": "vm",
            "nested": {"copy": [{"name": "disks", "count": 2, "input": {"lun": "[copyIndex('disks', 10)]"}}]},
            "copy": [{"name": "numbers", "count": 3, "input": "[mul(copyIndex('numbers'), 2)]"}]},"#,
    );
    let deployment = deploy(&template);
    assert_clean(&deployment);
    let found = deployment.resources[0].body.at_pointer("/properties/x").expect("a value").to_json();
    assert_eq!(found, json(r#"[["vm", "vm2"], 11, 4]"#));
}

#[test]
fn resource_copies_number_names_and_bodies() {
    let deployment = deploy(
        r#"{"resources": [{"type": "A.B/c", "name": "[concat('n', copyIndex(1))]", "apiVersion": "1",
            "copy": {"name": "loop", "count": 3, "mode": "serial"},
            "properties": {"i": "[copyIndex('loop')]",
              "copy": [{"name": "inner", "count": 2, "input": "[add(mul(copyIndex(), 10), copyIndex('inner'))]"}]}}]}"#,
    );
    assert_clean(&deployment);
    assert_eq!(names(&deployment), ["n1", "n2", "n3"]);
    let last = &deployment.resources[2];
    assert_eq!(last.properties().expect("properties").to_json(), json(r#"{"i": 2, "inner": [20, 21]}"#));
    assert!(last.body.get("copy").is_none(), "the loop is not part of the body");
}

#[test]
fn no_copies_is_a_count_too() {
    let deployment =
        deploy(r#"{"resources": [{"type": "A.B/c", "name": "n", "copy": {"name": "l", "count": 0}}]}"#);
    assert_clean(&deployment);
    assert!(deployment.resources.is_empty());
}

#[test]
fn false_conditions_leave_resources_out() {
    let deployment = deploy(
        r#"{"parameters": {"on": {"type": "bool", "defaultValue": false}, "ask": {"type": "bool"}},
          "resources": [
            {"type": "A.B/c", "name": "off", "condition": "[parameters('on')]"},
            {"type": "A.B/c", "name": "on", "condition": "[not(parameters('on'))]"},
            {"type": "A.B/c", "name": "maybe", "condition": "[parameters('ask')]"}]}"#,
    );
    assert_clean(&deployment);
    assert_eq!(names(&deployment), ["on", "maybe"]);
    assert_eq!(deployment.resources[0].condition, Condition::Yes);
    let Condition::Unknown(why) = &deployment.resources[1].condition else { panic!("it depends") };
    assert_eq!(why.expression(), "parameters('ask')");
}

#[test]
fn children_take_type_and_name_from_their_parent() {
    let deployment = deploy(
        r#"{"resources": [{"type": "Microsoft.Network/networkSecurityGroups", "name": "nsg",
          "resources": [
            {"type": "securityRules", "name": "short"},
            {"type": "Microsoft.Network/networkSecurityGroups/securityRules", "name": "nsg/full"},
            {"type": "Microsoft.Network/networkSecurityGroups/securityRules", "name": "half"}]}]}"#,
    );
    assert_clean(&deployment);
    assert_eq!(names(&deployment), ["nsg", "nsg/short", "nsg/full", "nsg/half"]);
    for child in &deployment.resources[1..] {
        assert!(child.is("Microsoft.Network/networkSecurityGroups/securityRules"), "{}", child.kind);
    }
    assert_eq!(
        ids(&deployment)[1],
        format!("{RG}/providers/Microsoft.Network/networkSecurityGroups/nsg/securityRules/short")
    );
    assert!(deployment.resources[0].body.get("resources").is_none());
}

#[test]
fn symbolic_names_existing_resources_and_scopes() {
    let deployment = deploy(
        r#"{"languageVersion": "2.0", "resources": {
          "vnet": {"existing": true, "type": "Microsoft.Network/virtualNetworks", "name": "v"},
          "nics": {"type": "Microsoft.Network/networkInterfaces", "name": "[format('nic{0}', copyIndex())]",
                   "copy": {"name": "nics", "count": 2}, "dependsOn": ["vnet"]},
          "lock": {"type": "Microsoft.Authorization/locks", "name": "l", "scope": "Microsoft.Network/virtualNetworks/v",
                   "dependsOn": ["nics[1]"], "properties": {"nic": "[resourceInfo('nics[0]').name]"}}}}"#,
    );
    assert_clean(&deployment);
    assert_eq!(names(&deployment), ["nic0", "nic1", "l"]);
    assert_eq!(deployment.existing[0].name.known(), Some("v"));
    let depends = |index: usize| deployment.resources[index].depends_on[0].to_string();
    assert_eq!(depends(0), format!("{RG}/providers/Microsoft.Network/virtualNetworks/v"));
    assert_eq!(depends(2), format!("{RG}/providers/Microsoft.Network/networkInterfaces/nic1"));
    let lock = &deployment.resources[2];
    assert_eq!(
        lock.id.to_string(),
        format!(
            "{RG}/providers/Microsoft.Network/virtualNetworks/v/providers/Microsoft.Authorization/locks/l"
        )
    );
    assert_eq!(lock.body.at_pointer("/properties/nic").and_then(Value::as_str), Some("nic0"));
}

#[test]
fn subscription_templates_have_subscription_ids() {
    let deployment = deploy(
        r#"{"$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
          "resources": [
            {"type": "Microsoft.Resources/resourceGroups", "name": "g", "location": "westus"},
            {"type": "Microsoft.Resources/deployments", "name": "d", "resourceGroup": "g", "properties": {
              "expressionEvaluationOptions": {"scope": "inner"},
              "template": {"resources": [{"type": "A.B/c", "name": "[resourceGroup().name]"}]}}}]}"#,
    );
    assert_clean(&deployment);
    let subscription = "/subscriptions/00000000-0000-0000-0000-000000000000";
    assert_eq!(
        ids(&deployment),
        [
            format!("{subscription}/resourceGroups/g"),
            format!("{subscription}/resourceGroups/g/providers/Microsoft.Resources/deployments/d"),
            format!("{subscription}/resourceGroups/g/providers/A.B/c/g"),
        ]
    );
    assert_eq!(deployment.resources[0].resource_group, None);
    assert_eq!(deployment.resources[2].deployments, ["main", "d"]);
}

fn nested(scope: &str) -> Deployment {
    deploy(&format!(
        r#"{{"parameters": {{"name": {{"type": "string", "defaultValue": "outer"}}}},
          "variables": {{"v": "outer-v"}},
          "resources": [{{"type": "Microsoft.Resources/deployments", "name": "d", "properties": {{
            "expressionEvaluationOptions": {{"scope": "{scope}"}},
            "parameters": {{"name": {{"value": "[concat('given-', parameters('name'))]"}}}},
            "template": {{
              "parameters": {{"name": {{"type": "string"}}}},
              "variables": {{"v": "inner-v"}},
              "resources": [{{"type": "A.B/c", "name": "[concat(parameters('name'), '-', variables('v'))]"}}]}}}}}}]}}"#
    ))
}

#[test]
fn nested_scopes_decide_what_names_mean() {
    let inner = nested("inner");
    assert_clean(&inner);
    assert_eq!(only(&inner, "A.B/c").name.known(), Some("given-outer-inner-v"));
    let outer = nested("outer");
    assert_clean(&outer);
    assert_eq!(only(&outer, "A.B/c").name.known(), Some("outer-outer-v"));
}

#[test]
fn nested_templates_in_a_loop_know_the_index() {
    let deployment = deploy(
        r#"{"resources": [{"type": "Microsoft.Resources/deployments", "name": "[concat('d', copyIndex())]",
          "copy": {"name": "l", "count": 2}, "properties": {"template": {
            "resources": [{"type": "A.B/c", "name": "[concat('n', copyIndex())]"}]}}}]}"#,
    );
    assert_clean(&deployment);
    assert_eq!(names(&deployment), ["d0", "d1", "n0", "n1"]);
}

#[test]
fn links_lead_to_documents() {
    let main = document(
        "templates/main.json",
        r#"{"parameters": {"base": {"type": "string"}}, "resources": [
          {"type": "Microsoft.Resources/deployments", "name": "byUri", "properties": {
            "templateLink": {"uri": "[uri(parameters('base'), concat('nested/a.json', '?sas'))]"},
            "parameters": {"n": {"value": "a1"}}}},
          {"type": "Microsoft.Resources/deployments", "name": "byPath", "properties": {
            "templateLink": {"relativePath": "nested/../nested/a.json"},
            "parametersLink": {"uri": "https://host/repo/templates/nested/p.json"}}},
          {"type": "Microsoft.Resources/deployments", "name": "byName", "properties": {
            "templateLink": {"uri": "https://elsewhere/master/Templates/NESTED/A.json"},
            "parameters": {"n": {"value": "a3"}}}},
          {"type": "Microsoft.Resources/deployments", "name": "lost", "properties": {
            "templateLink": {"uri": "https://elsewhere/a.json"}}}]}"#,
    );
    let a = document(
        "templates/nested/a.json",
        r#"{"parameters": {"n": {"type": "string"}}, "resources": [{"type": "A.B/c", "name": "[parameters('n')]"}]}"#,
    );
    let values = document("templates/nested/p.json", r#"{"parameters": {"n": {"value": "a2"}}}"#);
    let mut links = Folder::new("templates", "https://host/repo/templates/");
    links.insert("main.json", &main);
    links.insert("nested/a.json", &a);
    links.insert("nested/p.json", &values);
    let context = DeploymentContext::default();
    let deployment = evaluate(&Input { template: &main, parameters: &[], context: &context, links: &links });
    assert_clean(&deployment);
    let found: Vec<String> =
        deployment.resources.iter().filter(|r| r.is("A.B/c")).map(|r| r.name.to_string()).collect();
    assert_eq!(found, ["a1", "a2", "a3"]);
    assert_eq!(deployment.unresolved_links.len(), 1);
    assert!(deployment.unresolved_links[0].deployment.to_string().ends_with("/lost"));
    let linked = deployment.resources.iter().find(|r| r.is("A.B/c")).expect("a linked resource");
    assert_eq!(deployment.sources[linked.at.source.0 as usize], "templates/nested/a.json");
}

#[test]
fn parameter_files_of_both_shapes() {
    let template = with_property(
        r#"["[parameters('a')]", "[parameters('b')]", "[parameters('c')]"]"#,
        r#""parameters": {"a": {"type": "string"}, "b": {"type": "int"}, "c": {"type": "object", "defaultValue": {}}},"#,
    );
    let full = r#"{"$schema": "x", "contentVersion": "1.0.0.0", "parameters": {"A": {"value": "[not evaluated]"}, "b": {"value": 1}}}"#;
    for plain in [r#"{"b": {"value": 2}, "c": {"value": {"k": 1}}}"#, r#"{"b": 2, "c": {"k": 1}}"#] {
        let deployment = deploy_with(&template, &[full, plain]);
        assert_clean(&deployment);
        let found = deployment.resources[0].body.at_pointer("/properties/x").expect("a value").to_json();
        assert_eq!(found, json(r#"["[not evaluated]", 2, {"k": 1}]"#), "{plain}");
    }
}

#[test]
fn outputs_follow_conditions_and_loops() {
    let deployment = deploy(
        r#"{"resources": [], "outputs": {
          "plain": {"type": "string", "value": "[concat('a', 'b')]"},
          "absent": {"type": "string", "condition": false, "value": "[div(1, 0)]"},
          "many": {"type": "array", "copy": {"count": 2, "input": "[copyIndex()]"}}}}"#,
    );
    assert_clean(&deployment);
    let found: Vec<_> = deployment.outputs.iter().map(|o| (o.name.as_str(), o.value.to_json())).collect();
    assert_eq!(found, [("plain", json("\"ab\"")), ("many", json("[0, 1]"))]);
}

#[test]
fn places_are_those_of_the_template() {
    let deployment = deploy(
        "{\"variables\": {\"p\": \"10.0.0.0/8\"},\n \"resources\": [{\"type\": \"A.B/c\", \"name\": \"n\",\n  \
         \"properties\": {\"a\": \"[variables('p')]\",\n   \"b\": [1,\n    {\"c\": true}]}}]}",
    );
    assert_clean(&deployment);
    let place = |pointer: &str| {
        let at = deployment.resources[0].body.at_pointer(pointer).expect("there is a value").at;
        (at.line, at.column)
    };
    assert_eq!(place("/properties/a"), (3, 23));
    assert_eq!(place("/properties/b/1/c"), (5, 11));
    assert_eq!(deployment.resources[0].at.line, 2);
}

#[test]
fn keys_may_be_expressions() {
    let template = with_property(r#"{"[concat('k', 1)]": "v"}"#, "");
    let deployment = deploy(&template);
    assert_clean(&deployment);
    assert_eq!(
        deployment.resources[0].body.at_pointer("/properties/x/K1").and_then(Value::as_str),
        Some("v")
    );
}

/// A process that reads templates for months must not grow by each of them.
#[test]
fn an_evaluation_lets_go_of_scopes_and_resources() {
    let nested = with_property("1", "");
    let template = document(
        "main.json",
        &format!(
            r#"{{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "resources": [{{"type": "Microsoft.Resources/deployments", "name": "inner", "apiVersion": "2022-09-01",
              "properties": {{"mode": "Incremental", "template": {nested}}}}}]}}"#
        ),
    );
    let context = DeploymentContext::default();
    let evaluator = Evaluator::new(&context, &NoLinks, None);
    let (source, target) = (evaluator.source(&template), context::Target::root(&context, None));
    let path = vec!["main".to_owned()];
    let scope = evaluator.scope(&template.root, source, target.clone(), path.clone(), None, HashMap::new());
    let frame = Frame::new(scope);
    let around = &Inherited::default();
    evaluator.expand(&template.root, &Site { frame: &frame, target: &target, path: &path, around });
    let declared: Vec<_> = evaluator.declared.borrow().iter().map(Rc::downgrade).collect();
    let scopes: Vec<_> =
        evaluator.declared.borrow().iter().map(|one| Rc::downgrade(&one.frame.scope)).collect();
    assert_eq!(declared.len(), 2);
    drop(frame);
    evaluator.finish();
    assert!(declared.iter().all(|one| one.upgrade().is_none()));
    assert!(scopes.iter().all(|one| one.upgrade().is_none()));
}
