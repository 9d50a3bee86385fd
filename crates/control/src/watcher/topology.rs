//! Topology: the resources of a group, and what holds or is attached to what.
//!
//! It is read off the documents as `GET` answers them. Subnets and security rules are resources of their own here, as in Azure's
//! answer. It must not judge whether a reference leads anywhere.

use palisade_model::ResourceId;
use serde_json::{Value, json};

use super::input::{list, member, path, reference};

/// References that associate a resource with another: the keys that lead to an object with an id.
const ATTACHED: [&[&str]; 4] = [
    &["properties", "networkSecurityGroup"],
    &["properties", "routeTable"],
    &["properties", "virtualMachine"],
    &["properties", "natGateway"],
];

/// `topology` of these resources. `stamp` is when the answer was made, in RFC 3339, and `id` names it.
pub fn topology(resources: &[Value], id: &str, stamp: &str) -> Value {
    let mut found = Vec::new();
    for resource in resources {
        let location = member(resource, "location").cloned().unwrap_or_default();
        for key in ["subnets", "securityRules"] {
            let children = list(resource, &["properties", key]).iter();
            found.extend(children.map(|child| entry(child, &location)));
        }
        found.push(entry(resource, &location));
    }
    json!({"id": id, "createdDateTime": stamp, "lastModified": stamp, "resources": found})
}

fn entry(resource: &Value, location: &Value) -> Value {
    json!({
        "name": member(resource, "name"),
        "id": member(resource, "id"),
        "location": location,
        "associations": associations(resource),
    })
}

fn associations(resource: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for key in ["subnets", "securityRules"] {
        let children = list(resource, &["properties", key]).iter();
        found.extend(
            children.filter_map(|child| member(child, "id")?.as_str()).map(|id| association(id, "Contains")),
        );
    }
    let interfaces = list(resource, &["properties", "networkProfile", "networkInterfaces"]).iter();
    found.extend(
        interfaces.filter_map(|nic| member(nic, "id")?.as_str()).map(|id| association(id, "Contains")),
    );
    let attached = ATTACHED.iter().filter_map(|keys| reference(resource, keys));
    found.extend(attached.map(|id| association(id.as_str(), "Associated")));
    for configuration in list(resource, &["properties", "ipConfigurations"]) {
        // A subnet lists the configurations in it by id only; an interface has them in full.
        let ends = ["publicIPAddress", "subnet"];
        let ends = ends.iter().filter_map(|key| reference(configuration, &["properties", key]));
        found.extend(ends.map(|id| association(id.as_str(), "Associated")));
        let groups = list(configuration, &["properties", "applicationSecurityGroups"]).iter();
        found.extend(
            groups.filter_map(|group| member(group, "id")?.as_str()).map(|id| association(id, "Associated")),
        );
    }
    found
}

fn association(id: &str, kind: &str) -> Value {
    json!({"name": ResourceId::new(id).name(), "resourceId": id, "associationType": kind})
}

/// Whether a resource belongs to a topology that is asked for one network or subnet: itself, or what refers into it.
pub fn concerns(resource: &Value, target: &ResourceId) -> bool {
    let within = |id: &ResourceId| {
        let (id, target) = (id.as_str().to_ascii_lowercase(), target.as_str().to_ascii_lowercase());
        id == target || id.strip_prefix(&target).is_some_and(|rest| rest.starts_with('/'))
    };
    let own = member(resource, "id").and_then(Value::as_str).map(ResourceId::new);
    let subnets = list(resource, &["properties", "ipConfigurations"]).iter();
    let mut ends = subnets.filter_map(|configuration| reference(configuration, &["properties", "subnet"]));
    let back =
        ["subnets", "networkInterfaces"].into_iter().flat_map(|key| list(resource, &["properties", key]));
    let mut back = back.filter_map(|item| path(item, &["id"])?.as_str()).map(ResourceId::new);
    own.as_ref().is_some_and(within) || ends.any(|id| within(&id)) || back.any(|id| within(&id))
}
