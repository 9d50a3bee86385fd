//! The indexes are functions of the documents, and lists are in order.

use std::sync::Arc;

use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::{Change, Document, Index, World};
use crate::fleet::Bindings;
use crate::kinds;

/// Whether two worlds are one: the same documents and records, and the same indexes.
pub(crate) fn is_same(one: &World, other: &World) -> bool {
    let documents = |world: &World| -> Vec<*const Document> { world.documents().map(Arc::as_ptr).collect() };
    documents(one) == documents(other)
        && one.records == other.records
        && one.index == other.index
        && one.bindings == other.bindings
}

/// Whether the indexes are what they would be if they were made anew.
pub(crate) fn is_indexed(world: &World) -> bool {
    let (mut index, mut bindings) = (Index::default(), Bindings::default());
    for document in world.documents() {
        index.insert(document);
        bindings.insert(document);
    }
    for (key, value) in world.records("") {
        bindings.set_record(key, Some(value));
    }
    index == world.index && bindings == world.bindings
}

fn document(id: &str, body: Value) -> Change {
    let target = kinds::locate(&ResourceId::new(id)).expect("it is served");
    let etag = if target.is_child() { "" } else { "W/\"1\"" };
    let document = Document::new(target.id.clone(), target.kind, body, etag.into(), 0);
    Change::Document { id: target.id, before: None, after: Some(Arc::new(document)) }
}

const GROUP: &str = "/subscriptions/s/resourceGroups/g";

#[test]
fn lists_and_back_references_know_their_scope() {
    let mut world = World::default();
    let network = |group: &str| format!("{group}/providers/Microsoft.Network");
    let nsg = format!("{}/networkSecurityGroups/n", network(GROUP));
    let subnet = json!({"properties": {"networkSecurityGroup": {"id": nsg.to_uppercase()}}});
    let changes = [
        document(GROUP, json!({"location": "x"})),
        document("/subscriptions/s/resourceGroups/g-1", json!({"location": "x"})),
        document(&nsg, json!({"location": "x", "properties": {}})),
        document(&format!("{nsg}-2"), json!({"location": "x", "properties": {}})),
        document(&format!("{nsg}/securityRules/r"), json!({"properties": {}})),
        document(
            &format!("{}/networkSecurityGroups/n", network("/subscriptions/s/resourceGroups/g-1")),
            json!({"location": "x", "properties": {}}),
        ),
        document(
            &format!("{}/virtualNetworks/v", network(GROUP)),
            json!({"location": "x", "properties": {}}),
        ),
        document(&format!("{}/virtualNetworks/v/subnets/a", network(GROUP)), subnet.clone()),
        document(&format!("{}/virtualNetworks/v/subnets/b", network(GROUP)), subnet),
    ];
    changes.iter().for_each(|change| world.apply(change));
    assert!(is_indexed(&world));
    let id = |text: &str| ResourceId::new(text);
    let listed = |scope: &str, kind: &str| world.list(&id(scope), kind).len();
    assert_eq!(listed("/SUBSCRIPTIONS/S", kinds::NSG), 3);
    assert_eq!(listed(GROUP, &kinds::NSG.to_lowercase()), 2);
    assert_eq!(listed(&nsg, kinds::RULE), 1);
    assert_eq!(listed("/subscriptions/s", kinds::GROUP), 2);
    assert_eq!(listed("/subscriptions/s", "Microsoft.Network/none"), 0);
    assert_eq!(world.resources(&id(GROUP)).len(), 3);
    assert_eq!(world.resources(&id("/subscriptions/s")).len(), 4);
    let referrers: Vec<_> = world.referrers(&id(&nsg)).map(|id| id.name().to_owned()).collect();
    assert_eq!(referrers, ["v"], "two subnets of one network are one referrer");
    changes.iter().rev().for_each(|change| world.undo(change));
    assert!(is_same(&world, &World::default()));
}
