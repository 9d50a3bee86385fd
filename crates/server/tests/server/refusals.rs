//! What is wrong gets Azure's envelope, and changes nothing.

use serde_json::json;

use crate::client::Site;

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_lead_nowhere() {
    let site = Site::start().await;
    let client = &site.client;
    for path in [
        site.id("//resourceGroups"),
        site.id("/resourceGroups/%2e%2e"),
        site.id("/resourceGroups/a%2fb"),
        site.id("/resourceGroups/%zz"),
        site.id("/resourceGroups/%ff"),
        site.id(&format!("/resourceGroups/{}", "x".repeat(300))),
        site.id(&"/a".repeat(40)),
    ] {
        client.get(&path).await.refused(400, "InvalidRequestUri");
    }
    client.get("/nothing").await.refused(404, "NotFound");
    client
        .get(&site.id("/resourceGroups/lab/providers/Microsoft.Foo/bars/x"))
        .await
        .refused(404, "InvalidResourceType");
    client.get(&site.in_group("natGateways")).await.refused(404, "InvalidResourceType");
    let other = "/subscriptions/00000000-0000-0000-0000-00000000dead/resourceGroups";
    client.get(other).await.refused(404, "SubscriptionNotFound");
    let wrong = client.post(&site.id("/resourceGroups"), json!({})).await.refused(405, "MethodNotAllowed");
    assert_eq!(wrong.header("allow"), Some("GET"));
    client
        .send("BREW", &site.id("/resourceGroups?api-version=1"), &[], Vec::new())
        .await
        .refused(405, "MethodNotAllowed");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_must_be_there_and_may_be_any() {
    let site = Site::start().await;
    let path = site.id("/resourceGroups");
    for path in [path.clone(), format!("{path}?api-version="), format!("{path}?version=1")] {
        let answer = site.client.send("GET", &path, &[], Vec::new()).await;
        answer.refused(400, "MissingApiVersionParameter");
    }
    for version in ["2015-06-15", "2099-01-01-preview", "whatever"] {
        site.client.get(&format!("{path}?Api-Version={version}&api-version={version}")).await.expect(200);
    }
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read() {
    let site = Site::start().await;
    site.make_group().await;
    let path = format!("{}?api-version=2022-01-01", site.in_group("networkSecurityGroups/web"));
    let deep = format!("{{\"location\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for body in ["", "{", "[]", "1", "{\"location\":}", deep.as_str(), "\u{0}"] {
        let answer = site.client.send("PUT", &path, &[], body.as_bytes().to_vec()).await;
        answer.refused(400, "InvalidRequestContent");
    }
    site.client.send("PUT", &path, &[], vec![0xff; 10]).await.refused(400, "InvalidRequestContent");
    let large = vec![b' '; palisade_server::limits::BODY_LENGTH_MAX + 1];
    let refused = site.client.send("PUT", &path, &[], large).await;
    refused.refused(413, "RequestEntityTooLarge");
    site.client.get(&site.in_group("networkSecurityGroups/web")).await.refused(404, "ResourceNotFound");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_token() {
    let site = Site::start().await;
    let stranger = site.client.stranger();
    for path in ["/subscriptions", "/tenants", "/nothing", "/api/v1/status", "/api/v1/nothing"] {
        stranger.get(path).await.refused(401, "AuthenticationFailed");
    }
    let forged = [("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")];
    let answer = stranger.send("GET", "/subscriptions?api-version=1", &forged, Vec::new()).await;
    answer.refused(401, "InvalidAuthenticationToken");
    site.running.stop().await;
}
