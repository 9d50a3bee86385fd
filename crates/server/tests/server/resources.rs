//! Resources through their lives.

use serde_json::json;

use crate::client::Site;

fn rule(priority: u32) -> serde_json::Value {
    json!({ "properties": {
        "priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourcePortRange": "*",
        "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22",
    } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_lives_and_ends_with_what_is_in_it() {
    let site = Site::start().await;
    let client = &site.client;
    let group = site.id("/resourceGroups/lab");
    client.json("HEAD", &group, None).await.expect(404);
    client.get(&group).await.refused(404, "ResourceGroupNotFound");
    client
        .put(&site.in_group("networkSecurityGroups/web"), json!({ "location": "westeurope" }))
        .await
        .refused(404, "ResourceGroupNotFound");
    site.make_group().await;
    client.json("HEAD", &site.id("/resourcegroups/LAB"), None).await.expect(204);
    let again =
        client.put(&group, json!({ "location": "westeurope", "tags": { "a": "1" } })).await.expect(200);
    assert_eq!(again.body["properties"]["provisioningState"], "Succeeded");
    let patched = client.json("PATCH", &group, Some(json!({ "tags": { "b": "2" } }))).await.expect(200);
    assert_eq!(patched.body["tags"], json!({ "b": "2" }));
    client
        .put(&site.in_group("networkSecurityGroups/web"), json!({ "location": "westeurope" }))
        .await
        .expect(201);
    assert_eq!(client.get(&site.id("/resourceGroups")).await.expect(200).names(), ["lab"]);
    client.delete(&group).await.expect(200);
    client.get(&site.in_group("networkSecurityGroups/web")).await.refused(404, "ResourceGroupNotFound");
    client.delete(&group).await.refused(404, "ResourceGroupNotFound");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_group_and_its_rules() {
    let site = Site::start().await;
    let client = &site.client;
    site.make_group().await;
    let nsg = site.in_group("networkSecurityGroups/Web");
    let made = client.put(&nsg, json!({ "location": "westeurope", "properties": {} })).await.expect(201);
    assert_eq!(made.body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(made.body["properties"]["defaultSecurityRules"].as_array().unwrap().len(), 6);
    assert_eq!(made.header("etag"), made.body["etag"].as_str());
    assert_eq!(made.header("azure-asyncoperation"), None, "no host is concerned");
    // Names keep the spelling of their maker, whoever asks in whatever case.
    let read =
        client.get(&nsg.replace("resourceGroups", "RESOURCEGROUPS").replace("Web", "WEB")).await.expect(200);
    assert_eq!(read.body["name"], "Web");
    assert_eq!(read.body["id"], nsg);
    client.json("HEAD", &nsg, None).await.expect(204);

    let ssh = format!("{nsg}/securityRules/ssh");
    client.put(&ssh, rule(100)).await.expect(201);
    client.put(&ssh, rule(110)).await.expect(200);
    client.put(&format!("{nsg}/securityRules/other"), rule(110)).await.refused(400, "SecurityRuleConflict");
    assert_eq!(client.get(&format!("{nsg}/securityRules")).await.expect(200).names(), ["ssh"]);
    assert_eq!(client.get(&ssh).await.expect(200).body["properties"]["priority"], 110);
    let defaults = client.get(&format!("{nsg}/defaultSecurityRules")).await.expect(200);
    assert!(defaults.names().contains(&"DenyAllInBound"));
    client.get(&format!("{nsg}/defaultSecurityRules/denyallinbound")).await.expect(200);
    client.get(&format!("{nsg}/defaultSecurityRules/none")).await.refused(404, "NotFound");
    client.get(&format!("{nsg}/securityRules/none")).await.refused(404, "NotFound");
    client.put(&format!("{nsg}/defaultSecurityRules/x"), rule(1)).await.refused(405, "MethodNotAllowed");

    client.delete(&ssh).await.expect(200);
    client.delete(&ssh).await.expect(204);
    client.delete(&nsg).await.expect(200);
    client.delete(&nsg).await.expect(204);
    client.get(&nsg).await.refused(404, "ResourceNotFound");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etags_guard_writes() {
    let site = Site::start().await;
    let client = &site.client;
    site.make_group().await;
    let path = format!("{}?api-version=2022-01-01", site.in_group("networkSecurityGroups/web"));
    let body = json!({ "location": "westeurope" }).to_string().into_bytes();
    let put = async |header: &str, value: &str, tags: &str| {
        let body = json!({ "location": "westeurope", "tags": { "t": tags } }).to_string().into_bytes();
        client.send("PUT", &path, &[(header, value), ("content-type", "application/json")], body).await
    };
    put("if-match", "*", "0").await.refused(412, "PreconditionFailed");
    let made = client.send("PUT", &path, &[("if-none-match", "*")], body).await.expect(201);
    let etag = made.header("etag").unwrap().to_owned();
    put("if-none-match", "*", "1").await.refused(412, "PreconditionFailed");
    let changed = put("if-match", &etag, "1").await.expect(200);
    assert_ne!(changed.header("etag"), Some(etag.as_str()));
    put("if-match", &etag, "2").await.refused(412, "PreconditionFailed");
    client.send("DELETE", &path, &[("if-match", &etag)], Vec::new()).await.refused(412, "PreconditionFailed");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_by_themselves() {
    let site = Site::start().await;
    let client = &site.client;
    site.make_group().await;
    let nsg = site.in_group("networkSecurityGroups/web");
    client.put(&nsg, json!({ "location": "westeurope", "tags": { "env": "prod" } })).await.expect(201);
    let tags = format!("{nsg}/providers/Microsoft.Resources/tags/default");
    assert_eq!(client.get(&tags).await.expect(200).body["properties"]["tags"], json!({ "env": "prod" }));
    let change = async |operation: &str, value: serde_json::Value| {
        let body = json!({ "operation": operation, "properties": { "tags": value } });
        client.json("PATCH", &tags, Some(body)).await
    };
    let merged = change("Merge", json!({ "ENV": "test", "team": "a" })).await.expect(200);
    assert_eq!(merged.body["properties"]["tags"], json!({ "env": "test", "team": "a" }));
    change("Delete", json!({ "team": "a" })).await.expect(200);
    assert_eq!(client.get(&nsg).await.expect(200).body["tags"], json!({ "env": "test" }));
    change("Sort", json!({})).await.refused(400, "InvalidTagsOperation");
    client.put(&tags, json!({ "properties": { "tags": { "x": "y" } } })).await.expect(200);
    assert_eq!(client.get(&nsg).await.expect(200).body["tags"], json!({ "x": "y" }));
    client.delete(&tags).await.expect(200);
    let none =
        client.get(&site.in_group("routeTables/none/providers/Microsoft.Resources/tags/default")).await;
    none.refused(404, "ResourceNotFound");
    site.running.stop().await;
}
