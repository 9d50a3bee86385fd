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

/// IP configurations whose `property`, a reference or a list of them, names `id`.
pub(super) fn configurations(world: &World, id: &ResourceId, property: &str) -> Vec<ResourceId> {
    let nics = world.naming(id).filter(|document| document.kind().name == kinds::NIC);
    nics.flat_map(|nic| {
        let configurations = nic.properties()["ipConfigurations"].as_array().into_iter().flatten();
        configurations.filter_map(|configuration| {
            let named = &configuration["properties"][property];
            let mut targets = named.as_array().map_or(std::slice::from_ref(named), Vec::as_slice).iter();
            let is_it = |target: &str| target.trim_end_matches('/').eq_ignore_ascii_case(id.as_str());
            targets.any(|target| target["id"].as_str().is_some_and(is_it)).then(|| {
                nic.id().child("ipConfigurations", configuration["name"].as_str().unwrap_or_default())
            })
        })
    })
    .collect()
}

/// Frontends of load balancers that have a public address.
pub(super) fn frontends(world: &World, address: &ResourceId) -> Vec<ResourceId> {
    let balancers = world.naming(address).filter(|document| document.kind().name == kinds::LOAD_BALANCER);
    balancers
        .flat_map(|balancer| {
            let frontends =
                balancer.properties()["frontendIPConfigurations"].as_array().into_iter().flatten();
            frontends.filter_map(|frontend| {
                let target = frontend["properties"]["publicIPAddress"]["id"].as_str().map(ResourceId::new)?;
                let name = frontend["name"].as_str().unwrap_or_default();
                (target == *address).then(|| balancer.id().child("frontendIPConfigurations", name))
            })
        })
        .collect()
}

/// Tells each frontend of a load balancer which inbound NAT rules it has.
pub(super) fn rules_of_frontends(world: &World, balancer: &ResourceId, properties: &mut Map<String, Value>) {
    let rules = world.children(balancer, "inboundNatRules");
    let frontends = properties.get_mut("frontendIPConfigurations").and_then(Value::as_array_mut);
    for frontend in frontends.into_iter().flatten() {
        let own = ResourceId::new(frontend["id"].as_str().unwrap_or_default());
        let has_it = |rule: &&&Arc<Document>| {
            let named = rule.properties()["frontendIPConfiguration"]["id"].as_str();
            named.map(ResourceId::new).as_ref() == Some(&own)
        };
        let ids: Vec<ResourceId> = rules.iter().filter(has_it).map(|rule| rule.id().clone()).collect();
        if let Some(properties) = frontend.get_mut("properties").and_then(Value::as_object_mut) {
            put_ids(properties, "inboundNatRules", &ids);
        }
    }
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
