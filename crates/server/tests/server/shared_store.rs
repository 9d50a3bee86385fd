//! Two servers on one store: what one is told, the other knows.

use std::sync::Arc;

use palisade_server::StoreSource;
use palisade_store::{Sqlite, Store};
use serde_json::json;

use crate::client::Site;

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_are_one_installation() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).unwrap());
    let one = Site::with(|options| options.store = StoreSource::Open(store.clone())).await;
    let two = Site::with(|options| options.store = StoreSource::Open(store.clone())).await;
    assert!(one.running.bootstrap().is_some() && two.running.bootstrap().is_none());
    assert_eq!(one.running.app().site, two.running.app().site);
    // The authority is one, and so are tokens: the first server's client speaks to the second.
    let other = one.client.at(&two.running);
    one.make_group().await;
    let nsg = one.in_group("networkSecurityGroups/web");
    let mut next = Vec::new();
    for turn in 0..10 {
        let client = if turn % 2 == 0 { &one.client } else { &other };
        let body = json!({ "location": "westeurope", "tags": { "turn": turn.to_string() } });
        next.push(client.put(&nsg, body).await.status);
    }
    assert_eq!(next[0], 201);
    assert!(next[1..].iter().all(|status| *status == 200), "{next:?}");
    // At once from both, each with rules of its own: none is lost.
    let rules = |client: crate::client::Client, first: u32| {
        let nsg = nsg.clone();
        async move {
            for number in first..first + 20 {
                let body = json!({ "properties": {
                    "priority": number, "direction": "Inbound", "access": "Allow", "protocol": "*", "sourcePortRange": "*",
                    "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "*",
                } });
                client.put(&format!("{nsg}/securityRules/rule{number}"), body).await.expect(201);
            }
        }
    };
    tokio::join!(rules(one.client.clone(), 100), rules(other.clone(), 200));
    for client in [&one.client, &other] {
        // The second server learns of the last write through its watch; the revision says when it has.
        let written =
            one.running.app().control.health().revision.max(two.running.app().control.health().revision);
        let behind =
            || [&one, &two].iter().any(|site| site.running.app().control.health().revision < written);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while behind() {
            assert!(std::time::Instant::now() < deadline, "a server does not catch up");
            tokio::task::yield_now().await;
        }
        let list = client.get(&format!("{nsg}/securityRules")).await.expect(200);
        assert_eq!(list.names().len(), 40);
    }
    two.running.stop().await;
    one.client.get(&nsg).await.expect(200);
    one.running.stop().await;
}
