//! Writes that break intents, over HTTPS: refused with a witness, warned of, overridden with a role and a reason, previewed.

use palisade_control::{Action, Caller, Expect, RecordChange};
use palisade_identity::{Principal, role_id};
use serde_json::{Value, json};

use crate::client::{Answer, Client, Site};

/// A machine behind an NSG, and an intent with this effect.
async fn site(effect: &str) -> Site {
    let site = Site::start().await;
    site.make_group().await;
    let client = &site.client;
    let nsg = site.in_group("networkSecurityGroups/web");
    client.put(&nsg, json!({ "location": "westeurope" })).await.expect(201);
    let network = json!({ "location": "westeurope", "properties": {
        "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
        "subnets": [{ "name": "a", "properties": { "addressPrefix": "10.0.1.0/24" } }],
    } });
    client.put(&site.in_group("virtualNetworks/net"), network).await.expect(201);
    let subnet = site.in_group("virtualNetworks/net/subnets/a");
    let nic = json!({ "location": "westeurope", "properties": {
        "networkSecurityGroup": { "id": nsg },
        "ipConfigurations": [{ "name": "c", "properties": { "subnet": { "id": subnet } } }],
    } });
    client.put(&site.in_group("networkInterfaces/one"), nic).await.expect(201);
    let forbidden = json!({ "from": "Internet", "to": "*", "services": ["tcp/3389"] });
    let intents = json!([{ "name": "no-rdp", "effect": effect, "forbidden": forbidden }]);
    client.put(&intents_of(&site), json!({ "properties": { "intents": intents } })).await.expect(201);
    site
}

fn intents_of(site: &Site) -> String {
    site.id("/resourceGroups/lab/providers/Palisade.Network/intents/baseline")
}

fn rdp_of(site: &Site) -> String {
    site.in_group("networkSecurityGroups/web/securityRules/rdp")
}

fn rule(port: &str) -> Value {
    json!({ "properties": {
        "protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100,
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": port,
    } })
}

