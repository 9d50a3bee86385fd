//! Palisade's own API.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::Site;

#[tokio::test(flavor = "multi_thread")]
async fn the_server_tells_how_it_is() {
    let site = Site::start().await;
    let status = site.client.get("/api/v1/status").await.expect(200).body;
    assert_eq!(status["store"]["healthy"], true);
    assert_eq!(status["subscriptionId"], site.subscription);
    assert_eq!(status["hosts"]["total"], 0);
    assert_eq!(site.client.get("/api/v1/hosts").await.expect(200).body, json!({ "value": [] }));
    site.client.get("/api/v1/hosts/none").await.refused(404, "HostNotFound");
    site.client.post("/api/v1/hosts/none/revoke", json!({})).await.expect(404);
    site.client.delete("/api/v1/hosts/none").await.expect(404);
    site.client.get("/api/v1/operations/none").await.refused(404, "OperationNotFound");
    site.client.get("/api/v1/nothing").await.refused(404, "NotFound");
    site.client.delete("/api/v1/status").await.refused(405, "MethodNotAllowed");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn join_tokens_are_made_listed_and_taken_back() {
    let site = Site::start().await;
    let made =
        site.client.post("/api/v1/joinTokens", json!({ "host": "Host-A", "lifetimeSeconds": 60 })).await;
    let made = made.expect(201).body;
    assert_eq!(made["host"], "host-a");
    assert!(made["token"].as_str().unwrap().starts_with("pal1."));
    let listed = site.client.get("/api/v1/joinTokens").await.expect(200).body;
    assert_eq!(listed["value"][0]["id"], made["id"]);
    assert_eq!(listed["value"][0]["token"], Value::Null, "the text is told once");
    let path = format!("/api/v1/joinTokens/{}", made["id"].as_str().unwrap());
    site.client.delete(&path).await.expect(204);
    site.client.delete(&path).await.refused(404, "JoinTokenNotFound");
    for body in [
        json!({ "host": "-" }),
        json!({ "lifetimeSeconds": 0 }),
        json!({ "other": 1 }),
        json!([]),
        json!({ "host": 1 }),
    ] {
        site.client.post("/api/v1/joinTokens", body).await.expect(400);
    }
    let text = [("content-type", "text/plain")];
    let refused = site.client.send("POST", "/api/v1/joinTokens", &text, b"{}".to_vec()).await;
    refused.refused(415, "UnsupportedMediaType");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_whole() {
    let site = Site::start().await;
    site.make_group().await;
    for number in 0..30 {
        let path = site.in_group(&format!("routeTables/table{number}"));
        site.client.put(&path, json!({ "location": "westeurope" })).await.expect(201);
    }
    let mut after = 0;
    let mut verbs = Vec::new();
    loop {
        let page = site.client.get(&format!("/api/v1/audit?after={after}&limit=7")).await.expect(200).body;
        let entries = page["value"].as_array().unwrap();
        for entry in entries {
            assert_eq!(entry["seq"].as_u64(), Some(after + 1));
            after += 1;
            verbs.push(entry["verb"].as_str().unwrap().to_owned());
        }
        if entries.is_empty() {
            assert_eq!(page["head"]["seq"].as_u64(), Some(after));
            break;
        }
    }
    assert!(verbs.len() > 30 && verbs.iter().any(|verb| verb == "bootstrap"), "{verbs:?}");
    let check = site.client.get("/api/v1/audit/verify").await.expect(200).body;
    assert_eq!((&check["intact"], &check["problem"]), (&json!(true), &Value::Null), "{check}");
    site.client.get("/api/v1/audit?limit=0").await.refused(400, "InvalidParameter");
    site.client.get("/api/v1/audit?after=x").await.refused(400, "InvalidParameter");
    site.running.stop().await;
}

/// Reads a stream of events until it holds `wanted`.
async fn read_until(site: &Site, path: &str, wanted: &str) -> String {
    let mut stream = site.client.raw(&site.running).await;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        site.client.token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    while !text.contains(wanted) {
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read(&mut buffer));
        let length = read.await.expect("the stream goes on").unwrap();
        assert!(length > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_and_told_again() {
    let site = Site::start().await;
    site.make_group().await;
    let before = site.running.app().control.health().revision.0;
    let nsg = site.in_group("networkSecurityGroups/web");
    let (text, ()) = tokio::join!(read_until(&site, "/api/v1/watch", "networkSecurityGroups/web"), async {
        // The watch may begin before or after the first write; a later one it must see.
        for turn in 0..50 {
            let body = json!({ "location": "westeurope", "tags": { "turn": turn.to_string() } });
            site.client.put(&nsg, body).await;
        }
    });
    assert!(text.contains("event: commit"), "{text}");
    // Whoever comes back is told what was missed.
    let path = format!("/api/v1/watch?after={before}&prefix={nsg}");
    let missed = read_until(&site, &path, "event: commit").await;
    assert!(missed.contains("text/event-stream"), "{missed}");
    site.client.get("/api/v1/watch?after=0").await.refused(410, "RevisionCompacted");
    site.client.get("/api/v1/watch?after=-1").await.refused(400, "InvalidParameter");
    site.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_described_and_nothing_else() {
    let site = Site::start().await;
    let document = site.client.stranger().get("/api/openapi.json").await.expect(200).body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            described.push(format!("{} {path}", method.to_uppercase()));
            for status in ["400", "401", "403", "404", "405", "413", "415", "429", "500", "503"] {
                let response = &operation["responses"][status];
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorEnvelope", "{method} {path} {status}");
            }
        }
    }
    let mut served: Vec<_> = palisade_server::api::routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.shape.as_str()))
        .collect();
    described.sort();
    served.sort();
    assert_eq!(described, served);
    site.running.stop().await;
}
