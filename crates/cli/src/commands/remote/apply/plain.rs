//! Resources with ids: put one by one, in an order in which nothing refers to what is not there yet.
//!
//! Peerings of virtual networks refer to each other, so networks are put without new peerings first, and peerings after all
//! networks.

use palisade_client::{Client, Precondition};
use serde_json::Value;

use super::{
    Arguments, Change, Effect,
    difference::{self, contains_key, take_key},
};
use crate::{commands::remote::kinds::rank, exit::Failure};

/// What only the server writes.
const READ_ONLY: [&str; 4] = ["etag", "id", "name", "type"];

/// A resource that is to be put.
#[derive(Debug, PartialEq)]
pub struct Resource {
    id: String,
    kind: String,
    body: Value,
}

/// Brings resources into their order.
pub fn read(
    client: &Client,
    resources: Vec<Value>,
    map_subscription: bool,
) -> Result<Vec<Resource>, Failure> {
    let mut all = Vec::new();
    for mut resource in resources {
        let id = resource["id"].as_str().unwrap_or_default().to_owned();
        let foreign = subscription(&id).filter(|one| !one.eq_ignore_ascii_case(client.subscription()));
        if let Some(foreign) = foreign {
            if !map_subscription {
                return Err(Failure::input(format!(
                    "{id}: it is in another subscription than {} (put it here with --map-subscription)",
                    client.subscription()
                )));
            }
            let (from, to) =
                (format!("/subscriptions/{foreign}/"), format!("/subscriptions/{}/", client.subscription()));
            move_to(&mut resource, &from, &to);
        }
        let id = resource["id"].as_str().unwrap_or_default().to_owned();
        let Some(kind) = type_of(&id) else {
            return Err(Failure::input(format!("{id:?} is no id of a resource")));
        };
        separate(id, kind, resource, &mut all);
    }
    all.sort_by_key(|resource| rank(&resource.kind));
    Ok(all)
}

/// Takes peerings out of a network.
fn separate(id: String, kind: String, mut body: Value, into: &mut Vec<Resource>) {
    if kind.eq_ignore_ascii_case("Microsoft.Network/virtualNetworks")
        && let Some(Value::Array(peerings)) = take_key(&mut body["properties"], "virtualNetworkPeerings")
    {
        for peering in peerings {
            let name = peering["name"].as_str().unwrap_or_default();
            let (id, kind) =
                (format!("{id}/virtualNetworkPeerings/{name}"), format!("{kind}/virtualNetworkPeerings"));
            into.push(Resource { id, kind, body: without_read_only(peering) });
        }
    }
    into.push(Resource { id, kind, body: without_read_only(body) });
}

fn without_read_only(mut body: Value) -> Value {
    if let Value::Object(members) = &mut body {
        members.retain(|key, _| !READ_ONLY.contains(&key.as_str()));
    }
    body
}

fn subscription(id: &str) -> Option<&str> {
    let mut segments = id.split('/');
    (segments.next() == Some("") && segments.next()?.eq_ignore_ascii_case("subscriptions")).then_some(())?;
    segments.next()
}

/// The full type that an id says.
fn type_of(id: &str) -> Option<String> {
    let segments: Vec<_> = id.trim_start_matches('/').split('/').collect();
    let at = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    match at {
        None if segments.len() == 4 && segments[2].eq_ignore_ascii_case("resourceGroups") => {
            Some("Microsoft.Resources/resourceGroups".to_owned())
        }
        Some(at) if segments.len() >= at + 4 && (segments.len() - at) % 2 == 0 => {
            let types = segments[at + 2..].iter().step_by(2).copied();
            Some(std::iter::once(segments[at + 1]).chain(types).collect::<Vec<_>>().join("/"))
        }
        _ => None,
    }
}

/// Writes another subscription into every id.
fn move_to(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text)
            if text.len() >= from.len()
                && text.is_char_boundary(from.len())
                && text[..from.len()].eq_ignore_ascii_case(from) =>
        {
            text.replace_range(..from.len(), to);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_to(item, from, to)),
        Value::Object(members) => members.values_mut().for_each(|item| move_to(item, from, to)),
        _ => {}
    }
}

/// The groups that these are in.
pub fn groups(resources: &[Resource]) -> impl Iterator<Item = String> {
    resources.iter().filter(|one| !one.kind.ends_with("/resourceGroups")).filter_map(|one| {
        let mut segments =
            one.id.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case("resourceGroups"));
        segments.nth(1).map(str::to_owned)
    })
}

