//! Requests that are larger than the store takes at once: refused in words, with nothing changed and everybody else served.

use std::sync::Arc;

use palisade_control::{Control, Options};
use palisade_store::{Sqlite, Store, TRANSACTION_BYTES_MAX};
use serde_json::{Value, json};

use crate::member::EtcdServer;
use crate::support::{everything, folder, id, put, reference};

/// Azure's limit.
const SUBNETS: u32 = 3_000;
const NETWORK: &str = "rg/net/virtualNetworks/net";

fn network(subnet: impl Fn(u32) -> Value) -> Value {
    let subnets: Vec<Value> = (0..SUBNETS)
        .map(|at| {
            let mut properties = subnet(at);
            properties["addressPrefix"] = format!("10.{}.{}.0/24", at / 256, at % 256).into();
            json!({"name": format!("subnet-{at}"), "properties": properties})
        })
        .collect();
    json!({"location": "westeurope", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}, "subnets": subnets}})
}

async fn as_large_as_it_may_be(store: Arc<dyn Store>) {
    let control = Control::open(store.clone(), Options::default()).await.expect("it opens");
    put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
    put(&control, "rg/net/networkSecurityGroups/nsg", json!({"location": "westeurope"}))
        .await
        .expect("an NSG");
    put(&control, NETWORK, network(|_| json!({}))).await.expect("as many subnets as Azure takes");
    assert_eq!(
        control.read(|world| world.list(&id(NETWORK), "Microsoft.Network/virtualNetworks/subnets").len()),
        3_000
    );
    let shown = everything(&control);
    let nsg = reference("rg/net/networkSecurityGroups/nsg");
    let wordy = network(|at| json!({"networkSecurityGroup": nsg, "note": format!("{at:0500}")}));
    let error = put(&control, NETWORK, wordy).await.expect_err("more than the store takes");
    assert_eq!((error.status, &*error.code), (413, "RequestContentTooLarge"), "{error}");
    assert!(error.message.contains(&TRANSACTION_BYTES_MAX.to_string()), "{error}");
    assert_eq!(everything(&control), shown, "nothing has changed");
    assert!(control.health().problem.is_none(), "the store is well");
    put(&control, NETWORK, network(|_| json!({"networkSecurityGroup": nsg}))).await.expect("it fits");
    let read = Control::open(store, Options::default()).await.expect("it opens");
    assert_eq!(everything(&read), everything(&control));
}

#[tokio::test]
async fn a_network_of_three_thousand_subnets_in_sqlite() {
    let folder = folder();
    as_large_as_it_may_be(Arc::new(Sqlite::open(folder.path()).expect("a store"))).await;
}

#[tokio::test]
async fn a_network_of_three_thousand_subnets_in_etcd() {
    let Some(server) = EtcdServer::start(&[]).await else { return };
    as_large_as_it_may_be(Arc::new(server.open("large").await)).await;
}
