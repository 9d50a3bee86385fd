//! Deployments that are done: order, references to what was made, loops, conditions, deployments inside, and failures on the way.

use super::*;

fn rule(source: &str) -> Value {
    json!({"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourcePortRange": "*",
        "sourceAddressPrefix": source, "destinationAddressPrefix": "*", "destinationPortRange": "22"})
}

#[tokio::test]
async fn everything_comes_after_what_it_names() {
    let bench = Bench::new();
    // The other way round than it must be made.
    let resources = json!([interface("i"), network(), resource("networkSecurityGroups", "n", json!({}))]);
    let outputs = json!({"outputs": {
        "address": {"type": "string", "value": "[reference('i').ipConfigurations[0].properties.privateIPAddress]"},
        "secret": {"type": "securestring", "value": "x"}}});
    let document = deploy(&bench, request(resources, outputs)).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    assert_eq!(bench.names(), ["n", "v", "i"]);
    assert_eq!(
        document["properties"]["outputs"],
        json!({"address": {"type": "String", "value": "10.0.0.4"}, "secret": {"type": "SecureString"}})
    );
}

#[tokio::test]
async fn what_a_resource_reads_of_another_is_read_after_that_is_made() {
    let bench = Bench::new();
    let source = "[concat(reference(resourceId('Microsoft.Network/networkInterfaces', 'i')).ipConfigurations[0].properties.privateIPAddress, '/32')]";
    let reader = resource("networkSecurityGroups/securityRules", "late/ssh", rule(source));
    let resources = json!([
        reader,
        resource("networkSecurityGroups", "late", json!({})),
        interface("i"),
        network(),
        resource("networkSecurityGroups", "n", json!({})),
    ]);
    let document = deploy(&bench, request(resources, json!({}))).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    let rule =
        bench.get(&id("networkSecurityGroups", "late").child("securityRules", "ssh")).expect("it was made");
    assert_eq!(rule["properties"]["sourceAddressPrefix"], json!("10.0.0.4/32"));
    assert_eq!(bench.names().last().map(String::as_str), Some("ssh"));
}

#[tokio::test]
async fn loops_conditions_and_names_of_loops() {
    let bench = Bench::new();
    let copies = with(
        resource("applicationSecurityGroups", "[concat('asg', copyIndex())]", json!({})),
        "copy",
        json!({"name": "groups", "count": 2}),
    );
    let off = with(resource("networkSecurityGroups", "off", json!({})), "condition", json!(false));
    let first = with(
        resource("networkSecurityGroups", "first", json!({})),
        "dependsOn",
        json!(["groups", "[resourceId('Microsoft.Network/networkSecurityGroups', 'off')]"]),
    );
    let document = deploy(&bench, request(json!([first, off, copies]), json!({}))).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    assert_eq!(bench.names(), ["asg0", "asg1", "first"]);
    let waits = &document["properties"]["dependencies"][0];
    assert_eq!(waits["resourceName"], json!("first"));
    assert_eq!(waits["dependsOn"].as_array().map(Vec::len), Some(2));
}

fn nested(name: &str, resources: Value, more: Value) -> Value {
    let mut template = template(resources, json!({}));
    for (key, value) in more.as_object().into_iter().flatten() {
        template[key] = value.clone();
    }
    json!({"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name,
        "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": template}})
}

#[tokio::test]
async fn a_deployment_inside_is_done_when_all_in_it_is() {
    let bench = Bench::new();
    let inner = nested(
        "inner",
        json!([
            resource("networkSecurityGroups", "n", json!({})),
            resource("applicationSecurityGroups", "w", json!({}))
        ]),
        json!({"outputs": {"guid": {"type": "string", "value": "[reference('n').resourceGuid]"}}}),
    );
    let after = with(
        resource("networkSecurityGroups", "after", json!({})),
        "tags",
        json!({"from": "[reference('inner').outputs.guid.value]"}),
    );
    let before = resource("routeTables", "before", json!({}));
    let inner = with(inner, "dependsOn", json!(["before"]));
    let document = deploy(&bench, request(json!([after, inner, before]), json!({}))).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    assert_eq!(bench.names(), ["before", "n", "w", "after"]);
    let guid =
        bench.get(&id("networkSecurityGroups", "n")).expect("it was made")["properties"]["resourceGuid"]
            .clone();
    let after = bench.get(&id("networkSecurityGroups", "after")).expect("it was made");
    assert_eq!(after["tags"]["from"], guid);
    assert!(guid.is_string());
}