/// Puts them, and waits until the last change of each is in force.
pub fn put(arguments: &Arguments, client: &Client, resources: &[Resource]) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for resource in resources {
        let body = keeping_peerings(client, resource)?;
        let change = compared(client, resource)?;
        if change.effect != Effect::Nothing {
            let written = client.put(&resource.id, &body, Precondition::Always)?;
            let (id, operation) = (&resource.id, written.operation.as_ref());
            arguments.write.settle(client, id, &written.warnings, operation)?;
            eprintln!("{} {}", if written.created { "created" } else { "updated" }, resource.id);
        }
        changes.push(change);
    }
    Ok(changes)
}

/// A network's body with the peerings that it has: a body without them would take them away.
fn keeping_peerings(client: &Client, resource: &Resource) -> Result<Value, Failure> {
    let mut body = resource.body.clone();
    let is_network = resource.kind.eq_ignore_ascii_case("Microsoft.Network/virtualNetworks");
    if is_network && !contains_key(&body["properties"], "virtualNetworkPeerings") {
        let current = client.find(&resource.id)?;
        if let Some(peerings) =
            current.as_ref().and_then(|one| one.pointer("/properties/virtualNetworkPeerings"))
        {
            body["properties"]["virtualNetworkPeerings"] = peerings.clone();
        }
    }
    Ok(body)
}

/// What putting them would change.
pub fn preview(client: &Client, resources: &[Resource]) -> Result<Vec<Change>, Failure> {
    let one = |resource: &Resource| {
        let mut wanted = keeping_peerings(client, resource)?;
        wanted["id"] = resource.id.as_str().into();
        Ok(Change { wanted: Some(wanted), ..compared(client, resource)? })
    };
    resources.iter().map(one).collect()
}

fn compared(client: &Client, resource: &Resource) -> Result<Change, Failure> {
    let (effect, properties) = match client.find(&resource.id)? {
        None => (Effect::Create, Vec::new()),
        Some(current) => match difference::between(&resource.body, &current) {
            properties if properties.is_empty() => (Effect::Nothing, properties),
            properties => (Effect::Modify, properties),
        },
    };
    Ok(Change { id: resource.id.clone(), effect, properties, wanted: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_read_from_ids() {
        let group = "/subscriptions/s/resourceGroups/g";
        for (id, wanted) in [
            (group.to_owned(), Some("Microsoft.Resources/resourceGroups")),
            (format!("{group}/providers/A.B/c/d"), Some("A.B/c")),
            (format!("{group}/providers/A.B/c/d/e/f"), Some("A.B/c/e")),
            (format!("{group}/providers/A.B/c"), None),
            (format!("{group}/providers/A.B/c/d/e"), None),
            ("nothing".to_owned(), None),
        ] {
            assert_eq!(type_of(&id).as_deref(), wanted, "{id}");
        }
    }

    #[test]
    fn ids_move_to_another_subscription_and_other_text_stays() {
        let mut body = json!({ "id": "/SUBSCRIPTIONS/A/x", "list": ["/subscriptions/a/y", "/subscriptions/ab/z"], "note": "ü" });
        move_to(&mut body, "/subscriptions/a/", "/subscriptions/b/");
        let wanted = json!({ "id": "/subscriptions/b/x", "list": ["/subscriptions/b/y", "/subscriptions/ab/z"], "note": "ü" });
        assert_eq!(body, wanted);
    }

    #[test]
    fn peerings_become_resources_of_their_own() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v".to_owned();
        let network = json!({ "id": id, "name": "v", "properties": { "virtualNetworkPeerings": [
            { "name": "p", "etag": "e", "properties": { "allowVirtualNetworkAccess": true } }
        ] } });
        let mut all = Vec::new();
        separate(id.clone(), type_of(&id).expect("an id"), network, &mut all);
        let ids: Vec<_> = all.iter().map(|one| one.id.clone()).collect();
        assert_eq!(ids, [format!("{id}/virtualNetworkPeerings/p"), id]);
        assert_eq!(all[0].body, json!({ "properties": { "allowVirtualNetworkAccess": true } }));
        assert_eq!(all[1].body, json!({ "properties": {} }));
    }
}
