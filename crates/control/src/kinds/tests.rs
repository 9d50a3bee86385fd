//! The table is whole, and ids are spelt as it spells them.

use palisade_model::ResourceId;

use super::{Kind, TOP_LEVEL, canonical_location, find, locate};

fn all(kind: &'static Kind, out: &mut Vec<&'static Kind>) {
    out.push(kind);
    kind.collections.iter().for_each(|collection| all(collection.kind, out));
}

#[test]
fn every_kind_is_found_by_its_name_and_has_the_name_of_its_place() {
    let mut kinds = Vec::new();
    TOP_LEVEL.iter().for_each(|kind| all(kind, &mut kinds));
    for kind in &kinds {
        assert_eq!(find(&kind.name.to_uppercase()), Some(*kind));
        for collection in kind.collections {
            assert_eq!(collection.kind.name, format!("{}/{}", kind.name, collection.segment));
            let clash = kind.properties.iter().find(|field| field.name == collection.segment);
            assert!(clash.is_none(), "{} is a property and a collection", collection.segment);
        }
    }
    assert!(kinds.len() >= 20);
    assert!(TOP_LEVEL.is_sorted_by_key(|kind| kind.name));
}

#[test]
fn ids_become_canonical_but_for_names() {
    let target = locate(&ResourceId::new(
        "/SUBSCRIPTIONS/S/resourcegroups/Rg/PROVIDERS/microsoft.network/VIRTUALNETWORKS/Net/SUBNETS/A",
    ))
    .expect("it is served");
    assert_eq!(
        target.id.as_str(),
        "/subscriptions/S/resourceGroups/Rg/providers/Microsoft.Network/virtualNetworks/Net/subnets/A"
    );
    assert_eq!(target.top.name(), "Net");
    assert_eq!(target.group().as_ref().map(ResourceId::name), Some("Rg"));
    let lock = locate(&ResourceId::new(&format!("{}/providers/microsoft.authorization/LOCKS/l", target.id)));
    assert_eq!(lock.expect("it is served").scope, target.id);
    assert_eq!(canonical_location("West Europe 2"), "westeurope2");
}
