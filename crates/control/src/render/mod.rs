//! What GET answers: a document in ARM's envelope, with what only the world can tell.
//!
//! Ids, types and ETags of the resource and of its parts, inlined children, default rules and back references are added
//! here and stored nowhere. Reference: docs/semantics.md, "Resource model".

mod back;
mod defaults;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::kinds::{self, Kind};
use crate::world::{Document, World};

/// A resource as GET answers it.
pub(crate) fn resource(world: &World, document: &Arc<Document>) -> Value {
    let etag = world.top(document).map_or("", |top| top.etag());
    let mut value = envelope(document, etag);
    let id = document.id();
    let kind = document.kind();
    if let Some(properties) = value.get_mut("properties").and_then(Value::as_object_mut) {
        for collection in kind.collections.iter().filter(|collection| collection.is_inlined) {
            let children = world.children(id, collection.segment);
            let children = children.into_iter().map(|child| of_child(world, child, etag)).collect();
            properties.insert(collection.segment.to_owned(), Value::Array(children));
        }
        specific(world, document, etag, properties);
    }
    value
}

/// An inlined child.
fn of_child(world: &World, child: &Arc<Document>, etag: &str) -> Value {
    let mut value = envelope(child, etag);
    if let Some(properties) = value.get_mut("properties").and_then(Value::as_object_mut) {
        specific(world, child, etag, properties);
    }
    value
}

/// Name, id, type, and the stored body.
fn envelope(document: &Document, etag: &str) -> Value {
    let mut value = Map::new();
    value.insert("name".to_owned(), document.id().name().into());
    value.insert("id".to_owned(), document.id().as_str().into());
    value.insert("type".to_owned(), document.kind().name.into());
    if has_etag(document.kind()) {
        value.insert("etag".to_owned(), etag.into());
    }
    for (key, member) in document.body().as_object().into_iter().flatten() {
        value.insert(key.clone(), member.clone());
    }
    let properties = value.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut()
        && document.kind().name != kinds::LOCK
    {
        properties.entry("provisioningState").or_insert_with(|| "Succeeded".into());
    }
    Value::Object(value)
}

/// Whether resources of a kind show their ETag: what Microsoft.Network serves does, and what is read to be written anew.
fn has_etag(kind: &Kind) -> bool {
    kind.name.starts_with("Microsoft.Network/") || kind.is(kinds::JIT)
}

/// What one kind has and others do not.
fn specific(world: &World, document: &Arc<Document>, etag: &str, properties: &mut Map<String, Value>) {
    let id = document.id();
    match document.kind().name {
        kinds::NSG => {
            properties.insert("defaultSecurityRules".to_owned(), defaults::rules(id, etag));
            back::put_ids(properties, "networkInterfaces", &back::of_kind(world, id, kinds::NIC));
            back::put_ids(properties, "subnets", &back::of_kind(world, id, kinds::SUBNET));
            back::put_ids(properties, "flowLogs", &back::of_kind(world, id, kinds::FLOW_LOG));
        }
        kinds::ROUTE_TABLE => {
            back::put_ids(properties, "subnets", &back::of_kind(world, id, kinds::SUBNET));
        }
        kinds::NETWORK => back::put_ids(properties, "flowLogs", &back::of_kind(world, id, kinds::FLOW_LOG)),
        kinds::SUBNET => {
            let held = back::configurations(world, id, "subnet");
            back::put_ids(properties, "ipConfigurations", &held);
        }
        kinds::PUBLIC_IP => {
            let of_nics = back::configurations(world, id, "publicIPAddress");
            if let Some(holder) = of_nics.into_iter().chain(back::frontends(world, id)).next() {
                properties.insert("ipConfiguration".to_owned(), json!({"id": holder.as_str()}));
            }
        }
        kinds::NIC => {
            parts(document, etag, "ipConfigurations", properties);
            if let Some(machine) = back::of_kind(world, id, kinds::VM).into_iter().next() {
                properties.insert("virtualMachine".to_owned(), json!({"id": machine.as_str()}));
            }
        }
        kinds::LOAD_BALANCER => {
            for list in PARTS {
                parts(document, etag, list, properties);
            }
            back::rules_of_frontends(world, id, properties);
        }
        kinds::NAT_RULE => {
            if let Some(target) =
                back::configurations(world, id, "loadBalancerInboundNatRules").into_iter().next()
            {
                properties.insert("backendIPConfiguration".to_owned(), json!({"id": target.as_str()}));
            }
        }
        kinds::PEERING => back::peering(world, document, properties),
        _ => {}
    }
}

/// Lists of a load balancer whose elements are parts of it.
const PARTS: [&str; 6] = [
    "frontendIPConfigurations",
    "backendAddressPools",
    "loadBalancingRules",
    "probes",
    "outboundRules",
    "inboundNatPools",
];

/// The parts of a resource, such as the IP configurations of an interface, have ids, types and ETags like resources.
fn parts(document: &Document, etag: &str, list: &str, properties: &mut Map<String, Value>) {
    let configurations = properties.get_mut(list).and_then(Value::as_array_mut);
    for configuration in configurations.into_iter().flatten().filter_map(Value::as_object_mut) {
        let name = configuration.get("name").and_then(Value::as_str).unwrap_or_default();
        let id = document.id().child(list, name);
        configuration.insert("id".to_owned(), id.as_str().into());
        configuration.insert("etag".to_owned(), etag.into());
        configuration.insert("type".to_owned(), format!("{}/{list}", document.kind().name).into());
        if let Some(properties) = configuration.get_mut("properties").and_then(Value::as_object_mut) {
            properties.entry("provisioningState").or_insert_with(|| "Succeeded".into());
        }
    }
}
