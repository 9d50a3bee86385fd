//! A server that is told too late what others wrote reads everything anew, and has missed nothing.

use std::sync::Arc;

use palisade_control::{Control, Options};
use palisade_store::{Sqlite, Store};
use serde_json::json;

use crate::member::EtcdServer;
use crate::support::{assert_whole, delete, everything, folder, id, put, rule, until};
use crate::unreliable::Unreliable;

async fn a_slow_server_catches_up(store: Arc<dyn Store>) {
    let slow = Unreliable::new(store.clone());
    let late = Control::open(slow.clone(), Options::default()).await.expect("it opens");
    let quick = Control::open(store.clone(), Options::default()).await.expect("it opens");
    let nsg = |at: u32| format!("rg/net/networkSecurityGroups/n{at}");
    put(&quick, "rg", json!({"location": "westeurope"})).await.expect("a group");
    put(&quick, &nsg(0), json!({"location": "westeurope"})).await.expect("valid");
    put(&quick, &nsg(1), json!({"location": "westeurope"})).await.expect("valid");
    until("both know", || everything(&late) == everything(&quick)).await;
    let mut changes = late.changes();
    slow.hold(true);
    for at in 2..20 {
        put(&quick, &nsg(at), json!({"location": "westeurope"})).await.expect("valid");
    }
    put(&quick, &format!("{}/securityRules/a", nsg(1)), rule(100, 80)).await.expect("valid");
    let last = delete(&quick, &nsg(0)).await.expect("it goes");
    store.compact(last.revision).await.expect("it compacts");
    assert!(late.read(|world| world.document(&id(&nsg(0))).is_some()), "nobody has told it");
    slow.hold(false);
    until("it has caught up", || everything(&late) == everything(&quick)).await;
    assert_whole(&late);
    // Listeners are told what is another: what is new, what has changed, what is gone.
    let mut told = std::collections::BTreeSet::new();
    while let Ok(commit) = changes.try_recv() {
        told.extend(commit.changed.iter().cloned());
    }
    for path in [nsg(0), nsg(1), nsg(19), format!("{}/securityRules/a", nsg(1))] {
        assert!(told.contains(&id(&path)), "nobody was told of {path}: {told:?}");
    }
    let written = put(&late, &nsg(0), json!({"location": "westeurope"})).await.expect("it serves");
    assert!(written.revision > last.revision);
    until("both know", || everything(&late) == everything(&quick)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_has_forgotten_is_read_anew() {
    let folder = folder();
    a_slow_server_catches_up(Arc::new(Sqlite::open(folder.path()).expect("a store"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_etcd_has_forgotten_is_read_anew() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    a_slow_server_catches_up(Arc::new(server.open("slow").await)).await;
}
