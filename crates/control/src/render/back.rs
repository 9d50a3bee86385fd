//! Back references: what a resource shows because others name it.

use std::sync::Arc;

use palisade_model::ResourceId;
use serde_json::{Map, Value, json};

use crate::kinds;
use crate::world::{Document, World};

/// Who of a kind names `id`.
pub(super) fn of_kind(world: &World, id: &ResourceId, kind: &str) -> Vec<ResourceId> {
    world
        .naming(id)
        .filter(|document| document.kind().name == kind)
        .map(|document| document.id().clone())
        .collect()
}

/// IP configurations whose `property` names `id`.
pub(super) fn configurations(world: &World, id: &ResourceId, property: &str) -> Vec<ResourceId> {
    let nics = world.naming(id).filter(|document| document.kind().name == kinds::NIC);
    nics.flat_map(|nic| {
        let configurations = nic.properties()["ipConfigurations"].as_array().into_iter().flatten();
        configurations.filter_map(|configuration| {
            let target = configuration["properties"][property]["id"].as_str()?;
            let names = target.trim_end_matches('/').eq_ignore_ascii_case(id.as_str());
            names.then(|| {
                nic.id().child("ipConfigurations", configuration["name"].as_str().unwrap_or_default())
            })
        })
    })
    .collect()
}

/// Writes a list of references, if there are any: Azure leaves empty ones out.
pub(super) fn put_ids(properties: &mut Map<String, Value>, key: &str, ids: &[ResourceId]) {
    if !ids.is_empty() {
        let ids = ids.iter().map(|id| json!({"id": id.as_str()})).collect();
        properties.insert(key.to_owned(), Value::Array(ids));
    }
}

/// The state of a peering: connected once the other network has one that leads back.
pub(super) fn peering(world: &World, document: &Arc<Document>, properties: &mut Map<String, Value>) {
    let Some(own) = document.id().parent() else { return };
    let Some(remote) = document.references().next() else { return };
    let leads_back = |peering: &&Arc<Document>| peering.references().any(|target| *target == own);
    let is_connected = world.children(remote, "virtualNetworkPeerings").iter().any(leads_back);
    let (state, level) =
        if is_connected { ("Connected", "FullyInSync") } else { ("Initiated", "RemoteNotInSync") };
    properties.insert("peeringState".to_owned(), state.into());
    properties.insert("peeringSyncLevel".to_owned(), level.into());
    if let Some(space) = world.document(remote).and_then(|network| network.properties().get("addressSpace")) {
        properties.insert("remoteAddressSpace".to_owned(), space.clone());
        properties.insert("remoteVirtualNetworkAddressSpace".to_owned(), space.clone());
    }
}
