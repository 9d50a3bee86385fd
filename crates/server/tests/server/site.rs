//! What clients ask before they ask for resources.

use crate::client::Site;

#[tokio::test(flavor = "multi_thread")]
async fn clients_find_their_way() {
    let site = Site::start().await;
    let host = site.running.endpoint();
    let stranger = site.client.stranger();
    let new = stranger.get("/metadata/endpoints?api-version=2022-09-01").await.expect(200);
    assert_eq!(new.body["resourceManager"], format!("{host}/"));
    assert_eq!(new.body["authentication"]["loginEndpoint"], format!("{host}/adfs"));
    let old = stranger.get("/metadata/endpoints?api-version=2019-05-01").await.expect(200);
    assert_eq!(old.body[0], new.body);
    stranger.get("/status").await.expect(200);
    stranger.get("/api/openapi.json").await.expect(200);
    stranger.send("DELETE", "/status", &[], Vec::new()).await.refused(405, "MethodNotAllowed");

    let client = &site.client;
    assert_eq!(
        client.get("/tenants").await.expect(200).body["value"][0]["tenantId"],
        site.running.app().site.tenant
    );
    let subscriptions = client.get("/subscriptions").await.expect(200);
    assert_eq!(subscriptions.body["value"][0]["subscriptionId"], site.subscription);
    assert_eq!(client.get(&site.id("")).await.expect(200).body["state"], "Enabled");
    assert!(client.get(&site.id("/locations")).await.expect(200).names().contains(&"westeurope"));
    let providers = client.get(&site.id("/providers")).await.expect(200);
    assert!(
        providers.body["value"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["registrationState"] == "Registered")
    );
    let network = client.get(&site.id("/providers/microsoft.network")).await.expect(200);
    assert_eq!(network.body["namespace"], "Microsoft.Network");
    let types = network.body["resourceTypes"].as_array().unwrap();
    assert!(types.iter().any(|one| one["resourceType"] == "networkSecurityGroups/securityRules"));
    let registered = client.post(&site.id("/providers/Microsoft.Foo/register"), serde_json::json!({})).await;
    assert_eq!(registered.expect(200).body["registrationState"], "Registered");
    client.get(&site.id("/providers/Microsoft.Network/locations/westeurope/usages")).await.expect(200);
    client.get(&site.id("/providers/Microsoft.Network/locations/westeurope/serviceTags")).await.expect(200);
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_their_ids() {
    let site = Site::start().await;
    let path = "/subscriptions?api-version=2022-12-01";
    let ids = [("x-ms-client-request-id", "mine"), ("x-ms-correlation-request-id", "task-1")];
    let answer = site.client.send("GET", path, &ids, Vec::new()).await.expect(200);
    assert_eq!(answer.header("x-ms-client-request-id"), Some("mine"));
    assert_eq!(answer.header("x-ms-correlation-request-id"), Some("task-1"));
    assert!(answer.header("x-ms-request-id").is_some_and(|id| id.len() == 36));
    assert_eq!(answer.header("x-go-azure-sdk-skip-polling-delay"), Some("true"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    // So do refusals, also those before a handler.
    let refused = site.client.stranger().send("GET", path, &ids, Vec::new()).await.expect(401);
    assert_eq!(refused.header("x-ms-client-request-id"), Some("mine"));
    assert!(refused.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        || palisade_server::ServerOptions::new(folder.path().to_owned(), "127.0.0.1:0".parse().unwrap());
    let first = palisade_server::Server::start(options()).await.unwrap();
    let authority = first.app().authority.fingerprint();
    let site = first.app().site.clone();
    assert!(first.bootstrap().is_some() && first.folder().bootstrap_file().exists());
    let second = palisade_server::Server::start(options()).await.unwrap_err();
    assert!(second.to_string().contains("in use by another server"), "{second}");
    first.stop().await;
    let again = palisade_server::Server::start(options()).await.unwrap();
    assert!(again.bootstrap().is_none());
    assert_eq!((again.app().authority.fingerprint(), &again.app().site), (authority, &site));
    again.stop().await;
}
