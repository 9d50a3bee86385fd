//! Deployments that are refused whole: nothing of them is written, not even a document.

use super::*;

/// The refusal of a request: `code: first sentence`, with the codes of the details.
#[track_caller]
fn refused(bench: &Bench, request: Result<Request, ControlError>) -> (String, Vec<String>) {
    let error = match request {
        Err(error) => error,
        Ok(request) => validate(bench, &request).expect_err("it must be refused"),
    };
    (error.code.to_string(), error.details.iter().map(|detail| detail.code.to_string()).collect())
}

fn refused_resources(bench: &Bench, resources: Value) -> (String, Vec<String>) {
    refused(bench, Ok(request(resources, json!({}))))
}

#[test]
fn bodies_that_are_no_deployment_of_ours() {
    let bench = Bench::new();
    let good = || template(json!([]), json!({}));
    let at = |scope: ResourceId, body: Value| refused(&bench, request_at(scope, &body)).0;
    let properties = |properties: Value| at(group("g"), json!({"properties": properties}));
    assert_eq!(at(group("g"), json!({})), "InvalidRequestContent");
    assert_eq!(properties(json!({"mode": "Complete", "template": good()})), "DeploymentModeNotSupported");
    assert_eq!(properties(json!({"template": good()})), "InvalidDeploymentMode");
    assert_eq!(properties(json!({"mode": "incremental"})), "InvalidRequestContent");
    let linked = json!({"mode": "Incremental", "templateLink": {"uri": "https://example.org/x.json"}});
    assert_eq!(properties(linked), "LinkedTemplateNotSupported");
    let parameters = json!({"mode": "Incremental", "template": good(), "parameters": []});
    assert_eq!(properties(parameters), "InvalidRequestContent");
    assert_eq!(at(ResourceId::new(SUBSCRIPTION), body(good(), json!({}))), "InvalidTemplate");
    let of_subscription = json!({"$schema": SUBSCRIPTION_SCHEMA, "resources": []});
    assert_eq!(
        at(ResourceId::new(SUBSCRIPTION), body(of_subscription.clone(), json!({}))),
        "LocationRequired"
    );
    assert_eq!(at(group("g"), body(of_subscription, json!({}))), "InvalidTemplate");
    assert_eq!(at(group("missing"), body(good(), json!({}))), "ResourceGroupNotFound");
    let unnamed = Place { name: "a/b".to_owned(), ..place(group("g")) };
    let request = Request::new(unnamed, &body(good(), json!({})), String::new());
    assert_eq!(refused(&bench, request).0, "InvalidDeploymentName");
}

#[tokio::test]
async fn a_group_is_made_with_the_first_write_of_its_deployment_or_not_at_all() {
    let mut bench = Bench::new();
    let request = |resources: Value| {
        let mut body = body(template(resources, json!({})), json!({}));
        body["location"] = json!("northeurope");
        request_at(group("fresh"), &body).expect("the request is well formed")
    };
    let nsg = || {
        let nsg = resource("networkSecurityGroups", "n", json!({}));
        with(nsg, "location", json!("[resourceGroup().location]"))
    };
    for wrong in [json!([with(nsg(), "dependsOn", json!(["nobody"]))]), json!([nsg(), interface("i")])] {
        create(&bench, request(wrong)).await.expect_err("it is refused");
        assert_eq!(bench.get(&group("fresh")), None);
    }
    bench.forbidden = Some("Microsoft.Resources/resourceGroups/write".to_owned());
    let error = create(&bench, request(json!([nsg()]))).await.expect_err("the caller may make no groups");
    assert_eq!((&*error.code, bench.get(&group("fresh"))), ("AuthorizationFailed", None));
    bench.forbidden = None;

    let would = what_if(&bench, &request(json!([nsg()]))).expect("it can be done");
    assert_eq!(would["properties"]["changes"][0]["changeType"], json!("Create"), "{would:#}");
    validate(&bench, &request(json!([nsg()]))).expect("it can be done");
    assert_eq!(bench.get(&group("fresh")), None, "both write nothing");
    let document = deploy(&bench, request(json!([nsg()]))).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    assert_eq!(bench.get(&group("fresh")).expect("it was made")["location"], json!("northeurope"));

    // A group that is deleted meanwhile is not made again.
    bench.remove(&group("fresh"));
    let (running, _) = begin(&bench, request(json!([nsg()]))).await.expect("it begins");
    bench.remove(&group("fresh"));
    running.finish(&bench).await.expect_err("its document has no place any more");
    assert_eq!(bench.get(&group("fresh")), None);
}

