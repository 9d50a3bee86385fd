//! Time-limited access as Azure's clients and our own ask for it.

use serde_json::{Value, json};

use crate::authorization::{assign, person};
use crate::client::Site;

/// The Palisade Security Operator, of the built-in roles.
const OPERATOR: usize = 5;

fn machine(site: &Site) -> String {
    site.id("/resourceGroups/lab/providers/Microsoft.Compute/virtualMachines/vm1")
}

fn policy(site: &Site) -> String {
    let tail = "/resourceGroups/lab/providers/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default";
    site.id(tail)
}

fn doors(site: &Site, needs_approval: bool) -> Value {
    let port = json!({ "number": 22, "protocol": "TCP", "allowedSourceAddressPrefix": "*",
        "maxRequestAccessDuration": "PT3H", "requiresApproval": needs_approval });
    json!({ "kind": "Basic", "properties": { "virtualMachines": [{ "id": machine(site), "ports": [port] }] } })
}

fn ask(site: &Site) -> Value {
    let port = json!({ "number": 22, "duration": "PT1H" });
    json!({ "justification": "a look", "virtualMachines": [{ "id": machine(site), "ports": [port] }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_written_listed_asked_and_deleted_as_azure_s_clients_do() {
    let site = Site::start().await;
    let client = &site.client;
    site.make_group().await;
    let policy = policy(&site);
    let made = client.put(&policy, doors(&site, false)).await.expect(200);
    assert_eq!(made.body["type"], "Microsoft.Security/locations/jitNetworkAccessPolicies");
    assert!(made.header("warning").is_some_and(|text| text.contains("JitMachineHasNoInterface")));
    for list in ["", "/locations/westeurope", "/locations/WestEurope"] {
        for home in ["", "/resourceGroups/lab"] {
            let path =
                site.id(&format!("{home}/providers/Microsoft.Security{list}/jitNetworkAccessPolicies"));
            assert_eq!(client.get(&path).await.expect(200).names(), ["default"], "{path}");
        }
    }
    let elsewhere = site.id("/providers/Microsoft.Security/locations/eastus/jitNetworkAccessPolicies");
    assert!(client.get(&elsewhere).await.expect(200).names().is_empty());
    let asked = client.post(&format!("{policy}/initiate"), ask(&site)).await.expect(202);
    let port = &asked.body["virtualMachines"][0]["ports"][0];
    assert_eq!(port["allowedSourceAddressPrefix"], "127.0.0.1", "the address that the server sees");
    assert!(asked.header("warning").is_some_and(|text| text.contains("JitSourceIsLoopback")));
    assert_eq!([&port["status"], &port["state"]], ["Initiated", "Active"]);
    let told = client.get(&policy).await.expect(200);
    assert_eq!(told.body["properties"]["requests"][0], asked.body);
    client.put(&policy, json!({ "properties": {} })).await.refused(400, "InvalidJitNetworkAccessPolicy");
    client.delete(&policy).await.expect(200);
    client.delete(&policy).await.expect(204);
    client.post(&format!("{policy}/initiate"), ask(&site)).await.refused(404, "ResourceNotFound");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_ask_approve_and_end_and_each_one_s_own_only_where_it_is_asked() {
    let site = Site::start().await;
    site.make_group().await;
    let policy = policy(&site);
    site.client.put(&policy, doors(&site, true)).await.expect(200);
    let (ada, of_ada) = person(&site, "ada@lab", 0).await;
    let (bob, of_bob) = person(&site, "bob@lab", 0).await;
    for operator in [&ada, &bob] {
        assign(&site, operator, OPERATOR, &site.id("/resourceGroups/lab")).await;
    }
    of_ada.put(&policy, doors(&site, false)).await.refused(403, "AuthorizationFailed");
    let asked = of_ada.post(&format!("{policy}/initiate"), ask(&site)).await.expect(202);
    assert_eq!(asked.body["requestor"], "ada@lab");
    let state = |body: &Value| body["virtualMachines"][0]["ports"][0]["state"].clone();
    assert_eq!(state(&asked.body), "Pending");
    let request = format!("{policy}/requests/{}", asked.body["name"].as_str().unwrap());
    let none = || json!({});
    of_ada.post(&format!("{request}/approve"), none()).await.refused(403, "JitApprovalByRequester");
    let approved = of_bob.post(&format!("{request}/approve"), none()).await.expect(200);
    assert_eq!((state(&approved.body), &approved.body["approver"]), (json!("Active"), &json!("bob@lab")));
    let longer = json!({ "duration": "PT2H" });
    of_ada.post(&format!("{request}/extend"), longer.clone()).await.refused(403, "JitApprovalByRequester");
    of_bob.post(&format!("{request}/extend"), longer).await.expect(200);
    let ended = of_ada.post(&format!("{request}/revoke"), none()).await.expect(200);
    assert_eq!(state(&ended.body), "EndedEarly");
    of_ada.post(&format!("{request}/revoke"), none()).await.refused(409, "JitRequestState");
    let missing = format!("{policy}/requests/none/approve");
    of_bob.post(&missing, none()).await.refused(404, "JitRequestNotFound");
    site.running.stop().await;
}
