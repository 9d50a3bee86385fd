//! What is told: the document, operations, what-if and the exported template.

use super::*;

fn rule(name: &str, port: &str) -> Value {
    json!({"name": name, "properties": {"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
        "sourcePortRange": "*", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": port}})
}

fn nsg(port: &str) -> Value {
    resource("networkSecurityGroups", "n", json!({"securityRules": [rule("r", port)]}))
}

#[tokio::test]
async fn the_document_tells_parameters_but_no_secrets() {
    let bench = Bench::new();
    let more = json!({"parameters": {
        "name": {"type": "string"},
        "port": {"type": "int", "defaultValue": 22},
        "where": {"type": "string", "defaultValue": "[resourceGroup().location]"},
        "secret": {"type": "secureString"}}});
    let named = template(json!([resource("networkSecurityGroups", "[parameters('name')]", json!({}))]), more);
    let parameters = json!({"NAME": {"value": "n"}, "secret": {"value": "hush"}});
    let request = request_at(group("g"), &body(named, parameters)).expect("the request is well formed");
    let document = deploy(&bench, request).await;
    assert_eq!(
        document["properties"]["parameters"],
        json!({"name": {"type": "String", "value": "n"}, "port": {"type": "Int", "value": 22},
            "where": {"type": "String"}, "secret": {"type": "SecureString"}})
    );
    assert!(!document.to_string().contains("hush"));
    let mut properties = document["properties"].clone();
    for key in ["parameters", "templateHash", "operations"] {
        properties.as_object_mut().expect("an object").remove(key);
    }
    assert_eq!(
        properties,
        json!({"mode": "Incremental", "provisioningState": "Succeeded", "timestamp": "2026-09-21T14:13:20Z",
            "duration": "PT0.000S", "correlationId": "c", "dependencies": [], "outputs": {},
            "providers": [{"namespace": "Microsoft.Network", "resourceTypes": [{"resourceType": "networkSecurityGroups"}]}],
            "outputResources": [{"id": id("networkSecurityGroups", "n").as_str()}]})
    );
    assert_eq!(
        operations(&document),
        json!({"value": [{
            "id": format!("{}/operations/0000000000000000", document["id"].as_str().expect("an id")),
            "operationId": "0000000000000000",
            "properties": {
                "provisioningOperation": "Create", "provisioningState": "Succeeded",
                "timestamp": "2026-09-21T14:13:20Z", "duration": "PT0.000S", "statusCode": "Created",
                "targetResource": {"id": id("networkSecurityGroups", "n").as_str(),
                    "resourceType": "Microsoft.Network/networkSecurityGroups", "resourceName": "n"}}}]})
    );
}

#[tokio::test]
async fn what_if_tells_what_would_change() {
    let bench = Bench::new();
    let ask = |port: &str| {
        let request =
            request(json!([nsg(port), resource("applicationSecurityGroups", "new", json!({}))]), json!({}));
        what_if(&bench, &request).expect("an answer")["properties"]["changes"].clone()
    };
    let kinds = |changes: &Value| -> Vec<(String, String)> {
        let text = |change: &Value, key: &str| change[key].as_str().unwrap_or("-").to_owned();
        let name =
            |change: &Value| text(change, "resourceId").rsplit('/').next().unwrap_or_default().to_owned();
        changes.as_array().expect("a list").iter().map(|c| (name(c), text(c, "changeType"))).collect()
    };
    let said = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
    };
    assert_eq!(kinds(&ask("22")), said(&[("n", "Create"), ("new", "Create")]));
    assert!(bench.list(&group("g")).is_empty(), "it only asked");

    bench.write(&id("routeTables", "other"), &json!({"location": "westeurope"})).expect("it can be made");
    deploy(&bench, request(json!([nsg("22")]), json!({}))).await;
    assert_eq!(kinds(&ask("22")), said(&[("n", "NoChange"), ("new", "Create"), ("other", "Ignore")]));
    let changes = ask("443");
    assert_eq!(kinds(&changes), said(&[("n", "Modify"), ("new", "Create"), ("other", "Ignore")]));
    let leaf = |path: &str, before: Value, after: Value| json!({"path": path, "propertyChangeType": "Modify", "before": before, "after": after, "children": null});
    let delta = &changes[0]["delta"];
    assert_eq!(
        (delta[0]["path"].as_str(), delta[0]["propertyChangeType"].as_str()),
        (Some("properties.securityRules"), Some("Array"))
    );
    assert_eq!(
        delta[0]["children"],
        json!([{"path": "0", "propertyChangeType": "Modify", "before": null, "after": null,
            "children": [leaf("properties.destinationPortRange", json!("22"), json!("443"))]}])
    );
    for hidden in ["etag", "provisioningState", "resourceGuid", "defaultSecurityRules"] {
        assert!(!changes.to_string().contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn what_if_may_tell_ids_only() {
    let bench = Bench::new();
    deploy(&bench, request(json!([nsg("22")]), json!({}))).await;
    let mut body = body(template(json!([nsg("443")]), json!({})), json!({}));
    body["properties"]["whatIfSettings"] = json!({"resultFormat": "ResourceIdOnly"});
    let request = request_at(group("g"), &body).expect("the request is well formed");
    let answer = what_if(&bench, &request).expect("an answer");
    assert_eq!(
        answer["properties"]["changes"],
        json!([{"resourceId": id("networkSecurityGroups", "n").as_str(), "changeType": "Deploy"}])
    );
}

#[tokio::test]
async fn an_exported_group_deploys_to_no_change_and_elsewhere_to_the_same() {
    let bench = Bench::new();
    let tagged = with(nsg("22"), "tags", json!({"odd": "[[not an expression]"}));
    deploy(&bench, request(json!([tagged, network(), interface("i")]), json!({}))).await;
    let rendered = |at: &ResourceId| bench.list(at).iter().filter_map(|id| bench.get(id)).collect::<Vec<_>>();
    let exported = export(&group("g"), rendered(&group("g")))["template"].clone();
    let again = request_at(group("g"), &body(exported.clone(), json!({}))).expect("it is a template");
    let changes = what_if(&bench, &again).expect("an answer")["properties"]["changes"].clone();
    let kinds: Vec<&str> =
        changes.as_array().expect("a list").iter().filter_map(|c| c["changeType"].as_str()).collect();
    assert_eq!(kinds, ["NoChange"; 3], "{changes:#}");

    bench.write(&group("h"), &json!({"location": "westeurope"})).expect("a group can be made");
    let mut elsewhere = exported.clone();
    // A hardware address is of one interface only.
    let resources = elsewhere["resources"].as_array_mut().expect("a list");
    for resource in resources {
        resource["properties"].as_object_mut().map(|properties| properties.remove("macAddress"));
    }
    let there = request_at(group("h"), &body(elsewhere.clone(), json!({}))).expect("it is a template");
    assert_eq!(state(&deploy(&bench, there).await), "Succeeded");
    let mut copied = export(&group("h"), rendered(&group("h")))["template"].clone();
    for resource in copied["resources"].as_array_mut().expect("a list") {
        resource["properties"].as_object_mut().map(|properties| properties.remove("macAddress"));
    }
    assert_eq!(copied, elsewhere);
}