#[test]
fn templates_that_cannot_be_done() {
    let bench = Bench::new();
    let nsg = |name: &str| resource("networkSecurityGroups", name, json!({}));
    let one = |resource: Value| refused_resources(&bench, json!([resource]));
    let template = |code: &str| (code.to_owned(), Vec::<String>::new());
    let invalid = || template("InvalidTemplate");
    assert_eq!(one(with(nsg("n"), "dependsOn", json!(["nobody"]))), invalid());
    assert_eq!(one(with(nsg("n"), "dependsOn", json!(["n"]))), invalid());
    assert_eq!(refused_resources(&bench, json!([nsg("n"), nsg("N")])), invalid());
    let circle =
        json!([with(nsg("a"), "dependsOn", json!(["b"])), with(nsg("b"), "dependsOn", json!(["a"]))]);
    assert_eq!(refused_resources(&bench, circle), invalid());
    // What nothing of the deployment will ever tell.
    for open in
        ["[parameters('none')]", "[reference('elsewhere').x]", "[listKeys('n', '1').key]", "[newGuid()]"]
    {
        let (code, _) = one(with(nsg("n"), "tags", json!({"x": open})));
        assert_eq!(code, "InvalidTemplate", "{open}");
    }
    let output = json!({"outputs": {"x": {"type": "string", "value": "[reference('elsewhere').x]"}}});
    let (code, _) = refused(&bench, Ok(request(json!([nsg("n")]), output)));
    assert_eq!(code, "InvalidTemplateDeployment");
}

#[test]
fn resources_that_cannot_be_made() {
    let bench = Bench::new();
    let inner = |code: &str| ("InvalidTemplateDeployment".to_owned(), vec![code.to_owned()]);
    let storage = json!({"type": "Microsoft.Storage/storageAccounts", "apiVersion": "1", "name": "s", "location": "westeurope"});
    let good = resource("networkSecurityGroups", "n", json!({}));
    assert_eq!(refused_resources(&bench, json!([good, storage])), inner("InvalidResourceType"));
    let priority = json!({"securityRules": [{"name": "r", "properties": {"priority": 5, "direction": "Inbound",
        "access": "Allow", "protocol": "Tcp", "sourcePortRange": "*", "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": "22"}}]});
    let (code, details) =
        refused_resources(&bench, json!([resource("networkSecurityGroups", "n", priority)]));
    assert_eq!((code.as_str(), details.len()), ("InvalidTemplateDeployment", 1), "{details:?}");
    let subnet = format!("{}/subnets/a", id("virtualNetworks", "nowhere"));
    let lost = json!({"ipConfigurations": [{"name": "c", "properties": {"subnet": {"id": subnet}}}]});
    let (code, details) = refused_resources(&bench, json!([resource("networkInterfaces", "i", lost)]));
    assert_eq!((code.as_str(), details.len()), ("InvalidTemplateDeployment", 1), "{details:?}");
}

#[tokio::test]
async fn a_refused_deployment_writes_nothing() {
    let bench = Bench::new();
    let storage = json!({"type": "Microsoft.Storage/storageAccounts", "apiVersion": "1", "name": "s", "location": "westeurope"});
    let good = resource("networkSecurityGroups", "n", json!({}));
    create(&bench, request(json!([good, storage]), json!({}))).await.expect_err("it must be refused");
    assert_eq!(bench.names(), [""; 0]);
    assert!(bench.list(&group("g")).is_empty());
}

/// A deployment must not be a way around what its caller may do, in its own group or in others.
#[test]
fn every_resource_needs_the_caller_s_permission() {
    let nsg = || resource("networkSecurityGroups", "n", json!({}));
    let bench =
        Bench { forbidden: Some("Microsoft.Network/networkSecurityGroups/write".to_owned()), ..Bench::new() };
    assert_eq!(refused_resources(&bench, json!([nsg()])).0, "AuthorizationFailed");
    let other = group("other");
    let bench = Bench { forbidden: Some(other.to_string()), ..Bench::new() };
    bench.write(&other, &json!({"location": "westeurope"})).expect("a group can be made");
    let inside = json!({"type": "Microsoft.Resources/deployments", "apiVersion": "1", "name": "inner", "resourceGroup": "other",
        "properties": {"mode": "Incremental", "template": template(json!([nsg()]), json!({}))}});
    assert_eq!(refused_resources(&bench, json!([inside])).0, "AuthorizationFailed");
    // Nor a way to read.
    bench
        .write(
            &other.child("providers/Microsoft.Network/networkSecurityGroups", "secret"),
            &json!({"location": "westeurope"}),
        )
        .expect("it can be made");
    let asks =
        "[reference(resourceId('other', 'Microsoft.Network/networkSecurityGroups', 'secret')).resourceGuid]";
    assert_eq!(
        refused_resources(&bench, json!([with(nsg(), "tags", json!({"x": asks}))])).0,
        "InvalidTemplate"
    );
    let bench = Bench { forbidden: Some("Microsoft.Resources/deployments/write".to_owned()), ..Bench::new() };
    assert_eq!(refused_resources(&bench, json!([])).0, "AuthorizationFailed");
}
