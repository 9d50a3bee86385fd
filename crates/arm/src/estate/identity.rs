//! Which resource an object of a dump is: its type and its id.
//!
//! The id tells both; without one the type is told by `type`, or by properties that only one type has, and the id is made
//! from the name and the place the caller says the estate is in. An object that tells neither is not guessed at.

use palisade_model::ResourceId;

use super::item::Item;
use crate::json::Node;
use crate::template::DeploymentContext;

/// Types that have a property no other has, in the order they are asked.
const TELLING: &[(&str, &str)] = &[
    ("securityRules", "Microsoft.Network/networkSecurityGroups"),
    ("defaultSecurityRules", "Microsoft.Network/networkSecurityGroups"),
    ("localNetworkAddressSpace", "Microsoft.Network/localNetworkGateways"),
    ("addressSpace", "Microsoft.Network/virtualNetworks"),
    ("gatewayType", "Microsoft.Network/virtualNetworkGateways"),
    ("virtualNetworkGateway1", "Microsoft.Network/connections"),
    ("publicIPAllocationMethod", "Microsoft.Network/publicIPAddresses"),
    ("enableIPForwarding", "Microsoft.Network/networkInterfaces"),
    ("macAddress", "Microsoft.Network/networkInterfaces"),
    ("disableBgpRoutePropagation", "Microsoft.Network/routeTables"),
    ("virtualMachineProfile", "Microsoft.Compute/virtualMachineScaleSets"),
    ("ipConfigurations", "Microsoft.Network/networkInterfaces"),
    ("routes", "Microsoft.Network/routeTables"),
];

/// The type of an object that does not say it.
pub(super) fn infer(node: &Node) -> Option<&'static str> {
    let properties = node.get("properties");
    let has = |key: &str| node.get(key).is_some() || properties.is_some_and(|inner| inner.get(key).is_some());
    TELLING.iter().find(|(key, _)| has(key)).map(|(_, kind)| *kind)
}

/// The type, in lower case, and the id of an object of a dump; else why it has none.
pub(super) fn identify(
    node: &Node,
    item: Item<'_>,
    stem: &str,
    context: &DeploymentContext,
) -> Result<(String, ResourceId), String> {
    if node.as_object().is_none() {
        return Err(format!("{} is not a resource (expected an object)", item.look().describe()));
    }
    let written = item.get("type").and_then(Item::text).filter(|kind| kind.contains('/'));
    if let Some(id) = item.get("id").and_then(Item::text) {
        let id = ResourceId::new(id);
        let of_id = kind_of(&id);
        return match (of_id, written) {
            (Some(kind), Some(written)) if !kind.eq_ignore_ascii_case(written) => Err(format!(
                "the id {id} is that of a {kind}, but the type is \"{written}\" (correct one of them)"
            )),
            (Some(kind), _) => Ok((kind, id)),
            (None, _) => Err(format!(
                "\"{id}\" is not the id of a resource (expected /subscriptions/.../providers/Microsoft.Network/...)"
            )),
        };
    }
    let kind = written.or_else(|| infer(node)).ok_or(
        "the object has neither an id nor a type, and no property that tells its type (add its \"id\" or \"type\")",
    )?;
    let name = item.get("name").and_then(Item::text).unwrap_or(stem);
    let group = item.get("resourceGroup").and_then(Item::text).unwrap_or(&context.resource_group);
    let path = interleave(kind, name).ok_or_else(|| {
        format!("the name \"{name}\" has not as many parts as the type \"{kind}\" (add the \"id\")")
    })?;
    let subscription = &context.subscription_id;
    let id = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{path}");
    Ok((kind.to_ascii_lowercase(), ResourceId::new(&id)))
}

/// The type that an id tells: the segments after the last `providers`, without the names.
pub(super) fn kind_of(id: &ResourceId) -> Option<String> {
    let folded = id.as_str().to_ascii_lowercase();
    let (_, path) = folded.rsplit_once("/providers/")?;
    let mut parts = path.split('/');
    let mut kind = parts.next().filter(|namespace| !namespace.is_empty())?.to_owned();
    let parts: Vec<&str> = parts.collect();
    if parts.is_empty() || !parts.len().is_multiple_of(2) || parts.contains(&"") {
        return None;
    }
    for segment in parts.iter().step_by(2) {
        kind.push('/');
        kind.push_str(segment);
    }
    Some(kind)
}

/// `Microsoft.Network/a/b` and `x/y` become `Microsoft.Network/a/x/b/y`.
fn interleave(kind: &str, name: &str) -> Option<String> {
    let (namespace, types) = kind.split_once('/')?;
    let (types, names): (Vec<&str>, Vec<&str>) = (types.split('/').collect(), name.split('/').collect());
    if types.len() != names.len() || names.contains(&"") {
        return None;
    }
    let pairs: Vec<String> = types.iter().zip(&names).map(|(kind, name)| format!("{kind}/{name}")).collect();
    Some(format!("{namespace}/{}", pairs.join("/")))
}
