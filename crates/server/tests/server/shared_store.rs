//! Two servers on one store: what one is told, the other knows.

use std::sync::Arc;

use palisade_control::{
    Action, Caller, Expect, RecordChange,
    fleet::{HostReport, OperationState},
};
use palisade_server::StoreSource;
use palisade_store::{Sqlite, Store};
use serde_json::json;

use crate::{
    client::{Client, Site},
    housekeeping::until,
    member::EtcdServer,
};

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
    let rules = |client: Client, first: u32| {
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

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_of_one_server_is_followed_at_another() {
    let Some(etcd) = EtcdServer::start(&[]).await else { return };
    let stores: [Arc<dyn Store>; 2] =
        [Arc::new(etcd.open("fleet").await), Arc::new(etcd.open("fleet").await)];
    // The first serves hosts, the second only clients.
    let one = Site::with(|options| {
        options.store = StoreSource::Open(stores[0].clone());
        options.agents_listen = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let two = Site::with(|options| options.store = StoreSource::Open(stores[1].clone())).await;
    let other = one.client.at(&two.running);
    other.get(&one.id("")).await.expect(200);
    one.make_group().await;
    let host = "host-a".parse().unwrap();
    let record = json!({ "registered": 1, "certificates": [] });
    let change = RecordChange { key: "host/host-a".to_owned(), value: Some(record), expect: Expect::Absent };
    let action = Action::Records { changes: vec![change], verb: "register" };
    one.running.app().control.act(&Caller::default(), action).await.unwrap();
    let (network, nsg) = (one.in_group("virtualNetworks/net"), one.in_group("networkSecurityGroups/web"));
    let body = json!({ "location": "westeurope", "properties": {
        "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
        "subnets": [{ "name": "a", "properties": { "addressPrefix": "10.0.1.0/24" } }] } });
    other.put(&network, body).await.expect(201);
    other.put(&nsg, json!({ "location": "westeurope" })).await.expect(201);
    let nic = json!({ "location": "westeurope", "tags": { "palisade-host": "host-a" }, "properties": {
        "networkSecurityGroup": { "id": nsg },
        "ipConfigurations": [{ "name": "c", "properties": { "subnet": { "id": format!("{network}/subnets/a") } } }] } });
    let written = other.put(&one.in_group("networkInterfaces/n"), nic).await.expect(201);
    assert_eq!(written.body["properties"]["provisioningState"], "Updating");
    let operation = written.header("azure-asyncoperation").unwrap().to_owned();
    let path = operation[operation.find("/subscriptions").unwrap()..].to_owned();
    let id = path.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap().to_owned();
    // The server that was not asked knows it too.
    let first = one.running.app().clone();
    let interface = one.in_group("networkInterfaces/n");
    for client in [&one.client, &other] {
        assert_eq!(client.get(&path).await.expect(200).body["status"], "InProgress");
        let shown = client.get(&interface).await.expect(200);
        assert_eq!(shown.body["properties"]["provisioningState"], "Updating");
    }
    let applied = first.control.read(palisade_control::World::revision).0;
    first.control.fleet().report(&host, HostReport { applied, seen: applied, ..HostReport::default() });
    let second = two.running.app().clone();
    until("the second hears of the host", || {
        second.control.operation(&id) == Some(OperationState::Succeeded)
    })
    .await;
    for client in [&one.client, &other] {
        assert_eq!(client.get(&path).await.expect(200).body["status"], "Succeeded");
    }
    let shown = one.client.get(&interface).await.expect(200);
    assert_eq!(shown.body["properties"]["provisioningState"], "Succeeded");
    // While nobody can say what is newest, nothing is told but how the server is.
    etcd.stop().await;
    one.client.get(&nsg).await.refused(503, "StoreUnavailable");
    one.client.get("/api/v1/status").await.expect(200);
    etcd.signal("CONT");
    one.client.get(&nsg).await.expect(200);
    // One server goes; the other serves on, also tokens that the first has issued.
    one.running.stop().await;
    other.put(&nsg, json!({ "location": "westeurope", "tags": { "a": "b" } })).await.expect(200);
    two.running.stop().await;
}
