//! What is effective at a NIC, and deployments of templates: the whole way through the wire.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Site;

fn template() -> Value {
    let group = "[resourceId('Microsoft.Network/networkSecurityGroups', 'web')]";
    let subnet = "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'front')]";
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [
            { "type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01", "name": "web",
              "location": "[resourceGroup().location]", "properties": { "securityRules": [] } },
            { "type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "net",
              "location": "[resourceGroup().location]", "dependsOn": [group],
              "properties": {
                  "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
                  "subnets": [{ "name": "front", "properties": {
                      "addressPrefix": "10.0.1.0/24", "networkSecurityGroup": { "id": group } } }] } },
            { "type": "Microsoft.Network/networkInterfaces", "apiVersion": "2024-05-01", "name": "nic",
              "location": "[resourceGroup().location]",
              "dependsOn": ["[resourceId('Microsoft.Network/virtualNetworks', 'net')]"],
              "properties": { "ipConfigurations": [{ "name": "ip", "properties": {
                  "subnet": { "id": subnet }, "privateIPAllocationMethod": "Dynamic" } }] } },
        ],
        "outputs": { "subnet": { "type": "string", "value": subnet } },
    })
}

/// Deploys, and follows the operation to its end.
async fn deploy(site: &Site, name: &str, template: Value) -> Value {
    let path = site.id(&format!("/resourceGroups/lab/providers/Microsoft.Resources/deployments/{name}"));
    let body = json!({ "properties": { "mode": "Incremental", "template": template } });
    let begun = site.client.put(&path, body).await.expect(201);
    let operation = begun.header("azure-asyncoperation").unwrap().to_owned();
    assert_eq!(begun.header("retry-after"), Some("1"));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let state = site.client.get(&operation).await.expect(200).body;
        if state["status"] != "Running" {
            assert_eq!(
                site.client.get(&path).await.expect(200).body["properties"]["provisioningState"],
                state["status"]
            );
            return state;
        }
        assert!(Instant::now() < deadline, "{state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_deployed_and_asked_about() {
    let site = Site::start().await;
    let client = &site.client;
    site.make_group().await;
    assert_eq!(deploy(&site, "first", template()).await["status"], "Succeeded");
    let deployments = site.id("/resourceGroups/lab/providers/Microsoft.Resources/deployments");
    assert_eq!(client.get(&deployments).await.expect(200).names(), ["first"]);
    let operations = client.get(&format!("{deployments}/first/operations")).await.expect(200).body;
    assert_eq!(operations["value"].as_array().unwrap().len(), 3);
    client.get(&format!("{deployments}/none/operations")).await.refused(404, "DeploymentNotFound");
    let body = json!({ "properties": { "mode": "Incremental", "template": template() } });
    client.post(&format!("{deployments}/next/validate"), body.clone()).await.expect(200);
    let changes = client.post(&format!("{deployments}/next/whatIf"), body).await.expect(200).body;
    assert_eq!(changes["status"], "Succeeded");
    let exported =
        client.post(&site.id("/resourceGroups/lab/exportTemplate"), json!({ "resources": ["*"] })).await;
    assert_eq!(exported.expect(200).body["template"]["contentVersion"], "1.0.0.0");
    client
        .put(&format!("{deployments}/bad"), json!({ "properties": { "mode": "Complete", "template": {} } }))
        .await
        .refused(400, "DeploymentModeNotSupported");

    // What is asked by POST is answered at once.
    let nic = site.in_group("networkInterfaces/nic");
    let effective =
        client.post(&format!("{nic}/effectiveNetworkSecurityGroups"), json!({})).await.expect(200).body;
    assert_eq!(effective["value"].as_array().unwrap().len(), 1);
    let empty = client
        .send("POST", &format!("{nic}/effectiveRouteTable?api-version=2022-01-01"), &[], Vec::new())
        .await;
    assert!(!empty.expect(200).body["value"].as_array().unwrap().is_empty());
    client
        .post(&site.in_group("networkInterfaces/none/effectiveRouteTable"), json!({}))
        .await
        .refused(404, "ResourceNotFound");
    let network = site.in_group("virtualNetworks/net/CheckIPAddressAvailability?ipAddress=10.0.1.200");
    assert_eq!(client.get(&network).await.expect(200).body["available"], true);

    let watchers =
        client.get(&site.id("/providers/Microsoft.Network/networkWatchers")).await.expect(200).body;
    let watcher =
        watchers["value"][0]["id"].as_str().expect("a watcher in each region that is used").to_owned();
    let address = client.get(&nic).await.expect(200).body;
    let address = address["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"].clone();
    let flow = json!({ "targetResourceId": nic, "direction": "Inbound", "protocol": "TCP", "localPort": "22",
        "remotePort": "50000", "localIPAddress": address, "remoteIPAddress": "198.51.100.7" });
    let verdict = client.post(&format!("{watcher}/ipFlowVerify"), flow).await.expect(200).body;
    assert_eq!(verdict["access"], "Deny");
    client.post(&format!("{watcher}/ipFlowVerify"), json!({})).await.expect(400);
    let topology =
        client.post(&format!("{watcher}/topology"), json!({ "targetResourceGroupName": "lab" })).await;
    assert!(!topology.expect(200).body["resources"].as_array().unwrap().is_empty());
    site.running.stop().await;
}