#[tokio::test]
async fn a_subscription_s_template_makes_groups_and_what_is_in_them() {
    let bench = Bench::new();
    let inside = with(
        nested("inside", json!([resource("networkSecurityGroups", "n", json!({}))]), json!({})),
        "resourceGroup",
        json!("made"),
    );
    let inside = with(inside, "dependsOn", json!(["made"]));
    let made = json!({"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "made", "location": "westus"});
    let template =
        json!({"$schema": SUBSCRIPTION_SCHEMA, "contentVersion": "1.0.0.0", "resources": [inside, made]});
    let mut body = body(template, json!({}));
    body["location"] = json!("westus");
    let request = request_at(ResourceId::new(SUBSCRIPTION), &body).expect("the request is well formed");
    let document = deploy(&bench, request).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    let there = group("made").child("providers/Microsoft.Network/networkSecurityGroups", "n");
    assert!(bench.get(&there).is_some());
    assert_eq!(document["location"], json!("westus"));
}

#[tokio::test]
async fn a_failure_on_the_way_tells_what_was_written() {
    let bench = Bench { broken: Some("v".to_owned()), ..Bench::new() };
    let resources = json!([interface("i"), network(), resource("networkSecurityGroups", "n", json!({}))]);
    let document = deploy(&bench, request(resources, json!({}))).await;
    assert_eq!(state(&document), "Failed");
    let error = &document["properties"]["error"];
    let message = error["message"].as_str().expect("a sentence");
    let ids = [id("networkSecurityGroups", "n"), id("virtualNetworks", "v"), id("networkInterfaces", "i")];
    assert!(
        message.ends_with(&format!("Written: {}. Not written: {}, {}.", ids[0], ids[1], ids[2])),
        "{message}"
    );
    assert_eq!(error["code"], json!("DeploymentFailed"));
    assert_eq!(error["details"][0]["code"], json!("Broken"));
    assert_eq!(bench.names(), ["n"]);
    let told = operations(&bench.get(&id_of_deployment()).expect("it is stored"));
    let states: Vec<&str> = told["value"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|operation| operation["properties"]["provisioningState"].as_str())
        .collect();
    assert_eq!(states, ["Succeeded", "Failed"]);
    assert_eq!(document["properties"]["outputResources"], json!([{"id": ids[0].as_str()}]));
}

#[tokio::test]
async fn hosts_that_do_not_follow_fail_the_deployment() {
    let bench = Bench { unreachable: true, ..Bench::new() };
    let document =
        deploy(&bench, request(json!([resource("networkSecurityGroups", "n", json!({}))]), json!({}))).await;
    assert_eq!(state(&document), "Failed");
    assert_eq!(document["properties"]["error"]["details"][0]["code"], json!("AgentsUnreachable"));
    assert_eq!(bench.names(), ["n"]);
}

fn id_of_deployment() -> ResourceId {
    ResourceId::new(&format!("{}/providers/Microsoft.Resources/deployments/d", group("g")))
}

#[tokio::test]
async fn it_is_stored_as_running_first() {
    let bench = Bench::new();
    let request = request(json!([resource("networkSecurityGroups", "n", json!({}))]), json!({}));
    let (running, document) = begin(&bench, request).await.expect("nothing is wrong");
    assert_eq!(state(&document), "Running");
    assert_eq!(bench.names(), [""; 0]);
    let document = running.finish(&bench).await.expect("it is stored");
    assert_eq!(state(&document), "Succeeded");
    assert_eq!(bench.get(&id_of_deployment()), Some(document));
}

#[tokio::test]
async fn one_of_a_name_is_active_until_it_ends_or_falls_silent() {
    let bench = Bench::new();
    let again = || request(json!([resource("networkSecurityGroups", "n", json!({}))]), json!({}));
    let (first, _) = begin(&bench, again()).await.expect("nothing is wrong");
    let refused = begin(&bench, again()).await.expect_err("one is active");
    assert_eq!((refused.status, refused.code.as_ref()), (409, "DeploymentActive"));
    first.finish(&bench).await.expect("it is stored");
    let (_forgotten, _) = begin(&bench, again()).await.expect("the first has ended");
    bench.hour.fetch_add(1, Ordering::Relaxed);
    let (last, _) = begin(&bench, again()).await.expect("nobody has heard of the second for an hour");
    assert_eq!(state(&last.finish(&bench).await.expect("it is stored")), "Succeeded");
}

#[tokio::test]
async fn each_parameter_has_a_guid_of_its_own_for_the_whole_deployment() {
    let bench = Bench::new();
    let parameters = json!({
        "one": {"type": "string", "defaultValue": "[newGuid()]"},
        "two": {"type": "string", "defaultValue": "[newGuid()]"},
        "now": {"type": "string", "defaultValue": "[utcNow('yyyy')]"}});
    let tags =
        json!({"one": "[parameters('one')]", "two": "[parameters('two')]", "now": "[parameters('now')]"});
    let made = with(resource("networkSecurityGroups", "n", json!({})), "tags", tags);
    let outputs = json!({"one": {"type": "string", "value": "[parameters('one')]"}});
    let more = json!({"parameters": parameters, "outputs": outputs});
    let document = deploy(&bench, request(json!([made.clone()]), more.clone())).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    let tags =
        |bench: &Bench| bench.get(&id("networkSecurityGroups", "n")).expect("it was made")["tags"].clone();
    let first = tags(&bench);
    assert_ne!(first["one"], first["two"]);
    assert_eq!(first["now"], "2026");
    assert_eq!(document["properties"]["outputs"]["one"]["value"], first["one"]);
    deploy(&bench, request(json!([made]), more)).await;
    assert_ne!(tags(&bench)["one"], first["one"], "another deployment has another");
}

#[tokio::test]
async fn the_name_of_a_public_address_is_told() {
    let bench = Bench::new();
    let address = resource("publicIPAddresses", "p", json!({"dnsSettings": {"domainNameLabel": "Web"}}));
    let outputs =
        json!({"outputs": {"name": {"type": "string", "value": "[reference('p').dnsSettings.fqdn]"}}});
    let document = deploy(&bench, request(json!([address]), outputs)).await;
    assert_eq!(state(&document), "Succeeded", "{document:#}");
    assert_eq!(document["properties"]["outputs"]["name"]["value"], "web.westeurope.cloudapp.azure.com");
}
