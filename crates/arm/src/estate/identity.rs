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

/// What `az resource list` prints of every resource, and no other command does.
const LISTED: [&str; 6] = ["changedTime", "createdTime", "extendedLocation", "identity", "managedBy", "plan"];
/// What lists print besides.
const ENVELOPE: [&str; 11] = [
    "id",
    "kind",
    "location",
    "name",
    "properties",
    "provisioningState",
    "resourceGroup",
    "sku",
    "tags",
    "type",
    "zones",
];
/// Types of which the envelope tells all there is to know.
const WHOLE: [&str; 2] =
    ["microsoft.network/applicationsecuritygroups", "microsoft.network/publicipaddresses"];

/// Whether an object of a dump only says that a resource exists, as `az resource list` does. To take it for a resource
/// without properties would make an open NSG of every NSG.
pub(super) fn is_only_listed(node: &Node, kind: &str) -> bool {
    let Some(object) = node.as_object().filter(|_| !WHOLE.contains(&kind)) else { return false };
    let is_one_of = |keys: &[&str], key: &str| keys.iter().any(|known| known.eq_ignore_ascii_case(key));
    let mut members = object.members().iter();
    members.clone().any(|member| is_one_of(&LISTED, &member.key))
        && members.all(|member| {
            let key = member.key.as_str();
            is_one_of(&LISTED, key)
                || (is_one_of(&ENVELOPE, key)
                    && (member.value.is_null() || !key.eq_ignore_ascii_case("properties")))
        })
}

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
            (None, _) if is_container(&id) => Ok((CONTAINER.to_owned(), id)),
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

/// What subscriptions and resource groups count as; nothing is read of them.
const CONTAINER: &str = "microsoft.resources/resourcegroups";

/// Whether the id is that of a subscription or a resource group.
fn is_container(id: &ResourceId) -> bool {
    let parts: Vec<&str> = id.as_str().split('/').collect();
    let is = |part: &str, name: &str| part.eq_ignore_ascii_case(name);
    match parts[..] {
        ["", key, _] => is(key, "subscriptions"),
        ["", key, _, kind, _] => is(key, "subscriptions") && is(kind, "resourceGroups"),
        _ => false,
    }
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
