//! A store that fails: nothing is told that is not so, nothing is lost, and service goes on by itself.

use std::sync::Arc;

use palisade_control::{Control, Effect, Options};
use palisade_store::{Sqlite, Store};
use serde_json::json;

use crate::support::{delete, everything, folder, id, nic, put, reference, rule, until};
use crate::unreliable::Commits::{Away, Full, Last, Lost, MadeAndLost, Well};
use crate::unreliable::Unreliable;

const NSG: &str = "rg/net/networkSecurityGroups/nsg1";

#[tokio::test]
async fn failures_of_the_store_are_told_and_survived() {
    let folder = folder();
    let store = Unreliable::new(Arc::new(Sqlite::open(folder.path()).expect("a store")));
    let control = Control::open(store.clone(), Options::default()).await.expect("it opens");
    put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
    put(&control, NSG, json!({"location": "westeurope"})).await.expect("an NSG");
    let shown = || control.read(|world| world.documents().map(|d| d.body().clone()).collect::<Vec<_>>());
    let before = shown();
    for (mode, status, code) in [(Away, 503, "StoreUnavailable"), (Full, 507, "StoreFull")] {
        store.set(mode);
        let error =
            put(&control, &format!("{NSG}/securityRules/a"), rule(100, 80)).await.expect_err("no store");
        assert_eq!((error.status, &*error.code), (status, code));
        assert_eq!(shown(), before, "what is known is still there");
        assert_eq!(
            control.current().await.is_err(),
            mode == Away,
            "but nobody knows whether it is the newest"
        );
        assert!(control.health().problem.is_some());
        store.set(Well);
    }
    for (at, mode) in [(0, MadeAndLost), (1, Lost)] {
        store.set(mode);
        let path = format!("{NSG}/securityRules/r{at}");
        let done = put(&control, &path, rule(100 + at, 80)).await.expect("it is found out");
        assert_eq!(done.resource, control.read(|world| world.render(&id(&path))));
        assert!(done.resource.is_some() && done.effect == Effect::Created);
        assert_eq!(done.revision, control.read(palisade_control::World::revision));
    }
    assert!(control.health().problem.is_none());
    let again = Control::open(store, Options::default()).await.expect("it opens");
    assert_eq!(again.read(|world| world.render(&id(NSG))), control.read(|world| world.render(&id(NSG))));
}

#[tokio::test]
async fn every_commit_stands_in_the_audit_log() {
    let folder = folder();
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).expect("a store"));
    let control = Control::open(store.clone(), Options::default()).await.expect("it opens");
    put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
    put(&control, NSG, json!({"location": "westeurope"})).await.expect("an NSG");
    put(&control, NSG, json!({"location": "westeurope"})).await.expect("the same");
    put(&control, &format!("{NSG}/securityRules/a"), rule(100, 80)).await.expect("a rule");
    let log = store.snapshot("audit/").await.expect("it is read").entries;
    let entries: Vec<palisade_control::audit::Entry> = log
        .iter()
        .flat_map(|entry| serde_json::from_slice::<Vec<_>>(&entry.value).expect("a list of entries"))
        .collect();
    let told: Vec<(&str, &str)> =
        entries.iter().map(|entry| (entry.event.verb.as_str(), entry.event.outcome.as_str())).collect();
    assert_eq!(told, [("put", "Created"), ("put", "Created"), ("put", "Created")]);
    let verified = palisade_control::audit::verify(entries.into_iter().map(Ok)).expect("the chain is whole");
    assert_eq!(verified.entries, 3);
}

/// Interfaces of the group that is deleted: too many for one transaction.
const NICS: u32 = 130;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_half_gone_goes_whole() {
    let folder = folder();
    let store = Unreliable::new(Arc::new(Sqlite::open(folder.path()).expect("a store")));
    for is_killed in [true, false] {
        let control = Control::open(store.clone(), Options::default()).await.expect("it opens");
        let subnets = json!([{"name": "a", "properties": {"addressPrefix": "10.0.0.0/16"}}]);
        let network = json!({"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets});
        put(&control, "other", json!({"location": "westeurope"})).await.expect("a group");
        put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
        let network = json!({"location": "westeurope", "properties": network});
        put(&control, "rg/net/virtualNetworks/net", network).await.expect("a network");
        put(&control, NSG, json!({"location": "westeurope"})).await.expect("an NSG");
        for at in 0..NICS {
            let mut body = nic("rg/net/virtualNetworks/net/subnets/a");
            body["properties"]["networkSecurityGroup"] = reference(NSG);
            put(&control, &format!("rg/net/networkInterfaces/n{at}"), body).await.expect("valid");
        }
        let whole = everything(&control).len();
        // The mark is durable, and so the answer; then the store, or the server, is gone.
        store.set(Last);
        let done = delete(&control, "rg").await.expect("it is marked");
        assert_eq!(done.effect, Effect::Deleted);
        assert_eq!(everything(&control).len(), whole, "nothing more could be committed");
        let control = if is_killed {
            drop(control);
            store.set(Well);
            Control::open(store.clone(), Options::default()).await.expect("it opens")
        } else {
            store.set(Well);
            control
        };
        let inside = || control.read(|world| world.resources(&id("rg")).len());
        until("the group is gone", || inside() == 0 && control.read(|w| w.document(&id("rg")).is_none()))
            .await;
        // Nothing of it is left in the store, and it can be made again.
        let read = Control::open(store.clone(), Options::default()).await.expect("it opens");
        assert_eq!(everything(&read), everything(&control));
        assert!(read.read(|world| world.document(&id("other")).is_some()));
        put(&control, "rg", json!({"location": "northeurope"})).await.expect("the name is free");
        delete(&control, "rg").await.expect("it is empty");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_writes_into_a_group_that_goes() {
    let folder = folder();
    let store = Unreliable::new(Arc::new(Sqlite::open(folder.path()).expect("a store")));
    let control = Control::open(store.clone(), Options::default()).await.expect("it opens");
    put(&control, "rg", json!({"location": "westeurope"})).await.expect("a group");
    for at in 0..NICS {
        put(&control, &format!("rg/net/networkSecurityGroups/n{at}"), json!({"location": "westeurope"}))
            .await
            .expect("valid");
    }
    let deleting = tokio::spawn({
        let control = control.clone();
        async move { delete(&control, "rg").await }
    });
    // Whatever is written meanwhile is written before the group goes, or refused; it never outlives the group.
    for at in 0..50 {
        let nsg = format!("rg/net/networkSecurityGroups/late{at}");
        if let Err(error) = put(&control, &nsg, json!({"location": "westeurope"})).await {
            assert!(
                ["ResourceGroupBeingDeleted", "ResourceGroupNotFound"].contains(&&*error.code),
                "{error}"
            );
        }
    }
    deleting.await.expect("no panic").expect("nothing holds it");
    let left = || everything(&control).iter().filter(|(id, _)| id.as_str().contains("/rg")).count();
    until("the group is gone", || left() == 0).await;
}
