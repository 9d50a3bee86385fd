//! What lies in the store is what is read from it.

use std::sync::Arc;

use palisade_model::ResourceId;
use palisade_store::{Op, Revision};
use serde_json::json;

use super::encode;
use crate::kinds;
use crate::world::{Change, Document, World};

#[test]
fn a_thousand_children_fit_one_transaction_and_come_back() {
    let nsg = ResourceId::new(
        "/subscriptions/s/resourceGroups/G/providers/Microsoft.Network/networkSecurityGroups/N",
    );
    let mut world = World::default();
    let mut changes = Vec::new();
    let mut add = |id: &ResourceId, etag: &str, order: u32| {
        let kind = kinds::locate(id).expect("it is served").kind;
        let body = json!({"properties": {"priority": order}});
        let document = Document::new(id.clone(), kind, body, etag.into(), order);
        let change = Change::Document { id: id.clone(), before: None, after: Some(Arc::new(document)) };
        world.apply(&change);
        changes.push(change);
    };
    add(&nsg, "W/\"1\"", 0);
    (0..1_000).for_each(|order| add(&nsg.child("securityRules", &format!("R{order}")), "", order));
    let keys = encode::keys(&changes);
    let ops = encode::ops(&world, &keys);
    assert_eq!((ops.len(), keys.len()), (97, 97));
    let mut read = World::default();
    for op in &ops {
        let Op::Put(key, value) = op else { panic!("nothing is deleted") };
        let documents = match encode::resource_of(key) {
            Some(_) => vec![encode::read_resource(key, value, Revision(7)).expect("it is read")],
            None => encode::read_bucket(key, value, Revision(7)).expect("it is read"),
        };
        for document in documents {
            read.set(&document.id().clone(), Some(&Arc::new(document)));
        }
    }
    assert_eq!(read.documents().count(), 1_001);
    assert!(read.documents().zip(world.documents()).all(|(one, other)| one.says_as(other)));
    let (first, rest) = changes.split_at(1);
    rest.iter().for_each(|change| world.undo(change));
    let ops = encode::ops(&world, &encode::keys(rest));
    assert!(ops.iter().all(|op| matches!(op, Op::Delete(_))) && ops.len() == 96);
    assert_eq!(encode::ops(&world, &encode::keys(first)).len(), 1);
}

#[test]
fn what_cannot_be_read_is_said() {
    let bad = [("r/x", "{}"), ("r/x", "{\"id\":\"/subscriptions/s/x\",\"etag\":\"e\",\"body\":{}}")];
    for (key, value) in bad {
        assert!(encode::read_resource(key, value.as_bytes(), Revision(1)).is_err(), "{value}");
    }
    assert!(encode::read_bucket("c/x", b"{}", Revision(1)).is_err());
    assert!(
        super::sequence::Sequence::read(br#"{"format":2,"batch":"","audit":{"seq":0,"hash":""}}"#).is_err()
    );
}
