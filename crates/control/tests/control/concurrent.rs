//! Many at once: on one server, and on two servers of one store.

use std::sync::Arc;

use palisade_control::{Control, Options};
use palisade_store::{Sqlite, Store};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Bench, assert_whole, everything, folder, id, put, quarrel, rule};

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
    quarrel(&one, &two).await;
    let last =
        put(&one, "rg", json!({"location": "westeurope", "tags": {"at": "last"}})).await.expect("valid");
    let mut changes = two.changes();
    while two.read(palisade_control::World::revision) < last.revision {
        changes.recv().await.expect("the watch tells of it");
    }
    let stored = Control::open(store, Options::default()).await.expect("it opens");
    assert_eq!(everything(&one), everything(&two));
    assert_eq!(everything(&one), everything(&stored));
    assert_whole(&one);
}
