//! Resource groups go with all that is in them, or stay.

use palisade_control::{Control, Effect, Options};
use serde_json::json;

use crate::support::{Bench, id, nic, reference};

const NSG: &str = "rg/net/networkSecurityGroups/nsg1";

#[tokio::test]
async fn a_group_goes_with_all_that_is_in_it() {
    let bench = Bench::with_group().await;
    bench.network().await;
    bench.put("rg-a", json!({"location": "westeurope"})).await.expect("a group with a longer name");
    bench.put("rg-a/net/networkSecurityGroups/kept", json!({"location": "westeurope"})).await.expect("valid");
    bench.put(NSG, json!({"location": "westeurope"})).await.expect("valid");
    bench
        .put("rg/net/networkInterfaces/n", nic("rg/net/virtualNetworks/net/subnets/a"))
        .await
        .expect("valid");
    assert_eq!(bench.delete("rg").await.expect("nothing holds it").effect, Effect::Deleted);
    assert_eq!(bench.delete("rg").await.expect("it is gone").effect, Effect::Absent);
    bench.control.read(|world| {
        assert_eq!(world.resources(&id("rg")), []);
        assert_eq!(world.resources(&id("rg-a")).len(), 1);
        assert!(world.document(&id(NSG)).is_none());
    });
}

#[tokio::test]
async fn a_group_that_others_use_stays_whole() {
    let bench = Bench::with_group().await;
    bench.network().await;
    bench.put("shared", json!({"location": "westeurope"})).await.expect("valid");
    bench
        .put("shared/net/networkSecurityGroups/nsg", json!({"location": "westeurope"}))
        .await
        .expect("valid");
    let subnet = json!({"properties": {"addressPrefix": "10.0.1.0/24",
        "networkSecurityGroup": reference("shared/net/networkSecurityGroups/nsg")}});
    bench.put("rg/net/virtualNetworks/net/subnets/a", subnet).await.expect("valid");
    let error = bench.delete("shared").await.expect_err("a subnet uses what is in it");
    assert_eq!(error.code, "InUseNetworkSecurityGroupCannotBeDeleted");
    assert_eq!(bench.control.read(|world| world.resources(&id("shared")).len()), 1);
    bench.delete("rg").await.expect("nothing holds it");
    bench.delete("shared").await.expect("nothing uses it any more");
}

#[tokio::test]
async fn a_group_larger_than_a_transaction_goes_in_several() {
    let bench = Bench::with_group().await;
    bench.network().await;
    for at in 0..130 {
        bench
            .put(&format!("rg/net/networkInterfaces/n{at}"), nic("rg/net/virtualNetworks/net/subnets/a"))
            .await
            .expect("valid");
    }
    assert_eq!(bench.delete("rg").await.expect("nothing holds it").effect, Effect::Deleted);
    assert!(
        bench
            .control
            .read(|world| world.document(&id("rg")).is_none() && world.resources(&id("rg")).is_empty())
    );
    let again = Control::open(bench.store.clone(), Options::default()).await.expect("it opens");
    assert!(again.read(|world| world.document(&id("rg")).is_none() && world.resources(&id("rg")).is_empty()));
}
