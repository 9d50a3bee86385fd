//! Where a body says something else than what the server has.
//!
//! What only the server has, such as defaults and states, is no difference. Keys are compared without case, and so are
//! texts that are ids.

use serde_json::Value;

/// What the server writes into resources by itself.
const OF_SERVER: [&str; 6] = [
    "etag",
    "provisioningstate",
    "resourceguid",
    "defaultsecurityrules",
    "networkinterfaces",
    "virtualmachine",
];

/// Paths of the properties of which `wanted` says something that `current` does not.
pub fn between(wanted: &Value, current: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    walk(wanted, current, "", &mut paths);
    paths
}

fn walk(wanted: &Value, current: &Value, path: &str, into: &mut Vec<String>) {
    match (wanted, current) {
        (Value::Object(members), Value::Object(_)) => {
            for (key, value) in members {
                if OF_SERVER.contains(&key.to_lowercase().as_str()) || value.is_null() {
                    continue;
                }
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match member(current, key) {
                    Some(there) => walk(value, there, &below, into),
                    None => into.push(below),
                }
            }
        }
        (Value::Array(items), Value::Array(there)) if items.len() == there.len() => {
            for (index, item) in items.iter().enumerate() {
                let (below, counterpart) = counterpart(item, there, index, path);
                match counterpart {
                    Some(counterpart) => walk(item, counterpart, &below, into),
                    None => into.push(below),
                }
            }
        }
        (Value::String(a), Value::String(b)) if a.eq_ignore_ascii_case(b) && a.starts_with('/') => {}
        _ if wanted == current => {}
        _ => into.push(path.to_owned()),
    }
}

/// The item of the same name, or else at the same place.
fn counterpart<'a>(
    item: &Value,
    there: &'a [Value],
    index: usize,
    path: &str,
) -> (String, Option<&'a Value>) {
    match item["name"].as_str() {
        Some(name) => {
            let same =
                |one: &&Value| one["name"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(name));
            (format!("{path}[{name}]"), there.iter().find(same))
        }
        None => (format!("{path}[{index}]"), there.get(index)),
    }
}

fn member<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

/// Whether an object has a member, whatever the case.
pub fn contains_key(object: &Value, key: &str) -> bool {
    member(object, key).is_some()
}

/// Takes a member out of an object, whatever the case.
pub fn take_key(object: &mut Value, key: &str) -> Option<Value> {
    let members = object.as_object_mut()?;
    let spelt = members.keys().find(|name| name.eq_ignore_ascii_case(key))?.clone();
    members.remove(&spelt)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_wanted_counts() {
        let current = json!({
            "location": "westeurope",
            "etag": "new",
            "properties": {
                "provisioningState": "Succeeded",
                "enableIPForwarding": false,
                "subnet": { "id": "/subscriptions/s/A" },
                "securityRules": [
                    { "name": "b", "properties": { "priority": 2 } },
                    { "name": "a", "properties": { "priority": 1, "access": "Deny" } },
                ],
            },
        });
        for (wanted, paths) in [
            (json!({ "etag": "old", "properties": { "subnet": { "id": "/Subscriptions/s/a" } } }), vec![]),
            (json!({ "Location": "westeurope", "tags": null }), vec![]),
            (json!({ "location": "north" }), vec!["location"]),
            (json!({ "tags": { "a": "b" } }), vec!["tags"]),
            (
                json!({ "properties": { "securityRules": [
                    { "name": "a", "properties": { "priority": 1, "access": "Allow" } },
                    { "name": "c", "properties": {} },
                ] } }),
                vec!["properties.securityRules[a].properties.access", "properties.securityRules[c]"],
            ),
            (json!({ "properties": { "securityRules": [] } }), vec!["properties.securityRules"]),
        ] {
            assert_eq!(between(&wanted, &current), paths, "{wanted}");
        }
    }
}