/// A person with this role at the subscription.
async fn person(site: &Site, role: uuid::Uuid) -> Client {
    let app = site.running.app();
    let now = palisade_control::time::unix_seconds(std::time::SystemTime::now());
    let name = format!("{role}@lab");
    let person = Principal::user(&name, &name, 0).unwrap();
    let key = format!("id/principal/{}", person.id);
    let value = Some(serde_json::to_value(&person).unwrap());
    let changes = vec![RecordChange { key, value, expect: Expect::Absent }];
    app.control.act(&Caller::default(), Action::Records { changes, verb: "test" }).await.unwrap();
    let path =
        site.id(&format!("/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::new_v4()));
    let definition = format!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
    let body = json!({ "properties": { "roleDefinitionId": definition, "principalId": person.id, "principalType": "User" } });
    site.client.put(&path, body).await.expect(201);
    let ring = app.gate.ring(&app.control).unwrap();
    site.client.with_token(&app.gate.issuer().access(&ring, &person, "test", now).unwrap())
}

/// Writes a rule that opens RDP, with a reason to override what forbids it.
async fn overriding(client: &Client, site: &Site, reason: &str) -> Answer {
    let path = format!("{}?api-version=2025-05-01", rdp_of(site));
    let headers = [("content-type", "application/json"), ("x-palisade-override", reason)];
    client.send("PUT", &path, &headers, rule("3389").to_string().into_bytes()).await
}

async fn last_entry(site: &Site) -> Value {
    let log = site.client.get("/api/v1/audit?limit=1000").await.expect(200);
    log.body["value"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_breaks_an_intent_is_refused() {
    let site = site("deny").await;
    let refused = site.client.put(&rdp_of(&site), rule("3389")).await.refused(403, "PolicyViolation");
    let error = &refused.body["error"];
    assert_eq!(error["target"], intents_of(&site));
    assert_eq!(error["additionalInfo"][0]["type"], "PolicyViolation");
    let info = &error["additionalInfo"][0]["info"];
    assert_eq!(info["findings"][0]["witness"]["localPort"], 3389);
    assert_eq!(info["findings"][0]["decidedBy"][0]["rule"], "securityRules/rdp");
    site.client.get(&rdp_of(&site)).await.expect(404);
    let entry = last_entry(&site).await;
    assert_eq!(
        (entry["verb"].as_str(), entry["outcome"].as_str()),
        (Some("denied"), Some("PolicyViolation"))
    );
    site.client.put(&rdp_of(&site), rule("443")).await.expect(201);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_stands_in_a_header() {
    let site = site("warn").await;
    let stored = site.client.put(&rdp_of(&site), rule("3389")).await.expect(201);
    let warning = stored.header("warning").unwrap();
    assert!(warning.starts_with("299 palisade \"PolicyViolation: Intent 'no-rdp'"), "{warning}");
    assert_eq!(last_entry(&site).await["broken"][0]["fate"], "Warned");
    assert_eq!(site.client.put(&rdp_of(&site), rule("443")).await.expect(200).header("warning"), None);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_needs_a_role_and_a_reason() {
    let site = site("deny").await;
    let contributor = person(&site, role_id::CONTRIBUTOR).await;
    overriding(&contributor, &site, "please").await.refused(403, "PolicyViolation");
    for reason in ["", "%20", "%zz", "%0a"] {
        overriding(&site.client, &site, reason).await.refused(400, "InvalidOverrideReason");
    }
    let long = "x".repeat(501);
    overriding(&site.client, &site, &long).await.refused(400, "InvalidOverrideReason");
    let stored = overriding(&site.client, &site, "f%C3%BCr den Hersteller").await.expect(201);
    assert!(stored.header("warning").is_some());
    let entry = last_entry(&site).await;
    assert_eq!(entry["reason"], "für den Hersteller");
    assert_eq!(entry["broken"][0]["fate"], "Overridden");
    assert_eq!(site.client.get("/api/v1/audit/verify").await.expect(200).body["intact"], true);
    // Who writes rules does not write what holds them.
    let body = json!({ "properties": { "intents": [] } });
    contributor.put(&intents_of(&site), body).await.refused(403, "AuthorizationFailed");
    contributor.delete(&intents_of(&site)).await.refused(403, "AuthorizationFailed");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_refused_before_its_first_write() {
    let site = site("deny").await;
    let rule = |name: &str, port: &str, priority: u32| {
        let mut properties = rule(port)["properties"].clone();
        properties["priority"] = priority.into();
        json!({ "type": "Microsoft.Network/networkSecurityGroups/securityRules", "apiVersion": "2024-05-01",
            "name": format!("web/{name}"), "properties": properties })
    };
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0", "resources": [rule("https", "443", 100), rule("rdp", "3389", 200)],
    });
    let body = json!({ "properties": { "mode": "Incremental", "template": template } });
    let path = site.id("/resourceGroups/lab/providers/Microsoft.Resources/deployments/d");
    let refused = site.client.put(&path, body.clone()).await.refused(400, "InvalidTemplateDeployment");
    assert_eq!(refused.body["error"]["details"][0]["code"], "PolicyViolation");
    let none = site.in_group("networkSecurityGroups/web/securityRules");
    assert!(site.client.get(&none).await.expect(200).names().is_empty());
    // What would happen can be asked all the same.
    let asked = site.client.post(&format!("{path}/whatIf"), body).await.expect(200);
    assert_eq!(asked.body["properties"]["diagnostics"][0]["code"], "PolicyViolation");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_tells_and_writes_nothing() {
    let site = site("deny").await;
    let mut wanted = rule("3389");
    wanted["id"] = rdp_of(&site).into();
    let lost =
        json!({ "id": site.in_group("networkInterfaces/x"), "location": "westeurope", "properties": {} });
    let resources = json!({ "resources": [wanted, lost] });
    let told = site.client.post("/api/v1/preview", resources.clone()).await.expect(200).body;
    assert_eq!(told["interfaces"], json!([site.in_group("networkInterfaces/one")]));
    let verdict = &told["intents"][0];
    assert_eq!((verdict["outcome"].as_str(), verdict["intent"].as_str()), (Some("Violated"), Some("no-rdp")));
    assert_eq!(told["refused"].as_array().unwrap().len(), 1);
    let has = |side: &str| {
        told[side].as_array().unwrap().iter().any(|one| one["key"].as_str().unwrap().ends_with("/rdp"))
    };
    assert_eq!((has("before"), has("after")), (false, true));
    site.client.get(&rdp_of(&site)).await.expect(404);
    let reader = person(&site, role_id::READER).await;
    reader.post("/api/v1/preview", resources).await.refused(403, "AuthorizationFailed");
    site.running.stop().await;
}
