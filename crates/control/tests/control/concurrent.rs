//! Many at once: on one server, and on two servers of one store.

use std::sync::Arc;

use palisade_control::{Control, Options};
use palisade_store::{Sqlite, Store};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Bench, delete, folder, id, nic, put, reference, rule};

const NSG: &str = "rg/net/networkSecurityGroups/nsg1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_one_nsg_lose_no_rule() {
    let bench = Bench::with_group().await;
    bench.put(NSG, json!({"location": "westeurope"})).await.expect("valid");
    let mut clients = JoinSet::new();
    for client in 0..64_u32 {
        let control = bench.control.clone();
        clients.spawn(async move {
            for at in 0..5_u32 {
                let path = format!("{NSG}/securityRules/c{client}-{at}");
                put(&control, &path, rule(100 + client * 5 + at, 80)).await.expect("priorities differ");
            }
        });
    }
    clients.join_all().await;
    assert_eq!(bench.get(NSG)["properties"]["securityRules"].as_array().map(Vec::len), Some(320));
    let again = Control::open(bench.store.clone(), Options::default()).await.expect("it opens");
    assert_eq!(
        again.read(|world| world.render(&id(NSG))),
        bench.control.read(|world| world.render(&id(NSG)))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_gets_a_priority() {
    let bench = Bench::with_group().await;
    bench.put(NSG, json!({"location": "westeurope"})).await.expect("valid");
    let mut clients = JoinSet::new();
    for client in 0..16_u32 {
        let control = bench.control.clone();
        clients.spawn(async move {
            put(&control, &format!("{NSG}/securityRules/c{client}"), rule(100, 80)).await
        });
    }
    let results = clients.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let refused = results.iter().filter_map(|result| result.as_ref().err());
    assert!(refused.into_iter().all(|error| error.code == "SecurityRuleConflict"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_break_no_reference() {
    let folder = folder();
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).expect("a store"));
    let one = Control::open(store.clone(), Options::default()).await.expect("it opens");
    let two = Control::open(store.clone(), Options::default()).await.expect("it opens");
    put(&one, "rg", json!({"location": "westeurope"})).await.expect("a group");
    let network = json!({"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}]}});
    // The second server may not have heard of the group yet when it is asked; it finds out before it answers.
    put(&one, "rg/net/virtualNetworks/net", network).await.expect("a network");
    let mut both = JoinSet::new();
    for (server, control) in [one.clone(), two.clone()].into_iter().enumerate() {
        both.spawn(async move {
            for round in 0..40 {
                let nsg = format!("rg/net/networkSecurityGroups/g{}", round % 4);
                let interface = format!("rg/net/networkInterfaces/n{}", round % 3);
                // Each may be refused: the other server is in the way. What is stored must be right all the same.
                let _ = put(&control, &nsg, json!({"location": "westeurope"})).await;
                let mut body = nic("rg/net/virtualNetworks/net/subnets/s");
                body["properties"]["networkSecurityGroup"] = reference(&nsg);
                body["tags"] = json!({"server": server.to_string(), "round": round.to_string()});
                let _ = put(&control, &interface, body).await;
                let _ = delete(&control, &format!("rg/net/networkSecurityGroups/g{}", (round + 1) % 4)).await;
                let _ = delete(&control, &format!("rg/net/networkInterfaces/n{}", (round + 2) % 3)).await;
            }
        });
    }
    both.join_all().await;
    let last =
        put(&one, "rg", json!({"location": "westeurope", "tags": {"at": "last"}})).await.expect("valid");
    let mut changes = two.changes();
    while two.read(|world| world.revision()) < last.revision {
        changes.recv().await.expect("the watch tells of it");
    }
    let everything = |control: &Control| {
        control.read(|world| {
            world.documents().map(|d| (d.id().clone(), world.render(d.id()))).collect::<Vec<_>>()
        })
    };
    let stored = Control::open(store, Options::default()).await.expect("it opens");
    assert_eq!(everything(&one), everything(&two));
    assert_eq!(everything(&one), everything(&stored));
    one.read(|world| {
        for document in world.documents() {
            for target in document.references() {
                assert!(world.document(target).is_some(), "{} names {target}, which is gone", document.id());
            }
        }
    });
}
